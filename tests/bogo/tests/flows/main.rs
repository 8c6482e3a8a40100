//! The flows of the runner's `DelegatedCredentials-*` tests, with our own client in the runner's place.
//!
//! As with the runner, delegation certificates are RSA, the client does not have their scheme in extension 34, and flags
//! come in the same order.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod runner;

use std::io::{Read, Write};
use std::sync::Arc;

use dc_core::SignatureScheme as Scheme;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::{Error, Refusal};
use dc_tests::vendor::{Device, Key, Vendor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, SignatureScheme, StreamOwned};

use runner::{Credential, Shim, refused};

/// What most flows have: a credential and, behind it, a certificate.
struct Setup {
    vendor: Vendor,
    credentials: Vec<Credential>,
}

impl Setup {
    fn new(credential: Key) -> Self {
        let vendor = Vendor::new(Key::rsa());
        let device = Device::with_key("bogo", credential);
        let credentials = vec![
            Credential::delegated(&vendor, &device),
            Credential::x509(&vendor),
        ];
        Self {
            vendor,
            credentials,
        }
    }

    fn client(&self, provider: Arc<CryptoProvider>) -> Config {
        let builder = Config::builder(provider).roots(self.vendor.roots());
        let builder = builder.unique_name(NamePolicy::Ignored).allow_tls12();
        builder.build().unwrap()
    }

    fn shim(&self, flags: &[&str]) -> Shim {
        Shim::start(&self.credentials, flags)
    }

    /// Our client with this provider connects, and the shim selects this credential.
    fn selects(&self, provider: Arc<CryptoProvider>, number: &str, flags: &[&str]) -> Peer {
        let flags = [&["-expect-selected-credential", number], flags].concat();
        let shim = self.shim(&flags);
        let client = self.client(provider);
        let mut stream = client
            .connect(NAME.try_into().unwrap(), shim.accept())
            .unwrap();
        exchange(&mut stream);
        let peer = stream.peer().clone();
        stream.connection_mut().send_close_notify();
        stream.flush().unwrap();
        shim.passes();
        peer
    }
}

#[test]
fn no_client_support() {
    let setup = Setup::new(Key::p256());
    let shim = setup.shim(&["-expect-selected-credential", "1"]);
    stock_client(&setup, &rustls::version::TLS13, &shim);
    shim.passes();
}

#[test]
fn basic() {
    let setup = Setup::new(Key::p256());
    let peer = setup.selects(every_scheme(), "0", &[]);
    assert!(matches!(peer, Peer::Delegated { .. }), "{peer:?}");
}

/// The certificate's scheme counts in signature_algorithms, the credential's in extension 34.
#[test]
fn exact_algorithm_match() {
    let setup = Setup::new(Key::p256());
    let both = [P256, SignatureScheme::RSA_PSS_SHA256];
    let peer = setup.selects(only(&both), "0", &[]);
    let Peer::Delegated { scheme, .. } = peer else {
        panic!("{peer:?}");
    };
    assert_eq!(scheme, Scheme::ECDSA_SECP256R1_SHA256);
}

#[test]
fn sig_algo_missing() {
    let setup = Setup::new(Key::p256());
    let without = [P256, SignatureScheme::RSA_PSS_SHA384];
    let peer = setup.selects(only(&without), "1", &[]);
    assert_eq!(peer, Peer::Certificate);
}

#[test]
fn cert_verify_sig_algo_missing() {
    let setup = Setup::new(Key::p256());
    let without = [P384, SignatureScheme::RSA_PSS_SHA256];
    let peer = setup.selects(only(&without), "1", &[]);
    assert_eq!(peer, Peer::Certificate);
}

/// rustls has no TLS 1.1, which the runner is told.
#[test]
fn tls11_forbidden() {
    let setup = Setup::new(Key::p256());
    let shim = setup.shim(&["-expect-selected-credential", "1"]);
    shim.accept().write_all(&TLS11_HELLO).unwrap();
    shim.leaves_out();
}

#[test]
fn tls12_forbidden() {
    let setup = Setup::new(Key::p256());
    let shim = setup.shim(&["-expect-selected-credential", "1"]);
    stock_client(&setup, &rustls::version::TLS12, &shim);
    shim.passes();
    // A client that does offer to take credentials, but in TLS 1.3 only.
    for flags in [["-max-version", "771"], ["-expect-version", "771"]] {
        let flags = [&flags[..], &["-no-tls13"]].concat();
        let peer = setup.selects(every_scheme(), "1", &flags);
        assert_eq!(peer, Peer::Certificate);
    }
}

#[test]
fn key_mismatch() {
    let mut setup = Setup::new(Key::p256());
    setup.credentials[0].key = Key::p256().private_key_pem();
    assert_eq!(
        refused(&setup.credentials, &[]),
        (1, ":KEY_VALUES_MISMATCH:".to_owned())
    );
}

#[test]
fn no_rsa() {
    let mut setup = Setup::new(Key::p256());
    let delegated = setup.credentials[0].delegated.as_mut().unwrap();
    // dc_cert_verify_algorithm comes behind valid_time.
    delegated[4..6].copy_from_slice(&Scheme::RSA_PSS_RSAE_SHA256.0.to_be_bytes());
    let error = ":INVALID_SIGNATURE_ALGORITHM:".to_owned();
    assert_eq!(refused(&setup.credentials, &[]), (1, error));
}

