//! The service's own certificate and key, and the TLS configuration with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dc_core::DelegationCertificate;
use der::Decode;
use pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::possession::Possession;
use crate::config::Listen;
use crate::server::Error;
use crate::server::Warning;
use dc_pki::{files, keys, pem};

/// A certificate, its chain, and its key.
#[derive(Debug)]
pub struct ServiceCertificate {
    key: Arc<CertifiedKey>,
    validity: Validity,
    warning: Option<Warning>,
}

/// When the certificates that the service shows can be used: outside that no device connects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Validity {
    path: PathBuf,
    /// The first second at which all of them are valid.
    pub not_before: UnixTime,
    /// The last one.
    pub not_after: UnixTime,
}

impl ServiceCertificate {
    /// Reads a chain and a key that belong together.
    ///
    /// Fails with [`Error::ServesWithDelegation`] if the certificate may delegate, with
    /// [`dc_pki::Error::KeyMismatch`], with [`dc_pki::Error::UnsupportedKey`], and with what reading the two files
    /// fails with.
    pub fn load(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, Error> {
        let chain = pem::certificates(certificate, &files::read(certificate)?)?;
        // RFC 9345 §7.6: a delegation key that also answers handshakes can be made to sign
        // credentials.
        if delegates(&chain) {
            let path = certificate.into();
            return Err(Error::ServesWithDelegation { path });
        }
        let validity = Validity::of(certificate, &chain);
        let certified = CertifiedKey::new(chain, signing_key(key, provider)?);
        certified
            .keys_match()
            .map_err(|_| dc_pki::Error::KeyMismatch {
                key: key.to_path_buf().into(),
                certificate: certificate.into(),
            })?;
        Ok(Self {
            key: certified.into(),
            validity,
            warning: files::check_private(key)?.map(Warning::from),
        })
    }

    /// When its certificates can be used.
    #[must_use]
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// A warning about the key's file.
    #[must_use]
    pub fn warning(&self) -> Option<&Warning> {
        self.warning.as_ref()
    }
}

impl Validity {
    /// A chain is worth nothing any more when one of its certificates has ended. What cannot be read has no end that
    /// anybody could know.
    fn of(path: &Path, chain: &[CertificateDer<'_>]) -> Self {
        let (mut not_before, mut not_after) = (0, u64::MAX);
        for der in chain {
            let Ok(certificate) = x509_cert::Certificate::from_der(der) else {
                continue;
            };
            let validity = certificate.tbs_certificate().validity();
            not_before = not_before.max(validity.not_before.to_unix_duration().as_secs());
            not_after = not_after.min(validity.not_after.to_unix_duration().as_secs());
        }
        let [not_before, not_after] = [not_before, not_after]
            .map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        Self {
            path: path.into(),
            not_before,
            not_after,
        }
    }

    /// The reason that no device connects at a time, if none does.
    #[must_use]
    pub fn fault(&self, now: UnixTime) -> Option<Warning> {
        let Self {
            path,
            not_before,
            not_after,
        } = self.clone();
        if now > not_after {
            return Some(Warning::OwnCertificateEnded {
                path,
                now,
                not_after,
            });
        }
        (now < not_before).then_some(Warning::OwnCertificateNotBegun {
            path,
            now,
            not_before,
        })
    }

    /// The same, or that it is time for another one: in the last third of its life, and not before the last two weeks.
    #[must_use]
    pub fn warning(&self, now: UnixTime) -> Option<Warning> {
        let Self {
            path,
            not_before,
            not_after,
        } = self.clone();
        let left = not_after.as_secs().saturating_sub(now.as_secs());
        let life = not_after.as_secs().saturating_sub(not_before.as_secs());
        let ends_soon = left < SOON.as_secs().min(life / 3);
        let soon = ends_soon.then_some(Warning::OwnCertificateEndsSoon {
            path,
            now,
            not_after,
        });
        self.fault(now).or(soon)
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
    let load = |key: &PrivateKeyDer<'static>| {
        let loaded = provider.key_provider.load_private_key(key.clone_key());
        loaded.ok()
    };
    Ok(keys::read_signer(path, load)?)
}

/// TLS as the service speaks it: 1.3 unless 1.2 is allowed too, HTTP/2 and HTTP/1.1, client
/// certificates wanted but not required, and no sessions, because devices come once in days.
///
/// Fails with [`Error::Tls`] if the provider cannot do that.
pub fn tls_config(
    certificate: &ServiceCertificate,
    listen: &Listen,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, Error> {
    let versions: &[&rustls::SupportedProtocolVersion] = match listen.tls12 {
        true => &[&rustls::version::TLS13, &rustls::version::TLS12],
        false => &[&rustls::version::TLS13],
    };
    let verifier = Possession(provider.signature_verification_algorithms);
    let resolver = SingleCertAndKey::from(certificate.key.clone());
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

/// The time before its end at which a certificate that lives long should be replaced.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// ALPN's name of HTTP/2.
pub(super) const H2: &[u8] = b"h2";

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(days: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs((20_000 + days) * DAY))
    }

    fn validity(life: u64) -> Validity {
        Validity {
            path: "tls.pem".into(),
            not_before: at(0),
            not_after: at(life),
        }
    }

    #[test]
    fn the_end_is_announced_in_time_and_said_afterwards() {
        for (life, day, expected) in [
            (90, 75, None),
            (90, 77, Some("ends at")),
            // One of a week is replaced every few days.
            (6, 3, None),
            (6, 5, Some("ends at")),
            (90, 91, Some("ended at")),
        ] {
            let said = validity(life).warning(at(day)).map(|w| w.to_string());
            let has = said
                .as_deref()
                .map(|said| said.contains(expected.unwrap_or("nothing")));
            assert_eq!(has, expected.map(|_| true), "{life} {day}: {said:?}");
        }
        let early = UnixTime::since_unix_epoch(Duration::from_secs(19_999 * DAY));
        let said = validity(90).fault(early).unwrap().to_string();
        assert!(said.contains("not valid yet"), "{said}");
        assert_eq!(validity(90).fault(at(89)), None);
    }
}
