//! Renewing: the same answer to the same request, another key for another request, and nobody else's name.

use super::bench::Bench;
use super::device::{Cpe, csr, forms, renewal};
use crate::authority::policy::PolicyError;
use crate::authority::{Authority, Error};
use crate::testing::{Database, on_both};
use dc_protocol::{Credentials, RenewRequest};
use dc_store::registry::{self, Change, State};

on_both! {
    a_device_renews_for_its_own_name_whatever_the_request_says,
    the_same_request_gets_the_same_bytes_for_an_hour,
    an_idempotency_key_is_good_for_one_request,
    many_tries_at_once_get_one_answer,
    suspended_and_retired_devices_do_not_renew,
    an_unknown_key_renews_nothing,
    both_keys_work_until_the_new_one_renews,
    a_switch_to_another_devices_key_is_refused,
    an_older_credential_flags_a_clone_after_hours,
    a_copy_that_renews_often_and_shows_nothing_is_flagged,
    a_copy_that_enrols_again_and_again_is_flagged,
    a_lost_answer_is_no_clone,
    malformed_requests_store_nothing,
}

/// An enrolled device, and what it got.
async fn enrolled(bench: &Bench, external_id: &str) -> (Cpe, Credentials) {
    let code = bench.add_with_code(external_id).await.code.unwrap().code;
    let cpe = Cpe::new();
    let answer = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    (cpe, answer)
}

async fn raw(
    authority: &Authority,
    cpe: &Cpe,
    request: &RenewRequest,
    bench: &Bench,
    after: u64,
) -> Vec<u8> {
    let now = bench.after(after);
    authority.accept_clock(now);
    authority.renew(request, cpe.key(), now).await.unwrap().json
}

async fn a_device_renews_for_its_own_name_whatever_the_request_says(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let request = renewal(&first, "1");
    let second = cpe
        .renew(&bench.authority, &request, bench.now)
        .await
        .unwrap();
    assert_eq!(second.name, first.name);
    assert_eq!(forms(&second).len(), 2);
    assert_ne!(second.credentials[0].sha256, first.credentials[0].sha256);
    let held = bench.find("customer-1").await.credential.unwrap();
    assert_eq!(held.sha256.to_string(), second.credentials[0].sha256);
    bench.store.verify_audit().await.unwrap();
}

async fn the_same_request_gets_the_same_bytes_for_an_hour(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let request = renewal(&first, "1");
    let answer = raw(&bench.authority, &cpe, &request, &bench, 10).await;
    let records = bench.records().await;
    assert_eq!(
        raw(&bench.authority, &cpe, &request, &bench, 3000).await,
        answer
    );
    assert_eq!(bench.records().await, records);
    assert_ne!(
        raw(&bench.authority, &cpe, &request, &bench, 3700).await,
        answer
    );
}

async fn an_idempotency_key_is_good_for_one_request(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let request = renewal(&first, "1");
    let second = cpe
        .renew(&bench.authority, &request, bench.now)
        .await
        .unwrap();
    for previous in [&first, &second] {
        let other = renewal(previous, "1");
        let refusal = cpe.renew(&bench.authority, &other, bench.now).await;
        assert!(
            matches!(refusal, Err(Error::KeyOfOtherRequest)),
            "{refusal:?}"
        );
    }
    // Another device may choose the same key.
    let (other, first) = enrolled(&bench, "customer-2").await;
    let request = renewal(&first, "1");
    other
        .renew(&bench.authority, &request, bench.now)
        .await
        .unwrap();
}

async fn many_tries_at_once_get_one_answer(database: &Database) {
    let bench = std::sync::Arc::new(Bench::new(database).await);
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let request = std::sync::Arc::new(renewal(&first, "1"));
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (bench, request, key) = (bench.clone(), request.clone(), cpe.key());
        tries.spawn(async move {
            bench
                .authority
                .renew(&request, key, bench.now)
                .await
                .unwrap()
        });
    }
    let answers = tries.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

async fn suspended_and_retired_devices_do_not_renew(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let device = bench.find("customer-1").await;
    let request = renewal(&first, "1");
    let before = cpe
        .renew(&bench.authority, &request, bench.now)
        .await
        .unwrap();
    let by = bench.by(bench.now);
    for (change, state) in [
        (Change::Suspend, State::Suspended),
        (Change::Retire, State::Retired),
    ] {
        bench
            .store
            .change_device(device.id, &change, &by)
            .await
            .unwrap();
        let records = bench.records().await;
        // Not even what was answered before.
        for request in [&request, &renewal(&before, "2")] {
            let refusal = cpe.renew(&bench.authority, request, bench.now).await;
            let Err(Error::Store(dc_store::Error::Refused { source })) = refusal else {
                panic!("{refusal:?}");
            };
            assert_eq!(source, registry::Error::NotActive { state });
        }
        assert_eq!(bench.records().await, records);
    }
}

async fn an_unknown_key_renews_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    let (_, first) = enrolled(&bench, "customer-1").await;
    let request = renewal(&first, "1");
    let refusal = Cpe::new()
        .renew(&bench.authority, &request, bench.now)
        .await;
    let unknown = Error::from(registry::Error::UnknownDevice).to_string();
    assert_eq!(refusal.unwrap_err().to_string(), unknown);
}

