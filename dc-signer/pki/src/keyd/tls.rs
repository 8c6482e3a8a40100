//! TLS 1.3 between a signing process and callers on other machines: each side has the other's certificate in its configuration,
//! and takes no other one. There is no CA in between, and nothing is resumed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use der::Decode;
use pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring::default_provider, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, PeerIncompatible,
    ServerConfig, SignatureScheme,
};

use crate::error::Error;
use crate::{files, pem};

/// A reason that a certificate or a key cannot be used between a signing process and its callers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or has something else in it.
    #[error(transparent)]
    Pki(#[from] Error),
    /// The contents of a file cannot be shown.
    #[error(
        "{}: it cannot be shown to a signing process or its callers: {source}: give a certificate and the key of that",
        .path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
}

/// The certificate that a caller on another machine shows, and the one that it takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    /// Its own certificate, in PEM.
    pub certificate: PathBuf,
    /// The key of that.
    pub key: PathBuf,
    /// The certificate of the signing process, the only one that is taken.
    pub peer: PathBuf,
}

impl Remote {
    /// The settings of a connection; the files are read now, so that new ones count from the next connection on.
    ///
    /// Fails with [`TlsError`].
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let (chain, key) = own(&self.certificate, &self.key)?;
        let peer = Arc::new(Pinned::new(vec![pinned(&self.peer)?]));
        let provider = Arc::new(default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(failed(&self.certificate))?
            .dangerous()
            .with_custom_certificate_verifier(peer)
            .with_client_auth_cert(chain, key);
        let mut config = config.map_err(failed(&self.key))?;
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(config)
    }
}

/// The settings of a signing process for callers with these certificates.
///
/// Fails with [`TlsError`].
pub fn server_config(
    (certificate, key): (&Path, &Path),
    callers: Vec<CertificateDer<'static>>,
) -> Result<ServerConfig, TlsError> {
    let (chain, private) = own(certificate, key)?;
    let provider = Arc::new(default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(failed(certificate))?
        .with_client_cert_verifier(Arc::new(Pinned::new(callers)))
        .with_single_cert(chain, private);
    let mut config = config.map_err(failed(key))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The one certificate of a file that the other side is known by.
///
/// Fails with [`TlsError`].
pub fn pinned(path: &Path) -> Result<CertificateDer<'static>, TlsError> {
    let certificates = pem::certificates(path, &files::read(path)?)?;
    let first = certificates.into_iter().next();
    first.ok_or_else(|| TlsError::Unusable {
        path: path.into(),
        source: rustls::Error::NoCertificatesPresented,
    })
}

fn own(
    certificate: &Path,
    key: &Path,
) -> Result<
    (
        Vec<CertificateDer<'static>>,
        pki_types::PrivateKeyDer<'static>,
    ),
    TlsError,
> {
    let chain = vec![pinned(certificate)?];
    // rustls wipes what it is given.
    let key = pem::private_key(key, &files::read(key)?)?;
    Ok((chain, key.clone_key()))
}

fn failed(path: &Path) -> impl Fn(rustls::Error) -> TlsError {
    move |source| TlsError::Unusable {
        path: path.into(),
        source,
    }
}

/// Takes the certificates that it was given, while they are valid, and no other one.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self {
            certificates,
            algorithms: default_provider().signature_verification_algorithms,
        }
    }

    fn check(&self, shown: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
        if !self.certificates.iter().any(|known| known == shown) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let bad = |_| rustls::Error::from(CertificateError::BadEncoding);
        let parsed = x509_cert::Certificate::from_der(shown).map_err(bad)?;
        let validity = parsed.tbs_certificate().validity();
        let seconds = |time: &x509_cert::time::Time| -> Duration { time.to_unix_duration() };
        let now = now.as_secs();
        if now < seconds(&validity.not_before).as_secs() {
            return Err(CertificateError::NotValidYet.into());
        }
        match now > seconds(&validity.not_after).as_secs() {
            true => Err(CertificateError::Expired.into()),
            false => Ok(()),
        }
    }

    fn signed(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

/// TLS 1.2 is not offered.
fn never() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(PeerIncompatible::Tls12NotOffered.into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity, now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
