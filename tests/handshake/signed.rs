//! Who signed, and how: credentials in schemes that do not fit, and handshakes by other keys.

use std::sync::Arc;

use dc_core::Form;
use dc_rustls::Refusal;
use dc_rustls::client::{Config, NamePolicy};
use dc_tests::message::{CERTIFICATE, CERTIFICATE_VERIFY, edit_blocks, message, vector};
use dc_tests::mutant::Change;
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{AlertDescription as Alert, SignatureScheme};

use crate::rogue::{CHUNKS, Rogue, Scene, credential};
use crate::setup::ALL;

#[test]
fn schemes_are_those_of_the_credential() {
    let scene = Scene::new();
    let own = scene.credential(Form::Named);
    let client = scene.client(NamePolicy::Required);
    for chunk in CHUNKS {
        // CertificateVerify by the certificate's key.
        let owner = scene.owner().block(0, own.clone()).meet(&client, chunk);
        let bad = Refusal::Credential(dc_core::Error::BadCertificateVerify);
        assert_eq!(owner.refused(), (&bad, Alert::DecryptError));
        // CertificateVerify in another scheme than the credential says.
        let other = Rogue::new(&scene.vendor, Key::p384().private_key()).block(0, own.clone());
        let verdict = other.meet(&client, chunk);
        let (refusal, alert) = verdict.refused();
        assert!(
            matches!(
                refusal,
                Refusal::Credential(dc_core::Error::CertificateVerifyScheme { .. })
            ),
            "{refusal:?}"
        );
        assert_eq!(alert, Alert::IllegalParameter);
    }
}

#[test]
fn schemes_that_the_client_did_not_offer() {
    let client = |vendor: &Vendor| {
        let base = CryptoProvider {
            signature_verification_algorithms: p256_only(),
            ..CryptoProvider::clone(&provider())
        };
        let builder = Config::builder(Arc::new(base)).roots(vendor.roots());
        builder.build().unwrap()
    };
    let refused = |vendor: &Vendor, device: &Device| {
        let own = credential(vendor, device, Form::Named);
        let rogue = Rogue::new(vendor, device.key.private_key()).block(0, own);
        let verdict = rogue.meet(&client(vendor), ALL);
        let (refusal, alert) = verdict.refused();
        assert_eq!(alert, Alert::IllegalParameter);
        match refusal {
            Refusal::Credential(error) => error.clone(),
            other => panic!("{other:?}"),
        }
    };
    let error = refused(&Vendor::default(), &Device::with_key("router", Key::p384()));
    assert!(
        matches!(error, dc_core::Error::SchemeNotOffered { .. }),
        "{error:?}"
    );
    let error = refused(&Vendor::new(Key::p384()), &Device::new("router"));
    assert!(
        matches!(error, dc_core::Error::AlgorithmNotOffered { .. }),
        "{error:?}"
    );
}

fn p256_only() -> WebPkiSupportedAlgorithms {
    let all = provider().signature_verification_algorithms;
    let p256 =
        |(scheme, _): &&(SignatureScheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256;
    let mapping: Vec<_> = all.mapping.iter().filter(p256).copied().collect();
    WebPkiSupportedAlgorithms {
        all: all.all,
        mapping: mapping.leak(),
    }
}

#[test]
fn a_handshake_signature_that_is_changed() {
    let scene = Scene::new();
    let own = scene.credential(Form::Named);
    let client = scene.client(NamePolicy::Required);
    let changes: [Change; 3] = [
        |signature| [&signature[..9], &[signature[9] ^ 1], &signature[10..]].concat(),
        |signature| signature[..signature.len() - 1].to_vec(),
        |_| Vec::new(),
    ];
    for change in changes {
        let block = own.clone();
        let rewrite = Arc::new(move |old: &[u8]| match old[0] {
            CERTIFICATE => edit_blocks(old, |_, _| block.clone()),
            CERTIFICATE_VERIFY => {
                let signature = vector(2, &change(&old[8..]));
                message(CERTIFICATE_VERIFY, &[&old[4..6], &signature].concat())
            }
            _ => old.to_vec(),
        });
        for chunk in CHUNKS {
            let verdict = scene.device().rewrite(rewrite.clone()).meet(&client, chunk);
            let bad = Refusal::Credential(dc_core::Error::BadCertificateVerify);
            assert_eq!(verdict.refused(), (&bad, Alert::DecryptError));
        }
    }
}
