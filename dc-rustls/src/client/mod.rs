//! The client side: offers credentials, verifies them, and says who the peer is.

mod authorization;
mod beginning;
mod builder;
mod config;
#[cfg(feature = "tower")]
mod connector;
mod like;
mod observer;
mod offer;
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

use dc_core::Form;

pub use self::builder::{Builder, WantsVerifier};
pub use self::config::Config;
#[cfg(feature = "tower")]
pub use self::connector::Connector;
pub use self::like::Like;
pub use self::observer::Presented;
pub use self::stream::Stream;
#[cfg(feature = "tokio")]
pub use self::tokio::AsyncStream;
#[cfg(feature = "ureq")]
pub use self::ureq::{UreqConnector, UreqTransport};
pub use crate::peer::Peer;

/// A client's policy for the unique name, which protects it from an evil twin: another device of the
/// same vendor that poses as the wanted one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NamePolicy {
    /// Offers and accepts a credential for exactly the wanted name, and nothing else unless
    /// [`Builder::or_certificate`] is called too. For clients of home servers.
    ///
    /// Connecting to an IP address fails: nobody can prove to be one.
    #[default]
    Required,
    /// Offers both forms and accepts either, or a certificate.
    ///
    /// A server that wants to can leave the name out, so this is the security of RFC 9345: every
    /// holder of a credential can pose as every name of the delegation certificate.
    Preferred,
    /// Offers and accepts the form of RFC 9345 alone, or a certificate. No protection from an evil
    /// twin.
    Ignored,
}

impl NamePolicy {
    fn forms(self) -> &'static [Form] {
        match self {
            Self::Required => &[Form::Named],
            Self::Preferred => &[Form::Named, Form::Rfc9345],
            Self::Ignored => &[Form::Rfc9345],
        }
    }

    /// The forms for what can be nobody's unique name.
    fn forms_without_name(self) -> &'static [Form] {
        match self {
            Self::Required => &[],
            Self::Preferred | Self::Ignored => &[Form::Rfc9345],
        }
    }
}
