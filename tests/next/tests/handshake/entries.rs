//! The mapping of a credential that is a certificate entry (`src/pseudo.rs`), with any bytes.

use dc_core::Form;
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "../../src/pseudo.rs"]
mod pseudo;

use pseudo::{entries_to_wire, entry};

fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[4 - width..], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector(3, body)].concat()
}

/// A Certificate message of these certificates, each with a block of extensions.
fn certificate(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let list: Vec<u8> = entries
        .iter()
        .flat_map(|(certificate, block)| [vector(3, certificate), vector(2, block)].concat())
        .collect();
    message(11, &[vector(1, &[]), vector(3, &list)].concat())
}

/// A credential whose parts have any content and any length.
fn credential() -> impl Strategy<Value = (Form, Vec<u8>)> {
    let form = prop_oneof![Just(Form::Rfc9345), Just(Form::Named)];
    let parts = (
        vec(any::<u8>(), 6),
        vec(any::<u8>(), 1..600),
        vec(any::<u8>(), 1..256),
        vec(any::<u8>(), 1..600),
    );
    (form, parts).prop_map(|(form, (head, spki, name, signature))| {
        let name = match form {
            Form::Named => vector(1, &name),
            Form::Rfc9345 => Vec::new(),
        };
        let body = [
            head,
            vector(3, &spki),
            name,
            vec![4, 3],
            vector(2, &signature),
        ]
        .concat();
        (form, body)
    })
}

fn der() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300).prop_map(|content| [vec![0x30, 0x82], vector(2, &content)].concat())
}

proptest! {
    #[test]
    fn what_rustls_sends_becomes_the_extension_and_keeps_its_length(
        (form, body) in credential(),
        certificates in vec(der(), 1..4),
        before in vec(any::<u8>(), 0..40),
    ) {
        let own = entry(form, &body).unwrap();
        prop_assert_ne!(own[0], 0x30);
        let extension = [&form.extension_type().to_be_bytes()[..], &vector(2, &body)].concat();
        let mut rustls: Vec<(&[u8], &[u8])> = certificates.iter().map(|der| (&der[..], &[][..])).collect();
        let mut wire = rustls.clone();
        rustls.insert(1, (&own, &[]));
        wire[0].1 = &extension;
        let around = |certificate: Vec<u8>| [message(8, &before), certificate, message(15, &before)].concat();
        let (rustls, wire) = (around(certificate(&rustls)), around(certificate(&wire)));
        prop_assert_eq!(rustls.len(), wire.len());
        prop_assert_eq!(&*entries_to_wire(&rustls), &wire[..]);
        // There is nothing to map any more.
        prop_assert_eq!(&*entries_to_wire(&wire), &wire[..]);
    }

    #[test]
    fn a_chain_alone_is_unchanged(certificates in vec((der(), vec(any::<u8>(), 0..60)), 0..4)) {
        let entries: Vec<(&[u8], &[u8])> = certificates.iter().map(|(der, block)| (&der[..], &block[..])).collect();
        let message = certificate(&entries);
        prop_assert_eq!(&*entries_to_wire(&message), &message[..]);
    }

    #[test]
    fn a_credential_whose_lengths_are_wrong_has_no_entry((form, body) in credential(), cut in any::<prop::sample::Index>(), more in vec(any::<u8>(), 1..4)) {
        prop_assert_eq!(entry(form, &body[..cut.index(body.len())]), None);
        prop_assert_eq!(entry(form, &[body, more].concat()), None);
    }

    #[test]
    fn any_bytes_keep_their_length(
        bytes in vec(any::<u8>(), 0..400),
        (form, body) in credential(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        prop_assert_eq!(entries_to_wire(&bytes).len(), bytes.len());
        let framed = message(11, &bytes);
        prop_assert_eq!(entries_to_wire(&framed).len(), framed.len());
        let _ = entry(form, &bytes);
        let own = entry(form, &body).unwrap();
        let mut changed = certificate(&[(b"\x30\0", &[]), (&own, &[])]);
        let at = at.index(changed.len());
        changed[at] = byte;
        prop_assert_eq!(entries_to_wire(&changed).len(), changed.len());
    }
}
