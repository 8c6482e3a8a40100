//! The service's own certificate and key, and the TLS configuration with them.

use std::path::Path;
use std::sync::Arc;

use dc_core::DelegationCertificate;
use pki_types::CertificateDer;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::possession::Possession;
use crate::config::Listen;
use crate::error::Error;
use crate::warning::Warning;
use crate::{files, keys, pem};

/// A certificate, its chain, and its key.
#[derive(Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    warning: Option<Warning>,
}

impl Identity {
    /// Reads a chain and a key that belong together.
    ///
    /// Fails with [`Error::ServesWithDelegation`] if the certificate may delegate, with
    /// [`Error::KeyMismatch`], with [`Error::UnsupportedKey`], and with what reading the two files
    /// fails with.
    pub fn load(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, Error> {
        let chain = pem::certificates(certificate, &files::read(certificate)?)?;
        // RFC 9345 §7.6: a delegation key that also answers handshakes can be made to sign
        // credentials.
        if delegates(&chain) {
            let path = certificate.into();
            return Err(Error::ServesWithDelegation { path });
        }
        let certified = CertifiedKey::new(chain, signing_key(key, provider)?);
        certified.keys_match().map_err(|_| Error::KeyMismatch {
            key: key.into(),
            certificate: certificate.into(),
        })?;
        Ok(Self {
            key: certified.into(),
            warning: files::check_private(key)?,
        })
    }

    /// What somebody should look at.
    #[must_use]
    pub fn warning(&self) -> Option<&Warning> {
        self.warning.as_ref()
    }
}

fn delegates(chain: &[CertificateDer<'static>]) -> bool {
    chain
        .first()
        .is_some_and(|first| DelegationCertificate::parse(first.clone()).is_ok())
}

fn signing_key(
    path: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<dyn rustls::sign::SigningKey>, Error> {
    let key = pem::private_key(path, &files::read(path)?)?;
    provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|_| keys::unsupported(path, &key))
}

/// TLS as the service speaks it: 1.3 unless 1.2 is allowed too, HTTP/2 and HTTP/1.1, client
/// certificates wanted but not required, and no sessions, because devices come once in days.
///
/// Fails with [`Error::Tls`] if the provider cannot do that.
pub fn tls_config(
    identity: &Identity,
    listen: &Listen,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, Error> {
    let versions: &[&rustls::SupportedProtocolVersion] = match listen.tls12 {
        true => &[&rustls::version::TLS13, &rustls::version::TLS12],
        false => &[&rustls::version::TLS13],
    };
    let verifier = Possession(provider.signature_verification_algorithms);
    let resolver = SingleCertAndKey::from(identity.key.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|source| Error::Tls { source })?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(resolver));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(config.into())
}

/// How ALPN calls HTTP/2.
pub(super) const H2: &[u8] = b"h2";
