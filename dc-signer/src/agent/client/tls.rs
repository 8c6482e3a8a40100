//! TLS to the signer: a pinned root, the device's own certificate, and a time that may be a guess.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use zeroize::Zeroizing;

use crate::agent::clock::Reading;
use crate::agent::external::External;
use crate::error::Error;

/// Which signer is the right one.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Where its chain has to lead.
    pub roots: Arc<RootCertStore>,
    /// What time it is, and how sure that is.
    pub reading: Reading,
    /// The earliest that it can be.
    pub earliest: u64,
}

/// Who the device is.
#[derive(Debug)]
pub struct Who {
    /// Its certificate, with whatever is above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the certificate.
    pub key: WhoseKey,
}

/// A key, or what signs with it.
pub enum WhoseKey {
    /// The key itself.
    Here(Zeroizing<PrivateKeyDer<'static>>),
    /// A program and its arguments.
    Elsewhere(Vec<String>),
}

impl fmt::Debug for WhoseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here(..)",
            Self::Elsewhere(_) => "Elsewhere(..)",
        })
    }
}

impl Who {
    /// Reads the key where it is, so that no copy of it is left but the one that signs.
    fn certified(self) -> Result<SingleCertAndKey, TlsError> {
        let Self { chain, key } = self;
        let key: Arc<dyn SigningKey> = match key {
            WhoseKey::Here(key) => any_supported_type(&key)?,
            WhoseKey::Elsewhere(command) => Arc::new(external(command, &chain)?),
        };
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match()?;
        Ok(certified.into())
    }
}

fn external(command: Vec<String>, chain: &[CertificateDer<'static>]) -> Result<External, TlsError> {
    let first = chain.first().ok_or(TlsError::NoCertificatesPresented)?;
    let spki = ParsedCertificate::try_from(first)?.subject_public_key_info();
    External::new(command, spki.into_owned()).ok_or_else(|| {
        TlsError::General("sign_command cannot be used with the certificate's kind of key".into())
    })
}

/// TLS 1.3 only: below it, the device's certificate would go over the line in the clear.
pub(super) fn config(trust: Trust, who: Who) -> Result<ClientConfig, Error> {
    let failed = |source| Error::TlsSetup { source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(trust.roots, provider.clone())
        .build()
        .map_err(|error| failed(TlsError::General(error.to_string())))?;
    let verifier = Verifier {
        inner,
        reading: trust.reading,
        earliest: trust.earliest,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(who.certified().map_err(failed)?));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// rustls's verifier, at the time that the agent believes in.
///
/// With a clock that is obviously wrong, the signer's certificate may be valid at any moment that it can
/// be now. Else a device whose clock is wrong could never ask what time it is. What such a signer can do
/// is little: what it issues is checked against other roots, at the time that it says itself.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    reading: Reading,
    earliest: u64,
}

impl Verifier {
    /// Another moment at which a certificate is valid, if it may be that moment now.
    fn other_moment(&self, error: &TlsError) -> Option<UnixTime> {
        let TlsError::InvalidCertificate(error) = error else {
            return None;
        };
        let moment = match error {
            CertificateError::NotValidYetContext { not_before, .. } => *not_before,
            CertificateError::ExpiredContext { not_after, .. } => *not_after,
            _ => return None,
        };
        let earliest = UnixTime::since_unix_epoch(Duration::from_secs(self.earliest));
        (self.reading.verdict.is_doubtful() && moment >= earliest).then_some(moment)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let at = |now| {
            self.inner.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            )
        };
        at(self.reading.unix_time()).or_else(|error| match self.other_moment(&error) {
            Some(moment) => at(moment),
            None => Err(error),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
