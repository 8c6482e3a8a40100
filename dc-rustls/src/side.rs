//! The two sides of a connection.

/// The end of connections that a wrapped cipher suite is for, with the constants it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// A client that puts `offer`, one or two whole extensions, into every ClientHello.
    Client { offer: &'static [u8] },
    /// A server that answers with a credential.
    Server,
}
