//! Secrets that are sealed with a key of the operator, so that they can lie where others read: a file of this module a part.

mod error;
mod key;
mod key_id;
mod keys;
mod kind;
mod sealed;

pub use error::SealError;
pub use key::SealingKey;
pub use key_id::KeyId;
pub use keys::{SealingKeys, SealingSource, Which};
pub use kind::Kind;
pub use sealed::Sealed;

/// The identity of what is sealed: nothing else's sealed bytes are opened in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label<'a> {
    /// Its purpose, such as `secret/names`.
    pub what: &'a str,
    /// The vendor whose it is.
    pub tenant: &'a str,
    /// Which one of several it is.
    pub version: u32,
}
