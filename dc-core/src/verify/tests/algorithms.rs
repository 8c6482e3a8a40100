use super::*;
use crate::testing::{more_algorithms, spki_of};
use pki_types::alg_id;

/// Makes one delegation key again and again.
type MakeKey = fn() -> TestKey;

const RSA: [MakeKey; 3] = [
    || TestKey::rsa(SignatureScheme(0x0804)),
    || TestKey::rsa(SignatureScheme(0x0805)),
    || TestKey::rsa(SignatureScheme(0x0806)),
];
const EC: [MakeKey; 4] = [
    TestKey::p256,
    TestKey::p384,
    TestKey::ed25519,
    TestKey::p521,
];

fn delegated_by(key: MakeKey) -> impl Fn() -> CertificateTemplate {
    move || CertificateTemplate {
        key: key(),
        ..CertificateTemplate::default()
    }
}

/// Verifies with ring and what ring does not have.
fn verify_more(scene: &Scene, bytes: &[u8]) -> Result<VerifiedCredential, Error> {
    let (offer, algorithms) = (full_offer(), more_algorithms());
    let verifier = Verifier::new(scene.role, &offer, &algorithms);
    scene.verify_with(&verifier, &scene.certificate(), NOW, bytes)
}

#[test]
fn case_56_accepts_every_pair_of_keys_that_the_provider_has() {
    let delegations = [&EC[..], &RSA, &[TestKey::rsassa_pss]].concat();
    let devices = [&EC[..], &[TestKey::rsassa_pss]].concat();
    for delegation in delegations {
        for &device in &devices {
            for scene in Scene::all_with(delegated_by(delegation), device) {
                let verified = verify_more(&scene, &scene.sign(|_| {})).unwrap();
                let signature = scene.device.sign_message(b"handshake");
                let scheme = crate::Signer::scheme(&scene.device);
                assert_eq!(verified.scheme(), scheme);
                let made = verified.verify_handshake(scheme, b"handshake", &signature);
                assert_eq!(made, Ok(()));
            }
        }
    }
}

/// ring verifies neither of them.
#[test]
fn case_56_refuses_by_name_what_the_provider_lacks() {
    for device in [TestKey::p521, TestKey::rsassa_pss] {
        for scene in Scene::all_with(CertificateTemplate::default, device) {
            let scheme = crate::Signer::scheme(&scene.device);
            assert_refused(scene.check(|_| {}), Error::UnsupportedScheme { scheme });
        }
    }
    for delegation in [TestKey::p521, TestKey::rsassa_pss] {
        for scene in Scene::all_with(delegated_by(delegation), TestKey::p256) {
            let scheme = crate::Signer::scheme(&scene.delegation.key);
            assert_refused(scene.check(|_| {}), Error::UnsupportedScheme { scheme });
        }
    }
}

#[test]
fn case_57_rejects_every_rsae_scheme_for_the_credential_key() {
    let rsa = TestKey::rsa(SignatureScheme(0x0804)).spki();
    for scene in Scene::all() {
        for code in [0x0804, 0x0805, 0x0806] {
            let scheme = SignatureScheme(code);
            for spki in [&rsa, &scene.spki] {
                let mut claim = Claim::good(spki);
                claim.scheme = scheme;
                claim.name = (scene.form == Form::Named).then_some(NAME);
                let bytes = scene.delegation.sign_anything(scene.role, &claim);
                assert_refused(scene.verify(&bytes), Error::ForbiddenScheme { scheme });
            }
        }
    }
}

#[test]
fn case_58_rejects_an_rsa_encryption_key_under_a_scheme_for_rsassa_pss_keys() {
    let device = || TestKey::rsa(SignatureScheme(0x0809));
    for scene in Scene::all_with(CertificateTemplate::default, device) {
        for code in [0x0809, 0x080a, 0x080b] {
            let scheme = SignatureScheme(code);
            let bytes = scene.sign(|claim| claim.scheme = scheme);
            assert_refused(
                verify_more(&scene, &bytes),
                Error::SchemeKeyMismatch { scheme },
            );
        }
    }
}

