//! A zone moves on to other certificates while its devices renew.

use dc_core::Form;

use super::bench::{Bench, zone};
use super::device::{Cpe, delegation, forms, renewal};
use crate::authority::policy::PolicyError;
use crate::authority::{Authority, Error};
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_pki::names::ZoneName;
use dc_protocol::Credentials;
use dc_store::NewDelegation;
use dc_store::registry::{self, DelegationState, Sha256};

on_both! {
    nobody_is_refused_while_a_zone_moves_on_for_a_year,
    without_a_newer_certificate_nothing_is_issued_under_the_last_eight_days,
    an_operator_moves_a_zone_on_at_once,
    a_key_that_is_not_on_this_machine_is_missed_and_brought,
    a_certificate_for_other_names_is_not_imported,
    a_certificate_that_ends_soon_is_not_imported,
    a_certificate_that_every_client_refuses_is_not_imported_and_stops_no_start,
    the_self_test_tries_every_key,
    a_certificate_that_is_over_stops_no_other_zone,
    a_zone_is_missed_before_a_device_asks,
    both_forms_are_warned_of_while_anything_of_the_other_is_valid,
    a_key_that_may_not_be_read_is_not_called_missing,
    a_certificate_that_has_not_begun_is_said_to_be_so,
}

const DAY: u64 = 86_400;

/// Checks what every answer must be, whenever it was given.
fn check(answer: &Credentials) {
    let certificate = delegation(answer);
    let left = certificate.not_after().as_secs() - answer.issued;
    assert!(left >= 8 * DAY, "issued {left} s before the end");
    assert!(answer.expires < certificate.not_after().as_secs());
    forms(answer);
}

async fn nobody_is_refused_while_a_zone_moves_on_for_a_year(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    let mut cpes = Vec::new();
    for number in 0..3 {
        let code = bench.add_with_code(&format!("customer-{number}")).await;
        let (cpe, code) = (Cpe::new(), code.code.unwrap().code);
        let held = cpe
            .enrol_with(&bench.authority, &code, bench.now)
            .await
            .unwrap();
        cpes.push((cpe, held));
    }
    let mut used = std::collections::BTreeSet::new();
    for half_day in 1..730 {
        let now = bench.after(half_day * DAY / 2);
        for authority in [&bench.authority, &other] {
            authority.accept_clock(now);
        }
        // A certificate every 60 days, brought to both machines, each valid for 90.
        if half_day % 120 == 0 {
            let folder = bench.vendor(&zone(), now);
            for authority in [&bench.authority, &other] {
                authority
                    .import_delegation(&zone(), &folder, &bench.by(now))
                    .await
                    .unwrap();
            }
        }
        bench.authority.keep_zones(now).await.unwrap();
        other.keep_zones(now).await.unwrap();
        let place = usize::try_from(half_day).unwrap() % cpes.len();
        let (cpe, held) = &mut cpes[place];
        let mut certificates = Vec::new();
        for authority in [&bench.authority, &other] {
            let request = renewal(held, &format!("{half_day}-{}", certificates.len()));
            *held = cpe.renew(authority, &request, now).await.unwrap();
            check(held);
            certificates.push(held.chain.clone());
        }
        assert_eq!(certificates[0], certificates[1], "the two signers agree");
        used.insert(held.chain.clone());
    }
    assert_eq!(used.len(), 7);
    let zones = bench.store.zones().await.unwrap();
    let states: Vec<DelegationState> = zones[0].delegations.iter().map(|slot| slot.state).collect();
    let active = states
        .iter()
        .filter(|state| **state == DelegationState::Active);
    assert_eq!((active.count(), states.len()), (1, 7));
    assert!(states.contains(&DelegationState::Gone));
    // What is gone has no key any more.
    let gone = zones[0]
        .delegations
        .iter()
        .find(|slot| slot.state == DelegationState::Gone);
    let folder = bench.config.data.join("delegations");
    let folder = folder.join(gone.unwrap().certificate_sha256.to_string());
    assert!(folder.join("chain.pem").exists() && !folder.join("key.pem").exists());
}

