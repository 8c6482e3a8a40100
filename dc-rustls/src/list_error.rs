//! The reasons that a list of withdrawn names is not taken.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::{fmt, io};

use dc_core::UniqueName;

/// A fault for which a list of withdrawn names is not taken; the one before still counts.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListError {
    /// It could not be fetched.
    Fetch(io::Error),
    /// A file cannot be read.
    File {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is not written as it should be, or not signed by a key that is trusted for its zone.
    Invalid(dc_core::Error),
    /// The provider has no SHA-256, by which names are looked up.
    NoSha256,
    /// It is older than the one that is there: somebody may be showing what was true once.
    Older {
        /// The zone.
        zone: UniqueName<'static>,
        /// The sequence number of the list.
        sequence: u64,
        /// That of the one that is there.
        known: u64,
    },
    /// It is of a zone that nobody has asked for.
    OtherZone {
        /// Its zone.
        zone: UniqueName<'static>,
    },
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => write!(f, "it could not be fetched: {error}"),
            Self::File { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Invalid(error) => fmt::Display::fmt(error, f),
            Self::NoSha256 => {
                f.write_str("the provider has no SHA-256: use one that has TLS_AES_128_GCM_SHA256")
            }
            Self::Older {
                zone,
                sequence,
                known,
            } => write!(
                f,
                "it is number {sequence} of {zone}, and older than number {known}, which is there: what answers may be a stale cache, or somebody who shows what was true once"
            ),
            Self::OtherZone { zone } => write!(
                f,
                "it is of the zone {zone}, for which no list is wanted: name the zone and its keys first"
            ),
        }
    }
}

impl StdError for ListError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Fetch(error) | Self::File { source: error, .. } => Some(error),
            Self::Invalid(error) => Some(error),
            Self::NoSha256 | Self::Older { .. } | Self::OtherZone { .. } => None,
        }
    }
}
