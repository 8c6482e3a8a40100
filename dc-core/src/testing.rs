//! Certificates and credentials for the unit tests, made at run time.

use core::convert::Infallible;
use core::time::Duration;
use std::vec;
use std::vec::Vec;

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag};
use p521::ecdsa::signature::{Signer as _, Verifier as _};
use pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
    UnixTime, alg_id,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair, KeyUsagePurpose, PublicKeyData};
use rcgen::{SigningKey, date_time_ymd};
use ring::rand::SystemRandom;
use ring::signature::RsaKeyPair;

use crate::{
    Credential, DELEGATION_USAGE_ARCS, DelegatedCredential, DelegationCertificate, Form, Offer,
    Role, SchemeList, SignatureScheme, Signer, UniqueName, signed_bytes,
};

pub(crate) mod name_constraints;

/// 2026-01-01 00:00:00 UTC: no test reads a clock.
pub(crate) const NOW: u64 = 1_767_225_600;
pub(crate) const DAY: u64 = 86_400;
/// 300 days before [`NOW`], so that a `valid_time` taken for a lifetime shows.
pub(crate) const NOT_BEFORE: u64 = NOW - 300 * DAY;
pub(crate) const NOT_AFTER: u64 = NOW + 60 * DAY;
pub(crate) const NAME: &str = "k3v.cpe.example.com";
/// Every kind of credential: what holds of one holds for each.
pub(crate) const KINDS: [(Role, Form); 4] = [
    (Role::Server, Form::Rfc9345),
    (Role::Server, Form::Named),
    (Role::Client, Form::Rfc9345),
    (Role::Client, Form::Named),
];

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// ring's algorithms: no P-521, no RSASSA-PSS keys.
pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

/// ring, P-521 from elsewhere, and RSASSA-PSS keys.
pub(crate) fn more_algorithms() -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    [algorithms(), &[&P521, &RsassaPss]].concat()
}

/// An offer of both forms with every scheme there is.
pub(crate) fn full_offer() -> Offer {
    let list = || {
        SchemeList::new(
            [
                0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a,
                0x080b, 0x0201, 0x0203, 0x0401, 0x0501, 0x0601, 0x0904,
            ]
            .map(SignatureScheme),
        )
        .unwrap()
    };
    Offer::new(list())
        .with(Form::Rfc9345, list())
        .with(Form::Named, list())
}

/// A delegation certificate and its key.
#[derive(Debug)]
pub(crate) struct Delegation {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: TestKey,
}

impl Delegation {
    pub(crate) fn certificate(&self) -> DelegationCertificate<'static> {
        DelegationCertificate::parse(self.der.clone()).unwrap()
    }

    /// Signs whatever it is given, however wrong: what a broken or hostile issuer would do.
    pub(crate) fn sign_anything(&self, role: Role, claim: &Claim<'_>) -> Vec<u8> {
        let name = claim.name.map(|n| UniqueName::try_from(n).unwrap());
        let mut credential = Vec::new();
        Credential::new(claim.valid_time, claim.scheme, claim.spki, name.clone())
            .encode(&mut credential)
            .unwrap();
        let form = name.map_or(Form::Rfc9345, |_| Form::Named);
        let message = signed_bytes(role, form, &self.der, &credential, claim.algorithm);
        let signature = self.key.sign_message(&message);
        DelegatedCredential::encode(&credential, claim.algorithm, &signature).unwrap()
    }
}

/// The fields of a credential, all free.
#[derive(Clone, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) valid_time: u32,
    pub(crate) scheme: SignatureScheme,
    pub(crate) spki: &'a [u8],
    pub(crate) name: Option<&'a str>,
    pub(crate) algorithm: SignatureScheme,
}

