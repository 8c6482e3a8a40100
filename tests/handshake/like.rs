//! Configurations made from existing ones of rustls.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, EarlyDataStatus, Peer};
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, KeyLog, ServerConfig};

use crate::setup::{ALL, Clock, HOUR, stock_server};

/// The labels of what was logged.
#[derive(Debug, Default)]
struct Labels(Mutex<Vec<String>>);

impl KeyLog for Labels {
    fn log(&self, label: &str, _: &[u8], _: &[u8]) {
        self.0.lock().unwrap().push(label.to_owned());
    }
}

impl Labels {
    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

fn stock_client(vendor: &Vendor) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth()
}

#[test]
fn what_rustls_shows_is_carried_over() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let (at_client, at_server) = (Arc::new(Labels::default()), Arc::new(Labels::default()));
    let clock = Clock::now();
    let mut existing = ServerConfig::clone(&stock_server(&vendor));
    existing.alpn_protocols = vec![b"dot".to_vec()];
    existing.key_log = at_server.clone();
    existing.time_provider = Arc::new(clock.clone());
    existing.enable_secret_extraction = true;
    let store = Store::with_settings(Settings::like(&existing, Arc::new(NoClientAuth)).unwrap());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store).fallback(Arc::new(existing));

    let mut existing = stock_client(&vendor);
    existing.alpn_protocols = vec![b"dot".to_vec()];
    existing.key_log = at_client.clone();
    existing.enable_secret_extraction = true;
    existing.time_provider = Arc::new(clock.clone());
    let like = Config::like(&existing).roots(vendor.roots()).unwrap();
    let client = like.build().unwrap();
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert!(matches!(outcome.server.unwrap(), Served::Delegated { .. }));
    let stream = outcome.client.unwrap();
    assert!(matches!(stream.peer(), Peer::Delegated { .. }));
    assert_eq!(stream.connection().alpn_protocol(), Some(&b"dot"[..]));
    assert!(!at_client.is_empty() && !at_server.is_empty());
    let (connection, _) = stream.into_parts().unwrap();
    assert!(connection.dangerous_extract_secrets().is_ok());
    // Both have the clock too: for neither is there a credential after its end.
    clock.forward(25 * HOUR);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert!(outcome.client.is_err());
    assert!(!matches!(outcome.server, Ok(Served::Delegated { .. })));
}

#[test]
fn a_server_that_asks_clients_for_certificates_goes_on_doing_so() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let roots = Arc::new(vendor.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .unwrap();
    let settings = Settings::like(&stock_server(&vendor), verifier).unwrap();
    let store = Store::with_settings(settings);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let client = Config::like(&stock_client(&vendor)).roots(vendor.roots());
    let client = client.unwrap().build().unwrap();
    let outcome = connect(&client, &device.name, &Acceptor::new(store), ALL);
    assert!(outcome.server.is_err());
}

#[test]
fn a_server_without_sessions_stays_so() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let mut existing = ServerConfig::clone(&stock_server(&vendor));
    existing.session_storage = Arc::new(NoServerSessionStorage {});
    for (existing, resumes) in [(&existing, false), (&*stock_server(&vendor), true)] {
        let store = Store::with_settings(Settings::like(existing, Arc::new(NoClientAuth)).unwrap());
        store
            .install(vendor.enrol(&device, &[Form::Named]))
            .unwrap();
        let acceptor = Acceptor::new(store);
        let client = Config::like(&stock_client(&vendor)).roots(vendor.roots());
        let client = client.unwrap().build().unwrap();
        let kinds = [(); 2].map(|()| {
            let outcome = connect(&client, &device.name, &acceptor, ALL);
            outcome
                .client
                .unwrap()
                .connection()
                .handshake_kind()
                .unwrap()
        });
        let resumed = kinds[1] == rustls::HandshakeKind::Resumed;
        assert_eq!(resumed, resumes, "{kinds:?}");
    }
}

/// Early data goes to a server that is like one that takes it, from a client that is like one that sends it.
#[test]
fn early_data_is_carried_over() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let mut existing = ServerConfig::clone(&stock_server(&vendor));
    existing.max_early_data_size = 100;
    existing.send_half_rtt_data = true;
    let store = Store::with_settings(Settings::like(&existing, Arc::new(NoClientAuth)).unwrap());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store);
    let mut existing = stock_client(&vendor);
    existing.enable_early_data = true;
    let client = Config::like(&existing).roots(vendor.roots());
    let client = client.unwrap().build().unwrap();
    let statuses = [(); 2].map(|()| {
        let name = ServerName::try_from(device.name.clone()).unwrap();
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut tls = acceptor.accept_early(far, |_| Ok(())).unwrap();
                tls.write_all(b"pong").unwrap();
            });
            let early = |data: &mut dc_rustls::client::EarlyData<'_>| {
                assert_eq!(data.remaining(), 100);
                data.write_all(b"ping")
            };
            let mut tls = client.connect_early(name, near, early).unwrap();
            tls.read_exact(&mut [0; 4]).unwrap();
            tls.early_data()
        })
    });
    let expected = [EarlyDataStatus::NotSent, EarlyDataStatus::Accepted];
    assert_eq!(statuses, expected);
}

/// A setting, and another value for it.
type Change<C> = (&'static str, fn(&mut C));

#[test]
fn what_a_client_cannot_have_is_named() {
    let vendor = Vendor::default();
    let changes: [Change<ClientConfig>; 5] = [
        ("check_selected_alpn", |it| it.check_selected_alpn = false),
        ("max_fragment_size", |it| it.max_fragment_size = Some(512)),
        ("enable_sni", |it| it.enable_sni = false),
        ("cert_decompressors", |it| {
            it.cert_decompressors = Vec::new()
        }),
        ("cert_compressors", |it| it.cert_compressors = Vec::new()),
    ];
    for (setting, change) in changes {
        let mut existing = stock_client(&vendor);
        change(&mut existing);
        let error = Config::like(&existing).roots(vendor.roots()).unwrap_err();
        assert!(error.to_string().contains(setting), "{error}");
        assert!(matches!(error, Error::NoCounterpart { .. }));
    }
}

#[test]
fn what_a_server_cannot_have_is_named() {
    let vendor = Vendor::default();
    let changes: [Change<ServerConfig>; 6] = [
        ("ignore_client_order", |it| it.ignore_client_order = true),
        ("max_fragment_size", |it| it.max_fragment_size = Some(512)),
        ("send_half_rtt_data", |it| it.send_half_rtt_data = true),
        ("send_tls13_tickets", |it| it.send_tls13_tickets = 1),
        ("max_tls13_tickets", |it| it.max_tls13_tickets = 1),
        ("cert_decompressors", |it| {
            it.cert_decompressors = Vec::new()
        }),
    ];
    for (setting, change) in changes {
        let mut existing = ServerConfig::clone(&stock_server(&vendor));
        change(&mut existing);
        let error = Settings::like(&existing, Arc::new(NoClientAuth)).unwrap_err();
        assert!(error.to_string().contains(setting), "{error}");
    }
}
