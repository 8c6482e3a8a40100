//! ClientHellos in pieces, with changed offers, and bytes that are none, straight into a server's session.

use std::sync::Arc;

use dc_core::Form;
use dc_rustls::quinn::EarlyData;
use dc_rustls::server::{Acceptor, Store};
use dc_tests::backend::BACKENDS;
use dc_tests::message::{
    CERTIFICATE, SERVER_HELLO, add_extensions, extension, find_extension, messages, number,
};
use dc_tests::vendor::{Device, Vendor, provider};
use proptest::prelude::*;
use quinn::crypto::Session;
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{Side, TransportError};
use rustls::crypto::CryptoProvider;
use rustls::quic::{ClientConnection, Version};
use rustls::{AlertDescription, ClientConfig};

use super::pair::{ALPN, alert, serving};
use crate::setup::{acceptor, stock_server};

/// The list of extension 34: ECDSA with P-256.
const LIST: [u8; 4] = [0, 2, 4, 3];

/// A server's session of one connection.
pub(super) fn session(acceptor: &Acceptor) -> Box<dyn Session> {
    let config = serving(acceptor, EarlyData::Allowed);
    let none = TransportParameters::read(Side::Server, &mut [].as_slice()).unwrap();
    config.crypto.start_session(1, &none)
}

/// A stock client, and its first hello with an offer in it.
fn client(vendor: &Vendor, provider: Arc<CryptoProvider>) -> (ClientConnection, Vec<u8>) {
    let (client, hello) = begin(stock(vendor, provider));
    (client, add_extensions(&hello, &extension(34, &LIST)))
}

fn stock(vendor: &Vendor, provider: Arc<CryptoProvider>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Certificate is to be read here.
    config.cert_decompressors.clear();
    config.enable_early_data = true;
    Arc::new(config)
}

/// A client, and its first hello.
pub(super) fn begin(config: Arc<ClientConfig>) -> (ClientConnection, Vec<u8>) {
    let name = "router.cpe.example.com".try_into().unwrap();
    // initial_source_connection_id, which every client has to send.
    let parameters = vec![0x0f, 0];
    let client = ClientConnection::new(config, Version::V1, name, parameters);
    let mut client = client.unwrap();
    let mut hello = Vec::new();
    assert!(client.write_hs(&mut hello).is_none());
    (client, hello)
}

pub(super) fn feed(
    session: &mut dyn Session,
    bytes: &[u8],
    piece: usize,
) -> Result<(), TransportError> {
    for piece in bytes.chunks(piece) {
        session.read_handshake(piece)?;
    }
    Ok(())
}

/// All that a session has to say.
fn flight(session: &mut dyn Session) -> Vec<u8> {
    let mut out = Vec::new();
    while session.write_handshake(&mut out).is_some() {}
    out
}

/// Gives a client all that a session has to say, apart where the keys change.
pub(super) fn deliver(session: &mut dyn Session, client: &mut ClientConnection) {
    loop {
        let mut out = Vec::new();
        let keys = session.write_handshake(&mut out);
        client.read_hs(&out).unwrap();
        if keys.is_none() {
            return;
        }
    }
}

#[track_caller]
fn assert_alert(outcome: Result<(), TransportError>, expected: AlertDescription) {
    assert_eq!(alert(u64::from(outcome.unwrap_err().code)), expected);
}

#[test]
fn a_hello_is_answered_with_a_credential_however_it_is_cut() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345]);
    for piece in [1, 2, 7, 100, usize::MAX] {
        let (_, hello) = client(&vendor, provider());
        let mut session = session(&acceptor);
        let (last, most) = hello.split_last().unwrap();
        feed(session.as_mut(), most, piece).unwrap();
        assert!(flight(session.as_mut()).is_empty());
        feed(session.as_mut(), &[*last], 1).unwrap();
        let flight = flight(session.as_mut());
        let found = messages(&flight);
        let certificate = found.iter().find(|message| message[0] == CERTIFICATE);
        let certificate = certificate.unwrap();
        // Behind the request context, the list's length and the certificate.
        let der = number(&certificate[8..11]);
        let block = &certificate[11 + der..];
        assert_eq!(block[2..4], [0, 34]);
    }
}

#[test]
fn early_data_that_is_sent_again_is_refused() {
    let vendor = Vendor::default();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let config = stock(&vendor, provider());
    let mut session = session(&acceptor);
    let (mut client, hello) = begin(Arc::clone(&config));
    feed(session.as_mut(), &hello, usize::MAX).unwrap();
    assert!(session.early_crypto().is_none());
    deliver(session.as_mut(), &mut client);
    let mut finished = Vec::new();
    while client.write_hs(&mut finished).is_some() {}
    feed(session.as_mut(), &finished, usize::MAX).unwrap();
    deliver(session.as_mut(), &mut client);
    let (again, hello) = begin(config);
    assert!(again.zero_rtt_keys().is_some());
    for is_first in [true, false] {
        let mut session = self::session(&acceptor);
        feed(session.as_mut(), &hello, usize::MAX).unwrap();
        assert_eq!(session.early_crypto().is_some(), is_first);
    }
}

