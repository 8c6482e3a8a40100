//! The server side: keeps credentials, picks one for each client, and serves with it.

mod acceptor;
pub(crate) mod answer;
#[cfg(feature = "axum")]
mod axum;
mod config;
pub mod danger;
mod follow;
mod identity;
mod like;
#[cfg(feature = "tokio")]
mod listener;
mod offer;
mod selection;
mod sessions;
mod signing;
mod store;
mod stream;
#[cfg(feature = "tokio")]
mod tokio;
mod watch;

use dc_core::{Form, UniqueName};
use rustls::pki_types::UnixTime;

pub use self::acceptor::Acceptor;
pub use self::config::Settings;
pub use self::identity::Identity;
pub use self::store::Store;
pub use self::stream::Stream;
pub use self::watch::Watch;
#[cfg(feature = "tokio")]
pub use self::{
    listener::{Accepted, Counters, Listener},
    tokio::AsyncStream,
};

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
