//! The server side: keeps credentials, picks one for each client, and serves with it.

mod acceptor;
pub(crate) mod answer;
mod asking;
#[cfg(feature = "axum")]
mod axum;
mod client_credentials;
mod client_sessions;
mod client_verifier;
mod config;
pub mod danger;
mod early;
mod entries;
mod follow;
mod greeting;
mod like;
#[cfg(feature = "tokio")]
mod listener;
mod offer;
mod scope;
mod selection;
mod sessions;
mod store;
mod stream;
#[cfg(feature = "tokio")]
mod tokio;
mod watch;

use std::fmt;

use dc_core::{Form, UniqueName};
use rustls::pki_types::UnixTime;

pub use self::acceptor::Acceptor;
pub use self::client_credentials::ClientCredentials;
pub(crate) use self::client_verifier::ConnectionVerifier;
pub use self::config::Settings;
pub use self::early::EarlyData;
pub use self::store::Store;
pub use self::stream::Stream;
#[cfg(feature = "tokio")]
pub use self::{
    listener::{Accepted, Counters, Listener},
    tokio::AsyncStream,
};
pub use crate::identity::Identity;
pub use crate::peer::Peer;
pub use crate::policy::NamePolicy;
pub use crate::watch::Watch;

/// The credential or certificate that a client was served with.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Served {
    /// The fallback certificate.
    Certificate,
    /// A credential, or a session that was made with one.
    #[non_exhaustive]
    Delegated {
        /// The form of the credential.
        form: Form,
        /// The device's name, in a credential of the named form.
        unique_name: Option<UniqueName<'static>>,
        /// The last second at which the credential is valid.
        expires: UnixTime,
    },
}

/// As a sentence names it that begins with "served with".
impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("the fallback certificate"),
            Self::Delegated {
                unique_name: Some(name),
                ..
            } => write!(f, "a credential for {name}"),
            Self::Delegated { .. } => f.write_str("an RFC 9345 credential"),
        }
    }
}
