//! The place of a key on the command line: a file, or a token.

use std::path::PathBuf;
use std::str::FromStr;

use dc_pki::keys::{BadTokenUri, TokenUri};

/// The place of a key: a path, or what begins with `pkcs11:`.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    Token(Box<TokenUri>),
}

impl FromStr for Place {
    type Err = BadTokenUri;

    fn from_str(text: &str) -> Result<Self, BadTokenUri> {
        match TokenUri::is_one(text) {
            true => Ok(Self::Token(Box::new(text.parse()?))),
            false => Ok(Self::File(text.into())),
        }
    }
}
