//! Encrypted ClientHello (RFC 9849), as far as it goes without a server that has it: `tests/interop` has one.

mod accepted;
mod accepting;
mod opened;
mod rejected;

use std::io::{self, Read, Write};

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Builder, Config, EchMode, EchStatus, NamePolicy, Peer};
use dc_rustls::quinn::EarlyData;
use dc_tests::backend::BACKENDS;
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, ZONE, provider};
use rustls::EncryptedClientHelloError;
use rustls::crypto::aws_lc_rs::hpke::ALL_SUPPORTED_SUITES;

use crate::setup::{ALL, acceptor, client_of};

use self::opened::{ENCRYPTED_CLIENT_HELLO, Keeper, PUBLIC, SUITE, client_hellos};

const NAME: &str = "router.cpe.example.com";

const POLICIES: [(NamePolicy, &[u16]); 3] = [
    (NamePolicy::Required, &[0xff22]),
    (NamePolicy::Preferred, &[0xff22, 34]),
    (NamePolicy::Ignored, &[34]),
];

/// A vendor whose delegation certificate is for the public name too.
fn vendor() -> Vendor {
    Vendor::with_names(&[format!("*.{ZONE}"), PUBLIC.to_owned()])
}

fn hiding(builder: Builder, keeper: &Keeper) -> Config {
    let mode = EchMode::enable(keeper.list(), &[SUITE]).unwrap();
    builder.ech(mode).build().unwrap()
}

/// A network on which nobody answers.
#[derive(Debug, Default)]
struct Silence(Vec<u8>);

impl Read for Silence {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Silence {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a client sends that wants to reach `name`.
fn sent(config: &Config, name: &str) -> Vec<u8> {
    let mut network = Silence::default();
    let name = name.to_owned().try_into().unwrap();
    let error = config.connect(name, &mut network).unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
    network.0
}

/// RFC 9849 §6.1.3, with the names of its variables.
fn recommended(hello: usize, name: Option<&str>, maximum_name_length: u8) -> usize {
    let l = match maximum_name_length {
        0 => 255,
        l => usize::from(l),
    };
    let named = match name {
        Some(name) => hello + l.saturating_sub(name.len()),
        None => hello + l + 9,
    };
    let n = 31 - ((named - 1) % 32);
    named + n
}

#[test]
fn the_offer_is_first_in_both_hellos_and_the_padding_is_as_recommended() {
    let vendor = vendor();
    for backend in BACKENDS {
        for (policy, kinds) in POLICIES {
            for maximum in [0, 1, 24, 64, 255] {
                let keeper = Keeper::new(maximum);
                let builder = Config::builder(backend.provider())
                    .roots(vendor.roots())
                    .unique_name(policy)
                    .alpn_protocols([b"dot".to_vec()]);
                let config = hiding(builder, &keeper);
                let opened = keeper.open(&sent(&config, NAME)).remove(0);
                let inner = opened.expanded();
                for hello in [&opened.outer, &opened.inner, &inner] {
                    assert_eq!(hello.kinds()[..kinds.len()], *kinds);
                    let offers: Vec<_> = hello.extensions[..kinds.len()].to_vec();
                    assert_eq!(offers, opened.outer.extensions[..kinds.len()]);
                    let others = &hello.kinds()[kinds.len()..];
                    assert!(!others.iter().any(|kind| kinds.contains(kind)));
                }
                let length = opened.inner.body().len();
                let padded = recommended(length, Some(NAME), maximum);
                assert_eq!((opened.padded, opened.padding), (padded, padded - length));
                assert_eq!(opened.padded % 32, 0);
                assert!(!opened.secret.is_empty());
                assert_eq!(inner.extension(ENCRYPTED_CLIENT_HELLO), Some(&[1][..]));
            }
        }
    }
}

#[test]
fn every_hpke_suite_opens_both_hellos() {
    let vendor = vendor();
    for suite in ALL_SUPPORTED_SUITES {
        let keeper = Keeper::with(*suite, 64, PUBLIC);
        let mode = EchMode::enable(keeper.list(), ALL_SUPPORTED_SUITES).unwrap();
        let config = client_of(&vendor).ech(mode).build().unwrap();
        let opened = keeper.open(&sent(&config, NAME)).remove(0);
        assert_eq!(opened.inner.extensions[0], opened.outer.extensions[0]);
        assert_eq!(opened.inner.kinds()[0], 0xff22);
    }
}

#[test]
fn the_network_sees_the_public_name_alone() {
    let (vendor, keeper) = (vendor(), Keeper::new(0));
    let builder = client_of(&vendor).alpn_protocols([b"hidden-protocol".to_vec()]);
    let config = hiding(builder, &keeper);
    let bytes = sent(&config, NAME);
    let sees = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(sees(PUBLIC));
    assert!(!sees("router"));
    let opened = keeper.open(&bytes).remove(0);
    let name = opened.inner.extension(0).unwrap();
    assert!(name.ends_with(NAME.as_bytes()));
}

#[test]
fn no_length_tells_how_long_the_name_is() {
    let (vendor, keeper) = (vendor(), Keeper::new(64));
    let config = hiding(client_of(&vendor), &keeper);
    let lengths = [1, 9, 17, 32, 40].map(|length| {
        let name = format!("{}.{ZONE}", "a".repeat(length));
        sent(&config, &name).len()
    });
    assert!(lengths.iter().all(|&length| length == lengths[0]));
}

/// An address has no server_name, and no form with a name is offered for it.
#[test]
fn an_address_is_hidden_as_a_name_is() {
    let (vendor, keeper) = (vendor(), Keeper::new(64));
    let builder = client_of(&vendor).unique_name(NamePolicy::Preferred);
    let config = hiding(builder, &keeper);
    let opened = keeper.open(&sent(&config, "192.0.2.1")).remove(0);
    assert_eq!(opened.expanded().kinds()[0], 34);
    assert_eq!(opened.inner.extension(0), None);
    let length = opened.inner.body().len();
    assert_eq!(opened.padded, recommended(length, None, 64));
    assert!(opened.outer.extension(0).is_some());
}

/// One in many records: a protocol list that is longer than one.
#[test]
fn a_hello_of_more_than_one_record() {
    let (vendor, keeper) = (vendor(), Keeper::new(0));
    let protocols = (0..150_u8).map(|n| vec![n; 200]);
    let config = hiding(client_of(&vendor).alpn_protocols(protocols), &keeper);
    let bytes = sent(&config, NAME);
    assert!(bytes.len() > 16_384 + 5);
    let opened = keeper.open(&bytes).remove(0);
    assert_eq!(opened.expanded().kinds()[0], 0xff22);
    assert_eq!(opened.outer.kinds()[0], 0xff22);
}

#[test]
fn grease_looks_alike_and_changes_nothing() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    for (policy, kinds) in POLICIES {
        let client = client_of(&vendor)
            .unique_name(policy)
            .ech(EchMode::grease(SUITE).unwrap())
            .build()
            .unwrap();
        // In full, then resumed.
        for _ in 0..2 {
            let outcome = connect(&client, NAME, &acceptor, ALL);
            assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
            let stream = outcome.client.unwrap();
            assert_eq!(stream.ech_status(), EchStatus::Grease);
            let hello = client_hellos(stream.get_ref().sent()).remove(0);
            assert_eq!(hello.kinds()[..kinds.len()], *kinds);
            let grease = hello.extension(ENCRYPTED_CLIENT_HELLO).unwrap();
            assert_eq!(grease[0], 0);
        }
    }
}

#[test]
fn grease_stays_the_same_after_a_hello_retry_request() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let store = dc_rustls::server::Store::new(BACKENDS[0].x25519_only());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = dc_rustls::server::Acceptor::new(store);
    let client = Config::builder(BACKENDS[0].prefers_p384())
        .roots(vendor.roots())
        .ech(EchMode::grease(SUITE).unwrap())
        .build()
        .unwrap();
    let outcome = connect(&client, NAME, &acceptor, ALL);
    assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    let hellos = client_hellos(outcome.client.unwrap().get_ref().sent());
    let [first, second] = hellos.as_slice() else {
        panic!("{} hellos", hellos.len());
    };
    let extension = first.extension(ENCRYPTED_CLIENT_HELLO);
    assert_eq!(extension, second.extension(ENCRYPTED_CLIENT_HELLO));
}

