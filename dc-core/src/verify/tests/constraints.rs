//! Names that a certificate's issuers exclude, below a wildcard that they allow.

use std::string::ToString;
use std::vec;

use pki_types::{CertificateDer, Der, TrustAnchor};

use super::*;
use crate::error::Field;
use crate::fields::Fields;
use crate::testing::name_constraints::{ca, contents, excluding, tlv};

fn anchor(subject: &[u8], constraints: Vec<u8>) -> TrustAnchor<'static> {
    TrustAnchor {
        subject: Der::from(subject.to_vec()),
        subject_public_key_info: Der::from(vec![]),
        name_constraints: Some(Der::from(constraints)),
    }
}

/// Verifies a credential for [`NAME`], or without a name, under these issuers.
fn verify_under(
    scene: &Scene,
    intermediates: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
) -> Result<VerifiedCredential, Error> {
    let bytes = scene.sign(|_| {});
    let credential = DelegatedCredential::decode(scene.form, &bytes)?;
    let wanted = ServerName::try_from(NAME).unwrap();
    Verifier::new(scene.role, &full_offer(), algorithms())
        .with_issuers(intermediates, anchors)
        .verify(&credential, &scene.certificate(), Some(&wanted), at(NOW))
}

fn excluded(subtree: &str) -> Error {
    Error::NameExcluded {
        name: NAME.try_into().unwrap(),
        subtree: subtree.to_string(),
    }
}

#[test]
fn accepts_a_name_that_no_issuer_excludes() {
    let other = excluding(&["m7q.cpe.example.com", "example.net"]);
    // With an extension of an arc that is only for examples.
    let silent = CertificateTemplate {
        others: vec![(&[2, 999, 1], vec![5, 0])],
        ..CertificateTemplate::default()
    };
    let silent = silent.build().der;
    for scene in Scene::all() {
        let issuer = Fields::read(&scene.delegation.der).unwrap().issuer.to_vec();
        let other_anchor = anchor(&issuer, contents(&["example.org"]));
        let stranger = anchor(b"somebody else", contents(&["example.com"]));
        let intermediates = [other.clone(), silent.clone()];
        let verified = verify_under(&scene, &intermediates, &[other_anchor, stranger]);
        assert!(verified.is_ok());
    }
}

#[test]
fn rejects_a_name_that_an_intermediate_excludes() {
    for scene in Scene::all() {
        for names in [
            &[NAME][..],
            &["example.net", "CPE.example.com"],
            &[".cpe.example.com"],
            &[""],
        ] {
            // However far up it is.
            let chain = [excluding(&["example.org"]), excluding(names)];
            let verified = verify_under(&scene, &chain, &[]);
            match scene.form {
                Form::Named => assert_refused(verified, excluded(names[names.len() - 1])),
                Form::Rfc9345 => assert!(verified.is_ok()),
            }
        }
    }
}

#[test]
fn rejects_a_name_that_a_trust_anchor_excludes() {
    for scene in Scene::all().filter(|scene| scene.form == Form::Named) {
        let issuer = Fields::read(&scene.delegation.der).unwrap().issuer.to_vec();
        let anchors = [anchor(&issuer, contents(&[NAME]))];
        assert_refused(verify_under(&scene, &[], &anchors), excluded(NAME));
        // The anchor is an intermediate's issuer.
        let intermediate = excluding(&[]);
        let above = Fields::read(&intermediate).unwrap().issuer.to_vec();
        let anchors = [anchor(&above, contents(&["com"]))];
        let chain = [intermediate.clone()];
        assert_refused(verify_under(&scene, &chain, &anchors), excluded("com"));
    }
}

#[test]
fn rejects_a_name_that_the_delegation_certificate_excludes() {
    let template = || CertificateTemplate {
        others: vec![(&[2, 5, 29, 30], tlv(0x30, &contents(&["cpe.example.com"])))],
        ..CertificateTemplate::default()
    };
    for scene in Scene::all_with(template, TestKey::p256) {
        let verified = verify_under(&scene, &[], &[]);
        match scene.form {
            Form::Named => assert_refused(verified, excluded("cpe.example.com")),
            Form::Rfc9345 => assert!(verified.is_ok()),
        }
    }
}

#[test]
fn rejects_what_it_cannot_read() {
    let scene = Scene::all()
        .find(|scene| scene.form == Form::Named)
        .unwrap();
    let refused = |chain: &[CertificateDer<'_>]| verify_under(&scene, chain, &[]).unwrap_err();
    for value in [
        vec![],
        contents(&["a.example"]),
        tlv(0x30, &tlv(0xa1, b"no subtree")),
        [tlv(0x30, &contents(&["a.example"])), vec![0]].concat(),
        tlv(0x30, &[contents(&["a.example"]), vec![5, 0]].concat()),
        tlv(0x30, &tlv(0xa1, &tlv(0x30, &tlv(0x82, b"\xff.example")))),
    ] {
        let field = Field::NameConstraints;
        assert_eq!(refused(&[ca(value)]), Error::MalformedCertificate { field });
    }
    let field = Field::Certificate;
    let nonsense = CertificateDer::from(&b"no certificate"[..]);
    assert_eq!(refused(&[nonsense]), Error::MalformedCertificate { field });
}
