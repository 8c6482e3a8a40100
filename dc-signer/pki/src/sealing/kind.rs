//! The kinds of key-encryption keys.

use std::fmt;

/// The kind of key that something is sealed with. Sealed bytes say it, and it is authenticated with them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A key that was given as it is.
    Key,
    /// A key that was made of a passphrase.
    Passphrase,
    /// A key in a token (PKCS#11).
    Token,
}

impl Kind {
    /// Its name in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Passphrase => "passphrase",
            Self::Token => "token",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "a key of 64 hexadecimal digits",
            Self::Passphrase => "a passphrase",
            Self::Token => "a key in a token",
        })
    }
}

/// The same with what its key is found by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    Key,
    /// The salt beside the passphrase.
    Passphrase([u8; SALT_LEN]),
    /// The salt that the token's key made this one key of.
    Token([u8; SALT_LEN]),
}

impl Origin {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Key => Kind::Key,
            Self::Passphrase(_) => Kind::Passphrase,
            Self::Token(_) => Kind::Token,
        }
    }
}

pub(super) const SALT_LEN: usize = 16;