#[test]
fn case_59_rejects_a_scheme_of_another_key_type() {
    let keys: [(MakeKey, &[u16]); 5] = [
        (TestKey::p256, &[0x0503, 0x0603, 0x0807, 0x0808, 0x0809]),
        (TestKey::p384, &[0x0403, 0x0603, 0x0807]),
        (TestKey::p521, &[0x0403, 0x0503, 0x0807]),
        (TestKey::ed25519, &[0x0403, 0x0503, 0x0603, 0x0808]),
        (TestKey::rsassa_pss, &[0x080a, 0x080b, 0x0403]),
    ];
    for (device, schemes) in keys {
        for scene in Scene::all_with(CertificateTemplate::default, device) {
            for scheme in schemes.iter().copied().map(SignatureScheme) {
                let bytes = scene.sign(|claim| claim.scheme = scheme);
                let error = Error::SchemeKeyMismatch { scheme };
                assert_refused(verify_more(&scene, &bytes), error);
            }
        }
    }
}

/// How long a key must be is the provider's to say; a provider that takes the key refuses what it
/// signed.
#[test]
fn case_60_an_rsassa_pss_key_that_is_too_short_verifies_nothing() {
    let short = spki_of(alg_id::RSA_PSS_SHA256, &rsa_public_key(66));
    for scene in Scene::all() {
        let mut claim = Claim::good(&short);
        claim.scheme = SignatureScheme::RSA_PSS_PSS_SHA256;
        claim.name = (scene.form == Form::Named).then_some(NAME);
        let bytes = scene.delegation.sign_anything(scene.role, &claim);
        let scheme = SignatureScheme::RSA_PSS_PSS_SHA256;
        assert_refused(scene.verify(&bytes), Error::UnsupportedScheme { scheme });
        let error = verify_more(&scene, &bytes)
            .unwrap()
            .verify_handshake(scheme, b"handshake", &[1; 66])
            .unwrap_err();
        assert_eq!(error, Error::BadCertificateVerify);
        assert_eq!(error.alert(), Alert::DecryptError);
    }
}

/// An RSAPublicKey of so many bytes, with exponent 65537.
fn rsa_public_key(length: usize) -> Vec<u8> {
    let modulus = [&[0][..], &std::vec![0xc3; length]].concat();
    let modulus = der::asn1::AnyRef::new(der::Tag::Integer, &modulus).unwrap();
    let modulus = der::Encode::to_der(&modulus).unwrap();
    crate::testing::sequence(&[&modulus, &[2, 3, 1, 0, 1]])
}

#[test]
fn case_61_rejects_a_scheme_that_was_not_offered() {
    for scene in Scene::all() {
        let offer = Offer::new(list(P256)).with(scene.form, list(P384));
        let verifier = Verifier::new(scene.role, &offer, algorithms());
        let bytes = scene.sign(|_| {});
        let result = scene.verify_with(&verifier, &scene.certificate(), NOW, &bytes);
        assert_refused(result, Error::SchemeNotOffered { scheme: P256 });
    }
}

#[test]
fn case_62_rejects_an_algorithm_that_was_not_offered() {
    for scene in Scene::all() {
        let offer = Offer::new(list(P384)).with(scene.form, list(P256));
        let verifier = Verifier::new(scene.role, &offer, algorithms());
        let bytes = scene.sign(|_| {});
        let result = scene.verify_with(&verifier, &scene.certificate(), NOW, &bytes);
        assert_refused(result, Error::AlgorithmNotOffered { algorithm: P256 });
    }
}

#[test]
fn case_63_accepts_an_rsa_delegation_when_the_lists_share_nothing() {
    let rsa = SignatureScheme(0x0804);
    for scene in Scene::all_with(delegated_by(RSA[0]), TestKey::p256) {
        let offer = Offer::new(list(rsa)).with(scene.form, list(P256));
        let verifier = Verifier::new(scene.role, &offer, algorithms());
        let bytes = scene.sign(|_| {});
        let result = scene.verify_with(&verifier, &scene.certificate(), NOW, &bytes);
        assert!(result.is_ok());
    }
}

#[test]
fn case_84_rejects_a_form_that_was_not_offered() {
    for scene in Scene::all() {
        let other = match scene.form {
            Form::Rfc9345 => Form::Named,
            Form::Named => Form::Rfc9345,
        };
        let offer = Offer::new(list(P256)).with(other, list(P256));
        let verifier = Verifier::new(scene.role, &offer, algorithms());
        let bytes = scene.sign(|_| {});
        let error = scene
            .verify_with(&verifier, &scene.certificate(), NOW, &bytes)
            .unwrap_err();
        assert_eq!(error, Error::FormNotOffered { form: scene.form });
        assert_eq!(error.alert(), Alert::UnexpectedMessage);
    }
}

