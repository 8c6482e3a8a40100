//! Who is at the other end of a connection.

use std::fmt;
use std::sync::Arc;

use pki_types::CertificateDer;
use ring::digest::{SHA256, digest};
use rustls::server::ParsedCertificate;

/// The certificate of a client that has shown, in the handshake, that it holds the private key.
///
/// Nothing else about it is checked: neither names nor times nor who signed it.
#[derive(Clone, Eq, PartialEq)]
pub struct ClientCertificate(Arc<Inner>);

#[derive(Eq, PartialEq)]
struct Inner {
    spki_sha256: [u8; 32],
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

    /// The SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_sha256(&self) -> &[u8; 32] {
        &self.0.spki_sha256
    }

    /// The certificate and what was sent with it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = data_encoding::HEXLOWER.encode(self.spki_sha256());
        f.debug_tuple("ClientCertificate").field(&hash).finish()
    }
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo; none if it is no certificate.
#[must_use]
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    digest(&SHA256, &spki).as_ref().try_into().ok()
}

#[cfg(test)]
impl ClientCertificate {
    /// As if somebody had shown in a handshake that they hold this key.
    pub(crate) fn shown(spki_sha256: [u8; 32]) -> Self {
        Self(Arc::new(Inner {
            spki_sha256,
            chain: Vec::new(),
        }))
    }
}
