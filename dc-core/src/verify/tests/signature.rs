use super::*;

/// The message that a good credential's signature is over, in its six parts.
fn parts<'a>(
    scene: &'a Scene,
    context: &'a [u8],
    credential: &'a [u8],
    spaces: usize,
) -> [&'a [u8]; 6] {
    [
        &[b' '; 65][..spaces],
        context,
        &[0],
        &scene.delegation.der,
        credential,
        &[0x04, 0x03],
    ]
}

fn context(scene: &Scene) -> &'static str {
    match (scene.role, scene.form) {
        (Role::Server, Form::Rfc9345) => "TLS, server delegated credentials",
        (Role::Client, Form::Rfc9345) => "TLS, client delegated credentials",
        (Role::Server, Form::Named) => "TLS, server named delegated credentials",
        (Role::Client, Form::Named) => "TLS, client named delegated credentials",
    }
}

/// Verifies a good credential whose signature is over a message of `build`'s making.
fn over(
    scene: &Scene,
    build: impl FnOnce(&[u8], &[u8]) -> Vec<u8>,
) -> Result<VerifiedCredential, Error> {
    let good = scene.sign(|_| {});
    let credential = DelegatedCredential::decode(scene.form, &good).unwrap();
    let credential = credential.credential_bytes();
    let message = build(context(scene).as_bytes(), credential);
    let signature = scene.delegation.key.sign_message(&message);
    scene.verify(&DelegatedCredential::encode(credential, P256, &signature).unwrap())
}

#[test]
fn accepts_a_signature_over_the_bytes_of_the_rfc() {
    for scene in Scene::all() {
        let verified = over(&scene, |context, credential| {
            parts(&scene, context, credential, 64).concat()
        });
        assert!(verified.is_ok());
    }
}

#[test]
fn case_16_rejects_a_credential_of_the_other_role() {
    for scene in Scene::all() {
        let other = match scene.role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let bytes = scene.sign_for(other, |_| {});
        assert_refused(scene.verify(&bytes), Error::BadSignature);
    }
}

#[test]
fn case_17_rejects_a_signature_by_another_key() {
    for (scene, other) in Scene::all().zip(Scene::all()) {
        assert_refused(scene.verify(&other.sign(|_| {})), Error::BadSignature);
    }
}

#[test]
fn case_18_rejects_a_signature_with_its_last_bit_flipped() {
    for scene in Scene::all() {
        let mut bytes = scene.sign(|_| {});
        *bytes.last_mut().unwrap() ^= 1;
        assert_refused(scene.verify(&bytes), Error::BadSignature);
    }
}

#[test]
fn case_20_rejects_an_algorithm_that_was_changed_after_signing() {
    for scene in Scene::all() {
        let bytes = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &bytes).unwrap();
        let (body, signature) = (credential.credential_bytes(), credential.signature());
        let changed = DelegatedCredential::encode(body, P384, signature).unwrap();
        let error = Error::SchemeKeyMismatch { scheme: P384 };
        assert_refused(scene.verify(&changed), error);
    }
}

/// With an RSA key three schemes fit, so that only the signature can tell.
#[test]
fn case_20_rejects_a_changed_algorithm_that_fits_the_key() {
    let (sha256, sha384) = (SignatureScheme(0x0804), SignatureScheme(0x0805));
    let template = || CertificateTemplate {
        key: TestKey::rsa(sha256),
        ..CertificateTemplate::default()
    };
    for scene in Scene::all_with(template, TestKey::p256) {
        let bytes = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &bytes).unwrap();
        let (body, signature) = (credential.credential_bytes(), credential.signature());
        let changed = DelegatedCredential::encode(body, sha384, signature).unwrap();
        assert_refused(scene.verify(&changed), Error::BadSignature);
        // And signed with the scheme it says, over a message that says another.
        let message = signed_bytes(
            scene.role,
            scene.form,
            &scene.delegation.der,
            body,
            SignatureScheme(0x0806),
        );
        let signature = scene.delegation.key.sign_message(&message);
        let changed = DelegatedCredential::encode(body, sha256, &signature).unwrap();
        assert_refused(scene.verify(&changed), Error::BadSignature);
    }
}

