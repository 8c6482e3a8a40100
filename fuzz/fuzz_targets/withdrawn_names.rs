//! Lists of withdrawn names: what is read has as many names as it says and is signed, and a list has exactly the names that
//! were put into it.
#![no_main]

use std::collections::BTreeSet;

use dc_core::{ListKey, NameHash, NewList, UniqueName, WithdrawnNames};
use libfuzzer_sys::fuzz_target;
use pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, UnixTime, alg_id,
};

fuzz_target!(|input: &[u8]| {
    read(input);
    write(input);
});

fn read(input: &[u8]) {
    let key = ListKey([0; 32]);
    let signed = [input, &96_u16.to_be_bytes(), &key.0, &[1; 64]].concat();
    for bytes in [input, &signed] {
        let zone = WithdrawnNames::claimed_zone(bytes);
        assert!(WithdrawnNames::verify(bytes.to_vec(), &[], &[&Ones]).is_err());
        let Ok(list) = WithdrawnNames::verify(bytes.to_vec(), &[key], &[&Ones]) else {
            continue;
        };
        assert_eq!(zone.as_ref(), Ok(list.zone()));
        assert!(list.len() * 6 < bytes.len());
        for first in 0..=255 {
            let found = list.contains(hash(&[first; 8]));
            assert!(!found || !list.is_empty());
        }
    }
}

fn write(input: &[u8]) {
    let (hashes, _) = input.as_chunks::<8>();
    let zone = UniqueName::try_from("cpe.example.com").expect("a name");
    let list = NewList {
        zone,
        sequence: 1,
        issued: UnixTime::since_unix_epoch(std::time::Duration::from_secs(1)),
        expires: UnixTime::since_unix_epoch(std::time::Duration::from_secs(2)),
        next_keys: &[],
    };
    let names = hashes.iter().map(|bytes| hash(bytes)).collect();
    let list = list.encode(names).expect("few names");
    let key = ListKey([0; 32]);
    let signed = list.into_signed(&[(key, [1; 64])]).expect("one signature");
    let list = WithdrawnNames::verify(signed, &[key], &[&Ones]).expect("just written");
    assert_eq!(list.len(), hashes.iter().collect::<BTreeSet<_>>().len());
    assert!(hashes.iter().all(|bytes| list.contains(hash(bytes))));
}

/// The hash that begins with these bytes.
fn hash(bytes: &[u8]) -> NameHash {
    let name = UniqueName::try_from("a").expect("a name");
    NameHash::new(&name, |_| {
        let mut hash = [0; 32];
        hash[..bytes.len()].copy_from_slice(bytes);
        hash
    })
}

/// In place of Ed25519: a signature as long as its, which a fuzzer can make.
#[derive(Debug)]
struct Ones;

impl SignatureVerificationAlgorithm for Ones {
    fn verify_signature(&self, _: &[u8], _: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        match signature == [1; 64] {
            true => Ok(()),
            false => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}
