//! What is wrong with what a client sends gets the alert of stock rustls, to the byte, and as soon as there.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::NamePolicy;
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::backend::BACKENDS;
use dc_tests::message::{
    CLIENT_HELLO, add_extensions, extension, message, remove_extension, vector,
};
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime;

use crate::setup::{ALL, acceptor, client, stock_server};

/// A vendor's servers, which all want another group than the client's first.
struct Scene {
    client: Arc<ClientConfig>,
    stock: Arc<ServerConfig>,
    /// With a credential, and a fallback or none.
    ours: [Acceptor; 2],
}

impl Scene {
    fn new() -> Self {
        let (vendor, device, backend) = (Vendor::default(), Device::new("router"), &BACKENDS[0]);
        let server = backend.x25519_only();
        let client = ClientConfig::builder_with_provider(backend.prefers_p384())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(vendor.roots())
            .with_no_client_auth();
        let stock = ServerConfig::builder_with_provider(Arc::clone(&server))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vendor.chain(), vendor.private_key())
            .unwrap();
        let stock = Arc::new(stock);
        let store = Store::with_settings(Settings::new(server));
        store
            .install(vendor.enrol(&device, &[Form::Named, Form::Rfc9345]))
            .unwrap();
        let alone = Acceptor::new(store);
        Self {
            client: Arc::new(client),
            ours: [alone.clone(), alone.fallback(Arc::clone(&stock))],
            stock,
        }
    }

    fn client(&self) -> Client {
        let name = ServerName::try_from("router.cpe.example.com").unwrap();
        Client(ClientConnection::new(Arc::clone(&self.client), name).unwrap())
    }

    /// What these bytes get back from each of ours and from stock rustls, and why the server stopped.
    fn compare(&self, what: &str, bytes: &[u8]) {
        let stock = talk(
            |far| stock(&self.stock, far),
            |near| near.write_all(bytes).unwrap(),
        );
        for ours in &self.ours {
            assert_eq!(
                talk(
                    |far| serve(ours, far),
                    |near| near.write_all(bytes).unwrap()
                ),
                stock,
                "{what}"
            );
            assert_eq!(talk_async(ours, bytes), stock, "{what}, asynchronous");
        }
    }
}

/// A client of which the messages are taken apart.
struct Client(ClientConnection);

impl Client {
    /// The next ClientHello, which offers to take credentials.
    fn hello(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut records).unwrap();
        }
        let ccs = records.iter().take_while(|&&byte| byte == 20).count() * 6;
        let schemes = vector(2, &[4, 3]);
        let offers = [extension(0xff22, &schemes), extension(34, &schemes)].concat();
        add_extensions(&records[ccs + 5..], &offers)
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        self.0.read_tls(&mut bytes).unwrap();
        self.0.process_new_packets().unwrap();
    }
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vector(2, payload)].concat()
}

fn serve(acceptor: &Acceptor, far: End) -> String {
    acceptor.accept(far).unwrap_err().to_string()
}

fn stock(config: &Arc<ServerConfig>, mut far: End) -> String {
    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
    loop {
        if let Err(error) = connection.complete_io(&mut far) {
            return Error::from(error).to_string();
        }
    }
}

/// What comes back from a server that nobody hangs up on, and why it stopped.
fn talk(
    serve: impl FnOnce(End) -> String + Send,
    script: impl FnOnce(&mut End),
) -> (Vec<u8>, String) {
    let (mut near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(far));
        script(&mut near);
        let mut back = Vec::new();
        near.read_to_end(&mut back).unwrap();
        (back, server.join().unwrap())
    })
}

fn talk_async(acceptor: &Acceptor, bytes: &[u8]) -> (Vec<u8>, String) {
    let (mut near, far) = duplex(1 << 18);
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        near.write_all(bytes).await.unwrap();
        let error = acceptor.accept_async(far).await.unwrap_err();
        let mut back = Vec::new();
        near.read_to_end(&mut back).await.unwrap();
        (back, error.to_string())
    })
}

/// user_canceled, as often as that.
fn warnings(number: usize) -> Vec<u8> {
    record(21, &[1, 90]).repeat(number)
}

/// What is no message that may come next, whatever came before.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let finished = message(20, &[7; 32]);
    vec![
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("one byte of another protocol", b"G".to_vec()),
        ("another version", vec![22, 2, 0]),
        ("an empty record", vec![22, 3, 3, 0, 0]),
        ("a record that is too long", vec![22, 3, 3, 0x48, 0, 1, 0]),
        ("another message", record(22, &finished)),
        ("two other messages", record(22, &finished.repeat(2))),
        ("application data", record(23, b"data")),
        ("a heartbeat", record(24, &[1, 0, 0])),
        ("a strange change_cipher_spec", record(20, &[2])),
        ("a fatal alert", record(21, &[2, 40])),
        ("an alert of no level", record(21, &[3, 40])),
        ("an alert that is cut", record(21, &[2])),
        (
            "a message that is too long",
            record(22, &[1, 1, 0, 0, 3, 3]),
        ),
        (
            "a hello of nothing",
            record(22, &message(CLIENT_HELLO, &[])),
        ),
        ("five warnings", warnings(5)),
        (
            "four warnings and nonsense",
            [&warnings(4)[..], b"G"].concat(),
        ),
        (
            "a warning and a fatal alert",
            [warnings(1), record(21, &[2, 40])].concat(),
        ),
        (
            "a warning with something behind it",
            record(21, &[1, 90, 0]),
        ),
        (
            "an alert in the middle of a hello",
            [record(22, &[1, 0, 0, 9]), record(21, &[1, 90])].concat(),
        ),
    ]
}

