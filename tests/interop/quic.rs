//! aioquic, a QUIC and TLS of its own in Python: our client of its HTTP/3 server, and its client of our server that asks
//! for credentials.

use std::{fs, path::Path, sync::Arc};

use bytes::Buf;
use dc_core::{Form, Role};
use dc_rustls::client::{Config, IdentityStore, NamePolicy, Peer};
use dc_rustls::quinn::{self as quic, EarlyData};
use dc_rustls::server::{Acceptor, ClientCredentials, Identity, Settings, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use h3::client::new as http3;
use quinn::{Connection, ConnectionError, Endpoint};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::lab::{Lab, NAME};
use crate::process::{Outcome, Server, run};
use crate::{setup, tlslite::python};

/// Starts the HTTP/3 server with the lab's ordinary certificate.
fn aioquic(lab: &Lab, arguments: &[&str]) -> Server {
    let (chain, key) = lab.ordinary();
    let mut command = python("quic_server.py");
    Server::start_udp(
        "aioquic's server",
        command.arg(chain).arg(key).args(arguments),
    )
}

fn builder(root: &Path) -> dc_rustls::client::Builder {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(root).unwrap();
    roots.add(root).unwrap();
    let builder = Config::builder(provider()).roots(roots);
    builder.alpn_protocols([b"h3".to_vec()])
}

/// The body of a path of this device, which has to have the name, over HTTP/3.
pub(crate) async fn get_at(port: u16, root: &Path, name: &str, path: &str) -> String {
    let config = quic::client_config(&builder(root).build().unwrap(), EarlyData::Never).unwrap();
    let (_endpoint, connection) = connect_to(name, &config, port).await;
    get(&connection.unwrap(), name, path).await
}

async fn connect(
    config: &quinn::ClientConfig,
    port: u16,
) -> (Endpoint, Result<Connection, ConnectionError>) {
    connect_to(NAME, config, port).await
}

async fn connect_to(
    name: &str,
    config: &quinn::ClientConfig,
    port: u16,
) -> (Endpoint, Result<Connection, ConnectionError>) {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = ([127, 0, 0, 1], port).into();
    let connecting = endpoint.connect_with(config.clone(), address, name);
    let connection = connecting.unwrap().await;
    (endpoint, connection)
}

/// The body of a path, over HTTP/3.
async fn get(connection: &Connection, name: &str, path: &str) -> String {
    let connection = h3_quinn::Connection::new(connection.clone());
    let (mut driver, mut requests) = http3(connection).await.unwrap();
    tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    let request = hyper::Request::get(format!("https://{name}{path}"));
    let mut stream = requests
        .send_request(request.body(()).unwrap())
        .await
        .unwrap();
    stream.finish().await.unwrap();
    assert_eq!(stream.recv_response().await.unwrap().status(), 200);
    let mut body = Vec::new();
    while let Some(mut part) = stream.recv_data().await.unwrap() {
        body.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn our_client_takes_the_certificate_of_aioquic_over_http3_where_that_is_enough() {
    let Some(lab) = setup::lab() else { return };
    let server = aioquic(lab, &[]);
    let client = builder(&lab.root()).or_certificate().build().unwrap();
    let config = quic::client_config(&client, EarlyData::Never).unwrap();
    for how in ["in full", "resumed"] {
        let mark = server.text().len();
        let (endpoint, connection) = connect(&config, server.port()).await;
        let connection = connection.unwrap();
        let known = quic::server(&connection).unwrap();
        assert_eq!(*known.peer(), Peer::Certificate);
        assert!(known.authenticates(&NAME.try_into().unwrap()));
        assert_eq!(get(&connection, NAME, "/page").await, "aioquic has /page");
        assert!(
            server.says(&format!("client None {how}"), mark),
            "{}",
            server.text()
        );
        connection.close(0u32.into(), b"");
        endpoint.wait_idle().await;
    }
    let strict = builder(&lab.root()).build().unwrap();
    let strict = quic::client_config(&strict, EarlyData::Never).unwrap();
    let (endpoint, connection) = connect(&strict, server.port()).await;
    assert!(matches!(
        connection,
        Err(ConnectionError::TransportError(_))
    ));
    endpoint.wait_idle().await;
    // handshake_failure, as CRYPTO_ERROR.
    assert!(
        server.says(&format!("ended {}", 0x100 + 40), 0),
        "{}",
        server.text()
    );
}

#[tokio::test]
async fn our_client_presents_aioquic_what_it_asks_for_and_no_credential() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, camera) = (Vendor::default(), Device::new("camera"));
    let now = UnixTime::now();
    let stored = vendor.issue_as(Role::Client, &camera, Form::Named, now, DAY);
    let identities = IdentityStore::new(provider());
    let identity = Identity::new(vendor.chain(), vec![stored], camera.key.private_key());
    identities.install(identity).unwrap();
    let key = provider().key_provider;
    let key = key.load_private_key(vendor.private_key()).unwrap();
    let certified = CertifiedKey::new(vendor.chain(), key);
    let certificate: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(certified));
    for has_certificate in [false, true] {
        let server = aioquic(lab, &["ask"]);
        let client = builder(&lab.root()).or_certificate();
        let client = client.client_identity(identities.clone());
        let client = match has_certificate {
            true => client.client_auth(certificate.clone()),
            false => client,
        };
        let config = quic::client_config(&client.build().unwrap(), EarlyData::Never).unwrap();
        let (_endpoint, connection) = connect(&config, server.port()).await;
        assert_eq!(get(&connection.unwrap(), NAME, "/").await, "aioquic has /");
        assert!(server.says("client ", 0), "{}", server.text());
        let said = server.text();
        assert_eq!(said.contains("client None"), !has_certificate, "{said}");
    }
}

