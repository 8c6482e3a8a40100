//! Warnings: they stop nothing, but should be known.

use std::fmt;
use std::path::PathBuf;

use pki_types::UnixTime;

use super::exposed::Exposed;
use dc_pki::time::{Moment, Span};

/// Something that was done all the same, although it may not be what was meant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Others may read or change what is the service's.
    Exposed(Exposed),
    /// A circumstance of a key, a certificate or a folder.
    Pki(dc_pki::Warning),
    /// A limit is higher than another lets it be.
    LimitNotReached {
        /// Its key in the configuration.
        key: &'static str,
        /// Its value.
        limit: usize,
        /// How many there really are at most.
        most: usize,
        /// All connections that there may be.
        connections: usize,
    },
    /// A certificate that the service shows has ended.
    OwnCertificateEnded {
        /// The file.
        path: PathBuf,
        /// The time of the check.
        now: UnixTime,
        /// When it ended.
        not_after: UnixTime,
    },
    /// A certificate that the service shows ends soon.
    OwnCertificateEndsSoon {
        /// The file.
        path: PathBuf,
        /// The time of the check.
        now: UnixTime,
        /// When it ends.
        not_after: UnixTime,
    },
    /// A certificate that the service shows is not valid yet.
    OwnCertificateNotBegun {
        /// The file.
        path: PathBuf,
        /// The time of the check.
        now: UnixTime,
        /// When it begins.
        not_before: UnixTime,
    },
}

impl Warning {
    /// The same for strangers, who need not know where files are.
    pub(crate) fn without_path(self) -> String {
        match self {
            Self::OwnCertificateEnded { not_after, .. } => {
                format!(
                    "the service's own certificate ended at {}",
                    Moment(not_after)
                )
            }
            Self::OwnCertificateNotBegun { not_before, .. } => format!(
                "the service's own certificate is not valid yet: it begins at {}",
                Moment(not_before)
            ),
            other => other.to_string(),
        }
    }
}

impl From<dc_pki::Warning> for Warning {
    fn from(warning: dc_pki::Warning) -> Self {
        Self::Pki(warning)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed(exposed) => fmt::Display::fmt(exposed, f),
            Self::Pki(warning) => fmt::Display::fmt(warning, f),
            Self::LimitNotReached {
                key,
                limit,
                most,
                connections,
            } => write!(
                f,
                "listen.{key} is {limit}, but listen.max_connections = {connections} allows {most}: set {key} to {most} at most, or raise max_connections"
            ),
            Self::OwnCertificateEnded {
                path,
                now,
                not_after,
            } => write!(
                f,
                "{}, the service's own certificate, ended at {}, {} ago, and no device connects: put a new one there and reload the service",
                path.display(),
                Moment(*not_after),
                Span::about(*not_after, *now)
            ),
            Self::OwnCertificateEndsSoon {
                path,
                now,
                not_after,
            } => write!(
                f,
                "{}, the service's own certificate, ends at {}, in {}: put a new one there and reload the service",
                path.display(),
                Moment(*not_after),
                Span::about(*now, *not_after)
            ),
            Self::OwnCertificateNotBegun {
                path,
                now,
                not_before,
            } => write!(
                f,
                "{}, the service's own certificate, is not valid yet, and no device connects: it begins at {}, and this machine's clock says {}",
                path.display(),
                Moment(*not_before),
                Moment(*now)
            ),
        }
    }
}
