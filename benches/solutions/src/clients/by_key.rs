//! What our own clients share: rustls, with a verifier that looks at the server's key and at nothing else.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use der::{Decode as _, Encode as _};
use pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, WebPkiSupportedAlgorithms, ring};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    PeerIncompatible, SignatureScheme, StreamOwned,
};
use x509_cert::Certificate;

use crate::Result;
use crate::http::{self, Answer};
use crate::rows::device_key::fingerprint;
use crate::service::limit;

/// How a server sends its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a raw public key (RFC 7250).
    RawKey,
    /// In a certificate, of which only the key counts.
    Certificate,
}

/// A connection whose server has proved that it has a key.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The SHA-256 of the key's SubjectPublicKeyInfo.
    pub(crate) fingerprint: [u8; 32],
    name: String,
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Connection {
    /// Connects to this port of loopback; if a fingerprint is wanted, only to the server that has it.
    pub(crate) fn open(
        name: &str,
        port: u16,
        form: Form,
        wanted: Option<[u8; 32]>,
    ) -> Result<Self> {
        let verifier = Arc::new(KeyVerifier::new(form, wanted));
        let connection = ClientConnection::new(
            configured(&verifier)?,
            ServerName::try_from(name.to_owned())?,
        )?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        limit(&stream)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .map_err(tls_error)?;
        }
        let seen = *verifier.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            fingerprint: seen.ok_or("the server has shown no key")?,
            name: name.to_owned(),
            stream,
        })
    }

    /// Asks for a page.
    pub(crate) fn get(self, path: &str) -> Result<Answer> {
        Ok(http::ask(self.stream, &self.name, "GET", path, b"")?)
    }
}

/// The configuration of a client that accepts the server with this key, or any if none; it resumes nothing.
pub(crate) fn config(form: Form, wanted: Option<[u8; 32]>) -> Result<Arc<ClientConfig>> {
    configured(&Arc::new(KeyVerifier::new(form, wanted)))
}

/// The name of what went wrong: that of rustls if it is known.
pub(crate) fn refusal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            "another key".to_owned()
        }
        Some(error) => error.to_string(),
        None => error.to_string(),
    }
}

/// As rustls is delivered, with TLS 1.3 alone, which is the only version in which it knows raw public keys.
fn configured(verifier: &Arc<KeyVerifier>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let verifier: Arc<KeyVerifier> = Arc::clone(verifier);
    let mut config = { builder.dangerous() }
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Each visit is a session of its own.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// rustls hides its error in one of input and output.
pub(crate) fn tls_error(error: std::io::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error.downcast::<Error>() {
        Ok(error) => error.into(),
        Err(error) => error.into(),
    }
}

/// Accepts a server by its key, and notes which it was.
#[derive(Debug)]
struct KeyVerifier {
    form: Form,
    /// Any if none.
    wanted: Option<[u8; 32]>,
    seen: Mutex<Option<[u8; 32]>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KeyVerifier {
    fn new(form: Form, wanted: Option<[u8; 32]>) -> Self {
        Self {
            form,
            wanted,
            seen: Mutex::default(),
            algorithms: ring::default_provider().signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for KeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        let key = match self.form {
            Form::RawKey => fingerprint(end_entity),
            Form::Certificate => fingerprint(&spki(end_entity)?),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        match self.wanted {
            Some(wanted) if wanted != key => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        match self.form {
            Form::RawKey => {
                let key = SubjectPublicKeyInfoDer::from(cert.as_ref());
                crypto::verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
            }
            Form::Certificate => {
                crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.form == Form::RawKey
    }
}

/// The SubjectPublicKeyInfo of a certificate.
fn spki(certificate: &[u8]) -> std::result::Result<Vec<u8>, Error> {
    let bad = |_| Error::from(CertificateError::BadEncoding);
    let certificate = Certificate::from_der(certificate).map_err(bad)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    key.to_der().map_err(bad)
}