#[test]
fn a_first_message_that_is_no_client_hello() {
    let scene = Scene::new();
    for (what, bytes) in nonsense() {
        scene.compare(what, &bytes);
    }
    scene.compare("change_cipher_spec", &record(20, &[1]));
}

#[test]
fn a_client_hello_that_is_wrong() {
    let scene = Scene::new();
    let hello = scene.client().hello();
    let with = |extensions: &[u8]| add_extensions(&hello, extensions);
    let sent_twice = extension(23, &[]).repeat(2);
    let (mut no_compression, session) = (hello.clone(), usize::from(hello[38]));
    let suites = 39 + session;
    let compression =
        suites + 2 + usize::from(hello[suites]) * 256 + usize::from(hello[suites + 1]);
    no_compression[compression + 1] = 1;
    for (what, hello) in [
        ("an extension twice", with(&sent_twice)),
        ("no null compression", no_compression),
        ("an empty server_name", with(&extension(0, &[]))),
        ("no signature_algorithms", remove_extension(&hello, 13)),
        (
            "something behind it",
            [hello.clone(), message(20, &[7; 32])].concat(),
        ),
        (
            "a part of something behind it",
            [&hello[..], &[20, 0, 0, 32, 7]].concat(),
        ),
        ("pre_shared_key first", with(&extension(41, &[0, 0, 0, 0]))),
    ] {
        scene.compare(what, &record(22, &hello));
        let warned = [warnings(4), record(22, &hello)].concat();
        scene.compare(what, &warned);
    }
}

/// As with stock rustls, four warnings change nothing: nobody is served a certificate who takes a credential.
#[test]
fn warnings_in_front_of_a_client_hello() {
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let alone = acceptor(&vendor, &device, &[Form::Named]);
    let both = alone.clone().fallback(stock_server(&vendor));
    let name = || ServerName::try_from("router.cpe.example.com").unwrap();
    let handshake = |acceptor: &Acceptor, warnings: &[u8], length| {
        let (mut near, far) = pipe(length);
        thread::scope(|scope| {
            let server = scope.spawn(|| acceptor.accept(far).map(|tls| tls.served().clone()));
            near.write_all(warnings).unwrap();
            let tls = client(&vendor, NamePolicy::Required).connect(name(), near);
            let served = server.join().unwrap();
            assert_eq!(served.is_ok(), tls.is_ok());
            served
        })
    };
    for acceptor in [&alone, &both] {
        for number in 1..=4 {
            for length in [1, 5, ALL] {
                let served = handshake(acceptor, &warnings(number), length).unwrap();
                assert!(matches!(served, Served::Delegated { .. }), "{served:?}");
            }
        }
        assert!(handshake(acceptor, &warnings(5), ALL).is_err());
    }
}

/// What comes back behind the HelloRetryRequest when the client goes on with `second`.
fn after_retry(
    scene: &Scene,
    serve: impl FnOnce(End) -> String + Send,
    second: &dyn Fn(&[u8]) -> Vec<u8>,
) -> (Vec<u8>, String) {
    let mut client = scene.client();
    talk(serve, |near| {
        near.write_all(&record(22, &client.hello())).unwrap();
        let mut retry = [0; 1000];
        let length = near.read(&mut retry).unwrap();
        client.receive(&retry[..length]);
        near.write_all(&second(&client.hello())).unwrap();
    })
}

fn compare_after_retry(scene: &Scene, what: &str, second: &dyn Fn(&[u8]) -> Vec<u8>) {
    let expected = after_retry(scene, |far| stock(&scene.stock, far), second);
    assert!(!expected.1.is_empty());
    for ours in &scene.ours {
        assert_eq!(
            after_retry(scene, |far| serve(ours, far), second),
            expected,
            "{what}"
        );
    }
}

#[test]
fn whatever_follows_a_hello_retry_request() {
    let scene = Scene::new();
    for (what, bytes) in nonsense() {
        compare_after_retry(&scene, what, &|_| bytes.clone());
    }
}

#[test]
fn a_second_client_hello_with_something_behind_it_in_its_record() {
    let scene = Scene::new();
    let finished = message(20, &[7; 32]);
    for (what, behind) in [
        ("a part of Finished", &finished[..9]),
        ("one byte", &finished[..1]),
        ("Finished", &finished),
    ] {
        compare_after_retry(&scene, what, &|hello| record(22, &[hello, behind].concat()));
        // The hello may have begun in the record before.
        compare_after_retry(&scene, what, &|hello| {
            let (first, rest) = hello.split_at(hello.len() - 1);
            [record(22, first), record(22, &[rest, behind].concat())].concat()
        });
    }
}

/// Here the alert is encrypted, and what is before it is random: only the reason is the same.
#[test]
fn whatever_follows_a_client_hello() {
    let scene = Scene::new();
    for (what, bytes) in nonsense() {
        let second = |hello: &[u8]| [record(22, hello), bytes.clone()].concat();
        let (_, expected) = after_retry(&scene, |far| stock(&scene.stock, far), &second);
        for ours in &scene.ours {
            let (_, reason) = after_retry(&scene, |far| serve(ours, far), &second);
            assert_eq!(reason, expected, "{what}");
        }
    }
}
