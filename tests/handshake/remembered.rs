//! Servers that a client has seen a moment ago: no signature of chain and credential is verified again, and nothing passes
//! that would not pass without.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dc_core::Form;
use dc_core::pem::StoredCredential;
use dc_rustls::client::{Builder, Config, NamePolicy};
use dc_rustls::server::{Acceptor, Identity};
use dc_rustls::{Error, Refusal};
use dc_tests::pair::{Outcome, connect};
use dc_tests::vendor::{Device, Key, Oddity, Vendor, provider};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use rustls::{CertificateError, SignatureScheme};

use crate::setup::{ALL, Clock, HOUR, acceptor, careless_acceptor};

/// Counts the signatures that this thread verifies, which is the client's.
#[derive(Debug)]
struct Counted;

impl SignatureVerificationAlgorithm for Counted {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        VERIFIED.set(VERIFIED.get() + 1);
        let provider = provider();
        let mut algorithms = provider.signature_verification_algorithms.all.iter();
        let is_alike = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
            algorithm.public_key_alg_id() == self.public_key_alg_id()
                && algorithm.signature_alg_id() == self.signature_alg_id()
        };
        let algorithm = algorithms.find(is_alike).unwrap();
        algorithm.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

thread_local! {
    static VERIFIED: Cell<usize> = const { Cell::new(0) };
}
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[&Counted];
static MAPPING: &[(SignatureScheme, &[&dyn SignatureVerificationAlgorithm])] =
    &[(SignatureScheme::ECDSA_NISTP256_SHA256, ALGORITHMS)];

fn counting() -> Arc<CryptoProvider> {
    let signature_verification_algorithms = WebPkiSupportedAlgorithms {
        all: ALGORITHMS,
        mapping: MAPPING,
    };
    Arc::new(CryptoProvider {
        signature_verification_algorithms,
        ..CryptoProvider::clone(&provider())
    })
}

/// A client that resumes nothing and counts.
fn client_of(vendor: &Vendor) -> Builder {
    Config::builder(counting())
        .roots(vendor.roots())
        .without_resumption()
}

fn client_at(vendor: &Vendor, clock: &Clock) -> Config {
    let clock = Arc::new(clock.clone());
    client_of(vendor).time_provider(clock).build().unwrap()
}

/// A connection, and how many signatures the client verified.
fn visit(client: &Config, name: &str, acceptor: &Acceptor) -> (Outcome, usize) {
    VERIFIED.set(0);
    let outcome = connect(client, name, acceptor, ALL);
    (outcome, VERIFIED.get())
}

#[track_caller]
fn assert_verified(client: &Config, name: &str, acceptor: &Acceptor, expected: usize) {
    let (outcome, verified) = visit(client, name, acceptor);
    assert!(outcome.peer().authenticates(&name.try_into().unwrap()));
    assert_eq!(verified, expected);
}

