//! The same over `AsyncRead + AsyncWrite`.

use std::io::{Read, Write};

use dc_core::{Error, Form};
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_rustls::{Error as TlsError, Refusal};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::setup::{acceptor, careless_acceptor, client, stock_server};

/// Connects over a pipe that holds `capacity` bytes.
async fn connect(
    client: &Config,
    name: &str,
    acceptor: &Acceptor,
    capacity: usize,
) -> (Result<Peer, TlsError>, Result<Served, TlsError>) {
    let (near, far) = duplex(capacity);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let server = async {
        let mut tls = acceptor.accept_async(far).await?;
        tls.write_all(b"pong").await?;
        tls.shutdown().await?;
        Ok(tls.served().clone())
    };
    let client = async {
        let mut tls = client.connect_async(name, near).await?;
        let mut reply = Vec::new();
        tls.read_to_end(&mut reply).await?;
        assert_eq!(reply, b"pong");
        Ok(tls.peer().clone())
    };
    tokio::join!(client, server)
}

#[tokio::test]
async fn accepts_both_forms_and_falls_back_through_pipes_of_any_size() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor =
        acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]).fallback(stock_server(&vendor));
    for capacity in CAPACITIES {
        for policy in [
            NamePolicy::Required,
            NamePolicy::Preferred,
            NamePolicy::Ignored,
        ] {
            let client = client(&vendor, policy);
            let (peer, served) = connect(&client, &device.name, &acceptor, capacity).await;
            assert!(matches!(peer.unwrap(), Peer::Delegated { .. }));
            assert!(matches!(served.unwrap(), Served::Delegated { .. }));
            let (resumed, _) = connect(&client, &device.name, &acceptor, capacity).await;
            assert!(matches!(resumed.unwrap(), Peer::Delegated { .. }));
        }
    }
}

#[tokio::test]
async fn refuses_the_evil_twin_with_an_alert() {
    let vendor = Vendor::default();
    let twin = careless_acceptor(vendor.enrol(&Device::new("twin"), &[Form::Named]));
    for capacity in CAPACITIES {
        let client = client(&vendor, NamePolicy::Required);
        let (peer, served) = connect(&client, "router.cpe.example.com", &twin, capacity).await;
        assert!(matches!(
            peer,
            Err(TlsError::Refused(Refusal::Credential(
                Error::NameMismatch { .. }
            )))
        ));
        let alert = rustls::Error::AlertReceived(AlertDescription::IllegalParameter);
        assert!(matches!(served, Err(TlsError::Tls(error)) if error == alert));
    }
}

#[tokio::test]
async fn a_client_that_nothing_suits_gets_handshake_failure() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let client = client(&vendor, NamePolicy::Ignored);
    let (peer, served) = connect(&client, "router.cpe.example.com", &acceptor, ALL).await;
    let alert = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    assert!(matches!(peer, Err(TlsError::Tls(error)) if error == alert));
    assert!(matches!(served, Err(TlsError::NothingSuits)));
}

/// The server says so behind its ServerHello, and is gone when the client answers that.
#[tokio::test]
async fn a_client_with_no_application_protocol_in_common_gets_the_alert() {
    let vendor = Vendor::default();
    let settings = Settings::new(provider()).alpn_protocols([b"h2".to_vec()]);
    let store = Store::with_settings(settings);
    let identity = vendor.enrol(&Device::new("router"), &[Form::Named]);
    store.install(identity).unwrap();
    let acceptor = Acceptor::new(store);
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .alpn_protocols([b"dot".to_vec()])
        .build()
        .unwrap();
    for capacity in CAPACITIES {
        let (peer, _) = connect(&client, "router.cpe.example.com", &acceptor, capacity).await;
        let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        assert!(
            matches!(&peer, Err(TlsError::Tls(error)) if *error == alert),
            "{peer:?}"
        );
    }
}

/// Nothing of ours is between rustls and the network any more.
#[tokio::test]
async fn a_connection_goes_on_without_its_stream() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]).fallback(stock_server(&vendor));
    for client in [
        client(&vendor, NamePolicy::Required),
        client(&vendor, NamePolicy::Ignored),
    ] {
        let (near, far) = duplex(ALL);
        let name = ServerName::try_from(device.name.clone()).unwrap();
        let (server, client) =
            tokio::join!(acceptor.accept_async(far), client.connect_async(name, near));
        let (mut server, mut far) = server.unwrap().into_parts().unwrap();
        let (mut client, mut near) = client.unwrap().into_parts().unwrap();
        server.writer().write_all(b"pong").unwrap();
        let mut records = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut records).unwrap();
        }
        far.write_all(&records).await.unwrap();
        drop(far);
        // With the session tickets, which may have arrived already.
        let mut records = Vec::new();
        near.read_to_end(&mut records).await.unwrap();
        let mut records = &records[..];
        while !records.is_empty() {
            client.read_tls(&mut records).unwrap();
            client.process_new_packets().unwrap();
        }
        let mut reply = [0; 4];
        client.reader().read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"pong");
    }
}

const ALL: usize = 1 << 16;

const CAPACITIES: [usize; 3] = [1, 100, ALL];
