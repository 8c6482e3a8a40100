//! Tests of the renewal, whatever database is under it.

mod ca;
mod fleet;
mod rig;
mod years;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Done;
use super::source::OrderError;
use crate::testing::{Database, on_both};
use ca::{Mood, TestCa, Wrong};
use dc_pki::keys::{PemKey, Unlock};
use dc_pki::secret::SecretSource;
use dc_store::registry::{Action, DelegationState};
use rig::{Rig, name};

on_both! {
    a_zone_s_first_certificate_is_ordered_and_used,
    one_of_several_signers_orders,
    a_signer_that_was_killed_while_it_ordered_is_followed_by_another,
    nothing_is_left_of_what_a_ca_should_not_have_returned,
    a_new_key_is_encrypted_if_there_is_a_passphrase,
    each_certificate_has_a_new_key,
    the_key_before_is_used_again_if_it_is_to_be,
}

const ZONE: &str = "cpe.example.com";

fn clock() -> Arc<AtomicU64> {
    let now = dc_pki::clock::now().unwrap();
    Arc::new(AtomicU64::new(now.as_secs()))
}

async fn rig(
    database: &Database,
    moods: impl Fn(u32) -> Mood + Send + Sync + 'static,
) -> (Rig, Arc<TestCa>) {
    let clock = clock();
    let ca = TestCa::new(47, clock.clone(), move |_, number| moods(number));
    let rig = Rig::new(database, clock, "", &[(ZONE, ca.clone())]).await;
    (rig, ca)
}

async fn a_zone_s_first_certificate_is_ordered_and_used(database: &Database) {
    let (rig, _) = rig(database, |_| Mood::Well).await;
    let [one, _] = &rig.signers;
    let done = one.renewer.look().await.unwrap();
    assert_eq!(done, [(name(ZONE), Done::Ordered(1))]);
    while rig.keep_and_share().await {}
    rig.keep().await;
    let zone = rig.zone(&name(ZONE)).await;
    assert_eq!(zone.active().unwrap().number, 1);
    // Its times are drawn, the CA is asked, and then there is nothing to do.
    let mut looks = Vec::new();
    for _ in 0..3 {
        looks.push(one.renewer.look().await.unwrap());
    }
    let looked = vec![(name(ZONE), Done::Looked)];
    assert_eq!(looks, [looked.clone(), looked, vec![]]);
    let known = rig.store.renewals().await.unwrap().remove(0);
    assert_eq!(
        known.certificate_sha256,
        Some(zone.delegations[0].certificate_sha256)
    );
    assert_eq!((known.attempts, known.holder), (0, None));
    let records = rig.store.audit_from(1, 99).await.unwrap().into_iter();
    let acts: Vec<_> = records
        .map(|record| (record.entry.action, record.entry.actor))
        .filter(|(_, actor)| actor == "signer")
        .map(|(action, _)| action)
        .collect();
    let expected = [
        Action::OrderDelegation,
        Action::ImportDelegation,
        Action::ActivateDelegation,
    ];
    assert_eq!(acts, expected);
    assert!(!one.config.data.join("renewal").join(ZONE).exists());
}

async fn one_of_several_signers_orders(database: &Database) {
    let (rig, ca) = rig(database, |_| Mood::Well).await;
    let [one, other] = &rig.signers;
    let (done, elsewhere) = tokio::join!(one.renewer.look(), other.renewer.look());
    let done = [done.unwrap(), elsewhere.unwrap()].concat();
    let ordered = |(_, done): &&(_, Done)| matches!(done, Done::Ordered(_));
    assert_eq!(done.iter().filter(ordered).count(), 1, "{done:?}");
    assert_eq!(ca.orders.load(Ordering::SeqCst), 1);
    assert_eq!(rig.zone(&name(ZONE)).await.delegations.len(), 1);
}

async fn a_signer_that_was_killed_while_it_ordered_is_followed_by_another(database: &Database) {
    let first_is_silent = |number| match number {
        1 => Mood::Silent,
        _ => Mood::Well,
    };
    let (rig, ca) = rig(database, first_is_silent).await;
    let [one, other] = &rig.signers;
    let killed = tokio::time::timeout(Duration::from_secs(3), one.renewer.look()).await;
    assert!(killed.is_err() && ca.orders.load(Ordering::SeqCst) == 1);
    let elsewhere = other.renewer.look().await.unwrap();
    assert_eq!(elsewhere, [(name(ZONE), Done::Elsewhere)]);
    // Five minutes later.
    database
        .tamper("UPDATE renewals SET held_until = held_until - 301")
        .await;
    let done = other.renewer.look().await.unwrap();
    assert_eq!(done, [(name(ZONE), Done::Ordered(1))]);
    let records = rig.store.audit_from(1, 99).await.unwrap();
    let ordered =
        |record: &&dc_store::registry::Record| record.entry.action == Action::OrderDelegation;
    assert_eq!(records.iter().filter(ordered).count(), 2);
}

