//! Stock rustls with its own verifier, in this process.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};

use super::files::{nobody, text};
use super::program::request;
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;
use crate::server::PAGE;

#[derive(Debug)]
pub(super) struct Rustls;

impl Client for Rustls {
    fn name(&self) -> &'static str {
        "rustls"
    }

    fn version(&self) -> std::result::Result<String, String> {
        Ok(super::rustls_version())
    }

    fn is_foreign(&self) -> bool {
        false
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        super::each(visits, |visit| one(clock, visit))
    }
}

fn one(clock: &Clock, visit: &Visit<'_>) -> Result<Outcome> {
    if visit.accepted.is_some() {
        return Ok(Outcome::Unable(
            "remembers no keys; an application writes a verifier that does",
        ));
    }
    let config =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), time(clock))
            .with_safe_default_protocol_versions()?
            .dangerous()
            // It is the one that rustls makes of roots, which alone can be given lists.
            .with_custom_certificate_verifier(verifier(visit)?);
    let mut config = config.with_no_client_auth();
    config.resumption = Resumption::disabled();
    let connection = ClientConnection::new(Arc::new(config), server_name(visit)?)?;
    let mut tls = StreamOwned::new(connection, connect(visit)?);
    match fetch(&mut tls, visit.name) {
        Ok(true) => Ok(Outcome::Connected),
        Ok(false) => Ok(Outcome::Failed("another page".to_owned())),
        Err(error) => Ok(refused(error)),
    }
}

/// The verifier of these roots, which asks the list about the server's own certificate.
pub(super) fn verifier(visit: &Visit<'_>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    // It takes no empty store.
    for root in CertificateDer::pem_slice_iter(nobody()?.as_bytes()) {
        roots.add(root?)?;
    }
    for path in &visit.roots {
        for root in CertificateDer::pem_slice_iter(text(path)?.as_bytes()) {
            roots.add(root?)?;
        }
    }
    let provider = Arc::new(ring::default_provider());
    let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(path) = visit.revocation_list {
        let text = text(path)?;
        let lists = CertificateRevocationListDer::pem_slice_iter(text.as_bytes());
        let lists = lists.collect::<std::result::Result<Vec<_>, _>>()?;
        builder = builder.with_crls(lists).only_check_end_entity_revocation();
    }
    Ok(builder.build()?)
}

pub(super) fn server_name(visit: &Visit<'_>) -> Result<ServerName<'static>> {
    Ok(ServerName::try_from(visit.name.to_owned())?)
}

pub(super) fn connect(visit: &Visit<'_>) -> Result<TcpStream> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, visit.port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(tcp)
}

/// Asks for the page; whether it is one of ours.
pub(super) fn fetch(tls: &mut (impl Read + Write), name: &str) -> std::io::Result<bool> {
    tls.write_all(request(name).as_bytes())?;
    tls.flush()?;
    let mut page = String::new();
    tls.read_to_string(&mut page)?;
    Ok(page.contains(PAGE))
}

/// What rustls says, as a word: I/O errors carry it.
pub(super) fn refused(error: std::io::Error) -> Outcome {
    match error.downcast::<Error>() {
        Ok(error) => Outcome::Refused(word(&error)),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// `Expired` rather than all that rustls knows about it.
pub(super) fn word(error: &Error) -> String {
    let whole = match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => return other.to_string(),
        Error::InvalidCertificate(error) => format!("{error:?}"),
        error => return error.to_string(),
    };
    let end = whole.find([' ', '{', '(']).unwrap_or(whole.len());
    whole[..end].trim_end_matches("Context").to_owned()
}

/// The time that it is in this clock now, for one connection.
pub(super) fn time(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(Now(UnixTime::since_unix_epoch(Duration::from_secs(
        clock.now(),
    ))))
}

#[derive(Debug)]
struct Now(UnixTime);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}
