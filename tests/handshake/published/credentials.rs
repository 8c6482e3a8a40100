//! `credentials.json`: what a client makes of a server that presents a credential.

use std::sync::Arc;

use dc_core::UniqueName;
use dc_rustls::Error;
use dc_rustls::client::Config;
use dc_tests::pipe::pipe;
use dc_tests::vendor::Key;
use dc_vectors::format::credentials::CredentialVector;
use dc_vectors::format::handshakes::{
    Accepted, CertificateVerify, Entry, HandshakeVector, Outcome,
};
use dc_vectors::format::{Assumed, Extension, Form, Hex, Offer, Policy, Role};
use rustls::pki_types::{PrivateKeyDer, ServerName};

use super::files::CREDENTIALS;
use super::handshakes::{can_offer, is_missing, meets, provider, trusting};
use super::{backend, form, record, roots};
use crate::gullible::Gullible;
use crate::setup::ALL;

#[test]
fn every_credential_of_a_server_is_as_published() {
    let vectors = CREDENTIALS.credentials.iter();
    let servers: Vec<_> = vectors
        .filter(|(_, vector)| vector.role == Role::Server)
        .collect();
    let mut wrong = Vec::new();
    let [mut shown, mut nobody, mut lacking, mut other] = [0; 4];
    for (name, vector) in &servers {
        match case(vector) {
            Case::Handshake(handshake) => {
                shown += 1;
                wrong.extend(differs(vector, *handshake).map(|how| format!("{name}: {how}")));
            }
            // Nobody is asked for what nobody can be.
            Case::NoName => {
                nobody += 1;
                assert!(vector.refused.is_some() && !begins(vector), "{name}");
            }
            Case::Lacking => lacking += 1,
            Case::OtherOffer => other += 1,
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!(
        "{shown} in handshakes, {nobody} that no client begins, {lacking} that need more algorithms or another root, {other} with lists that no client of this project sends"
    );
    assert_eq!(
        lacking,
        servers.iter().filter(|(_, vector)| lacks(vector)).count()
    );
    // Here the lists of both forms are the same, with all that signature_algorithms has for credentials.
    assert!(other * 10 < servers.len(), "{other}");
}

/// What shows a vector.
enum Case {
    /// A handshake in which a server presents the credential.
    Handshake(Box<HandshakeVector>),
    /// The reference identity is none that a client would ask for.
    NoName,
    /// The provider lacks an algorithm.
    Lacking,
    /// A client of this project makes another offer with what it can verify.
    OtherOffer,
}

fn lacks(vector: &CredentialVector) -> bool {
    // The verifier that stands in for a path that is taken as passed has no root to know constraints of.
    let is_of_another_root = CREDENTIALS.certificates[&vector.certificate].root.is_some();
    vector.needs.iter().any(is_missing) || is_of_another_root
}

fn case(vector: &CredentialVector) -> Case {
    if lacks(vector) {
        return Case::Lacking;
    }
    let Some(wanted) = wanted(vector) else {
        return Case::NoName;
    };
    let offer = vector.offer.as_ref().unwrap_or(&CREDENTIALS.default_offer);
    let Some(policy) = policy(offer) else {
        return Case::OtherOffer;
    };
    let handshake = HandshakeVector {
        note: vector.note.clone(),
        section: vector.section.clone(),
        role: vector.role,
        policy,
        offer: offer.clone(),
        wanted_name: Some(wanted),
        tls13: true,
        now: vector.now_first,
        elsewhere: Vec::new(),
        raw_public_key: false,
        withdrawn: Vec::new(),
        withdrawn_keys: Vec::new(),
        entries: entries(vector),
        certificate_verify: signed(vector),
        needs: vector.needs.clone(),
        outcome: outcome(vector),
    };
    match can_offer(&handshake) {
        true => Case::Handshake(Box::new(handshake)),
        false => Case::OtherOffer,
    }
}

/// What is else than published, at the first or at the last moment.
fn differs(vector: &CredentialVector, mut handshake: HandshakeVector) -> Option<String> {
    [vector.now_first, vector.now_last]
        .into_iter()
        .find_map(|now| {
            handshake.now = now;
            let client = Config::builder(provider(&handshake));
            let client = match vector.assumes.contains(&Assumed::Path) {
                true => client.verifier(Arc::new(Gullible(
                    provider(&handshake).signature_verification_algorithms,
                ))),
                false => client.roots(roots()),
            };
            let came = meets(
                &handshake,
                &trusting(&handshake, client).build().unwrap(),
                ALL,
            );
            (!came.is_as(&handshake))
                .then(|| format!("expected {:?}, came {came:?}", handshake.outcome))
        })
}

/// Whether a client that requires a unique name says anything to whoever answers to this one.
fn begins(vector: &CredentialVector) -> bool {
    let name = vector.wanted_name.clone().unwrap_or_default();
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    let client = Config::builder(backend().provider())
        .roots(roots())
        .build()
        .unwrap();
    let (near, far) = pipe(ALL);
    let error = client.connect(name, near).unwrap_err();
    assert!(matches!(error, Error::NoUniqueName { .. }), "{error:?}");
    record(&mut { far }).is_some()
}

/// The policy that makes a client offer these forms; without any it has no need of one.
fn policy(offer: &Offer) -> Option<Policy> {
    match (&offer.named, &offer.rfc9345) {
        (Some(_), Some(_)) => Some(Policy::Preferred),
        (Some(_), None) => Some(Policy::Required),
        (None, Some(_)) => Some(Policy::Ignored),
        (None, None) => None,
    }
}

/// The name to connect to, if a client that wants it offers to take a named credential.
fn wanted(vector: &CredentialVector) -> Option<String> {
    let name = match (&vector.wanted_name, vector.form) {
        (Some(name), _) => name.clone(),
        (None, Form::Rfc9345) => "k3v.cpe.example.com".to_owned(),
        (None, Form::Named) => return None,
    };
    let parsed = ServerName::try_from(name.as_str()).ok()?;
    UniqueName::wanted(&parsed)?;
    Some(name)
}

fn entries(vector: &CredentialVector) -> Vec<Entry> {
    let certificate = &CREDENTIALS.certificates[&vector.certificate];
    let credential = Extension {
        kind: form(vector.form).extension_type(),
        data: vector.credential.clone(),
    };
    let end_entity = Entry {
        certificate: certificate.der.clone(),
        extensions: vec![credential],
    };
    let intermediates = certificate.intermediates.iter().map(|der| Entry {
        certificate: der.clone(),
        extensions: Vec::new(),
    });
    [end_entity].into_iter().chain(intermediates).collect()
}

/// By the credential's key, as far as it is known: what is refused is so before that matters.
fn signed(vector: &CredentialVector) -> CertificateVerify {
    let (scheme, private_key) = match &vector.valid {
        Some(valid) => {
            let scheme = &vector.credential.0[4..6];
            (
                u16::from_be_bytes([scheme[0], scheme[1]]),
                valid.credential_private_key.clone(),
            )
        }
        None => match Key::ed25519().private_key() {
            PrivateKeyDer::Pkcs8(key) => (0x0807, Hex(key.secret_pkcs8_der().to_vec())),
            other => panic!("{other:?}"),
        },
    };
    CertificateVerify {
        transcript_hash: Hex::default(),
        scheme,
        signature: Hex::default(),
        private_key,
    }
}

fn outcome(vector: &CredentialVector) -> Outcome {
    match (&vector.valid, vector.refused) {
        (Some(valid), None) => Outcome::Accepted(Accepted {
            form: Some(vector.form),
            unique_name: valid.unique_name.clone(),
            expires: Some(
                CREDENTIALS.certificates[&vector.certificate].not_before
                    + u64::from(valid.valid_time),
            ),
        }),
        (None, Some(refused)) => Outcome::Refused(refused),
        both_or_none => panic!("{both_or_none:?}"),
    }
}
