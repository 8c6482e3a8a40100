//! Each test names the case of the conformance catalogue it is, where there is one. What holds of
//! one kind of credential is checked for all four: both roles, both forms.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::error::Alert;
use crate::offer::SchemeList;
use crate::testing::{
    CertificateTemplate, Claim, DAY, Delegation, KINDS, NAME, NOT_BEFORE, NOW, TestKey, algorithms,
    at, full_offer,
};

mod algorithms;
mod constraints;
mod names;
mod outside;
mod second;
mod signature;
mod time;

const P256: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const P384: SignatureScheme = SignatureScheme::ECDSA_SECP384R1_SHA384;

/// A delegation, a device, and the kind of credential that it gets.
struct Scene {
    delegation: Delegation,
    device: TestKey,
    spki: Vec<u8>,
    role: Role,
    form: Form,
}

impl Scene {
    /// One scene for each kind of credential.
    fn all() -> impl Iterator<Item = Self> {
        Self::all_with(CertificateTemplate::default, TestKey::p256)
    }

    fn all_with(
        template: impl Fn() -> CertificateTemplate,
        device: impl Fn() -> TestKey,
    ) -> impl Iterator<Item = Self> {
        KINDS.into_iter().map(move |(role, form)| {
            let device = device();
            Self {
                delegation: template().build(),
                spki: device.spki(),
                device,
                role,
                form,
            }
        })
    }

    /// A server credential of RFC 9345's form.
    fn one() -> Self {
        Self::all().next().unwrap()
    }

