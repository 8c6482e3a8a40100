//! The order of the certificates that a server sends: its own first (RFC 8446 §4.4.2).

use std::fmt;

use pki_types::CertificateDer;

use crate::extensions::{DelegationUsage, Extensions};

/// A chain that its server cannot use as it lies: what it presents is a CA's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OrderError {
    /// It says that it may delegate, and that it is a CA's.
    DelegationByCa,
    /// The end-entity certificate is further down.
    EndEntityIsNotFirst {
        /// Where it is, counted from 1.
        at: usize,
    },
    /// There is none.
    NoEndEntity,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DelegationByCa => f.write_str(
                "the delegation certificate is a CA's (basicConstraints CA:TRUE), which is refused as a server's own: ask the CA for one with CA:FALSE"
            ),
            Self::EndEntityIsNotFirst { at } => write!(
                f,
                "the order is wrong: the server's own certificate is number {at}, and the first one, which would be presented, is a CA's: put the server's own first, then the one that signed it, and so on"
            ),
            Self::NoEndEntity => {
                f.write_str("there are only CAs' certificates: put the server's own before them")
            }
        }
    }
}

impl std::error::Error for OrderError {}

/// The reason that the first certificate cannot be the server's own: it is a CA's.
pub fn disorder(chain: &[CertificateDer<'_>]) -> Option<OrderError> {
    let is_ca = |extensions: &Extensions| extensions.is_ca;
    let extensions = |der: &CertificateDer<'_>| Extensions::of_certificate(der).ok();
    let first = extensions(chain.first()?).filter(is_ca)?;
    if first.delegation_usage == DelegationUsage::Present {
        return Some(OrderError::DelegationByCa);
    }
    let is_other = |der| !extensions(der).as_ref().is_some_and(is_ca);
    Some(match chain.iter().position(is_other) {
        Some(at) => OrderError::EndEntityIsNotFirst { at: at + 1 },
        None => OrderError::NoEndEntity,
    })
}
