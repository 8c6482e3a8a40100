//! dc-core and the published vectors: `docs/vectors/credentials.json`, read with the public interface only; and dc-core
//! beside the reference.

// All of it is test code, helpers too.
#![allow(clippy::unwrap_used)]

mod algorithms;
mod credentials;
mod differential;
mod files;
mod handshakes;
mod requests;
mod words;

use dc_vectors::format::credentials::Credentials;
use dc_vectors::format::handshakes::Handshakes;
use serde::de::DeserializeOwned;

use credentials::Case;

fn read<T: DeserializeOwned>(file: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/vectors/");
    let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn published() -> Credentials {
    read("credentials.json")
}

#[test]
fn every_vector_comes_out_as_listed() {
    let published = published();
    let mut wrong = Vec::new();
    let (mut valid, mut refused) = (0, 0);
    for algorithms in [algorithms::with_ring(), algorithms::with_aws_lc_rs()] {
        for (id, vector) in &published.credentials {
            let case = Case::of(vector, &published, &algorithms);
            if !case.is_for_dc_core() {
                continue;
            }
            match case.check() {
                Ok(()) if vector.refused.is_some() => refused += 1,
                Ok(()) => valid += 1,
                Err(why) => wrong.push(format!("{id}: {why}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        published.credentials.len()
    );
    // Both roles in both forms at the least, and what is wrong with each.
    assert!(
        valid >= 8 && refused >= 400,
        "{valid} valid, {refused} refused"
    );
}

#[test]
fn case_1_every_vector_that_decodes_encodes_to_the_same_bytes() {
    let mut decoded = 0;
    for vector in published().credentials.values() {
        let form = words::form(vector.form);
        if let Ok(credential) = dc_core::DelegatedCredential::decode(form, &vector.credential.0) {
            assert_eq!(credential.to_vec(), vector.credential.0);
            decoded += 1;
        }
    }
    assert!(decoded > 100, "{decoded}");
}

#[test]
fn every_request_is_granted_or_refused_as_listed() {
    let published = published();
    let check = |(id, vector)| {
        requests::check(&published.certificates, vector)
            .err()
            .map(|why| format!("{id}: {why}"))
    };
    let wrong: Vec<String> = published.requests.iter().filter_map(check).collect();
    assert!(
        wrong.is_empty() && published.requests.len() > 40,
        "{wrong:#?}"
    );
}

#[test]
fn every_file_is_read_as_listed() {
    let published = published();
    let check = |(id, vector)| {
        files::check(&published, vector)
            .err()
            .map(|why| format!("{id}: {why}"))
    };
    let wrong: Vec<String> = published.files.iter().filter_map(check).collect();
    assert!(wrong.is_empty() && published.files.len() > 20, "{wrong:#?}");
}

#[test]
fn every_certificate_verify_comes_out_as_listed() {
    let published: Handshakes = read("handshakes.json");
    let algorithms = algorithms::with_aws_lc_rs();
    let (mut wrong, mut checked) = (Vec::new(), [0; 2]);
    for (id, vector) in &published.handshakes {
        let Some(listed) = handshakes::listed(vector) else {
            continue;
        };
        checked[usize::from(listed.is_some())] += 1;
        if let Err(why) = handshakes::check(vector, listed, &algorithms) {
            wrong.push(format!("{id}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked[0] > 60 && checked[1] > 30, "{checked:?}");
}
