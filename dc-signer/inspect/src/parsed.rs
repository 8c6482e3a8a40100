//! Certificates, parsed once for all that is displayed and checked of them.

use std::sync::Arc;

use dc_core::DelegationCertificate;
use pki_types::CertificateDer;

use crate::display;

/// A certificate with its contents, as far as they can be read. Clones share them.
#[derive(Clone, Debug)]
pub struct ParsedCertificate(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    der: CertificateDer<'static>,
    shown: der::Result<display::Certificate>,
    delegation: Result<DelegationCertificate<'static>, dc_core::Error>,
}

impl ParsedCertificate {
    /// Parses a certificate, whatever it is for.
    #[must_use]
    pub fn new(der: CertificateDer<'static>) -> Self {
        Self(Arc::new(Parsed {
            shown: display::Certificate::read(&der),
            delegation: DelegationCertificate::parse(der.clone()),
            der,
        }))
    }

    /// Parses a chain.
    #[must_use]
    pub fn chain(chain: impl IntoIterator<Item = CertificateDer<'static>>) -> Vec<Self> {
        chain.into_iter().map(Self::new).collect()
    }

    /// The certificate as it was received.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// Its contents.
    ///
    /// Fails with what is wrong with the DER.
    pub fn shown(&self) -> Result<&display::Certificate, &der::Error> {
        self.0.shown.as_ref()
    }

    /// The same as a delegation certificate.
    ///
    /// Fails with the requirement of RFC 9345 §4.2 that it does not meet.
    pub fn delegation(&self) -> Result<&DelegationCertificate<'static>, &dc_core::Error> {
        self.0.delegation.as_ref()
    }
}

/// The certificates of a chain alone, as checks of rustls want them.
pub(crate) fn ders(chain: &[ParsedCertificate]) -> Vec<CertificateDer<'_>> {
    let borrowed = |one| CertificateDer::from(AsRef::<[u8]>::as_ref(ParsedCertificate::der(one)));
    chain.iter().map(borrowed).collect()
}
