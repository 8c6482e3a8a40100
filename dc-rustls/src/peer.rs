//! The peer of a connection.

use dc_core::{Form, SignatureScheme, VerifiedCredential};
use rustls::pki_types::{ServerName, UnixTime};

/// The server that answered, or the client that came, as far as it was proved.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Peer {
    /// Somebody with the certificate's own key, who has each of the certificate's names.
    Certificate,
    /// A device with a credential.
    #[non_exhaustive]
    Delegated {
        /// The form of the credential.
        form: Form,
        /// The device's name, in a credential of the named form: a server's is the name that was wanted, and the only one
        /// that the device has proved to have. Without it, the device may be any that the delegation
        /// certificate has names for.
        unique_name: Option<dc_core::UniqueName<'static>>,
        /// The last second at which the credential is valid.
        expires: UnixTime,
        /// The scheme that the device's key signs with.
        scheme: SignatureScheme,
        /// The device's key: a DER SubjectPublicKeyInfo.
        spki: Vec<u8>,
    },
}

impl From<&VerifiedCredential> for Peer {
    fn from(credential: &VerifiedCredential) -> Self {
        Self::Delegated {
            form: credential.form(),
            unique_name: credential.unique_name().cloned(),
            expires: credential.expiry(),
            scheme: credential.scheme(),
            spki: credential.spki().to_owned(),
        }
    }
}

impl Peer {
    /// True if the unique name proves the server to be `name`, ASCII case and a final dot ignored.
    ///
    /// False for every name if the server has no unique name: which one its certificate was verified for is known
    /// to the connection, [`Stream::authenticates`](crate::client::Stream::authenticates), alone.
    #[must_use]
    pub fn authenticates(&self, name: &ServerName<'_>) -> bool {
        match self {
            Self::Delegated {
                unique_name: Some(unique_name),
                ..
            } => unique_name.is(name),
            Self::Certificate | Self::Delegated { .. } => false,
        }
    }

    /// The unique name, if the peer has proved one. A client's says who it is; see
    /// [`authenticates`](Self::authenticates) for a server's.
    #[must_use]
    pub fn unique_name(&self) -> Option<&dc_core::UniqueName<'static>> {
        match self {
            Self::Delegated { unique_name, .. } => unique_name.as_ref(),
            Self::Certificate => None,
        }
    }

    /// True if a session with this peer may still be resumed.
    pub(crate) fn is_valid_at(&self, now: UnixTime) -> bool {
        match self {
            Self::Certificate => true,
            Self::Delegated { expires, .. } => now <= *expires,
        }
    }
}