async fn without_a_newer_certificate_nothing_is_issued_under_the_last_eight_days(
    database: &Database,
) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let held = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let last = bench.after(82 * DAY);
    bench.authority.accept_clock(last);
    let held = cpe
        .renew(&bench.authority, &renewal(&held, "1"), last)
        .await
        .unwrap();
    check(&held);
    let late = bench.after(82 * DAY + 1);
    let refusal = cpe
        .renew(&bench.authority, &renewal(&held, "2"), late)
        .await
        .unwrap_err();
    assert!(
        matches!(refusal, Error::Policy(PolicyError::TooLittleLeft { .. })),
        "{refusal}"
    );
    assert!(refusal.is_temporary());
    // A new certificate mends it at once, soaked or not.
    bench.import(late).await;
    bench.authority.keep_zones(late).await.unwrap();
    let held = cpe
        .renew(&bench.authority, &renewal(&held, "3"), late)
        .await
        .unwrap();
    check(&held);
}

async fn an_operator_moves_a_zone_on_at_once(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let refusal = bench.authority.rollover(&zone(), false, &by).await;
    assert!(
        matches!(refusal, Err(Error::NoNextDelegation { .. })),
        "{refusal:?}"
    );
    let next = bench.import(bench.now).await;
    bench.authority.keep_zones(bench.now).await.unwrap();
    let waiting = bench.store.zones().await.unwrap();
    assert_eq!(waiting[0].active().unwrap().number, 1);
    let moved = bench.authority.rollover(&zone(), false, &by).await.unwrap();
    assert_eq!(moved.active().unwrap().number, next);
    assert_eq!(moved.delegations[0].state, DelegationState::Draining);
}

async fn a_key_that_is_not_on_this_machine_is_missed_and_brought(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    let folder = bench.vendor(&zone(), bench.now);
    let by = bench.by(bench.now);
    bench
        .authority
        .import_delegation(&zone(), &folder, &by)
        .await
        .unwrap();
    bench.authority.rollover(&zone(), false, &by).await.unwrap();
    other.keep_zones(bench.now).await.unwrap();
    let missing = other.missing();
    assert_eq!((missing.len(), missing[0].slot), (1, 2));
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let refusal = cpe.enrol_with(&other, &code, bench.now).await.unwrap_err();
    assert!(matches!(refusal, Error::KeyNotHere { .. }), "{refusal}");
    let brought = other
        .import_delegation(&zone(), &folder, &by)
        .await
        .unwrap();
    assert!(brought.known && other.missing().is_empty());
    cpe.enrol_with(&other, &code, bench.now).await.unwrap();
    // It is there, so it is not imported again.
    let refusal = other.import_delegation(&zone(), &folder, &by).await;
    let exists = Error::from(registry::Error::DelegationExists { number: 2 }).to_string();
    assert_eq!(refusal.unwrap_err().to_string(), exists);
}

async fn a_certificate_for_other_names_is_not_imported(database: &Database) {
    let bench = Bench::new(database).await;
    let other = ZoneName::parse("other.example.com").unwrap();
    let folder = bench.vendor(&other, bench.now);
    let by = bench.by(bench.now);
    let refusal = bench
        .authority
        .import_delegation(&zone(), &folder, &by)
        .await;
    assert!(
        matches!(
            refusal,
            Err(Error::Pki(dc_pki::Error::NameOutsideZone { .. }))
        ),
        "{refusal:?}"
    );
    let refusal = bench
        .authority
        .import_delegation(&other, &folder, &by)
        .await;
    let unknown = Error::from(registry::Error::UnknownZone).to_string();
    assert_eq!(refusal.unwrap_err().to_string(), unknown);
    let kept = std::fs::read_dir(bench.config.data.join("delegations")).unwrap();
    assert_eq!(kept.count(), 1);
}

async fn a_certificate_that_every_client_refuses_is_not_imported_and_stops_no_start(
    database: &Database,
) {
    let bench = Bench::new(database).await;
    let (folder, sha256) = for_clients_alone(&bench);
    let by = bench.by(bench.now);
    let refusal = bench
        .authority
        .import_delegation(&zone(), &folder, &by)
        .await;
    let text = refusal.unwrap_err().to_string();
    let words = "extKeyUsage clientAuth alone, and it is refused without serverAuth: ask the CA";
    assert!(text.contains(words), "{text}");
    // As an earlier version took it.
    let kept = bench.config.data.join("delegations");
    std::fs::rename(&folder, kept.join(sha256.to_string())).unwrap();
    let slot = NewDelegation {
        zone: zone(),
        certificate_sha256: sha256,
        not_before: bench.now,
        not_after: bench.after(90 * DAY),
    };
    bench.store.import_delegation(&slot, &by).await.unwrap();
    let authority = Authority::open(&bench.config, bench.store.clone())
        .await
        .unwrap();
    assert_eq!((authority.tested(), authority.missing().len()), (1, 1));
    let text = authority.missing()[0].to_string();
    assert!(text.contains(words), "{text}");
}