async fn nothing_is_left_of_what_a_ca_should_not_have_returned(database: &Database) {
    let moods = |number: u32| match Wrong::ALL.get(number as usize - 1) {
        Some(wrong) => Mood::Wrong(*wrong),
        None => Mood::Well,
    };
    let (rig, _) = rig(database, moods).await;
    let [one, _] = &rig.signers;
    for attempt in 1..5 {
        let done = one.renewer.look().await.unwrap();
        let [(_, Done::Failed(OrderError::Refused(reason)))] = &done[..] else {
            panic!("{done:?}");
        };
        let known = rig.store.renewals().await.unwrap().remove(0);
        assert_eq!(known.error.as_ref(), Some(reason));
        assert_eq!((known.attempts, known.holder), (attempt, None));
        assert!(rig.zone(&name(ZONE)).await.delegations.is_empty());
        let left = std::fs::read_dir(one.config.data.join("renewal")).unwrap();
        assert_eq!(left.count(), 0);
        assert!(one.renewer.look().await.unwrap().is_empty(), "it waits");
        let wait = known.try_at.unwrap().as_secs() - rig.now().as_secs();
        assert!((1800..=12 * 3600).contains(&wait), "{wait}");
        rig.set(known.try_at.unwrap().as_secs());
    }
    let done = one.renewer.look().await.unwrap();
    assert_eq!(done, [(name(ZONE), Done::Ordered(1))]);
    let known = rig.store.renewals().await.unwrap().remove(0);
    assert_eq!((known.error, known.failing_since), (None, None));
    let records = rig.store.audit_from(1, 99).await.unwrap();
    let failed = |record: &&dc_store::registry::Record| record.entry.action == Action::FailOrder;
    assert_eq!(records.iter().filter(failed).count(), 4);
}

async fn a_new_key_is_encrypted_if_there_is_a_passphrase(database: &Database) {
    let clock = clock();
    let ca = TestCa::new(47, clock.clone(), |_, _| Mood::Well);
    let command = ["printf", "word"].map(str::to_owned).to_vec();
    let settings = "keys.passphrase = { command = ['printf', 'word'] }";
    let rig = Rig::new(database, clock, settings, &[(ZONE, ca)]).await;
    let [one, _] = &rig.signers;
    one.renewer.look().await.unwrap();
    let sha256 = rig.zone(&name(ZONE)).await.delegations[0].certificate_sha256;
    let key = one.config.data.join("delegations").join(sha256.to_string());
    let key = key.join("key.pem");
    let text = std::fs::read_to_string(&key).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert!(PemKey::read(&key).is_err());
    let unlock = Unlock::with(SecretSource::Command(command));
    let der = one.authority.certificate_der(&sha256).unwrap();
    let read = dc_pki::keys::OpenKey::open(dc_pki::keys::KeyLocation::File(key), &unlock);
    let certificate = dc_core::DelegationCertificate::parse(der.into()).unwrap();
    assert_eq!(read.unwrap().spki(), certificate.spki());
}

async fn each_certificate_has_a_new_key(database: &Database) {
    let keys = keys_of_two(database, "").await;
    assert_ne!(keys[0], keys[1]);
}

async fn the_key_before_is_used_again_if_it_is_to_be(database: &Database) {
    let keys = keys_of_two(database, "certificate_renewal.new_key = false").await;
    assert_eq!(keys[0], keys[1]);
}

/// The public keys of a zone's first two certificates.
async fn keys_of_two(database: &Database, settings: &str) -> Vec<Vec<u8>> {
    let clock = clock();
    let ca = TestCa::new(47, clock.clone(), |_, _| Mood::Well);
    let rig = Rig::new(database, clock, settings, &[(ZONE, ca)]).await;
    let [one, _] = &rig.signers;
    one.renewer.look().await.unwrap();
    one.renewer.look().await.unwrap();
    rig.set(rig.now().as_secs() + 25 * 86_400);
    let done = one.renewer.look().await.unwrap();
    assert_eq!(done, [(name(ZONE), Done::Ordered(2))]);
    let slots = rig.zone(&name(ZONE)).await.delegations.into_iter();
    let keys = slots.map(|slot| {
        assert_eq!(slot.state, DelegationState::Next);
        let der = one.authority.certificate_der(&slot.certificate_sha256);
        let certificate = dc_core::DelegationCertificate::parse(der.unwrap().into());
        certificate.unwrap().spki().to_vec()
    });
    keys.collect()
}