async fn both_keys_work_until_the_new_one_renews(database: &Database) {
    let bench = Bench::new(database).await;
    let (old, first) = enrolled(&bench, "customer-1").await;
    let new = Cpe::new();
    let switch = RenewRequest {
        next_enrolment_csr: Some(new.enrolment_csr()),
        ..renewal(&first, "1")
    };
    let second = old
        .renew(&bench.authority, &switch, bench.now)
        .await
        .unwrap();
    // The answer got lost, and the old key asks again.
    let again = old
        .renew(&bench.authority, &switch, bench.now)
        .await
        .unwrap();
    assert_eq!(again, second);
    let third = new
        .renew(&bench.authority, &renewal(&second, "2"), bench.now)
        .await;
    let third = third.unwrap();
    assert_eq!(third.name, first.name);
    let refusal = old
        .renew(&bench.authority, &renewal(&third, "3"), bench.now)
        .await;
    assert!(refusal.is_err(), "{refusal:?}");
    assert_eq!(bench.find("customer-1").await.key, Some(new.key()));
}

async fn a_switch_to_another_devices_key_is_refused(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let (other, _) = enrolled(&bench, "customer-2").await;
    let switch = RenewRequest {
        next_enrolment_csr: Some(other.enrolment_csr()),
        ..renewal(&first, "1")
    };
    let records = bench.records().await;
    let refusal = cpe.renew(&bench.authority, &switch, bench.now).await;
    let taken = Error::from(registry::Error::KeyTaken).to_string();
    assert_eq!(refusal.unwrap_err().to_string(), taken);
    // Nor was anything issued that the device does not know of.
    assert_eq!(bench.records().await, records);
    let one = csr();
    let same = RenewRequest {
        csr: one.clone(),
        client_csr: None,
        next_enrolment_csr: Some(one),
        ..renewal(&first, "2")
    };
    let refusal = cpe.renew(&bench.authority, &same, bench.now).await;
    assert!(
        matches!(refusal, Err(Error::Policy(PolicyError::EnrolmentKey))),
        "{refusal:?}"
    );
}

async fn an_older_credential_flags_a_clone_after_hours(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    // Two boxes have the key and the first credential. One renews, and a day later the other.
    raw(
        &bench.authority,
        &cpe,
        &renewal(&first, "1"),
        &bench,
        280_000,
    )
    .await;
    assert!(!bench.find("customer-1").await.possible_clone);
    raw(
        &bench.authority,
        &cpe,
        &renewal(&first, "2"),
        &bench,
        366_000,
    )
    .await;
    assert!(bench.find("customer-1").await.possible_clone);
}

async fn a_copy_that_renews_often_and_shows_nothing_is_flagged(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let second = raw(&bench.authority, &cpe, &renewal(&first, "1"), &bench, 10).await;
    let second: Credentials = serde_json::from_slice(&second).unwrap();
    for number in 1..20 {
        let copy = RenewRequest {
            previous_sha256: None,
            ..renewal(&second, &format!("copy {number}"))
        };
        raw(&bench.authority, &cpe, &copy, &bench, number * 5 * 3600).await;
        assert!(!bench.find("customer-1").await.possible_clone);
    }
    raw(
        &bench.authority,
        &cpe,
        &renewal(&second, "2"),
        &bench,
        360_000,
    )
    .await;
    assert!(bench.find("customer-1").await.possible_clone);
    let history = bench
        .store
        .history(bench.find("customer-1").await.id, 1)
        .await;
    let last = &history.unwrap().acts[0].entry;
    assert_eq!(last.action, registry::Action::FlagClone);
    bench.store.verify_audit().await.unwrap();
}

async fn a_copy_that_enrols_again_and_again_is_flagged(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let again = async |number: u64| {
        let now = bench.after(number * 5 * 3600);
        bench.authority.accept_clock(now);
        cpe.enrol(&bench.authority, &csr(), None, now)
            .await
            .unwrap()
    };
    again(1).await;
    again(2).await;
    raw(
        &bench.authority,
        &cpe,
        &renewal(&first, "1"),
        &bench,
        40_000,
    )
    .await;
    assert!(bench.find("customer-1").await.possible_clone);
}

async fn a_lost_answer_is_no_clone(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    raw(
        &bench.authority,
        &cpe,
        &renewal(&first, "1"),
        &bench,
        280_000,
    )
    .await;
    let second = raw(
        &bench.authority,
        &cpe,
        &renewal(&first, "2"),
        &bench,
        290_000,
    )
    .await;
    let second: Credentials = serde_json::from_slice(&second).unwrap();
    raw(
        &bench.authority,
        &cpe,
        &renewal(&second, "3"),
        &bench,
        560_000,
    )
    .await;
    // A box that was reset has nothing to show.
    let reset = RenewRequest {
        previous_sha256: None,
        ..renewal(&second, "4")
    };
    raw(&bench.authority, &cpe, &reset, &bench, 800_000).await;
    assert!(!bench.find("customer-1").await.possible_clone);
}

async fn malformed_requests_store_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let records = bench.records().await;
    let good = || renewal(&first, "1");
    for request in [
        RenewRequest {
            csr: String::new(),
            client_csr: None,
            ..good()
        },
        RenewRequest {
            csr: "-----BEGIN CERTIFICATE REQUEST-----".to_owned(),
            client_csr: None,
            ..good()
        },
        RenewRequest {
            csr: format!("{}-----BEGIN PRIVATE KEY-----", csr()),
            client_csr: None,
            ..good()
        },
        RenewRequest {
            previous_sha256: Some("nonsense".to_owned()),
            ..good()
        },
        RenewRequest {
            idempotency_key: String::new(),
            ..good()
        },
        RenewRequest {
            idempotency_key: "k".repeat(129),
            ..good()
        },
        RenewRequest {
            next_enrolment_csr: Some("nonsense".to_owned()),
            ..good()
        },
    ] {
        let refusal = cpe.renew(&bench.authority, &request, bench.now).await;
        assert!(!refusal.unwrap_err().is_temporary(), "{request:?}");
    }
    assert_eq!(bench.records().await, records);
}
