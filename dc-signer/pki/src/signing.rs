//! Where a delegation key is, and the reasons that it does not sign.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process_fault::ProcessFault;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// The place of a key, as an operator names it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyLocation {
    /// A PEM file.
    File(PathBuf),
    /// A key that a signing process holds, by the process's socket.
    Process(PathBuf),
    /// A key in a token (PKCS#11).
    Token(Box<TokenUri>),
}

impl KeyLocation {
    /// The file, if the key is in one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Process(_) | Self::Token(_) => None,
        }
    }
}

impl From<PathBuf> for KeyLocation {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Process(path) => path.display().fmt(f),
            Self::Token(uri) => uri.fmt(f),
        }
    }
}

/// A key did not sign.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{key}: {fault}")]
pub struct NotSigned {
    /// The key.
    pub key: KeyLocation,
    /// The reason.
    #[source]
    pub fault: KeyFault,
}

/// The reason that a key did not sign.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The key is in this process, and its library did not sign with it.
    #[error("the key is loaded and does not sign: {source}: replace it")]
    Library {
        /// The cause.
        source: rustls::Error,
    },
    /// Whatever has the key does not answer.
    #[error("it has not answered for {} s: look at what it is reached through", waited.as_secs())]
    Silent {
        /// The time that it had.
        waited: Duration,
    },
    /// The key is in a signing process.
    #[error(transparent)]
    Process {
        /// The cause.
        fault: ProcessFault,
    },
    /// The key is in a token.
    #[error(transparent)]
    Token {
        /// The cause.
        fault: TokenFault,
    },
}

impl KeyFault {
    /// True if the same key may sign later without anybody's doing anything here: its machine is away, or busy.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Library { .. } => false,
            Self::Silent { .. } => true,
            Self::Process { fault } => fault.is_temporary(),
            Self::Token { fault } => fault.is_temporary(),
        }
    }
}
