//! The client of hyper-util over our connector, to a web server of axum's.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{Config, Connector, NamePolicy, Peer};
use dc_rustls::{Error, Refusal};
use dc_tests::vendor::{Device, Oddity, Vendor};
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::setup::{acceptor, careless_acceptor, client_of};
use crate::web::{devices, serve, silence};

/// Connects to one address whatever the URI says, as if a resolver had given it, and counts how often.
#[derive(Clone, Debug)]
struct To(SocketAddr, Arc<AtomicUsize>);

impl To {
    fn new(address: SocketAddr) -> Self {
        Self(address, Arc::default())
    }

    fn connections(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl Service<Uri> for To {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        self.1.fetch_add(1, Ordering::Relaxed);
        let address = self.0;
        Box::pin(async move { TcpStream::connect(address).await.map(TokioIo::new) })
    }
}

type HyperClient = Client<Connector<To>, Empty<Bytes>>;

fn client(config: Config, to: &To) -> HyperClient {
    Client::builder(TokioExecutor::new()).build(Connector::over(config, to.clone()))
}

fn config(vendor: &Vendor, policy: NamePolicy, protocols: &[&str]) -> Config {
    client_of(vendor)
        .unique_name(policy)
        .alpn_protocols(protocols.iter().map(|name| name.as_bytes().to_vec()))
        .build()
        .unwrap()
}

async fn get(client: &HyperClient, uri: &str) -> (String, Peer) {
    let response = client.get(uri.parse().unwrap()).await.unwrap();
    let peer = response.extensions().get::<Peer>().unwrap().clone();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (String::from_utf8(body.to_vec()).unwrap(), peer)
}

/// Our error inside the client's.
async fn refused(client: &HyperClient, uri: &str) -> Arc<dyn StdError> {
    let error = client.get(uri.parse().unwrap()).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    Arc::new(error)
}

fn ours(error: &Arc<dyn StdError>) -> &Error {
    let mut error: &(dyn StdError + 'static) = &**error;
    loop {
        match error.downcast_ref() {
            Some(ours) => return ours,
            None => error = error.source().expect("an error of ours"),
        }
    }
}

#[tokio::test]
async fn both_forms_go_over_http1_and_http2() {
    let vendor = Vendor::default();
    let to = To::new(serve(devices(&vendor, &["router"])).await);
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        for (policy, form, unique_name) in [
            (NamePolicy::Required, "named", "router.cpe.example.com"),
            (NamePolicy::Ignored, "rfc9345", "-"),
        ] {
            let client = client(config(&vendor, policy, protocols), &to);
            let (body, peer) = get(&client, "https://router.cpe.example.com/").await;
            let expected = format!("{version} {form} {unique_name} router.cpe.example.com");
            assert_eq!(body, expected);
            assert!(matches!(peer, Peer::Delegated { .. }));
        }
    }
}

#[tokio::test]
async fn a_connection_is_reused_for_its_own_name_and_for_no_other() {
    let vendor = Vendor::default();
    let to = To::new(serve(devices(&vendor, &["router", "printer"])).await);
    for protocols in [&["h2"][..], &["http/1.1"]] {
        let before = to.connections();
        let config = config(&vendor, NamePolicy::Required, protocols);
        let client = client(config, &to);
        for round in 0..3 {
            for label in ["router", "printer", "PRINTER"] {
                let name = format!("{}.cpe.example.com", label.to_lowercase());
                let uri = format!("https://{label}.cpe.example.com/");
                let (body, peer) = get(&client, &uri).await;
                assert!(body.contains(&format!(" named {name} {name}")), "{body}");
                assert!(peer.authenticates(&name.try_into().unwrap()));
            }
            assert_eq!(to.connections() - before, 2, "in round {round}");
        }
    }
}

/// With a certificate for the whole zone, each of its names is asked for by itself.
#[tokio::test]
async fn a_connection_that_a_certificate_covers_is_reused_for_no_other_name() {
    let vendor = Vendor::default();
    let to = To::new(serve(devices(&vendor, &["router"])).await);
    let client = client(config(&vendor, NamePolicy::Ignored, &["h2"]), &to);
    get(&client, "https://router.cpe.example.com/").await;
    get(&client, "https://printer.cpe.example.com/").await;
    assert_eq!(to.connections(), 2);
}

#[tokio::test]
async fn the_evil_twin_gets_no_request() {
    let vendor = Vendor::default();
    let twin = careless_acceptor(vendor.enrol(&Device::new("twin"), &[Form::Named]));
    let to = To::new(serve(twin).await);
    let client = client(config(&vendor, NamePolicy::Required, &[]), &to);
    let error = refused(&client, "https://router.cpe.example.com/").await;
    assert!(matches!(
        ours(&error),
        Error::Refused(Refusal::Credential(dc_core::Error::NameMismatch { .. }))
    ));
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let vendor = Vendor::default();
    let to = To::new(serve(devices(&vendor, &["router"])).await);
    let client = client(config(&vendor, NamePolicy::Required, &[]), &to);
    let error = refused(&client, "http://router.cpe.example.com/").await;
    assert!(matches!(ours(&error), Error::NotHttps { scheme: Some(scheme) } if scheme == "http"));
    assert_eq!(to.connections(), 0);
}

#[tokio::test]
async fn an_address_is_no_device_but_may_be_in_a_certificate() {
    let vendor = Vendor::odd(Oddity::Address);
    let acceptor = acceptor(
        &vendor,
        &Device::new("router"),
        &[Form::Named, Form::Rfc9345],
    );
    let to = To::new(serve(acceptor).await);
    let strict = client(config(&vendor, NamePolicy::Required, &[]), &to);
    let error = refused(&strict, "https://192.0.2.1/").await;
    assert!(matches!(ours(&error), Error::NoUniqueName { .. }));
    let lenient = client(config(&vendor, NamePolicy::Preferred, &[]), &to);
    let (body, _) = get(&lenient, "https://192.0.2.1/").await;
    assert_eq!(body, "HTTP/1.1 rfc9345 - ");
    let error = refused(&lenient, "https://[2001:db8::1]/").await;
    assert!(matches!(ours(&error), Error::Tls(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let vendor = Vendor::default();
    let (address, _held) = silence().await;
    let connector = Connector::over(config(&vendor, NamePolicy::Required, &[]), To::new(address));
    let connector = connector.timeout(Duration::from_millis(50));
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let error = refused(&client, "https://router.cpe.example.com/").await;
    assert!(matches!(ours(&error), Error::Io(error) if error.kind() == io::ErrorKind::TimedOut));
}

#[tokio::test]
async fn the_systems_resolver_finds_the_server() {
    let vendor = Vendor::with_names(&["localhost".to_owned()]);
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Rfc9345]);
    let address = serve(acceptor).await;
    let config = config(&vendor, NamePolicy::Ignored, &["h2"]);
    let client: Client<_, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build(Connector::new(config));
    let uri: Uri = format!("https://localhost:{}/", address.port())
        .parse()
        .unwrap();
    let response = client.get(uri).await.unwrap();
    assert!(response.extensions().get::<Peer>().is_some());
    // Nobody listens there.
    let (address, held) = silence().await;
    drop(held);
    let uri: Uri = format!("https://localhost:{}/", address.port())
        .parse()
        .unwrap();
    let error: Arc<dyn StdError> = Arc::new(client.get(uri).await.unwrap_err());
    assert!(
        matches!(ours(&error), Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
}
