//! The examples with hyper and axum, and our client with hyper against them: over TCP, HTTP/1.1 and HTTP/2.

use std::path::Path;

use dc_rustls::client::Peer;
use http_body_util::Full;
use hyper::{Request, body::Bytes};

use crate::{connection, ours, process::Server, setup, vendor::Device};

/// Asks for `/` in this protocol, as a client that requires the device's name.
async fn get(root: &Path, device: &Device, server: &Server, protocol: &str) -> String {
    let tls = connection::connect(server.port(), root, &device.name, protocol);
    let tls = tls.await.unwrap();
    assert!(matches!(tls.peer(), Peer::Delegated { .. }));
    let alpn = tls.connection().alpn_protocol();
    assert_eq!(alpn, Some(protocol.as_bytes()));
    let request = Request::get(format!("https://{}/", device.name))
        .header("Host", &device.name)
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = connection::send(tls, request).await;
    assert_eq!(response.status(), 200);
    String::from_utf8(response.into_body().to_vec()).unwrap()
}

async fn both_protocols(example: &'static str, host: &str) {
    if setup::lab().is_none() {
        return;
    }
    let vendor = setup::vendor();
    let device = vendor.enrol(host, "P-256", "named");
    let server = ours::example(example, &device.identity);
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
