//! Chains of certificates that no peer accepts, whatever it trusts and whenever that is.

mod order;
mod purpose;
mod untrusted;

use dc_core::Role;
use pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use thiserror::Error;

pub use order::{OrderError, disorder};
pub use purpose::{PurposeError, misuse};
pub use untrusted::Untrusted;

/// The reason that every peer refuses a chain.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ChainError {
    /// The chain begins with another certificate than the sender's own.
    #[error(transparent)]
    Order(OrderError),
    /// A certificate of the chain is not for what it is used for.
    #[error(transparent)]
    Purpose(PurposeError),
    /// A certificate of the chain cannot be read.
    #[error("{}", Untrusted(.0))]
    Unreadable(rustls::Error),
}

/// Refuses the chain of a server or a client, the end-entity certificate first, that no peer can accept.
///
/// Fails with [`ChainError`].
pub fn check(chain: &[CertificateDer<'_>], role: Role) -> Result<(), ChainError> {
    if let Some(error) = disorder(chain) {
        return Err(ChainError::Order(error));
    }
    if let Some(error) = unreadable(chain) {
        return Err(ChainError::Unreadable(error));
    }
    match misuse(chain, role) {
        Some(error) => Err(ChainError::Purpose(error)),
        None => Ok(()),
    }
}

/// The first certificate that rustls cannot read: every peer reads them all before anything else.
pub fn unreadable<'c>(
    chain: impl IntoIterator<Item = &'c CertificateDer<'c>>,
) -> Option<rustls::Error> {
    let mut parsed = chain.into_iter().map(ParsedCertificate::try_from);
    parsed.find_map(Result::err)
}