/// A folder with a certificate that may delegate, and whose extKeyUsage has no serverAuth.
fn for_clients_alone(bench: &Bench) -> (std::path::PathBuf, Sha256) {
    let folder = bench.vendor(&zone(), bench.now);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["*.cpe.example.com".to_owned()]).unwrap();
    let begin = std::time::Duration::from_secs(bench.now.as_secs());
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + begin;
    params.not_after = params.not_before + std::time::Duration::from_secs(90 * DAY);
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.custom_extensions = vec![dc_pki::test_ca::delegation_usage()];
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    (folder, Sha256::of(certificate.der()))
}

async fn a_certificate_that_ends_soon_is_not_imported(database: &Database) {
    let bench = Bench::new(database).await;
    let folder = bench.vendor(&zone(), bench.now);
    let late = bench.by(bench.after(83 * DAY));
    let refusal = bench
        .authority
        .import_delegation(&zone(), &folder, &late)
        .await;
    let text = refusal.unwrap_err().to_string();
    assert!(text.contains("must have begun and have 8 d left"), "{text}");
}

async fn the_self_test_tries_every_key(database: &Database) {
    let bench = Bench::new(database).await;
    bench.import(bench.now).await;
    assert_eq!(bench.authority.tested(), 2);
    // Another certificate's key in the place of the second one: the first zone's certificate goes on.
    let zones = bench.store.zones().await.unwrap();
    let folders = bench.config.data.join("delegations");
    let [first, second] = [0, 1].map(|place| {
        let sha256 = zones[0].delegations[place].certificate_sha256.to_string();
        folders.join(sha256).join("key.pem")
    });
    std::fs::copy(first, second).unwrap();
    let authority = Authority::open(&bench.config, bench.store.clone())
        .await
        .unwrap();
    assert_eq!((authority.tested(), authority.missing().len()), (1, 1));
    let text = authority.missing()[0].to_string();
    assert!(text.contains("slot 2 of cpe.example.com"), "{text}");
}

async fn a_certificate_that_is_over_stops_no_other_zone(database: &Database) {
    let bench = Bench::new(database).await;
    bench.add_zone("b.example.com", Forms::Named).await;
    let other = ZoneName::parse("b.example.com").unwrap();
    let later = bench.after(91 * DAY);
    let folder = bench.vendor(&other, bench.after(60 * DAY));
    let by = bench.by(bench.after(60 * DAY));
    bench
        .authority
        .import_delegation(&other, &folder, &by)
        .await
        .unwrap();
    bench.authority.rollover(&other, false, &by).await.unwrap();

    let authority = Authority::open(&bench.config, bench.store.clone())
        .await
        .unwrap();
    authority.accept_clock(later);
    authority.keep_zones(later).await.unwrap();
    assert_eq!(authority.tested(), 2);
    let status = authority.issuing_status(later).await.unwrap();
    let can: Vec<(String, bool)> = status
        .zones
        .iter()
        .map(|zone| (zone.zone.to_string(), status.can_issue(zone)))
        .collect();
    let expected = [("b.example.com", true), ("cpe.example.com", false)];
    assert_eq!(can, expected.map(|(zone, can)| (zone.to_owned(), can)));
    let faults = status.faults().join("\n");
    assert!(faults.starts_with("zone cpe.example.com: "), "{faults}");
    assert!(faults.contains("ended at"), "{faults}");
    // The next one is taken as soon as it is there.
    bench.import(later).await;
    let fresh = Authority::open(&bench.config, bench.store.clone());
    let fresh = fresh.await.unwrap();
    fresh.accept_clock(later);
    let status = fresh.issuing_status(later).await.unwrap();
    assert_eq!(status.faults(), Vec::<String>::new());
    let moving = status.moving().join("\n");
    assert!(moving.contains("moves on to slot 2"), "{moving}");
    authority.keep_zones(later).await.unwrap();
    assert_eq!(
        authority.issuing_status(later).await.unwrap().moving(),
        Vec::<String>::new()
    );
    assert_eq!(
        authority.issuing_status(later).await.unwrap().faults(),
        Vec::<String>::new()
    );
}

