//! The same over QUIC, between sockets on this machine.

mod clients;
mod hellos;
mod pair;
mod refused;
mod resumed;
mod rogue;

use std::sync::Arc;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::quinn::{self as quic, EarlyData};
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::backend::BACKENDS;
use dc_tests::vendor::{Device, Key, Vendor, provider};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::ClientConfig;

use crate::setup::{acceptor, client_of, stock_server};

use self::pair::{ALPN, Listening, configure, connect};

const POLICIES: [(NamePolicy, Form); 3] = [
    (NamePolicy::Required, Form::Named),
    (NamePolicy::Preferred, Form::Named),
    (NamePolicy::Ignored, Form::Rfc9345),
];

#[tokio::test]
async fn both_forms_with_every_provider_and_after_a_hello_retry_request() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    for backend in BACKENDS {
        for retries in [false, true] {
            let (ours, theirs) = match retries {
                true => (backend.prefers_p384(), backend.x25519_only()),
                false => (backend.provider(), backend.provider()),
            };
            let store = Store::new(theirs);
            let forms = [Form::Named, Form::Rfc9345];
            store.install(vendor.enrol(&device, &forms)).unwrap();
            let server = Listening::new(&Acceptor::new(store), EarlyData::Never);
            for (policy, expected) in POLICIES {
                let client = Config::builder(Arc::clone(&ours));
                let client = client.roots(vendor.roots()).unique_name(policy);
                let client = client.alpn_protocols([ALPN.to_vec()]).build().unwrap();
                let config = configure(&client, EarlyData::Never);
                // In full, then resumed.
                for _ in 0..2 {
                    let met = connect(&config, &server, &device.name).await;
                    let (peer, served) = (met.peer(), met.served());
                    let Peer::Delegated { form, .. } = peer else {
                        panic!("{backend:?}, {retries}, {policy:?}: {peer:?}");
                    };
                    assert_eq!(form, expected);
                    assert!(matches!(served, Served::Delegated { form, .. } if form == expected));
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_of_every_kind_and_flights_of_many_packets() {
    for key in [Key::p256, Key::p384, Key::ed25519] {
        let vendor = Vendor::with_intermediates(Key::p384(), 3, 3000);
        let device = Device::with_key("router", key());
        let server = Listening::new(
            &acceptor(&vendor, &device, &[Form::Named]),
            EarlyData::Never,
        );
        // A list of protocols fills the hello, so that it needs several packets too.
        let others = (0..400).map(|number| format!("protocol number {number}").into_bytes());
        let protocols = others.chain([ALPN.to_vec()]);
        let client = client_of(&vendor)
            .alpn_protocols(protocols)
            .build()
            .unwrap();
        let met = connect(&configure(&client, EarlyData::Never), &server, &device.name).await;
        assert!(matches!(met.peer(), Peer::Delegated { .. }));
        let chain = met.server().certificates().len();
        assert_eq!(chain, 4);
    }
}

#[tokio::test]
async fn a_server_is_the_wanted_name_and_no_other_of_its_vendor() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let server = Listening::new(
        &acceptor(&vendor, &device, &[Form::Named]),
        EarlyData::Never,
    );
    let client = quic_client(&vendor, NamePolicy::Required);
    let met = connect(&configure(&client, EarlyData::Never), &server, &device.name).await;
    let known = met.server();
    assert!(known.authenticates(&device.name.as_str().try_into().unwrap()));
    assert!(!known.authenticates(&"twin.cpe.example.com".try_into().unwrap()));
    known.recheck().unwrap();
}

#[tokio::test]
async fn the_fallback_serves_who_takes_no_credential() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    // The fallback has other protocols, for TCP.
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let mut fallback = Arc::unwrap_or_clone(stock_server(&vendor));
    fallback.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = Listening::new(&acceptor.fallback(Arc::new(fallback)), EarlyData::Never);
    let mut stock = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    stock.alpn_protocols = vec![ALPN.to_vec()];
    let stock = QuicClientConfig::try_from(stock).unwrap();
    let met = connect(
        &quinn::ClientConfig::new(Arc::new(stock)),
        &server,
        &device.name,
    )
    .await;
    assert_eq!(met.served(), Served::Certificate);
    // That is none of our connections.
    assert!(quic::server(met.client.as_ref().unwrap()).is_none());

    // Ours, for a name that no credential is for.
    let client = quic_client(&vendor, NamePolicy::Preferred);
    let server = Listening::new(
        &Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor)),
        EarlyData::Never,
    );
    let met = connect(&configure(&client, EarlyData::Never), &server, &device.name).await;
    assert_eq!(
        (met.peer(), met.served()),
        (Peer::Certificate, Served::Certificate)
    );
}

#[tokio::test]
async fn one_store_serves_both_transports_each_with_its_own_protocols() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let settings = Settings::new(provider()).alpn_protocols([b"http/1.1".to_vec()]);
    let store = Store::with_settings(settings);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store);
    let server = Listening::new(&acceptor, EarlyData::Never);
    let both = client_of(&vendor).alpn_protocols([b"http/1.1".to_vec(), ALPN.to_vec()]);
    let both = both.build().unwrap();
    let over_tcp = dc_tests::pair::connect(&both, &device.name, &acceptor, usize::MAX);
    let tcp = over_tcp.client.as_ref().unwrap().connection();
    assert_eq!(tcp.alpn_protocol(), Some(&b"http/1.1"[..]));
    let met = connect(&configure(&both, EarlyData::Never), &server, &device.name).await;
    assert_eq!(met.protocol(), ALPN);
    assert_eq!(met.peer(), *over_tcp.peer());
}

/// A client of this vendor that speaks the protocol of these tests.
fn quic_client(vendor: &Vendor, policy: NamePolicy) -> Config {
    let client = client_of(vendor).unique_name(policy);
    client.alpn_protocols([ALPN.to_vec()]).build().unwrap()
}

#[tokio::test]
async fn what_cannot_do_quic_is_refused_before_anybody_connects() {
    let vendor = Vendor::default();
    let mut lame = (*provider()).clone();
    lame.cipher_suites
        .retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    let lame = Arc::new(lame);
    let refused = |acceptor: &Acceptor| {
        quic::server_config(acceptor, [ALPN.to_vec()], EarlyData::Never).map(drop)
    };
    let error = refused(&Acceptor::new(Store::new(Arc::clone(&lame)))).unwrap_err();
    assert!(matches!(error, dc_rustls::Error::NoQuic), "{error}");
    let client = Config::builder(lame).roots(vendor.roots()).build().unwrap();
    let error = quic::client_config(&client, EarlyData::Never).unwrap_err();
    assert!(matches!(error, dc_rustls::Error::NoQuic), "{error}");
    let old = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vendor.chain(), vendor.private_key())
        .unwrap();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(Arc::new(old));
    let error = refused(&acceptor).unwrap_err();
    assert!(matches!(error, dc_rustls::Error::Tls(_)), "{error}");
    // No name, and the policy requires one.
    let config = configure(&client_of(&vendor).build().unwrap(), EarlyData::Never);
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = endpoint.connect_with(config, "127.0.0.1:9".parse().unwrap(), "192.0.2.1");
    assert!(matches!(
        error,
        Err(quinn::ConnectError::InvalidServerName(_))
    ));
}
