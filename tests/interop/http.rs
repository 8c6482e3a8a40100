//! The examples with hyper and axum, and our client with hyper against them: over TCP, HTTP/1.1 and HTTP/2.

use std::{path::Path, sync::Arc};

use dc_rustls::client::{Config, Peer};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    body::Bytes,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;

use crate::{ours, process::Server, setup, vendor::Device};

/// Asks for `/` in this protocol, as a client that requires the device's name.
async fn get(root: &Path, device: &Device, server: &Server, protocol: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(root).unwrap())
        .unwrap();
    let config = Config::builder(Arc::new(ring::default_provider()))
        .roots(roots)
        .alpn_protocols([protocol.as_bytes().to_vec()])
        .build()
        .unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let name = ServerName::try_from(device.name.clone()).unwrap();
    let tls = config.connect_async(name, tcp).await.unwrap();
    assert!(matches!(tls.peer(), Peer::Delegated { .. }));
    let alpn = tls.connection().alpn_protocol();
    assert_eq!(alpn, Some(protocol.as_bytes()));
    let request = Request::get(format!("https://{}/", device.name))
        .header("Host", &device.name)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = match protocol {
        "h2" => {
            let io = TokioIo::new(tls);
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        _ => {
            let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    };
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn both_protocols(example: &'static str, host: &str) {
    if setup::lab().is_none() {
        return;
    }
    let vendor = setup::vendor();
    let device = vendor.enrol(host, "P-256", "named");
    let server = ours::example(example, &device.identity, None);
    let root = vendor.root();
    for protocol in ["http/1.1", "h2"] {
        let body = get(&root, &device, &server, protocol).await;
        let expected = format!("a credential for {}", device.name);
        assert!(body.contains(&expected), "{protocol}: {body}");
    }
}

#[tokio::test]
async fn the_hyper_example_serves_both_versions_of_http() {
    both_protocols("hyper_server", "hyper").await;
}

#[tokio::test]
async fn the_axum_example_serves_both_versions_of_http() {
    both_protocols("axum_server", "axum").await;
}