impl<'a> Claim<'a> {
    /// A good claim for a P-256 key, signed by a P-256 delegation key: one day to go.
    pub(crate) fn good(spki: &'a [u8]) -> Self {
        Self {
            valid_time: u32::try_from(NOW + DAY - NOT_BEFORE).unwrap(),
            scheme: SignatureScheme::ECDSA_SECP256R1_SHA256,
            spki,
            name: None,
            algorithm: SignatureScheme::ECDSA_SECP256R1_SHA256,
        }
    }
}

/// A delegation certificate as the tests want it; the default is a good one.
#[derive(Debug)]
pub(crate) struct CertificateTemplate {
    pub(crate) key: TestKey,
    /// DelegationUsage extensions: critical or not, and the value.
    pub(crate) usage: Vec<(bool, Vec<u8>)>,
    pub(crate) key_usage: Vec<KeyUsagePurpose>,
    pub(crate) dns_names: Vec<&'static str>,
    /// Extensions besides those: type and value.
    pub(crate) others: Vec<(&'static [u64], Vec<u8>)>,
    pub(crate) is_ca: bool,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
}

impl Default for CertificateTemplate {
    fn default() -> Self {
        Self {
            key: TestKey::p256(),
            usage: vec![(false, vec![5, 0])],
            key_usage: vec![KeyUsagePurpose::DigitalSignature],
            dns_names: vec!["*.cpe.example.com"],
            others: vec![],
            is_ca: false,
            not_before: NOT_BEFORE,
            not_after: NOT_AFTER,
        }
    }
}

impl CertificateTemplate {
    pub(crate) fn build(self) -> Delegation {
        let names = self.dns_names.iter().map(|&name| name.into());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(self.not_before);
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(self.not_after);
        params.key_usages = self.key_usage;
        if self.is_ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let usage = self.usage.into_iter().map(|(critical, value)| {
            let mut extension = CustomExtension::from_oid_content(&DELEGATION_USAGE_ARCS, value);
            extension.set_criticality(critical);
            extension
        });
        let others = self.others.into_iter();
        params.custom_extensions = usage
            .chain(others.map(|(id, value)| CustomExtension::from_oid_content(id, value)))
            .collect();
        let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let der = with_spki(signed.der(), &self.key.spki()).into();
        Delegation { der, key: self.key }
    }
}

/// The certificate with this key in it. Its own signature is for a chain, not for this crate, to
/// check.
fn with_spki(certificate: &[u8], spki: &[u8]) -> Vec<u8> {
    let [tbs, algorithm, signature] = children(certificate).try_into().unwrap();
    let mut fields = children(tbs);
    // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    fields[6] = spki;
    sequence(&[&sequence(&fields), algorithm, signature])
}

pub(crate) fn children(der: &[u8]) -> Vec<&[u8]> {
    let mut reader = SliceReader::new(AnyRef::from_der(der).unwrap().value()).unwrap();
    core::iter::from_fn(|| (!reader.is_finished()).then(|| reader.tlv_bytes().unwrap())).collect()
}

pub(crate) fn sequence(children: &[&[u8]]) -> Vec<u8> {
    let body = children.concat();
    AnyRef::new(Tag::Sequence, &body).unwrap().to_der().unwrap()
}

/// A SubjectPublicKeyInfo of these parts.
pub(crate) fn spki_of(algorithm: AlgorithmIdentifier, bits: &[u8]) -> Vec<u8> {
    let bits = BitStringRef::from_bytes(bits).unwrap().to_der().unwrap();
    sequence(&[&sequence(&[algorithm.as_ref()]), &bits])
}

/// A key pair and the one scheme it signs with.
#[derive(Debug)]
pub(crate) struct TestKey {
    key: Key,
    scheme: SignatureScheme,
}

#[derive(Debug)]
enum Key {
    Rcgen(KeyPair),
    P521(p521::ecdsa::SigningKey),
    Rsa(RsaKeyPair, AlgorithmIdentifier),
}

impl TestKey {
    pub(crate) fn p256() -> Self {
        Self::generate(
            &rcgen::PKCS_ECDSA_P256_SHA256,
            SignatureScheme::ECDSA_SECP256R1_SHA256,
        )
    }

