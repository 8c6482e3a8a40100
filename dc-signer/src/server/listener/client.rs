//! The client's certificate.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use der::Decode;
use pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use x509_cert::Certificate;

use dc_pki::Sha256;

/// The certificate of a client that has shown, in the handshake with us or with a proxy that is believed, that it holds the private key.
///
/// Nothing else about it is checked: neither names nor times nor who signed it.
#[derive(Clone, Eq, PartialEq)]
pub struct ClientCertificate(Arc<Inner>);

#[derive(Eq, PartialEq)]
struct Inner {
    spki_sha256: Sha256,
    chain: Vec<CertificateDer<'static>>,
}

impl ClientCertificate {
    /// The certificate of a connection whose handshake is over; none if the client sent none.
    pub(super) fn of(connection: &rustls::ServerConnection) -> Option<Self> {
        let chain = connection.peer_certificates()?;
        let spki_sha256 = spki_sha256(chain.first()?)?;
        let chain = chain.iter().map(|c| c.clone().into_owned()).collect();
        Some(Self(Arc::new(Inner { spki_sha256, chain })))
    }

    /// The certificates that a proxy has seen in its handshake, which is believed; none if the first is no certificate.
    pub(super) fn vouched_for(chain: Vec<CertificateDer<'static>>) -> Option<Self> {
        let spki_sha256 = spki_sha256(chain.first()?)?;
        Some(Self(Arc::new(Inner { spki_sha256, chain })))
    }

    /// The SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_sha256(&self) -> Sha256 {
        self.0.spki_sha256
    }

    /// The SHA-256 of the certificate itself.
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        let first = self.0.chain.first();
        Sha256::of(first.map(AsRef::as_ref).unwrap_or_default())
    }

    /// A moment lies within the certificate's validity.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        let first = self.0.chain.first();
        first
            .and_then(valid)
            .is_some_and(|valid| valid.contains(&now))
    }

    /// The certificate and what was sent with it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate")
            .field(&self.spki_sha256().to_string())
            .finish()
    }
}

/// When a certificate is valid; none if it is no certificate.
#[must_use]
pub fn valid(certificate: &CertificateDer<'_>) -> Option<RangeInclusive<UnixTime>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let validity = parsed.tbs_certificate().validity();
    let time = |time: &x509_cert::time::Time| UnixTime::since_unix_epoch(time.to_unix_duration());
    Some(time(&validity.not_before)..=time(&validity.not_after))
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo; none if it is no certificate.
#[must_use]
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Option<Sha256> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    Some(Sha256::of(&spki))
}

#[cfg(test)]
impl ClientCertificate {
    /// As if somebody had shown in a handshake that they hold its key.
    pub(crate) fn shown(certificate: CertificateDer<'static>) -> Self {
        Self(Arc::new(Inner {
            spki_sha256: spki_sha256(&certificate).unwrap_or(Sha256::ZERO),
            chain: vec![certificate],
        }))
    }
}
