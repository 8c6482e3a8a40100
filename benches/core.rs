//! dc-core against the provider it uses: decode, encode, verify, issue.
//!
//! `verify` is compared with one verification of the same signature over the same message, and
//! `issue` with one signature and one verification. The two sides take turns within one run, so that
//! whatever else the machine does hits both; the ratio is the median over the turns.

// A benchmark that cannot be set up should stop.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use dc_benches::compare;
use dc_core::{
    Credential, DELEGATION_USAGE_ARCS, DelegatedCredential, DelegationCertificate, Form,
    IssuingPolicy, Offer, Request, Role, SchemeList, SignatureScheme, Signer, Verifier,
    signed_bytes,
};
use pki_types::{ServerName, SignatureVerificationAlgorithm, UnixTime};
use rcgen::{CertificateParams, CustomExtension, KeyPair, PublicKeyData, SigningKey};
use ring::rand::SystemRandom;
use ring::signature::RsaKeyPair;

const NAME: &str = "k3v.cpe.example.com";
const NOW: u64 = 1_767_225_600;
const TARGET: f64 = 1.05;
/// In one turn.
const CALLS: u32 = 8;

/// A delegation key that signs the way its provider does.
enum Key {
    Rcgen(KeyPair, SignatureScheme),
    Rsa(RsaKeyPair),
}