    fn certificate(&self) -> DelegationCertificate<'static> {
        self.delegation.certificate()
    }

    /// Signs a good claim after `change`.
    fn sign(&self, change: impl FnOnce(&mut Claim<'_>)) -> Vec<u8> {
        self.sign_for(self.role, change)
    }

    fn sign_for(&self, role: Role, change: impl FnOnce(&mut Claim<'_>)) -> Vec<u8> {
        let mut claim = Claim::good(&self.spki);
        claim.algorithm = crate::Signer::scheme(&self.delegation.key);
        claim.scheme = crate::Signer::scheme(&self.device);
        claim.name = (self.form == Form::Named).then_some(NAME);
        change(&mut claim);
        self.delegation.sign_anything(role, &claim)
    }

    /// Signs a good claim after `change`, and verifies it at [`NOW`].
    fn check(&self, change: impl FnOnce(&mut Claim<'_>)) -> Result<VerifiedCredential, Error> {
        self.verify(&self.sign(change))
    }

    fn verify(&self, bytes: &[u8]) -> Result<VerifiedCredential, Error> {
        self.verify_at(NOW, bytes)
    }

    fn verify_at(&self, now: u64, bytes: &[u8]) -> Result<VerifiedCredential, Error> {
        self.verify_as(now, bytes, |verifier| verifier)
    }

    /// Verifies for [`NAME`] with a verifier that `change` makes from the usual one.
    fn verify_as<'a>(
        &self,
        now: u64,
        bytes: &[u8],
        change: impl FnOnce(Verifier<'static>) -> Verifier<'a>,
    ) -> Result<VerifiedCredential, Error> {
        let offer = std::boxed::Box::leak(std::boxed::Box::new(full_offer()));
        let verifier = change(Verifier::new(self.role, offer, algorithms()));
        self.verify_with(&verifier, &self.certificate(), now, bytes)
    }

    fn verify_with(
        &self,
        verifier: &Verifier<'_>,
        certificate: &DelegationCertificate<'_>,
        now: u64,
        bytes: &[u8],
    ) -> Result<VerifiedCredential, Error> {
        let credential = DelegatedCredential::decode(self.form, bytes)?;
        let wanted = NAME.try_into().unwrap();
        verifier.verify(&credential, certificate, Some(&wanted), at(now))
    }
}

fn valid_until(expiry: u64) -> u32 {
    u32::try_from(expiry - NOT_BEFORE).unwrap()
}

fn list(scheme: SignatureScheme) -> SchemeList {
    SchemeList::new([scheme]).unwrap()
}

#[track_caller]
fn assert_refused(result: Result<VerifiedCredential, Error>, error: Error) {
    let got = result.unwrap_err();
    assert_eq!(got, error);
    assert_eq!(got.alert(), Alert::IllegalParameter);
}

#[test]
fn accepts_a_good_credential_and_says_what_it_is() {
    for scene in Scene::all() {
        let verified = scene.check(|_| {}).unwrap();
        assert_eq!(verified.form(), scene.form);
        assert_eq!(verified.role(), scene.role);
        assert_eq!(verified.expiry(), at(NOW + DAY));
        assert_eq!(verified.scheme(), P256);
        assert_eq!(verified.spki(), scene.spki);
        let named = verified.unique_name().map(UniqueName::as_str);
        assert_eq!(named, (scene.form == Form::Named).then_some(NAME));
    }
}

#[test]
fn case_65_rejects_a_certificate_verify_of_another_scheme() {
    for scene in Scene::all() {
        let verified = scene.check(|_| {}).unwrap();
        let signature = scene.device.sign_message(b"handshake");
        let error = verified
            .verify_handshake(P384, b"handshake", &signature)
            .unwrap_err();
        let wanted = Error::CertificateVerifyScheme {
            wanted: P256,
            got: P384,
        };
        assert_eq!(error, wanted);
        assert_eq!(error.alert(), Alert::IllegalParameter);
    }
}

#[test]
fn cases_66_and_67_reject_a_certificate_verify_that_the_credential_key_did_not_make() {
    for scene in Scene::all() {
        let verified = scene.check(|_| {}).unwrap();
        let check = |signature: &[u8]| verified.verify_handshake(P256, b"handshake", signature);
        let good = scene.device.sign_message(b"handshake");
        assert_eq!(check(&good), Ok(()));
        let by_the_certificate_key = scene.delegation.key.sign_message(b"handshake");
        let other_message = scene.device.sign_message(b"Handshake");
        for bad in [
            &by_the_certificate_key,
            &other_message,
            &good[1..],
            &good[..9],
            &[],
        ] {
            let error = check(bad).unwrap_err();
            assert_eq!(error, Error::BadCertificateVerify);
            assert_eq!(error.alert(), Alert::DecryptError);
        }
    }
}

/// A wrong name of the certificate and an issuer nobody trusts are the chain's to refuse, before any
/// credential is looked at. Without a chain, a credential without a name says nothing of either.
#[test]
fn cases_54_and_55_leave_names_and_trust_of_the_certificate_to_the_chain() {
    for scene in Scene::all().filter(|scene| scene.form == Form::Rfc9345) {
        let bytes = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &bytes).unwrap();
        let offer = full_offer();
        let verifier = Verifier::new(scene.role, &offer, algorithms());
        let elsewhere = "elsewhere.example".try_into().unwrap();
        for wanted in [None, Some(&elsewhere)] {
            let verified = verifier.verify(&credential, &scene.certificate(), wanted, at(NOW));
            assert!(verified.is_ok());
        }
    }
}

#[test]
fn finds_the_role_by_the_signature() {
    for scene in Scene::all() {
        let find = |bytes: &[u8], algorithms| {
            let credential = DelegatedCredential::decode(scene.form, bytes).unwrap();
            find_role(&credential, &scene.certificate(), algorithms)
        };
        let bytes = scene.sign(|_| {});
        assert_eq!(find(&bytes, algorithms()), Ok(scene.role));
        let unsupported = Error::UnsupportedScheme { scheme: P256 };
        assert_eq!(find(&bytes, &[]), Err(unsupported));
        let foreign = Scene::one().sign(|claim| {
            claim.name = (scene.form == Form::Named).then_some(NAME);
        });
        assert_eq!(find(&foreign, algorithms()), Err(Error::BadSignature));
    }
}

#[test]
fn debug_shows_no_key() {
    let scene = Scene::one();
    let verified = std::format!("{:?}", scene.check(|_| {}).unwrap());
    assert!(verified.starts_with("VerifiedCredential { role: Server"));
    assert!(!verified.contains("spki"));
    let offer = full_offer();
    let verifier = std::format!("{:?}", Verifier::new(Role::Client, &offer, algorithms()));
    assert!(verifier.starts_with("Verifier { role: Client"));
    let certificate = std::format!("{:?}", scene.certificate());
    assert!(certificate.contains("*.cpe.example.com"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_anywhere_in_the_credential_is_refused(bit: prop::sample::Index) {
        for scene in Scene::all() {
            let mut bytes = scene.sign(|_| {});
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(scene.verify(&bytes).is_err());
        }
    }

    #[test]
    fn case_19_rejects_a_flipped_bit_anywhere_in_the_certificate(bit: prop::sample::Index) {
        for scene in Scene::all() {
            let bytes = scene.sign(|_| {});
            let mut der = scene.delegation.der.to_vec();
            let bit = bit.index(der.len() * 8);
            der[bit / 8] ^= 1 << (bit % 8);
            let offer = full_offer();
            let verifier = Verifier::new(scene.role, &offer, algorithms());
            let refused = DelegationCertificate::parse(der.into())
                .and_then(|certificate| scene.verify_with(&verifier, &certificate, NOW, &bytes));
            let alert = refused.unwrap_err().alert();
            prop_assert!(matches!(alert, Alert::IllegalParameter | Alert::DecodeError));
        }
    }
}
