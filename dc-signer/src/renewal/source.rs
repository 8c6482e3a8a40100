//! Where delegation certificates come from: a CA, however it is spoken to.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use pki_types::UnixTime;
use thiserror::Error;

/// An answer that takes its time: minutes, if a CA looks at DNS first.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, OrderError>> + Send + 'a>>;

/// The time from which a CA wants a certificate to be renewed, the time until which, and how long its word holds (RFC 9773 §4.2).
pub type RenewalWindow = (UnixTime, UnixTime, Option<Duration>);

/// A CA that certificates are ordered from.
///
/// It says nothing about whether what came back is what was asked for: that is looked at by whoever asked.
pub trait CertificateSource: fmt::Debug + Send + Sync {
    /// Orders a certificate with a request in DER, for these DNS names, and returns its chain in PEM, the certificate first.
    ///
    /// `replaces` is the DER certificate whose place it takes, for CAs that want to know. Dropping the future gives the order
    /// up, not what the CA has begun.
    ///
    /// Fails with [`OrderError`].
    fn order<'a>(
        &'a self,
        csr_der: &'a [u8],
        names: &'a [String],
        replaces: Option<&'a [u8]>,
    ) -> Answer<'a, Vec<u8>>;

    /// Asks when the CA wants a DER certificate of its own to be renewed; `None` if it has no opinion.
    ///
    /// Fails with [`OrderError`].
    fn renewal_window<'a>(&'a self, certificate_der: &'a [u8])
    -> Answer<'a, Option<RenewalWindow>>;
}

/// The reason that there is no certificate.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum OrderError {
    /// The CA, or the way to it, cannot now: the same order may do later, after the time that the CA names.
    #[error("{1}")]
    Later(Option<Duration>, String),
    /// The CA says no to what was asked: the same order will fail again until somebody changes something there.
    #[error("{0}")]
    Refused(String),
    /// This machine is not set up for it: a hook, a credential or a file is missing or wrong.
    #[error("{0}")]
    Setup(String),
}

impl OrderError {
    /// The time after which the CA wants to be asked again, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Later(after, _) => *after,
            Self::Refused(_) | Self::Setup(_) => None,
        }
    }
}
