//! hyper at both ends, over our streams: HTTP/1.1 and HTTP/2, as ALPN says.

use std::convert::Infallible;

use dc_core::Form;
use dc_rustls::client::{AsyncStream, Config, Peer};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::ServerName;
use tokio::io::{DuplexStream, duplex};

use crate::setup::client_of;

const NAME: &str = "router.cpe.example.com";
/// More than a record and than either end's buffers.
const BODY: usize = 300_000;

/// A device whose server says the request's version and sends its body back.
fn echo_server(vendor: &Vendor) -> Acceptor {
    let settings = Settings::new(provider()).alpn_protocols([b"h2".to_vec(), b"http/1.1".to_vec()]);
    let store = Store::with_settings(settings);
    let device = Device::new("router");
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    Acceptor::new(store)
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = request.version();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut response = Response::new(Full::new(body));
    let version = format!("{version:?}").parse().unwrap();
    response.headers_mut().insert("seen", version);
    Ok(response)
}

async fn serve(acceptor: Acceptor, io: DuplexStream) {
    let tls = acceptor.accept_async(io).await.unwrap();
    let http = auto::Builder::new(TokioExecutor::new());
    // A client that closes without a close_notify is not what this is about.
    let _ = http
        .serve_connection(TokioIo::new(tls), service_fn(echo))
        .await;
}

async fn connect(client: &Config, vendor_server: &Acceptor) -> AsyncStream<DuplexStream> {
    let (near, far) = duplex(1 << 14);
    tokio::spawn(serve(vendor_server.clone(), far));
    let name = ServerName::try_from(NAME).unwrap();
    let tls = client.connect_async(name, near).await.unwrap();
    assert!(matches!(tls.peer(), Peer::Delegated { .. }));
    tls
}

fn request(body: Bytes) -> Request<Full<Bytes>> {
    Request::post(format!("https://{NAME}/"))
        .body(Full::new(body))
        .unwrap()
}

async fn check(
    version: Version,
    send: impl AsyncFn(Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>>,
) {
    let data: Vec<u8> = (0..BODY).map(|i| (i % 251) as u8).collect();
    let response = send(request(data.clone().into())).await.unwrap();
    assert_eq!(response.headers()["seen"], format!("{version:?}"));
    let back = response.into_body().collect().await.unwrap().to_bytes();
    assert!(back == data, "{} bytes came back", back.len());
}

#[tokio::test]
async fn http1_goes_over_a_connection_with_a_credential() {
    let vendor = Vendor::default();
    let server = echo_server(&vendor);
    let client = client_of(&vendor).alpn_protocols([b"http/1.1".to_vec()]);
    let tls = connect(&client.build().unwrap(), &server).await;
    assert_eq!(tls.connection().alpn_protocol(), Some(&b"http/1.1"[..]));
    let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let sender = tokio::sync::Mutex::new(sender);
    for _ in 0..3 {
        check(Version::HTTP_11, async |request| {
            let mut sender = sender.lock().await;
            sender.ready().await?;
            sender.send_request(request).await
        })
        .await;
    }
}

#[tokio::test]
async fn http2_goes_over_a_connection_with_a_credential() {
    let vendor = Vendor::default();
    let server = echo_server(&vendor);
    let client = client_of(&vendor).alpn_protocols([b"h2".to_vec(), b"http/1.1".to_vec()]);
    let tls = connect(&client.build().unwrap(), &server).await;
    assert_eq!(tls.connection().alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
        .await
        .unwrap();
    tokio::spawn(connection);
    let send = async |request| sender.clone().send_request(request).await;
    tokio::join!(
        check(Version::HTTP_2, &send),
        check(Version::HTTP_2, &send),
        check(Version::HTTP_2, &send),
    );
}
