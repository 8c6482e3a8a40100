//! Enrolling with a code, or with a key that an operator has registered.

use dc_core::Form;

use super::bench::{Bench, zone};
use super::device::{Cpe, csr, csr_of, forms};
use crate::authority::Error;
use crate::authority::json::NewDevice;
use crate::authority::policy::PolicyError;
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_store::Keep;
use dc_store::registry::{self, ActivationCode, Change, CodeError, CodeKey, PendingCode, State};

on_both! {
    a_code_enrols_a_device_and_its_key_renews,
    a_code_of_before_is_good_until_it_ends_and_of_no_other_device,
    a_code_that_was_used_enrols_no_other_key,
    a_wrong_code_is_counted_and_the_right_one_ends_with_it,
    a_registered_key_needs_no_code,
    a_stranger_gets_nothing,
    what_would_fail_afterwards_does_not_use_a_code_up,
    nothing_is_issued_without_a_zone_that_can_sign,
    a_suspended_device_does_not_enrol,
}

async fn a_code_enrols_a_device_and_its_key_renews(database: &Database) {
    let bench = Bench::new(database).await;
    let added = bench.add_with_code("customer-1").await;
    let code = added.code.unwrap().code;
    let cpe = Cpe::new();
    let answer = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    assert_eq!(answer.name, added.name);
    assert_eq!(
        (answer.device, answer.zone.as_str()),
        (added.id, "cpe.example.com")
    );
    let device = bench.find("customer-1").await;
    assert_eq!(device.state, State::Active);
    assert_eq!(device.key, Some(cpe.key()));
    let held = device.credential.unwrap();
    assert_eq!(held.sha256.to_string(), answer.credentials[0].sha256);
    assert_eq!(held.expires.as_secs(), answer.expires);
    assert_eq!(answer.expires - answer.issued, 164 * 3600);
    let life = answer.expires - answer.issued;
    assert_eq!(answer.renew_from, answer.issued + life * 40 / 100);
    assert_eq!(answer.renew_until, answer.issued + life * 55 / 100);
}

async fn a_code_of_before_is_good_until_it_ends_and_of_no_other_device(database: &Database) {
    let bench = Bench::new(database).await;
    let kept = std::fs::read(bench.config.data.join("secrets/codes.key")).unwrap();
    let key = CodeKey::new(&kept.try_into().unwrap());
    let (mut devices, mut codes) = (Vec::new(), Vec::new());
    for external_id in ["customer-1", "customer-2"] {
        bench.add_with_code(external_id).await;
        devices.push(bench.find(external_id).await.id);
        codes.push(ActivationCode::random().unwrap());
    }
    let pending = |mac, number: usize| PendingCode {
        id: codes[number].id(),
        device: devices[number],
        mac,
        expires: bench.after(1000),
        tries: 0,
        used_by: None,
    };
    // As earlier versions kept it; and one that was made for the first device.
    let kept = [
        pending(key.mac_without_device(&codes[0]), 0),
        pending(key.mac(&codes[1], devices[0]), 1),
    ];
    let by = bench.by(bench.now);
    bench.store.put_codes(&kept, Keep::New, &by).await.unwrap();
    let cpe = Cpe::new();
    let code = codes[0].expose();
    let enrolled = cpe.enrol_with(&bench.authority, &code, bench.now).await;
    assert_eq!(enrolled.unwrap().device, devices[0].to_string());
    let thief = Cpe::new();
    let code = codes[1].expose();
    let refused = thief.enrol_with(&bench.authority, &code, bench.now).await;
    assert!(
        matches!(refused, Err(Error::Code(CodeError::Wrong { .. }))),
        "{refused:?}"
    );
}

async fn a_code_that_was_used_enrols_no_other_key(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let (cpe, thief) = (Cpe::new(), Cpe::new());
    let first = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let refusal = thief.enrol_with(&bench.authority, &code, bench.now).await;
    assert!(
        matches!(refusal, Err(Error::Code(CodeError::Used))),
        "{refusal:?}"
    );
    // Somebody else has the code, so an operator should look.
    assert!(bench.find("customer-1").await.possible_clone);
    // The device whose answer got lost gets in again.
    let again = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    assert_eq!(again.name, first.name);
}