#[test]
fn case_21_rejects_fields_that_were_changed_after_signing() {
    for scene in Scene::all() {
        let bytes = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &bytes).unwrap();
        let claim = credential.credential();
        let other = TestKey::p256().spki();
        let later = Credential {
            valid_time: claim.valid_time + 1,
            ..claim.clone()
        };
        let rekeyed = Credential {
            spki: &other,
            ..claim.clone()
        };
        for changed in [later, rekeyed] {
            let mut body = Vec::new();
            changed.encode(&mut body).unwrap();
            let bytes = DelegatedCredential::encode(&body, P256, credential.signature()).unwrap();
            assert_refused(scene.verify(&bytes), Error::BadSignature);
        }
    }
}

/// The scheme can change without another check noticing only where two schemes fit one key; the
/// keys a credential may have fit one each, so the key changes too.
#[test]
fn case_21_rejects_a_scheme_that_was_changed_after_signing() {
    for scene in Scene::all() {
        let mut bytes = scene.sign(|_| {});
        bytes[4..6].copy_from_slice(&P384.0.to_be_bytes());
        let error = Error::SchemeKeyMismatch { scheme: P384 };
        assert_refused(scene.verify(&bytes), error);
        let other = TestKey::p384();
        let spki = other.spki();
        let good = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &good).unwrap();
        let changed = Credential {
            dc_cert_verify_algorithm: P384,
            spki: &spki,
            ..credential.credential().clone()
        };
        let mut body = Vec::new();
        changed.encode(&mut body).unwrap();
        let bytes = DelegatedCredential::encode(&body, P256, credential.signature()).unwrap();
        assert_refused(scene.verify(&bytes), Error::BadSignature);
    }
}

#[test]
fn case_22_rejects_the_order_of_draft_02() {
    for scene in Scene::all() {
        let result = over(&scene, |context, credential| {
            let [spaces, context, zero, certificate, credential, algorithm] =
                parts(&scene, context, credential, 64);
            [spaces, context, zero, certificate, algorithm, credential].concat()
        });
        assert_refused(result, Error::BadSignature);
    }
}

#[test]
fn case_23_rejects_a_context_without_its_last_letter_and_the_zero() {
    for scene in Scene::all() {
        let result = over(&scene, |context, credential| {
            let short = &context[..context.len() - 1];
            let mut parts = parts(&scene, short, credential, 64);
            parts[2] = &[];
            parts.concat()
        });
        assert_refused(result, Error::BadSignature);
    }
}

#[test]
fn case_24_rejects_other_paddings_and_contexts() {
    for scene in Scene::all() {
        for spaces in [63, 65] {
            let result = over(&scene, |context, credential| {
                parts(&scene, context, credential, spaces).concat()
            });
            assert_refused(result, Error::BadSignature);
        }
        let result = over(&scene, |context, credential| {
            let mut parts = parts(&scene, context, credential, 64);
            parts[2] = &[];
            parts.concat()
        });
        assert_refused(result, Error::BadSignature);
        let lower = context(&scene).to_ascii_lowercase();
        let result = over(&scene, |_, credential| {
            parts(&scene, lower.as_bytes(), credential, 64).concat()
        });
        assert_refused(result, Error::BadSignature);
    }
}

#[test]
fn case_25_rejects_a_credential_of_another_certificate_with_the_same_key() {
    for scene in Scene::all() {
        let bytes = scene.sign(|_| {});
        let reissued = CertificateTemplate {
            key: scene.delegation.key.again(),
            ..CertificateTemplate::default()
        }
        .build();
        assert_eq!(reissued.key.spki(), scene.delegation.key.spki());
        let offer = full_offer();
        let verifier = Verifier::new(scene.role, &offer, algorithms());
        let result = scene.verify_with(&verifier, &reissued.certificate(), NOW, &bytes);
        assert_refused(result, Error::BadSignature);
    }
}

#[test]
fn case_26_rejects_a_salt_that_is_not_as_long_as_the_hash() {
    let der = &include_bytes!("../../../testdata/rsa-delegation.der")[..];
    let certificate = DelegationCertificate::parse(der.into()).unwrap();
    let offer = full_offer();
    let check = |bytes| {
        let verifier = Verifier::new(Role::Server, &offer, algorithms());
        Scene::one().verify_with(&verifier, &certificate, NOW, bytes)
    };
    assert!(check(include_bytes!("../../../testdata/rsa-salt-32.dc")).is_ok());
    assert_refused(
        check(include_bytes!("../../../testdata/rsa-salt-20.dc")),
        Error::BadSignature,
    );
}
