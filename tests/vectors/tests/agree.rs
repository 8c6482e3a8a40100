//! The published test vectors, `docs/vectors.json`: read with the public interface only, and made
//! again to see that the file is current.
//!
//! After a deliberate change: `cargo test -p dc-core --test vectors -- --ignored` writes the file.

// All of it is test code, helpers too.
#![allow(clippy::unwrap_used)]

mod vectors {
    pub(crate) mod der;
    pub(crate) mod make;
    pub(crate) mod read;
}

use std::path::PathBuf;

use serde_json::Value;

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vectors.json"))
}

fn published() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

#[test]
fn the_file_is_current() {
    let (published, made) = (published(), vectors::make::all());
    for list in ["certificates", "credentials"] {
        let (old, new) = (&published[list], &made[list]);
        for (id, value) in new.as_object().unwrap() {
            assert_eq!(&old[id], value, "{list}/{id}");
        }
    }
    assert_eq!(published, made);
}

#[test]
#[ignore = "writes docs/vectors.json"]
fn write_the_file() {
    let text = serde_json::to_string_pretty(&vectors::make::all()).unwrap();
    std::fs::write(path(), text + "\n").unwrap();
}

#[test]
fn every_vector_comes_out_as_listed() {
    let published = published();
    let mut outcomes = (0, 0);
    for (id, vector) in published["credentials"].as_object().unwrap() {
        match vectors::read::check(&published["certificates"], vector) {
            Ok(true) => outcomes.0 += 1,
            Ok(false) => outcomes.1 += 1,
            Err(wrong) => panic!("{id}: {wrong}"),
        }
    }
    // Both roles in both forms at the least, and what is wrong with each.
    assert!(outcomes.0 >= 4 && outcomes.1 >= 20, "{outcomes:?}");
}

#[test]
fn case_1_every_vector_that_decodes_encodes_to_the_same_bytes() {
    let published = published();
    let mut decoded = 0;
    for vector in published["credentials"].as_object().unwrap().values() {
        let (form, bytes) = (
            vectors::read::form(vector),
            vectors::read::hex(&vector["credential"]),
        );
        if let Ok(credential) = dc_core::DelegatedCredential::decode(form, &bytes) {
            assert_eq!(credential.to_vec(), bytes);
            decoded += 1;
        }
    }
    assert!(decoded > 10);
}