/// A server that asks clients of this vendor, with the lab's ordinary certificate; whom it knows, one after another.
fn asking(lab: &Lab, policy: ClientCredentials) -> (u16, UnboundedReceiver<Option<Peer>>) {
    let (chain, key) = lab.ordinary();
    let chain: Result<_, _> = CertificateDer::pem_file_iter(chain).unwrap().collect();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.unwrap(), PrivateKeyDer::from_pem_file(key).unwrap());
    let settings = Settings::new(provider())
        .client_credentials(policy)
        .unwrap();
    let acceptor =
        Acceptor::new(Store::with_settings(settings)).fallback(Arc::new(config.unwrap()));
    let config = quic::server_config(&acceptor, [b"echo".to_vec()], EarlyData::Never).unwrap();
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let port = endpoint.local_addr().unwrap().port();
    let (tell, known) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let Ok(connection) = incoming.await else {
                continue;
            };
            let peer = quic::client(&connection).unwrap().peer;
            tell.send(peer.map(Arc::unwrap_or_clone)).unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            let hello = receive.read_to_end(100).await.unwrap();
            send.write_all(&hello).await.unwrap();
            send.finish().unwrap();
            connection.closed().await;
        }
    });
    (port, known)
}

#[tokio::test(flavor = "multi_thread")]
async fn aioquic_presents_our_server_a_credential_or_a_certificate_or_nothing() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, camera) = (Vendor::default(), Device::new("camera"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let chain = file("chain.pem", vendor.chain_pem().as_bytes());
    let own = file("own.pem", camera.key.private_key_pem().as_bytes());
    let vendors = file("vendor.pem", vendor.private_key_pem().as_bytes());
    let policy = ClientCredentials::roots(&provider(), vendor.roots()).unwrap();
    let policy = policy.unique_name(NamePolicy::Preferred);
    let ask = |port: u16, chain: &Path, key: &Path, credential: &[&str]| -> Outcome {
        let port = port.to_string();
        run(python("quic_presenting.py")
            .arg(lab.root())
            .args([NAME, &port])
            .arg(chain)
            .arg(key)
            .args(credential))
    };
    let (port, mut known) = asking(lab, policy.clone().optional());
    for form in Form::ALL {
        let stored = vendor.issue_as(Role::Client, &camera, form, UnixTime::now(), DAY);
        let bytes = file("credential", &stored.bytes);
        let kind = format!("{:04x}", form.extension_type());
        let outcome = ask(port, &chain, &own, &[&kind, bytes.to_str().unwrap()]);
        assert!(outcome.stdout.contains("answer hello"), "{outcome:?}");
        assert!(
            outcome.stdout.contains(&format!("offered {kind}")),
            "{outcome:?}"
        );
        match known.recv().await.unwrap() {
            Some(Peer::Delegated { form: found, .. }) => assert_eq!(found, form),
            other => panic!("{other:?}"),
        }
        // Of a key that the credential is not for: decrypt_error.
        let outcome = ask(port, &chain, &vendors, &[&kind, bytes.to_str().unwrap()]);
        assert!(
            outcome.stdout.contains(&format!("ended {}", 0x100 + 51)),
            "{outcome:?}"
        );
    }
    let outcome = ask(port, &chain, &vendors, &[]);
    assert!(outcome.stdout.contains("answer hello"), "{outcome:?}");
    assert_eq!(known.recv().await.unwrap(), Some(Peer::Certificate));
    let outcome = ask(port, Path::new("none"), &own, &[]);
    assert!(outcome.stdout.contains("answer hello"), "{outcome:?}");
    assert_eq!(known.recv().await.unwrap(), None);
    // certificate_required.
    let (port, _known) = asking(lab, policy);
    let outcome = ask(port, Path::new("none"), &own, &[]);
    assert!(
        outcome.stdout.contains(&format!("ended {}", 0x100 + 116)),
        "{outcome:?}"
    );
}

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
