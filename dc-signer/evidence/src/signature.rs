//! The signatures of a note, each a line with the name that signs.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::base64;

/// One signature of a note; shown and read as its line, `— name base64(id || signature)`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Signature {
    pub(crate) fn new(name: &str, id: [u8; 4], bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            id,
            bytes: bytes.to_vec(),
        }
    }

    /// The name that it says it is by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key that it says it is by.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl FromStr for Signature {
    type Err = Error;

    /// Fails with [`Error::BadNote`] and [`Error::BadKeyName`].
    fn from_str(line: &str) -> Result<Self, Error> {
        let (name, bytes) = line
            .strip_prefix(BEGIN)
            .and_then(|line| line.split_once(' '))
            .ok_or(BAD)?;
        check_name(name)?;
        let bytes = base64::decode(bytes).ok_or(BAD)?;
        let (id, bytes) = bytes.split_first_chunk().ok_or(BAD)?;
        match bytes.is_empty() {
            true => Err(BAD),
            false => Ok(Self {
                name: name.to_owned(),
                id: *id,
                bytes: bytes.to_vec(),
            }),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.bytes].concat();
        write!(f, "{BEGIN}{} {}", self.name, base64::encode(&bytes))
    }
}

/// Checks a name that signs.
///
/// Fails with [`Error::BadKeyName`].
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    match name.is_empty() || name.contains(is_bad) {
        true => Err(Error::BadKeyName),
        false => Ok(()),
    }
}

/// An em dash and a space.
pub(crate) const BEGIN: &str = "\u{2014} ";

/// The most signatures of a note.
pub(crate) const MAX: usize = 100;

pub(crate) const BAD: Error = Error::BadNote { max: MAX };