#[test]
fn case_27_rejects_a_scheme_for_rsassa_pss_keys_under_an_rsa_encryption_key() {
    for scene in Scene::all_with(delegated_by(RSA[0]), TestKey::p256) {
        for code in [0x0809, 0x080a, 0x080b] {
            let scheme = SignatureScheme(code);
            let bytes = scene.sign(|claim| claim.algorithm = scheme);
            assert_refused(
                verify_more(&scene, &bytes),
                Error::SchemeKeyMismatch { scheme },
            );
        }
    }
}

#[test]
fn case_28_rejects_an_algorithm_of_another_curve_or_key() {
    let delegations: [(MakeKey, &[u16]); 4] = [
        (TestKey::p384, &[0x0403, 0x0603, 0x0807, 0x0804]),
        (TestKey::p256, &[0x0503, 0x0807, 0x0804, 0x0809]),
        (TestKey::ed25519, &[0x0403, 0x0808]),
        (RSA[0], &[0x0403, 0x0807]),
    ];
    for (delegation, codes) in delegations {
        for scene in Scene::all_with(delegated_by(delegation), TestKey::p256) {
            for scheme in codes.iter().copied().map(SignatureScheme) {
                let result = scene.check(|claim| claim.algorithm = scheme);
                assert_refused(result, Error::SchemeKeyMismatch { scheme });
            }
        }
    }
}

#[test]
fn case_29_rejects_pkcs1_and_sha1_even_when_they_were_offered() {
    for delegation in [TestKey::p256, RSA[0]] {
        for scene in Scene::all_with(delegated_by(delegation), TestKey::p256) {
            for code in [0x0401, 0x0501, 0x0601, 0x0201, 0x0203] {
                let scheme = SignatureScheme(code);
                let result = scene.check(|claim| claim.algorithm = scheme);
                assert_refused(result, Error::UnsupportedScheme { scheme });
                let result = scene.check(|claim| claim.scheme = scheme);
                assert_refused(result, Error::ForbiddenScheme { scheme });
            }
        }
    }
}

#[test]
fn an_unknown_scheme_is_not_supported() {
    for scene in Scene::all() {
        let scheme = SignatureScheme(0x0904);
        let result = scene.check(|claim| claim.scheme = scheme);
        assert_refused(result, Error::UnsupportedScheme { scheme });
        let result = scene.check(|claim| claim.algorithm = scheme);
        assert_refused(result, Error::UnsupportedScheme { scheme });
    }
}

#[test]
fn case_9_rejects_a_key_that_is_not_one_der_structure() {
    for scene in Scene::all() {
        let trailing = [&scene.spki[..], &[0]].concat();
        for spki in [&b"pubkey"[..], &[0x30, 0x00], &trailing] {
            let mut claim = Claim::good(spki);
            claim.name = (scene.form == Form::Named).then_some(NAME);
            let bytes = scene.delegation.sign_anything(scene.role, &claim);
            assert_refused(scene.verify(&bytes), Error::BadPublicKey);
        }
    }
}

/// The signature covers the bytes as they came, so nothing but the key itself is wrong.
#[test]
fn case_10_rejects_keys_in_an_encoding_that_nothing_supports() {
    for scene in Scene::all() {
        let check = |spki: &[u8]| {
            let mut claim = Claim::good(spki);
            claim.name = (scene.form == Form::Named).then_some(NAME);
            scene.verify(&scene.delegation.sign_anything(scene.role, &claim))
        };
        // The outer length in two bytes where DER has one.
        let mut ber = scene.spki.clone();
        ber.splice(1..2, [0x81, ber[1]]);
        assert_refused(check(&ber), Error::BadPublicKey);
        // id-ecPublicKey with curve parameters written out in place of the curve's name.
        let bits = &scene.spki[scene.spki.len() - 65..];
        let mut explicit = std::vec![0x30, 0x0e, 0x06, 0x07];
        explicit.extend([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]);
        explicit.extend([0x30, 0x03, 0x02, 0x01, 0x01]);
        let bits = [&[0x03, 0x42, 0x00][..], bits].concat();
        let explicit = crate::testing::sequence(&[&explicit, &bits]);
        let error = Error::SchemeKeyMismatch { scheme: P256 };
        assert_refused(check(&explicit), error);
    }
}