#[test]
fn without_encrypted_hello_its_status_says_so() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let client = client_of(&vendor).build().unwrap();
    let outcome = connect(&client, NAME, &acceptor, ALL);
    let stream = outcome.client.unwrap();
    assert_eq!(stream.ech_status(), EchStatus::NotOffered);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let (vendor, keeper) = (vendor(), Keeper::new(0));
    let enable = |list, suites| EchMode::enable(list, suites).unwrap_err();
    assert!(matches!(enable(keeper.list(), &[]), Error::NoHpke));
    let other = rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_128;
    let cases = [
        (
            enable(keeper.list(), &[other]),
            EncryptedClientHelloError::NoCompatibleConfig,
        ),
        (
            enable(vec![0, 9, 0xfe].into(), &[SUITE]),
            EncryptedClientHelloError::InvalidConfigList,
        ),
    ];
    for (error, expected) in cases {
        let Error::Tls(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error, rustls::Error::InvalidEncryptedClientHello(expected));
    }

    let mode = EchMode::enable(keeper.list(), &[SUITE]).unwrap();
    for mode in [mode, EchMode::grease(SUITE).unwrap()] {
        let builder = Config::builder(provider())
            .roots(vendor.roots())
            .unique_name(NamePolicy::Preferred)
            .allow_tls12();
        let error = builder.ech(mode).build().unwrap_err();
        assert!(matches!(error, Error::EchBelowTls13));
    }

    let hiding = hiding(client_of(&vendor), &keeper);
    let over_quic = |config: &Config| dc_rustls::quinn::client_config(config, EarlyData::Never);
    assert!(matches!(over_quic(&hiding), Err(Error::NoEch)));
    let grease = hiding.with_ech(&EchMode::grease(SUITE).unwrap()).unwrap();
    assert!(over_quic(&grease).is_ok());
}