impl Key {
    fn sign_message(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rcgen(key, _) => key.sign(message).unwrap(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let padding = &ring::signature::RSA_PSS_SHA256;
                key.sign(padding, &SystemRandom::new(), message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

impl Signer for Key {
    type Error = std::convert::Infallible;

    fn scheme(&self) -> SignatureScheme {
        match self {
            Self::Rcgen(_, scheme) => *scheme,
            Self::Rsa(_) => SignatureScheme::RSA_PSS_RSAE_SHA256,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Self::Error> {
        Ok(self.sign_message(message))
    }
}

/// A delegation of one algorithm and a credential of each form.
struct Scene {
    algorithm: &'static str,
    key: Key,
    certificate: DelegationCertificate<'static>,
    spki: Vec<u8>,
}

impl Scene {
    fn all() -> Vec<Self> {
        let rcgen = |algorithm, kind| {
            let key = KeyPair::generate_for(kind).unwrap();
            let mut schemes = SignatureScheme::for_key(&key.subject_public_key_info()).unwrap();
            let scheme = schemes.next().unwrap();
            Self::new(algorithm, certificate(&key), Key::Rcgen(key, scheme))
        };
        let pkcs8 = include_bytes!("../dc-core/testdata/rsa-2048.pk8");
        let rsa = KeyPair::try_from(&pkcs8[..]).unwrap();
        vec![
            rcgen("p256", &rcgen::PKCS_ECDSA_P256_SHA256),
            rcgen("p384", &rcgen::PKCS_ECDSA_P384_SHA384),
            rcgen("ed25519", &rcgen::PKCS_ED25519),
            Self::new(
                "rsa2048",
                certificate(&rsa),
                Key::Rsa(RsaKeyPair::from_pkcs8(pkcs8).unwrap()),
            ),
        ]
    }

    fn new(algorithm: &'static str, certificate: DelegationCertificate<'static>, key: Key) -> Self {
        let device = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let spki = device.subject_public_key_info();
        Self {
            algorithm,
            key,
            certificate,
            spki,
        }
    }

    fn policy(&self) -> IssuingPolicy {
        IssuingPolicy::new(self.certificate.clone(), Role::Server)
    }

    fn request(&self, form: Form) -> Request<'_> {
        let request = Request::new(&self.spki);
        match form {
            Form::Rfc9345 => request,
            Form::Named => request.unique_name(NAME.try_into().unwrap()),
        }
    }

    fn issue(&self, policy: &IssuingPolicy, request: &Request<'_>) -> Vec<u8> {
        let approved = policy.approve(request, now()).unwrap();
        approved.sign(&self.key, algorithms()).unwrap().into_bytes()
    }

    /// The algorithm and key that verify what the delegation key signs.
    fn raw(&self) -> (&'static dyn SignatureVerificationAlgorithm, Vec<u8>) {
        let message = b"which one is it";
        let signature = self.key.sign_message(message);
        // The key is the BIT STRING at the end of the SubjectPublicKeyInfo.
        let spki = self.certificate.spki();
        (0..spki.len())
            .flat_map(|start| {
                algorithms()
                    .iter()
                    .map(move |&a| (a, spki[start..].to_vec()))
            })
            .find(|(a, key)| a.verify_signature(key, message, &signature).is_ok())
            .unwrap()
    }
}

fn certificate(key: &KeyPair) -> DelegationCertificate<'static> {
    let mut params = CertificateParams::new(["*.cpe.example.com".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 12, 1);
    params.not_after = rcgen::date_time_ymd(2026, 12, 1);
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let usage = CustomExtension::from_oid_content(&DELEGATION_USAGE_ARCS, vec![5, 0]);
    params.custom_extensions = vec![usage];
    let der = params.self_signed(key).unwrap().der().clone();
    DelegationCertificate::parse(der).unwrap()
}

fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

fn offer() -> Offer {
    let codes = [0x0403, 0x0503, 0x0807, 0x0804];
    let list = || SchemeList::new(codes.map(SignatureScheme)).unwrap();
    Offer::new(list())
        .with(Form::Rfc9345, list())
        .with(Form::Named, list())
}

fn codec(criterion: &mut Criterion) {
    let scene = &Scene::all()[0];
    for form in Form::ALL {
        let bytes = scene.issue(&scene.policy(), &scene.request(form));
        let mut group = criterion.benchmark_group("codec");
        group.throughput(Throughput::Bytes(bytes.len().try_into().unwrap()));
        group.bench_function(BenchmarkId::new("decode", form), |bencher| {
            bencher.iter(|| DelegatedCredential::decode(form, black_box(&bytes)).unwrap());
        });
        let decoded = DelegatedCredential::decode(form, &bytes).unwrap();
        let claim: &Credential<'_> = decoded.credential();
        let mut out = Vec::with_capacity(bytes.len());
        group.bench_function(BenchmarkId::new("encode", form), |bencher| {
            bencher.iter(|| {
                out.clear();
                black_box(claim).encode(&mut out).unwrap();
            });
        });
        group.finish();
    }
    criterion.bench_function("codec/certificate", |bencher| {
        let der = scene.certificate.der();
        bencher.iter(|| DelegationCertificate::parse(black_box(der).into()).unwrap());
    });
}

fn report(what: &str, algorithm: &str, form: Form, result: (Duration, Duration, f64)) {
    let (ours, raw, ratio) = result;
    let verdict = if ratio <= TARGET {
        ""
    } else {
        "  above the target"
    };
    println!(
        "{what:7} {algorithm:8} {form:8} {:8.2} µs  raw {:8.2} µs  ratio {ratio:.3}{verdict}",
        ours.as_secs_f64() * 1e6,
        raw.as_secs_f64() * 1e6,
    );
}

fn ratios() {
    let offer = offer();
    let wanted = ServerName::try_from(NAME).unwrap();
    let verifier = Verifier::new(Role::Server, &offer, algorithms());
    for scene in Scene::all() {
        let policy = scene.policy();
        let (algorithm, key) = scene.raw();
        for form in Form::ALL {
            let request = scene.request(form);
            let bytes = scene.issue(&policy, &request);
            let credential = DelegatedCredential::decode(form, &bytes).unwrap();
            let mut body = Vec::new();
            credential.credential().encode(&mut body).unwrap();
            let scheme = credential.algorithm();
            let der = scene.certificate.der();
            let message = signed_bytes(Role::Server, form, der, &body, scheme);
            let verify_raw = |signature: &[u8]| {
                algorithm
                    .verify_signature(&key, black_box(&message), signature)
                    .unwrap();
            };
            let verify = || {
                let verified = verifier.verify(
                    black_box(&credential),
                    &scene.certificate,
                    Some(&wanted),
                    now(),
                );
                black_box(verified.unwrap());
            };
            let result = compare(CALLS, verify, || verify_raw(credential.signature()));
            report("verify", scene.algorithm, form, result);
            let issue = || drop(black_box(scene.issue(&policy, &request)));
            let sign_and_verify = || verify_raw(&scene.key.sign_message(black_box(&message)));
            let result = compare(CALLS, issue, sign_and_verify);
            report("issue", scene.algorithm, form, result);
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    codec(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only wants to know whether it runs.
    if !std::env::args().any(|argument| argument == "--test") {
        ratios();
    }
}