async fn a_wrong_code_is_counted_and_the_right_one_ends_with_it(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    // The last letter has unused bits, so the one before is changed.
    let place = code.len() - 2..code.len() - 1;
    let other = if &code[place.clone()] == "a" {
        "b"
    } else {
        "a"
    };
    let mut wrong = code.clone();
    wrong.replace_range(place, other);
    assert_ne!(wrong, code);
    let cpe = Cpe::new();
    for left in (0..5).rev() {
        let refusal = cpe.enrol_with(&bench.authority, &wrong, bench.now).await;
        let Err(Error::Code(CodeError::Wrong { left: said })) = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(said, left);
    }
    let refusal = cpe.enrol_with(&bench.authority, &code, bench.now).await;
    assert!(
        matches!(refusal, Err(Error::Code(CodeError::TooManyTries))),
        "{refusal:?}"
    );
    assert!(!bench.find("customer-1").await.possible_clone);
}

async fn a_registered_key_needs_no_code(database: &Database) {
    let bench = Bench::new(database).await;
    let cpe = Cpe::new();
    let new = NewDevice {
        external_id: "customer-1".to_owned(),
        enrolment_key: Some(cpe.key().to_string()),
        ..NewDevice::default()
    };
    bench.add(new).await.unwrap();
    let answer = cpe
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await
        .unwrap();
    assert_eq!(forms(&answer), [Form::Named, Form::Rfc9345]);
}

async fn a_stranger_gets_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    let records = bench.records().await;
    let stranger = Cpe::new();
    let refusal = stranger
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await;
    assert!(matches!(refusal, Err(Error::Stranger)), "{refusal:?}");
    let unknown = "aaaaaa-aaaaaa-aaaaaa-aaaaaa-aaaaaa-aaaaaa";
    let refusal = stranger
        .enrol_with(&bench.authority, unknown, bench.now)
        .await;
    assert!(
        matches!(refusal, Err(Error::Code(CodeError::Unknown))),
        "{refusal:?}"
    );
    assert_eq!(bench.records().await, records);
}

async fn what_would_fail_afterwards_does_not_use_a_code_up(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let rsa = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/keys/rsa-2048.pem"
    ));
    let rsa = rcgen::KeyPair::from_pem_and_sign_algo(rsa, &rcgen::PKCS_RSA_SHA256).unwrap();
    let refusal = cpe
        .enrol(&bench.authority, &csr_of(&rsa), Some(&code), bench.now)
        .await;
    assert!(
        matches!(refusal, Err(Error::Policy(PolicyError::KeyType(_)))),
        "{refusal:?}"
    );
    let own = cpe.enrolment_csr();
    let refusal = cpe
        .enrol(&bench.authority, &own, Some(&code), bench.now)
        .await;
    assert!(
        matches!(refusal, Err(Error::Policy(PolicyError::EnrolmentKey))),
        "{refusal:?}"
    );
    let mut broken = csr();
    let changed = if broken[150..151] == *"A" { "B" } else { "A" };
    broken.replace_range(150..151, changed);
    let refusal = cpe
        .enrol(&bench.authority, &broken, Some(&code), bench.now)
        .await;
    assert!(matches!(refusal, Err(Error::BadCsr(_))), "{refusal:?}");
    assert_eq!(bench.find("customer-1").await.state, State::Preregistered);
    cpe.enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
}

async fn nothing_is_issued_without_a_zone_that_can_sign(database: &Database) {
    let bench = Bench::empty(database, "").await;
    bench.add_zone("cpe.example.com", Forms::Named).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let refusal = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap_err();
    assert!(
        matches!(refusal, Error::Policy(PolicyError::NoDelegation)),
        "{refusal}"
    );
    assert!(refusal.is_temporary());
    bench.import(bench.now).await;
    bench
        .authority
        .rollover(&zone(), false, &bench.by(bench.now))
        .await
        .unwrap();
    let answer = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    assert_eq!(forms(&answer), [Form::Named]);
}

async fn a_suspended_device_does_not_enrol(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    let suspend = Change::Suspend;
    bench
        .store
        .change_device(device.id, &suspend, &by)
        .await
        .unwrap();
    let refusal = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await;
    let suspended = registry::Error::NotActive {
        state: State::Suspended,
    };
    assert!(
        matches!(&refusal, Err(Error::Store(dc_store::Error::Refused { source: error })) if *error == suspended),
        "{refusal:?}"
    );
}
