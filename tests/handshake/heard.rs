//! A ClientHello that rustls reads once and one that it starts over with are answered alike.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dc_core::Form;
use dc_rustls::server::{Acceptor, Store};
use dc_rustls::{Error, client};
use dc_tests::message::{add_extensions, extension, vector};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, ClientConnection, NamedGroup, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::setup::{acceptor, stock_server};

/// A client that says what it is told, and keeps the answer.
#[derive(Default)]
struct Told {
    says: Vec<Vec<u8>>,
    answer: Vec<u8>,
}

impl Read for &mut Told {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.says.is_empty() {
            return Ok(0);
        }
        let next = self.says.remove(0);
        buf[..next.len()].copy_from_slice(&next);
        Ok(next.len())
    }
}

impl Write for &mut Told {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.answer.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Told {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = (&mut *self).read(buf.initialize_unfilled())?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Told {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready((&mut *self).write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How both kinds of accepting end with this client, and what it is told, which is the same.
fn answer(acceptor: &Acceptor, says: &[Vec<u8>]) -> (Error, Vec<u8>) {
    let told = || Told {
        says: says.to_vec(),
        answer: Vec::new(),
    };
    let (mut blocking, mut other) = (told(), told());
    let error = acceptor.accept(&mut blocking).map(drop).unwrap_err();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let served = runtime.block_on(acceptor.accept_async(&mut other));
    let other_error = served.map(drop).unwrap_err();
    match (&error, &other_error) {
        (Error::Io(_), Error::Io(_)) => {}
        _ => assert_eq!(other_error.to_string(), error.to_string()),
    }
    // A signature has one byte more or less each time.
    assert!(other.answer.len().abs_diff(blocking.answer.len()) < 8);
    (error, blocking.answer)
}

/// A provider with one group for the key exchange.
fn with_group(group: NamedGroup) -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&provider());
    provider.kx_groups.retain(|known| known.name() == group);
    assert_eq!(provider.kx_groups.len(), 1);
    Arc::new(provider)
}

/// A ClientHello with these extensions in front, of a client that has one group.
fn hello(vendor: &Vendor, group: NamedGroup, extensions: &[u8]) -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(with_group(group))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut record = Vec::new();
    client.write_tls(&mut record).unwrap();
    add_extensions(&record[5..], extensions)
}

fn record(payload: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], vector(2, payload).as_slice()].concat()
}

/// The ways in which a hello arrives: the first is all that is there, rustls starts over with the others.
fn ways(hello: &[u8]) -> [Vec<Vec<u8>>; 4] {
    let (front, back) = hello.split_at(hello.len() / 2);
    let whole = record(hello);
    let (begin, end) = whole.split_at(whole.len() / 2);
    let change_cipher_spec = [20, 3, 3, 0, 1, 1];
    [
        vec![whole.clone()],
        vec![begin.to_vec(), end.to_vec()],
        vec![[record(front), record(back)].concat()],
        vec![[&whole[..], &change_cipher_spec].concat()],
    ]
}

fn offer() -> Vec<u8> {
    extension(Form::Named.extension_type(), &vector(2, &[4, 3]))
}

fn servers(vendor: &Vendor, group: NamedGroup) -> [Acceptor; 2] {
    let store = Store::new(with_group(group));
    let device = Device::new("router");
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let mut stock = ServerConfig::builder_with_provider(with_group(group))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vendor.chain(), vendor.private_key())
        .unwrap();
    stock.cert_compressors.clear();
    let fallback = Acceptor::new(Store::new(provider())).fallback(Arc::new(stock));
    [Acceptor::new(store), fallback]
}

/// rustls refuses it when it has a configuration, and has accepted it before.
#[test]
fn a_hello_that_no_configuration_suits_gets_the_same_alert_however_it_arrives() {
    let vendor = Vendor::default();
    let (ours, theirs) = (NamedGroup::secp256r1, NamedGroup::X25519);
    let hello = hello(&vendor, theirs, &offer());
    for acceptor in servers(&vendor, ours) {
        for says in ways(&hello) {
            let (error, sent) = answer(&acceptor, &says);
            let is_refused = matches!(
                &error,
                Error::Tls(rustls::Error::PeerIncompatible(
                    rustls::PeerIncompatible::NoKxGroupsInCommon
                ))
            );
            assert!(is_refused, "{error}");
            let alert = AlertDescription::HandshakeFailure.into();
            assert_eq!(sent, [21, 3, 3, 0, 2, 2, alert]);
        }
    }
}

/// What one record holds is what rustls answers: the flight of a server that goes on is as long as that of one that starts over.
#[test]
fn a_hello_gets_the_same_flight_however_it_arrives() {
    let vendor = Vendor::default();
    let group = NamedGroup::X25519;
    for extensions in [offer(), Vec::new()] {
        let hello = hello(&vendor, group, &extensions);
        let [credential, fallback] = servers(&vendor, group);
        let credential = credential.fallback(stock_server(&vendor));
        for acceptor in [credential, fallback] {
            let flights = ways(&hello).map(|says| {
                let (error, sent) = answer(&acceptor, &says);
                assert!(matches!(error, Error::Io(_)), "{error}");
                // Type and length of ServerHello.
                assert_eq!(sent[0], 22);
                u16::from_be_bytes([sent[3], sent[4]])
            });
            assert_eq!(flights, [flights[0]; 4]);
        }
    }
}

/// The one that has the offer of a credential relabelled, and then gets a certificate all the same.
#[test]
fn a_client_that_offers_and_gets_a_certificate_is_as_served_by_stock_rustls() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let fallback = stock_server(&vendor);
    let acceptor = acceptor(&vendor, &device, &[Form::Named])
        .fallback(fallback)
        .only_if(|_, _| false);
    let client = client::Config::builder(provider())
        .roots(vendor.roots())
        .unique_name(client::NamePolicy::Preferred)
        .build()
        .unwrap();
    let (near, far) = dc_tests::pipe::pipe(usize::MAX);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far).unwrap();
            tls.write_all(b"!").unwrap();
            tls.flush().unwrap();
            tls.served().clone()
        });
        let name = ServerName::try_from(NAME).unwrap();
        let mut tls = client.connect(name, near).unwrap();
        tls.read_exact(&mut [0]).unwrap();
        assert_eq!(tls.peer(), &client::Peer::Certificate);
        let served = server.join().unwrap();
        assert_eq!(served, dc_rustls::server::Served::Certificate);
    });
}

const NAME: &str = "router.cpe.example.com";
