//! `handshakes.json`: what a server makes of a client that presents and signs exactly what a vector says.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings, Store};
use dc_tests::message::CERTIFICATE;
use dc_tests::mutant::{self, Framing, Wire};
use dc_tests::pair::last_words;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::Vendor;
use dc_vectors::format::handshakes::HandshakeVector;
use dc_vectors::format::{Policy, Role};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::backend;
use super::forger::Forger;
use super::handshakes::{Came, all_are_as_published, certificate, chain, provider};
use super::peers::accepted;
use super::roots;
use crate::client_rogue::Always;
use crate::rogue::CHUNKS;
use crate::setup::{Clock, stock_server};

#[test]
fn every_handshake_with_a_client_is_as_published() {
    all_are_as_published(Role::Client, 80, differs);
}

/// The difference to what is published, with reads and writes in one piece or in single bytes.
fn differs(vector: &HandshakeVector) -> Option<String> {
    CHUNKS.into_iter().find_map(|chunk| {
        let came = meets(vector, chunk);
        (!came.is_as(vector)).then(|| format!("expected {:?}, came {came:?}", vector.outcome))
    })
}

/// The policy of a server under which a client authenticates itself, with this one for names.
pub(super) fn under(policy: Policy, clients: ClientCredentials) -> ClientCredentials {
    match policy {
        Policy::Required => clients.unique_name(NamePolicy::Required),
        Policy::RequiredOrCertificate => clients.unique_name(NamePolicy::Required).or_certificate(),
        Policy::Preferred => clients.unique_name(NamePolicy::Preferred),
        Policy::Ignored => clients.unique_name(NamePolicy::Ignored),
    }
}

/// The server of the vector. It has a certificate itself, of this vendor's.
fn acceptor(vector: &HandshakeVector, vendor: &Vendor) -> Acceptor {
    let clock = Arc::new(Clock::at(vector.now));
    let clients = ClientCredentials::roots(&provider(vector), roots()).unwrap();
    let wanted = vector.wanted_name.clone();
    let (names, keys) = (vector.withdrawn.clone(), vector.withdrawn_keys.clone());
    let clients = under(vector.policy, clients).authorize(move |peer| {
        let Peer::Delegated {
            unique_name, spki, ..
        } = peer
        else {
            return true;
        };
        let name = unique_name.as_ref().map(|name| name.as_str());
        let is_withdrawn = name.is_some_and(|name| names.iter().any(|one| one == name))
            || keys.iter().any(|key| &key.0 == spki);
        !is_withdrawn && wanted.as_deref().is_none_or(|wanted| name == Some(wanted))
    });
    let settings = Settings::new(backend().provider()).time_provider(clock.clone());
    let store = Store::with_settings(settings.client_credentials(clients).unwrap());
    let mut config = (*stock_server(vendor)).clone();
    config.time_provider = clock;
    Acceptor::new(store).fallback(Arc::new(config))
}

fn meets(vector: &HandshakeVector, chunk: usize) -> Came {
    let vendor = Vendor::default();
    let acceptor = acceptor(vector, &vendor);
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far)?;
            tls.write_all(b"pong")?;
            Ok::<_, dc_rustls::Error>(tls.peer().cloned())
        });
        let heard = present(vector, &vendor, near);
        match (server.join().unwrap(), heard) {
            (Ok(Some(peer)), None) => Came::Accepted(accepted(&peer)),
            (Err(_), Some(rustls::Error::AlertReceived(alert))) => Came::Alert(alert.into()),
            (server, client) => Came::Otherwise(format!("{server:?}, {client:?}")),
        }
    })
}

/// Presents and signs what the vector says, and gives what the server says to that.
fn present(vector: &HandshakeVector, vendor: &Vendor, near: End) -> Option<rustls::Error> {
    let own = certificate(&vector.entries, vector.role);
    // The server's is compressed.
    let rewrite = mutant::only(CERTIFICATE, move |_| own.clone());
    let config =
        ClientConfig::builder_with_provider(mutant::provider(&backend().provider(), &rewrite))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(vendor.roots());
    let mut config = match vector.entries.is_empty() {
        true => config.with_no_client_auth(),
        false => {
            let forger = Forger::new(vector.role, &vector.certificate_verify);
            let certified = CertifiedKey::new(chain(vector), Arc::new(forger));
            config.with_client_cert_resolver(Arc::new(Always(Arc::new(certified))))
        }
    };
    config.cert_compressors.clear();
    let name = ServerName::try_from("router.cpe.example.com").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let wire = Wire::new(near, &rewrite, Framing::default());
    let mut tls = StreamOwned::new(connection, wire);
    let heard = tls.read_exact(&mut [0; 4]);
    heard
        .err()
        .and_then(|error| last_words(&mut tls.conn, &mut tls.sock, error))
}
