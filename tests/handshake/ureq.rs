//! Agents of ureq over our connector, to a web server of axum's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, UreqConnector};
use dc_rustls::{Error, Refusal};
use dc_tests::vendor::{Device, Vendor};
use tokio::task::spawn_blocking;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector, NextTimeout, TcpConnector};
use ureq::{Agent, config};

use crate::setup::{acceptor, careless_acceptor, client, client_of};
use crate::web::{devices, serve, silence};

/// Has this address for every name.
#[derive(Debug)]
struct To(SocketAddr);

impl Resolver for To {
    fn resolve(
        &self,
        _: &Uri,
        _: &config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

fn agent(config: Config, to: SocketAddr, timeout: Duration) -> Agent {
    let settings = Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(timeout));
    let connector = ().chain(TcpConnector::default()).chain(UreqConnector::new(config));
    Agent::with_parts(settings.build(), connector, To(to))
}

async fn get(agent: &Agent, uri: &str) -> Result<String, ureq::Error> {
    let (agent, uri) = (agent.clone(), uri.to_owned());
    let answer = spawn_blocking(move || agent.get(uri).call()?.into_body().read_to_string());
    answer.await.unwrap()
}

fn ours(error: &ureq::Error) -> &Error {
    match error {
        ureq::Error::Other(error) => error.downcast_ref().unwrap(),
        other => panic!("{other:?}"),
    }
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn both_forms_and_the_connection_is_reused_for_its_own_name() {
    let vendor = Vendor::default();
    let address = serve(devices(&vendor, &["router", "printer"])).await;
    for (policy, expected) in [
        (
            NamePolicy::Required,
            "HTTP/1.1 named router.cpe.example.com router.cpe.example.com",
        ),
        (
            NamePolicy::Ignored,
            "HTTP/1.1 rfc9345 - router.cpe.example.com",
        ),
    ] {
        let agent = agent(client(&vendor, policy), address, SOON);
        for _ in 0..2 {
            let body = get(&agent, "https://router.cpe.example.com/")
                .await
                .unwrap();
            assert_eq!(body, expected);
        }
    }
    let agent = agent(client(&vendor, NamePolicy::Required), address, SOON);
    for label in ["router", "printer", "router"] {
        let name = format!("{label}.cpe.example.com");
        let body = get(&agent, &format!("https://{name}/")).await.unwrap();
        assert_eq!(body, format!("HTTP/1.1 named {name} {name}"));
    }
}

#[tokio::test]
async fn the_evil_twin_gets_no_request() {
    let vendor = Vendor::default();
    let twin = careless_acceptor(vendor.enrol(&Device::new("twin"), &[Form::Named]));
    let agent = agent(
        client(&vendor, NamePolicy::Required),
        serve(twin).await,
        SOON,
    );
    let error = get(&agent, "https://router.cpe.example.com/")
        .await
        .unwrap_err();
    assert!(matches!(
        ours(&error),
        Error::Refused(Refusal::Credential(dc_core::Error::NameMismatch { .. }))
    ));
}

#[tokio::test]
async fn plain_http_and_addresses_are_refused() {
    let vendor = Vendor::default();
    let address = serve(devices(&vendor, &["router"])).await;
    let agent = agent(client(&vendor, NamePolicy::Required), address, SOON);
    let error = get(&agent, "http://router.cpe.example.com/")
        .await
        .unwrap_err();
    assert!(matches!(ours(&error), Error::NotHttps { scheme: Some(scheme) } if scheme == "http"));
    let error = get(&agent, "https://192.0.2.1/").await.unwrap_err();
    assert!(matches!(ours(&error), Error::NoUniqueName { .. }));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let vendor = Vendor::default();
    let (address, _held) = silence().await;
    let agent = agent(
        client(&vendor, NamePolicy::Required),
        address,
        Duration::from_millis(200),
    );
    let start = Instant::now();
    let error = get(&agent, "https://router.cpe.example.com/")
        .await
        .unwrap_err();
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error:?}");
    assert!(start.elapsed() < SOON / 2);
}

#[tokio::test]
async fn the_agent_that_is_made_in_one_call_finds_the_server() {
    let vendor = Vendor::with_names(&["localhost".to_owned()]);
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Rfc9345]);
    let address = serve(acceptor).await;
    let config = client_of(&vendor).unique_name(NamePolicy::Ignored);
    let agent = UreqConnector::new(config.build().unwrap()).agent();
    let body = get(&agent, &format!("https://localhost:{}/", address.port()))
        .await
        .unwrap();
    assert_eq!(body, "HTTP/1.1 rfc9345 - localhost");
}
