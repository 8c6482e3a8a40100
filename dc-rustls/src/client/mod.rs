//! The client side: offers credentials, verifies them, and says who the peer is.

mod authorization;
mod beginning;
mod builder;
mod config;
#[cfg(feature = "tower")]
mod connector;
pub mod danger;
mod early;
mod ech;
mod hpke;
mod identities;
mod like;
mod no_certificate;
mod observer;
mod offering;
mod remembered;
pub(crate) mod sessions;
pub(crate) mod standing;
mod stream;
#[cfg(feature = "tokio")]
mod tokio;
#[cfg(feature = "ureq")]
mod ureq;
#[cfg(any(feature = "tower", feature = "ureq"))]
mod url;
mod verifier;

pub use self::builder::{Builder, WantsVerifier};
pub use self::config::Config;
#[cfg(feature = "tower")]
pub use self::connector::Connector;
pub use self::early::{EarlyData, EarlyDataStatus};
pub use self::ech::EchMode;
pub use self::identities::IdentityStore;
pub use self::like::Like;
pub use self::observer::Presented;
pub use self::stream::Stream;
#[cfg(feature = "tokio")]
pub use self::tokio::AsyncStream;
#[cfg(feature = "ureq")]
pub use self::ureq::{UreqConnector, UreqTransport};
pub use crate::identity::Identity;
pub use crate::peer::Peer;
pub use crate::policy::NamePolicy;
pub use crate::watch::Watch;
pub use rustls::client::EchStatus;
