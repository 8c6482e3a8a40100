//! The protocol's version, and messages that are not of it.

/// The protocol's version, the first octet of each message.
pub const VERSION: u8 = 1;

/// A message is not as this version writes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the message is not one of version {VERSION} of the protocol")]
pub struct Malformed;
