//! Clients of each kind.

use std::sync::Arc;

use dc_core::Form;
use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::{Error, Refusal};
use dc_tests::vendor::provider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::scene::{Scene, connect, counts};

#[test]
fn a_client_that_requires_the_name_gets_it_and_of_another_name_nothing() {
    let scene = Scene::new(&[Form::Named]);
    let server = scene.start(&counts("heard").to_string(), &[]);
    let tls = scene.connect(&server).unwrap();
    assert!(
        matches!(tls.peer(), Peer::Delegated { unique_name: Some(name), .. } if name.as_str() == scene.device.name)
    );
    let other = connect(
        &scene.client(NamePolicy::Required),
        "twin.cpe.example.com",
        &server,
    );
    let handshake_failure = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    assert!(matches!(other, Err(Error::Tls(error)) if error == handshake_failure));
}

#[test]
fn a_client_of_the_rfc_alone_gets_the_other_form() {
    let scene = Scene::new(&[Form::Named, Form::Rfc9345]);
    let server = scene.start(&counts("heard").to_string(), &[]);
    let tls = connect(
        &scene.client(NamePolicy::Ignored),
        &scene.device.name,
        &server,
    )
    .unwrap();
    assert!(
        matches!(
            tls.peer(),
            Peer::Delegated {
                form: Form::Rfc9345,
                ..
            }
        ),
        "{:?}",
        tls.peer()
    );
}

#[test]
fn a_stock_client_gets_the_fallback_with_its_protocol() {
    let scene = Scene::new(&[Form::Named]);
    scene.write("fallback.pem", &scene.vendor.chain_pem());
    scene.write("fallback.key", &scene.vendor.private_key_pem());
    let (chain, key) = (scene.file("fallback.pem"), scene.file("fallback.key"));
    let server = scene.start(
        &counts("heard").to_string(),
        &[
            "--fallback-cert",
            chain.to_str().unwrap(),
            "--fallback-key",
            key.to_str().unwrap(),
            "--alpn",
            "http/1.1",
        ],
    );
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(scene.vendor.roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(scene.device.name.clone()).unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tls = StreamOwned::new(
        tls,
        TcpStream::connect(("127.0.0.1", server.port())).unwrap(),
    );
    tls.write_all(b"abc").unwrap();
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).unwrap();
    assert_eq!(
        (answer.as_str(), tls.conn.alpn_protocol()),
        ("heard 3", Some(&b"http/1.1"[..]))
    );
    // Whoever requires a name takes no certificate for it.
    let required = connect(
        &scene.client(NamePolicy::Required),
        "twin.cpe.example.com",
        &server,
    );
    assert!(matches!(
        required,
        Err(Error::Refused(Refusal::CredentialRequired))
    ));
}