/// A change to a hello on its way.
type Change = fn(&[u8]) -> Vec<u8>;

#[test]
fn a_second_hello_must_offer_the_same() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let changes: [Change; 3] = [
        |hello| add_extensions(hello, &extension(34, &LIST)),
        |hello| hello.to_vec(),
        |hello| add_extensions(hello, &extension(34, &[0, 2, 5, 3])),
    ];
    let with_credential = |retries: Arc<CryptoProvider>| {
        let store = Store::new(retries);
        store
            .install(vendor.enrol(&device, &[Form::Rfc9345]))
            .unwrap();
        Acceptor::new(store)
    };
    let backend = &BACKENDS[0];
    for change in changes {
        let (mut client, first) = client(&vendor, backend.prefers_p384());
        let mut session = session(&with_credential(backend.x25519_only()));
        feed(session.as_mut(), &first, usize::MAX).unwrap();
        let retry = flight(session.as_mut());
        assert_eq!(retry[0], SERVER_HELLO);
        client.read_hs(&retry).unwrap();
        let mut second = Vec::new();
        client.write_hs(&mut second);
        assert_eq!(find_extension(&second, 34), None);
        let second = change(&second);
        let outcome = feed(session.as_mut(), &second, 3);
        match find_extension(&second, 34) {
            Some(offer) if offer[4..] == LIST => outcome.unwrap(),
            _ => assert_alert(outcome, AlertDescription::IllegalParameter),
        }
    }
}

#[test]
fn an_offer_that_is_malformed_is_refused_although_there_is_a_fallback() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345]).fallback(stock_server(&vendor));
    for list in [&[0, 3, 4, 3][..], &[0, 0], &[]] {
        let (_, hello) = client(&vendor, provider());
        let hello = add_extensions(&hello, &extension(0xff22, list));
        let outcome = feed(session(&acceptor).as_mut(), &hello, 50);
        assert_alert(outcome, AlertDescription::DecodeError);
    }
    let (_, hello) = client(&vendor, provider());
    let twice = add_extensions(&hello, &extension(34, &LIST));
    let outcome = feed(session(&acceptor).as_mut(), &twice, 50);
    // rustls sees to that one.
    assert_alert(outcome, AlertDescription::IllegalParameter);
}

/// Nothing protects a ClientHello, so whoever is on the way could put something behind it.
#[test]
fn what_comes_behind_a_hello_is_refused() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345]).fallback(stock_server(&vendor));
    for behind in [&[0][..], &[CERTIFICATE, 0, 0, 1, 0], &[1, 0]] {
        let (_, hello) = client(&vendor, provider());
        let mut session = session(&acceptor);
        let outcome = feed(session.as_mut(), &[&hello, behind].concat(), usize::MAX);
        assert_alert(outcome, AlertDescription::UnexpectedMessage);
    }
}

#[test]
fn what_comes_in_front_of_a_hello_is_not_passed_over() {
    let vendor = Vendor::default();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    for front in [&[0][..], &[0, 0, 0], &[2, 0], &[1, 1, 0, 0]] {
        let (_, hello) = client(&vendor, provider());
        let mut session = session(&acceptor);
        let outcome = feed(session.as_mut(), front, usize::MAX);
        let outcome = outcome.and_then(|()| feed(session.as_mut(), &hello, usize::MAX));
        assert!(outcome.is_err() || flight(session.as_mut()).is_empty());
    }
}

#[test]
fn a_hello_longer_than_rustls_takes_is_not_waited_for() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let mut longest = session(&acceptor);
    feed(longest.as_mut(), &[1, 0, 0xff, 0xff], 1).unwrap();
    // No more is kept than was announced.
    let rest = vec![0; 0xffff];
    assert!(feed(longest.as_mut(), &rest, 1200).is_err());
    let mut longer = session(&acceptor);
    assert!(feed(longer.as_mut(), &[1, 1, 0, 0], 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 1..400),
        piece in 1usize..50,
    ) {
        let vendor = &*VENDOR;
        let mut session = session(&vendor.1);
        let _ = feed(session.as_mut(), &bytes, piece);
        let _ = flight(session.as_mut());
        prop_assert!(session.is_handshaking());
    }

    #[test]
    fn a_hello_with_a_changed_byte_never_ends_a_handshake(
        at in any::<usize>(),
        value in any::<u8>(),
        behind in proptest::collection::vec(any::<u8>(), 0..60),
        piece in 1usize..300,
    ) {
        let (vendor, acceptor) = &*VENDOR;
        let (_, mut hello) = client(vendor, provider());
        let at = at % hello.len();
        hello[at] = value;
        hello.extend(behind);
        let mut session = session(acceptor);
        let _ = feed(session.as_mut(), &hello, piece);
        let _ = flight(session.as_mut());
        prop_assert!(session.is_handshaking());
    }
}

static VENDOR: std::sync::LazyLock<(Vendor, Acceptor)> = std::sync::LazyLock::new(|| {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let acceptor = acceptor.fallback(stock_server(&vendor));
    (vendor, acceptor)
});
