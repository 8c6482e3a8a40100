//! Proof of possession: nothing is issued for a key whose holder has not signed for it, at the first issue, at each change of
//! keys and at every renewal, whichever way the device came in.

use pki_types::CertificateSigningRequestDer;
use pki_types::pem::PemObject;
use rcgen::{KeyPair, PublicKeyData};

use super::bench::Bench;
use super::device::{Cpe, csr, csr_of, renewal};
use crate::authority::Error;
use crate::authority::json::NewDevice;
use crate::testing::{Database, on_both};
use dc_pki::device_csr::CsrError;
use dc_protocol::{Credentials, RenewRequest};
use dc_store::registry::{self, State};

on_both! {
    a_code_enrols_nobody_for_a_key_that_is_not_shown,
    a_registered_key_gets_nothing_for_a_key_that_is_not_shown,
    a_renewal_gets_nothing_for_a_key_that_is_not_shown,
    an_enrolment_key_that_is_not_shown_replaces_none,
    a_renewal_is_for_whoever_the_handshake_has_shown,
}

/// A request for somebody else's key: made by a box that has another one.
fn for_a_foreign_key() -> String {
    let (own, foreign) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let request = CertificateSigningRequestDer::from_pem_slice(csr_of(&own).as_bytes());
    let mut der = request.unwrap().to_vec();
    let (own, foreign) = (own.der_bytes(), foreign.der_bytes());
    let at = der.windows(own.len()).position(|window| window == own);
    let at = at.unwrap();
    der[at..at + own.len()].copy_from_slice(foreign);
    let base64 = data_encoding::BASE64.encode(&der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let label = "CERTIFICATE REQUEST";
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn is_not_shown(refusal: Result<Credentials, Error>) -> bool {
    matches!(refusal, Err(Error::BadCsr(CsrError::BadSignature)))
}

/// A device that has enrolled, and what it got.
async fn enrolled(bench: &Bench, external_id: &str) -> (Cpe, Credentials) {
    let code = bench.add_with_code(external_id).await.code.unwrap().code;
    let cpe = Cpe::new();
    let first = cpe.enrol_with(&bench.authority, &code, bench.now);
    let first = first.await.unwrap();
    (cpe, first)
}

/// Neither is anything issued, nor does anything else change.
async fn assert_not_renewed(bench: &Bench, cpe: &Cpe, request: &RenewRequest) {
    let records = bench.records().await;
    let refusal = cpe.renew(&bench.authority, request, bench.now);
    assert!(is_not_shown(refusal.await));
    assert_eq!(bench.records().await, records);
}

async fn a_code_enrols_nobody_for_a_key_that_is_not_shown(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let records = bench.records().await;
    let cpe = Cpe::new();
    let foreign = for_a_foreign_key();
    let refusal = cpe.enrol(&bench.authority, &foreign, Some(&code), bench.now);
    assert!(is_not_shown(refusal.await));
    assert_eq!(bench.records().await, records);
    assert_eq!(bench.find("customer-1").await.state, State::Preregistered);
    // The code is not used up by it.
    cpe.enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
}

/// As operators add them one by one, and from a file.
async fn a_registered_key_gets_nothing_for_a_key_that_is_not_shown(database: &Database) {
    let bench = Bench::new(database).await;
    let cpe = Cpe::new();
    let new = NewDevice {
        external_id: "customer-1".to_owned(),
        enrolment_key: Some(cpe.key().to_string()),
        ..NewDevice::default()
    };
    bench.add(new).await.unwrap();
    let records = bench.records().await;
    let foreign = for_a_foreign_key();
    let refusal = cpe.enrol(&bench.authority, &foreign, None, bench.now);
    assert!(is_not_shown(refusal.await));
    let request = RenewRequest {
        csr: foreign,
        client_csr: None,
        previous_sha256: None,
        idempotency_key: "1".to_owned(),
        next_enrolment_csr: None,
    };
    let refusal = cpe.renew(&bench.authority, &request, bench.now);
    assert!(is_not_shown(refusal.await));
    assert_eq!(bench.records().await, records);
}

async fn a_renewal_gets_nothing_for_a_key_that_is_not_shown(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let request = RenewRequest {
        csr: for_a_foreign_key(),
        client_csr: None,
        ..renewal(&first, "1")
    };
    assert_not_renewed(&bench, &cpe, &request).await;
}

async fn an_enrolment_key_that_is_not_shown_replaces_none(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench, "customer-1").await;
    let request = RenewRequest {
        next_enrolment_csr: Some(for_a_foreign_key()),
        ..renewal(&first, "1")
    };
    assert_not_renewed(&bench, &cpe, &request).await;
    assert_eq!(bench.find("customer-1").await.next_key, None);
}

/// The credential that a request names, and the key that it is for, let nobody in.
async fn a_renewal_is_for_whoever_the_handshake_has_shown(database: &Database) {
    let bench = Bench::new(database).await;
    let mut firsts = Vec::new();
    for external_id in ["customer-1", "customer-2"] {
        firsts.push(enrolled(&bench, external_id).await);
    }
    let (victim, thief) = (&firsts[0].1, &firsts[1]);
    let request = renewal(victim, "1");
    let stranger = Cpe::new();
    let refusal = stranger.renew(&bench.authority, &request, bench.now);
    let Err(Error::Store(dc_store::Error::Refused { source })) = refusal.await else {
        panic!("a stranger was let in");
    };
    assert_eq!(source, registry::Error::UnknownDevice);
    let (cpe, own) = thief;
    let request = RenewRequest {
        csr: csr(),
        client_csr: None,
        ..request
    };
    let answer = cpe.renew(&bench.authority, &request, bench.now).await;
    let answer = answer.unwrap();
    assert!(answer.name == own.name && answer.name != victim.name);
}
