//! What is refused, with the alert that arrives at the other end as CRYPTO_ERROR.

use dc_core::Form;
use dc_core::pem::StoredCredential;
use dc_rustls::client::NamePolicy;
use dc_rustls::quinn::EarlyData;
use dc_rustls::server::{Acceptor, Identity, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::AlertDescription;
use tokio::runtime::Builder;

use super::pair::{ALPN, Listening, Met, configure, connect};
use super::quic_client;
use crate::events::logged;
use crate::setup::{Clock, HOUR, acceptor, careless_acceptor, client_of, stock_server};

/// What a client that requires a name makes of this server.
async fn meet(vendor: &Vendor, name: &str, acceptor: &Acceptor) -> Met {
    let client = quic_client(vendor, NamePolicy::Required);
    let server = Listening::new(acceptor, EarlyData::Never);
    connect(&configure(&client, EarlyData::Never), &server, name).await
}

fn identity(vendor: &Vendor, device: &Device, stored: StoredCredential) -> Identity {
    Identity::new(vendor.chain(), vec![stored], device.key.private_key())
}

#[tokio::test]
async fn a_credential_that_was_tampered_with() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let mut stored = vendor.issue(&device, Form::Named);
    *stored.bytes.last_mut().unwrap() ^= 1;
    let server = careless_acceptor(identity(&vendor, &device, stored));
    let met = meet(&vendor, &device.name, &server).await;
    let (alert, _) = met.alert_at_server();
    assert_eq!(alert, AlertDescription::IllegalParameter);
    assert_eq!(u8::from(alert), 47);
}

#[tokio::test]
async fn a_credential_of_another_key() {
    let vendor = Vendor::default();
    let (device, thief) = (Device::new("router"), Device::new("thief"));
    let stored = vendor.issue(&device, Form::Named);
    let server = careless_acceptor(identity(&vendor, &thief, stored));
    let met = meet(&vendor, &device.name, &server).await;
    assert_ne!(u8::from(met.alert_at_server().0), 0);
    assert!(met.client.is_err());
}

#[tokio::test]
async fn the_evil_twin() {
    let vendor = Vendor::default();
    let twin = Device::new("twin");
    let server = careless_acceptor(vendor.enrol(&twin, &[Form::Named, Form::Rfc9345]));
    let met = meet(&vendor, "router.cpe.example.com", &server).await;
    let (alert, reason) = met.alert_at_server();
    assert_eq!(alert, AlertDescription::IllegalParameter);
    assert!(reason.contains("twin.cpe.example.com"), "{reason}");
}

#[test]
fn the_log_has_who_was_refused_and_why() {
    let vendor = Vendor::default();
    let twin = careless_acceptor(vendor.enrol(&Device::new("twin"), &[Form::Named]));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let text = logged(|| {
        let met = runtime.block_on(meet(&vendor, "router.cpe.example.com", &twin));
        assert!(met.client.is_err());
    });
    let line = text.lines().find(|line| line.contains("refused a server"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    for part in ["WARN", "server=router.cpe.example.com", "twin.cpe"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn an_expired_credential() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    clock.forward(2 * HOUR);
    let client = client_of(&vendor).time_provider(std::sync::Arc::new(clock));
    let client = client.alpn_protocols([ALPN.to_vec()]).build().unwrap();
    let stored = vendor.issue_for(&device, Form::Named, HOUR);
    let server = careless_acceptor(identity(&vendor, &device, stored));
    let server = Listening::new(&server, EarlyData::Never);
    let met = connect(&configure(&client, EarlyData::Never), &server, &device.name).await;
    assert_eq!(met.alert_at_server().0, AlertDescription::IllegalParameter);
}

#[tokio::test]
async fn a_plain_certificate_where_a_credential_is_required() {
    let vendor = Vendor::default();
    let server = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let met = meet(&vendor, "router.cpe.example.com", &server).await;
    assert_eq!(met.alert_at_server().0, AlertDescription::HandshakeFailure);
}

#[tokio::test]
async fn a_peer_that_the_application_does_not_want() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client_of(&vendor).authorize(|_, _| false);
    let client = client.alpn_protocols([ALPN.to_vec()]).build().unwrap();
    let server = acceptor(&vendor, &device, &[Form::Named]);
    let server = Listening::new(&server, EarlyData::Never);
    let met = connect(&configure(&client, EarlyData::Never), &server, &device.name).await;
    assert_eq!(met.alert_at_server().0, AlertDescription::AccessDenied);
}

#[tokio::test]
async fn a_client_that_nothing_suits_is_told_no_name() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let server = acceptor(&vendor, &device, &[Form::Named]);
    let met = meet(&vendor, "other.cpe.example.com", &server).await;
    let (alert, reason) = met.alert_at_client();
    assert_eq!(alert, AlertDescription::HandshakeFailure);
    assert_eq!(reason, "");
}

#[tokio::test]
async fn a_client_of_another_protocol() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client_of(&vendor).alpn_protocols([b"other".to_vec()]);
    let server = acceptor(&vendor, &device, &[Form::Named]);
    let server = Listening::new(&server, EarlyData::Never);
    let config = configure(&client.build().unwrap(), EarlyData::Never);
    let met = connect(&config, &server, &device.name).await;
    let expected = AlertDescription::NoApplicationProtocol;
    assert_eq!(met.alert_at_client().0, expected);
}
