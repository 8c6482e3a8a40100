//! The two sides of a connection.

/// The end of connections that a wrapped cipher suite is for, with the constants it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// A client that puts `offer`, one or two whole extensions, into every ClientHello.
    Client { offer: &'static [u8] },
    /// The same, and it may present a credential of its own.
    Presenting { offer: &'static [u8] },
    /// A server that answers with a credential.
    Server,
    /// A server that puts `offer` into its CertificateRequest.
    Asking {
        offer: &'static [u8],
        /// True if it answers with a credential, false if with a certificate.
        has_credential: bool,
    },
}

impl Side {
    /// True if this end is the client.
    pub(crate) fn is_client(self) -> bool {
        match self {
            Self::Client { .. } | Self::Presenting { .. } => true,
            Self::Server | Self::Asking { .. } => false,
        }
    }
}
