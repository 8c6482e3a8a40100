//! The peer of a connection.

use dc_core::{Form, SignatureScheme};
use rustls::pki_types::UnixTime;

/// The server that answered, as far as it was proved.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Peer {
    /// Somebody with the certificate's own key: it has the certificate's names.
    Certificate,
    /// A device with a credential.
    #[non_exhaustive]
    Delegated {
        /// The form of the credential.
        form: Form,
        /// The device's name, in a credential of the named form: it is the name that was wanted.
        /// Without it, the device has any name of the delegation certificate.
        unique_name: Option<dc_core::UniqueName<'static>>,
        /// The last second at which the credential is valid.
        expires: UnixTime,
        /// The scheme that the device's key signs with.
        scheme: SignatureScheme,
        /// The device's key: a DER SubjectPublicKeyInfo.
        spki: Vec<u8>,
    },
}

impl Peer {
    /// True if a session with this peer may still be resumed.
    pub(crate) fn is_valid_at(&self, now: UnixTime) -> bool {
        match self {
            Self::Certificate => true,
            Self::Delegated { expires, .. } => now <= *expires,
        }
    }
}