async fn both_forms_are_warned_of_while_anything_of_the_other_is_valid(database: &Database) {
    let bench = Bench::new(database).await;
    let warned = async |now| {
        let status = bench.authority.issuing_status(now).await.unwrap();
        // It is no reason not to issue.
        assert!(status.zones.iter().all(|zone| zone.fault.is_none()));
        let zones = status.both_forms.iter();
        zones.map(ToString::to_string).collect::<Vec<_>>()
    };
    let said = warned(bench.now).await;
    assert!(
        said.len() == 1 && said[0].contains("issues both forms"),
        "{said:?}"
    );
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let first = cpe.enrol_with(&bench.authority, &code, bench.now).await;
    assert_eq!(forms(&first.unwrap()), [Form::Named, Form::Rfc9345]);
    let by = bench.by(bench.now);
    let changed = bench.authority.set_forms(&zone(), Forms::Named, &by).await;
    let until = changed.unwrap().other_forms_until;
    assert_eq!(until, Some(bench.after(7 * DAY)));
    bench.authority.keep_zones(bench.now).await.unwrap();
    let said = warned(bench.now).await;
    assert!(
        said.len() == 1 && said[0].contains("has changed its forms"),
        "{said:?}"
    );
    assert_eq!(warned(bench.after(7 * DAY)).await.len(), 1);
    assert_eq!(warned(bench.after(7 * DAY + 1)).await.len(), 0);
}

async fn a_zone_is_missed_before_a_device_asks(database: &Database) {
    let bench = Bench::new(database).await;
    let status = bench.authority.issuing_status(bench.now).await.unwrap();
    assert_eq!(status.faults(), Vec::<String>::new());
    assert_eq!(status.ending(bench.after(60 * DAY)), Vec::<String>::new());
    // 82 days are to be issued from.
    let text = status.ending(bench.after(62 * DAY)).join("\n");
    assert!(text.contains("zone cpe.example.com"), "{text}");
    let late = bench.after(82 * DAY + 1);
    bench.authority.accept_clock(late);
    let faults = bench
        .authority
        .issuing_status(late)
        .await
        .unwrap()
        .faults()
        .join("\n");
    assert!(
        faults.contains("zone cpe.example.com") && faults.contains("too early"),
        "{faults}"
    );
}

async fn a_key_that_may_not_be_read_is_not_called_missing(database: &Database) {
    let bench = Bench::new(database).await;
    let sha256 = bench.store.zones().await.unwrap()[0].delegations[0].certificate_sha256;
    let folder = bench
        .config
        .data
        .join("delegations")
        .join(sha256.to_string());
    // Whoever runs as root may read everything, so the key is a folder: neither there nor missing.
    std::fs::remove_file(folder.join("key.pem")).unwrap();
    std::fs::create_dir(folder.join("key.pem")).unwrap();
    let authority = Authority::open(&bench.config, bench.store.clone())
        .await
        .unwrap();
    let missing = authority.missing()[0].to_string();
    let said = authority
        .issuing_status(bench.now)
        .await
        .unwrap()
        .faults()
        .join("\n");
    assert!(
        missing.contains("cannot read") && missing.contains("key.pem"),
        "{missing}"
    );
    assert!(said.contains("it cannot be read: "), "{said}");
    assert!(
        !said.contains("key.pem") && !missing.contains("ZoneName("),
        "{said}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    let authority = Authority::open(&bench.config, bench.store.clone())
        .await
        .unwrap();
    let said = authority
        .issuing_status(bench.now)
        .await
        .unwrap()
        .faults()
        .join("\n");
    assert!(
        said.contains("zones rollover cpe.example.com --import DIR"),
        "{said}"
    );
    assert!(!authority.missing()[0].to_string().contains("init"));
}

async fn a_certificate_that_has_not_begun_is_said_to_be_so(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    // It begins a day before it was made.
    let begin = bench.after(600);
    bench.import(bench.after(600 + DAY)).await;
    bench
        .authority
        .rollover(&zone(), false, &bench.by(begin))
        .await
        .unwrap();
    let slow = bench.after(300);
    let refusal = Cpe::new().enrol_with(&bench.authority, &code, slow).await;
    let text = refusal.unwrap_err().to_string();
    assert!(
        text.contains("not valid yet") && !text.contains("too early"),
        "{text}"
    );
}