#[test]
fn multiple() {
    let mut setup = Setup::new(Key::p256());
    let device = Device::with_key("bogo", Key::p384());
    setup.credentials[1] = Credential::delegated(&setup.vendor, &device);
    let without = [P384, SignatureScheme::RSA_PSS_SHA256];
    let peer = setup.selects(only(&without), "1", &[]);
    assert!(matches!(peer, Peer::Delegated { .. }), "{peer:?}");
    let peer = setup.selects(every_scheme(), "0", &[]);
    assert!(matches!(peer, Peer::Delegated { .. }), "{peer:?}");
}

#[test]
fn match_issuer_and_trust_anchor_ids_are_not_implemented() {
    let setup = Setup::new(Key::p256());
    for flags in [&["-must-match-issuer"][..], &["-trust-anchor-id", "AQE="]] {
        assert_eq!(refused(&setup.credentials, flags).0, 89);
    }
}

/// The runner signs with the fields in the order that draft-02 had.
#[test]
fn a_credential_with_a_wrong_signature_is_served_all_the_same() {
    let mut setup = Setup::new(Key::p256());
    let delegated = setup.credentials[0].delegated.as_mut().unwrap();
    *delegated.last_mut().unwrap() ^= 1;
    let shim = setup.shim(&[]);
    let client = setup.client(every_scheme());
    let result = client.connect(NAME.try_into().unwrap(), shim.accept());
    assert!(
        matches!(result, Err(Error::Refused(Refusal::Credential(_)))),
        "{result:?}"
    );
    let (exit, error) = shim.end();
    assert_eq!(exit, 1);
    assert!(error.contains("IllegalParameter"), "{error}");
}

#[test]
fn a_wrong_expectation_fails() {
    let setup = Setup::new(Key::p256());
    let shim = setup.shim(&["-expect-selected-credential", "1"]);
    let client = setup.client(every_scheme());
    // The shim leaves once the handshake is over.
    let _stream = client
        .connect(NAME.try_into().unwrap(), shim.accept())
        .unwrap();
    assert_eq!(
        shim.end(),
        (1, "credential 0 was selected, not 1".to_owned())
    );
}

#[test]
fn sessions_are_resumed() {
    let setup = Setup::new(Key::p256());
    let shim = setup.shim(&["-resume-count", "1"]);
    let client = setup.client(every_scheme());
    for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut stream = client
            .connect(NAME.try_into().unwrap(), shim.accept())
            .unwrap();
        exchange(&mut stream);
        assert_eq!(stream.connection().handshake_kind(), Some(kind));
        stream.connection_mut().send_close_notify();
        stream.flush().unwrap();
    }
    shim.passes();
}

/// Two certificates with one key, which differ in what the first is to sign with.
#[test]
fn a_certificate_signs_only_with_what_it_is_told() {
    let mut setup = Setup::new(Key::p256());
    let [mut first, second] = [0, 1].map(|_| Credential::x509(&setup.vendor));
    first.signing_prefs = vec![SignatureScheme::RSA_PSS_SHA384.into()];
    setup.credentials = vec![first, second];
    for (scheme, number) in [
        (SignatureScheme::RSA_PSS_SHA384, "0"),
        (SignatureScheme::RSA_PSS_SHA256, "1"),
    ] {
        let peer = setup.selects(only(&[P256, scheme]), number, &[]);
        assert_eq!(peer, Peer::Certificate);
    }
}

#[test]
fn what_is_not_known_is_not_implemented() {
    let mut setup = Setup::new(Key::p256());
    assert_eq!(refused(&setup.credentials, &["-max-version", "770"]).0, 89);
    assert_eq!(refused(&setup.credentials, &["-handshake-hints"]).0, 89);
    assert_eq!(runner::run(&["-port", "1"]).0, 89, "a client");
    assert_eq!(
        runner::run(&["-is-handshaker-supported"]),
        (0, "No".to_owned())
    );
    setup.credentials.reverse();
    let certificate_first = refused(&setup.credentials, &[]);
    assert_eq!(certificate_first.0, 89, "{}", certificate_first.1);
}

fn stock_client(setup: &Setup, version: &'static rustls::SupportedProtocolVersion, shim: &Shim) {
    let config = ClientConfig::builder_with_provider(every_scheme())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(setup.vendor.roots())
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), NAME.try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, shim.accept());
    exchange(&mut stream);
    let negotiated = stream.conn.protocol_version();
    assert_eq!(
        negotiated,
        Some(ProtocolVersion::from(u16::from(version.version)))
    );
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}

/// The shim sends everything back, inverted.
fn exchange(stream: &mut (impl Read + Write)) {
    stream.write_all(b"hello").unwrap();
    let mut reply = [0; 5];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply.map(|byte| byte ^ 0xff), *b"hello");
}

fn every_scheme() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Verifies, and so offers, these schemes alone; certificates may still be signed with any.
fn only(schemes: &[SignatureScheme]) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    let all = provider.signature_verification_algorithms;
    let mapping = all.mapping.iter().copied();
    let mapping: Vec<_> = mapping.filter(|(s, _)| schemes.contains(s)).collect();
    provider.signature_verification_algorithms = WebPkiSupportedAlgorithms {
        mapping: mapping.leak(),
        ..all
    };
    Arc::new(provider)
}

const P256: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
const P384: SignatureScheme = SignatureScheme::ECDSA_NISTP384_SHA384;
const NAME: &str = "bogo.cpe.example.com";
/// One record with a ClientHello of TLS 1.1: a random of zeros, no session, one cipher suite, no compression.
const TLS11_HELLO: [u8; 50] = {
    let mut hello = [0; 50];
    let head = [22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    // Behind the random: an empty session, and one cipher suite and one compression method in their vectors.
    hello[45] = 2;
    hello[46] = 0xc0;
    hello[47] = 0x13;
    hello[48] = 1;
    hello
};