    pub(crate) fn p384() -> Self {
        Self::generate(
            &rcgen::PKCS_ECDSA_P384_SHA384,
            SignatureScheme::ECDSA_SECP384R1_SHA384,
        )
    }

    pub(crate) fn ed25519() -> Self {
        Self::generate(&rcgen::PKCS_ED25519, SignatureScheme::ED25519)
    }

    fn generate(kind: &'static rcgen::SignatureAlgorithm, scheme: SignatureScheme) -> Self {
        Self {
            key: Key::Rcgen(KeyPair::generate_for(kind).unwrap()),
            scheme,
        }
    }

    pub(crate) fn p521() -> Self {
        let mut secret = [0; 66];
        ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut secret[1..]).unwrap();
        Self {
            key: Key::P521(p521::ecdsa::SigningKey::from_slice(&secret).unwrap()),
            scheme: SignatureScheme::ECDSA_SECP521R1_SHA512,
        }
    }

    /// An rsaEncryption key.
    pub(crate) fn rsa(scheme: SignatureScheme) -> Self {
        Self::rsa_with(alg_id::RSA_ENCRYPTION, scheme)
    }

    /// An id-RSASSA-PSS key for SHA-256.
    pub(crate) fn rsassa_pss() -> Self {
        Self::rsa_with(alg_id::RSA_PSS_SHA256, SignatureScheme::RSA_PSS_PSS_SHA256)
    }

    fn rsa_with(key_type: AlgorithmIdentifier, scheme: SignatureScheme) -> Self {
        let key = include_bytes!("../testdata/rsa-2048.pk8");
        Self {
            key: Key::Rsa(RsaKeyPair::from_pkcs8(key).unwrap(), key_type),
            scheme,
        }
    }

    /// A copy, for a certificate that is issued again for the same key.
    pub(crate) fn again(&self) -> Self {
        let key = match &self.key {
            Key::Rcgen(key) => Key::Rcgen(KeyPair::try_from(key.serialize_der()).unwrap()),
            Key::P521(key) => Key::P521(key.clone()),
            Key::Rsa(..) => return Self::rsa(self.scheme),
        };
        Self {
            key,
            scheme: self.scheme,
        }
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        match &self.key {
            Key::Rcgen(key) => key.subject_public_key_info(),
            Key::P521(key) => spki_of(
                alg_id::ECDSA_P521,
                key.verifying_key().to_sec1_point(false).as_bytes(),
            ),
            Key::Rsa(key, key_type) => spki_of(
                *key_type,
                ring::signature::KeyPair::public_key(key).as_ref(),
            ),
        }
    }

    pub(crate) fn sign_message(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Rcgen(key) => SigningKey::sign(key, message).unwrap(),
            Key::P521(key) => {
                let signature: p521::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Key::Rsa(key, _) => {
                let padding: &dyn ring::signature::RsaEncoding = match self.scheme.0 {
                    0x0805 => &ring::signature::RSA_PSS_SHA384,
                    0x0806 => &ring::signature::RSA_PSS_SHA512,
                    _ => &ring::signature::RSA_PSS_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &SystemRandom::new(), message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

impl Signer for TestKey {
    type Error = Infallible;

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Infallible> {
        Ok(self.sign_message(message))
    }
}

/// ECDSA with P-521 and SHA-512.
#[derive(Debug)]
struct P521;

impl SignatureVerificationAlgorithm for P521 {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
        let signature =
            p521::ecdsa::DerSignature::from_bytes(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }
}

/// RSASSA-PSS with SHA-256 for keys that say so: `rsa_pss_pss_sha256`.
#[derive(Debug)]
struct RsassaPss;

impl SignatureVerificationAlgorithm for RsassaPss {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let scheme = &ring::signature::RSA_PSS_2048_8192_SHA256;
        ring::signature::UnparsedPublicKey::new(scheme, key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PSS_SHA256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PSS_SHA256
    }
}