/// Why the client refused the chain.
#[track_caller]
fn fault(outcome: &Outcome) -> &CertificateError {
    match &outcome.client {
        Err(Error::Tls(rustls::Error::InvalidCertificate(error))) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// A vendor, a device, its credential, and a client that has just talked to it.
struct Scene {
    vendor: Vendor,
    device: Device,
    credential: StoredCredential,
    clock: Clock,
    client: Config,
}

impl Scene {
    fn new(vendor: Vendor) -> Self {
        let device = Device::new("router");
        let credential = vendor.issue_for(&device, Form::Named, HOUR / 2);
        let clock = Clock::now();
        let client = client_at(&vendor, &clock);
        let scene = Self {
            vendor,
            device,
            credential,
            clock,
            client,
        };
        scene.assert_remembered();
        scene
    }

    fn server(&self) -> Acceptor {
        self.with(
            self.vendor.chain(),
            &self.credential.bytes,
            &self.device.key,
        )
    }

    /// A server that has these, whatever they are.
    fn with(&self, chain: Vec<CertificateDer<'static>>, credential: &[u8], key: &Key) -> Acceptor {
        let stored = dc_core::pem::write(Form::Named, credential);
        let credentials = dc_core::pem::read(stored.as_bytes()).unwrap();
        careless_acceptor(Identity::new(chain, credentials, key.private_key()))
    }

    /// The client knows the device, or does from now on.
    #[track_caller]
    fn assert_remembered(&self) {
        let server = self.server();
        let (outcome, _) = visit(&self.client, NAME, &server);
        assert!(outcome.client.is_ok());
        assert_verified(&self.client, NAME, &server, 1);
    }

    fn meet(&self, server: &Acceptor) -> (Outcome, usize) {
        visit(&self.client, NAME, server)
    }
}

#[test]
fn only_the_server_s_own_signature_is_verified_again() {
    for (form, policy) in [
        (Form::Named, NamePolicy::Required),
        (Form::Rfc9345, NamePolicy::Ignored),
    ] {
        let vendor = Vendor::with_intermediates(Key::p256(), 2, 0);
        let server = acceptor(&vendor, &Device::new("router"), &[form]);
        let client = client_of(&vendor).unique_name(policy).build().unwrap();
        // Three of the chain, the credential's and the CertificateVerify.
        let verified = [(); 3].map(|()| visit(&client, NAME, &server).1);
        assert_eq!(verified, [5, 1, 1]);
        let peers = [(); 2].map(|()| visit(&client, NAME, &server).0.peer().clone());
        assert_eq!(peers[0], peers[1]);
        let fresh = client_of(&vendor).unique_name(policy).build().unwrap();
        assert_eq!(visit(&fresh, NAME, &server).0.peer(), &peers[0]);
        // A clone is the same configuration.
        assert_eq!(visit(&client.clone(), NAME, &server).1, 1);
    }
}

#[test]
fn all_are_verified_if_that_is_asked_for_or_a_verifier_may_change_its_mind() {
    let vendor = Vendor::default();
    let server = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let roots = Arc::new(vendor.roots());
    let inner = WebPkiServerVerifier::builder_with_provider(roots, counting());
    let other = Config::builder(counting()).verifier(inner.build().unwrap());
    for builder in [
        client_of(&vendor).without_remembering(),
        other.without_resumption(),
    ] {
        let client = builder.build().unwrap();
        assert_verified(&client, NAME, &server, 3);
        assert_verified(&client, NAME, &server, 3);
    }
}

#[test]
fn a_certificate_without_a_credential_is_verified_each_time() {
    let vendor = Vendor::default();
    let stock = crate::setup::stock_server(&vendor);
    let server = Acceptor::new(dc_rustls::server::Store::new(provider())).fallback(stock);
    let client = client_of(&vendor).or_certificate().build().unwrap();
    let verified = [(); 2].map(|()| visit(&client, NAME, &server).1);
    assert_eq!(verified, [2, 2]);
}

#[test]
fn a_server_without_the_key_is_refused_though_its_credential_is_known() {
    let scene = Scene::new(Vendor::default());
    let thief = scene.with(scene.vendor.chain(), &scene.credential.bytes, &Key::p256());
    let (outcome, verified) = scene.meet(&thief);
    assert!(matches!(
        outcome.refusal(),
        Refusal::Credential(dc_core::Error::BadCertificateVerify)
    ));
    assert_eq!(verified, 1);
    scene.assert_remembered();
}

#[test]
fn the_end_of_the_credential_is_the_end() {
    let scene = Scene::new(Vendor::default());
    let server = scene.server();
    let (outcome, _) = scene.meet(&server);
    let dc_rustls::client::Peer::Delegated { expires, .. } = outcome.peer() else {
        panic!("{outcome:?}");
    };
    scene.clock.set(expires.as_secs());
    assert_verified(&scene.client, NAME, &server, 1);
    scene.clock.forward(SECOND);
    let (outcome, _) = scene.meet(&server);
    assert!(matches!(
        outcome.refusal(),
        Refusal::Credential(dc_core::Error::Expired { .. })
    ));
    // A clock that was wrong for a moment.
    scene.clock.back(SECOND);
    assert_verified(&scene.client, NAME, &server, 1);
}

#[test]
fn a_clock_that_goes_back_finds_too_long_a_validity() {
    let scene = Scene::new(Vendor::default());
    let (server, now) = (scene.server(), scene.clock.seconds());
    let (outcome, _) = scene.meet(&server);
    let dc_rustls::client::Peer::Delegated { expires, .. } = outcome.peer() else {
        panic!("{outcome:?}");
    };
    let first = expires.as_secs() - dc_core::MAX_VALIDITY.as_secs();
    assert!(first < now);
    scene.clock.set(first);
    assert_verified(&scene.client, NAME, &server, 1);
    scene.clock.back(SECOND);
    let (outcome, _) = scene.meet(&server);
    assert!(matches!(
        outcome.refusal(),
        Refusal::Credential(dc_core::Error::ValidityTooLong { .. })
    ));
}

#[test]
fn each_certificate_s_validity_counts() {
    // They are valid from an hour before now until an hour after; the credential ends in half of that.
    for oddity in [Oddity::BriefLeaf, Oddity::BriefIntermediate] {
        let scene = Scene::new(Vendor::odd(oddity));
        let server = scene.server();
        scene.clock.back(2 * HOUR);
        let (outcome, _) = scene.meet(&server);
        let error = fault(&outcome);
        assert!(matches!(error, CertificateError::NotValidYetContext { .. }));
        scene.clock.forward(2 * HOUR);
        assert_verified(&scene.client, NAME, &server, 1);
    }
}

#[test]
fn the_end_of_an_intermediate_is_the_end() {
    let vendor = Vendor::odd(Oddity::BriefIntermediate);
    let server = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let clock = Clock::now();
    let client = client_at(&vendor, &clock);
    assert_verified(&client, NAME, &server, 4);
    clock.forward(HOUR - Duration::from_secs(60));
    assert_verified(&client, NAME, &server, 1);
    clock.forward(Duration::from_secs(120));
    let (outcome, _) = visit(&client, NAME, &server);
    let error = fault(&outcome);
    assert!(matches!(error, CertificateError::ExpiredContext { .. }));
}

#[test]
fn a_changed_byte_is_another_chain() {
    let scene = Scene::new(Vendor::with_intermediates(Key::p256(), 1, 0));
    for certificate in [0, 1] {
        let mut chain = scene.vendor.chain();
        let mut der = chain[certificate].to_vec();
        // The last one belongs to the signature.
        *der.last_mut().unwrap() ^= 1;
        chain[certificate] = der.into();
        let server = scene.with(chain, &scene.credential.bytes, &scene.device.key);
        let (outcome, _) = scene.meet(&server);
        assert!(outcome.client.is_err(), "{certificate}");
        scene.assert_remembered();
    }
}

#[test]
fn a_missing_intermediate_is_another_chain() {
    let scene = Scene::new(Vendor::with_intermediates(Key::p256(), 1, 0));
    let chain = scene.vendor.chain()[..1].to_vec();
    let server = scene.with(chain, &scene.credential.bytes, &scene.device.key);
    let (outcome, _) = scene.meet(&server);
    assert_eq!(*fault(&outcome), CertificateError::UnknownIssuer);
}

#[test]
fn a_changed_byte_is_another_credential() {
    let scene = Scene::new(Vendor::default());
    let mut credential = scene.credential.bytes.to_vec();
    *credential.last_mut().unwrap() ^= 1;
    let server = scene.with(scene.vendor.chain(), &credential, &scene.device.key);
    assert!(matches!(
        scene.meet(&server).0.refusal(),
        Refusal::Credential(dc_core::Error::BadSignature)
    ));
    // A renewed one is verified, and takes the place of the last.
    let renewed = scene.vendor.issue_for(&scene.device, Form::Named, HOUR);
    let server = scene.with(scene.vendor.chain(), &renewed.bytes, &scene.device.key);
    assert_verified(&scene.client, NAME, &server, 3);
    assert_verified(&scene.client, NAME, &server, 1);
    assert_verified(&scene.client, NAME, &scene.server(), 3);
}

#[test]
fn another_name_is_another_server() {
    let scene = Scene::new(Vendor::default());
    let (outcome, _) = visit(&scene.client, "other.cpe.example.com", &scene.server());
    assert!(matches!(
        outcome.refusal(),
        Refusal::Credential(dc_core::Error::NameMismatch { .. })
    ));
    // Also where it is the certificate's names that decide.
    let server = acceptor(&scene.vendor, &scene.device, &[Form::Rfc9345]);
    let client = client_of(&scene.vendor).unique_name(NamePolicy::Ignored);
    let client = client.build().unwrap();
    let names = [NAME, "other.cpe.example.com", NAME, "other.cpe.example.com"];
    assert_eq!(
        names.map(|name| visit(&client, name, &server).1),
        [3, 3, 1, 1]
    );
}

#[test]
fn other_roots_know_nothing_of_it() {
    let scene = Scene::new(Vendor::default());
    let client = client_at(&Vendor::default(), &scene.clock);
    let (outcome, _) = visit(&client, NAME, &scene.server());
    assert_eq!(*fault(&outcome), CertificateError::UnknownIssuer);
}

#[test]
fn only_so_many_names_are_remembered() {
    let vendor = Vendor::default();
    let server = acceptor(&vendor, &Device::new("router"), &[Form::Rfc9345]);
    let client = client_of(&vendor).unique_name(NamePolicy::Ignored);
    let client = client.build().unwrap();
    let verified = |number: usize| {
        let name = format!("device{number}.cpe.example.com");
        visit(&client, &name, &server).1
    };
    assert!((0..64).all(|number| verified(number) == 3));
    assert!((0..64).all(|number| verified(number) == 1));
    assert_eq!(verified(64), 3);
    assert_eq!([verified(1), verified(0), verified(64)], [1, 3, 1]);
}

#[test]
fn a_long_chain_is_verified_each_time() {
    let vendor = Vendor::with_intermediates(Key::p256(), 1, 8 * 1024);
    let server = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let client = client_of(&vendor).build().unwrap();
    assert_verified(&client, NAME, &server, 4);
    assert_verified(&client, NAME, &server, 4);
}

#[test]
fn a_withdrawn_device_is_refused_and_forgotten() {
    let vendor = Vendor::default();
    let server = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let withdrawn = Arc::new(AtomicBool::new(false));
    let list = Arc::clone(&withdrawn);
    let client = client_of(&vendor)
        .authorize(move |_, _| !list.load(Ordering::Relaxed))
        .build()
        .unwrap();
    assert_verified(&client, NAME, &server, 3);
    assert_verified(&client, NAME, &server, 1);
    withdrawn.store(true, Ordering::Relaxed);
    let (outcome, verified) = visit(&client, NAME, &server);
    assert!(matches!(outcome.refusal(), Refusal::NotAuthorized));
    assert_eq!(verified, 0);
    assert_eq!(
        outcome.alert_at_server(),
        rustls::AlertDescription::AccessDenied
    );
    withdrawn.store(false, Ordering::Relaxed);
    assert_verified(&client, NAME, &server, 3);
}

const NAME: &str = "router.cpe.example.com";
const SECOND: Duration = Duration::from_secs(1);
