//! Values that are bound to a statement's parameters.

use pki_types::UnixTime;

use super::Error;
use crate::registry::{LAST, Sha256};

/// A value that is bound to a parameter.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Blob(Option<Vec<u8>>),
    Int(Option<i64>),
    Text(Option<String>),
}

impl Value {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Blob(_) => Kind::Blob,
            Self::Int(_) => Kind::Int,
            Self::Text(_) => Kind::Text,
        }
    }
}

/// Rows that one statement takes all at once: `{rows}` in its text stands for them, as `r`.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) rows: Vec<Vec<Value>>,
}

/// The type of a column of a [`Batch`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Blob,
    Int,
    Text,
}

/// Something in this column was never written there.
pub(super) const fn corrupt(place: &'static str) -> Error {
    Error::Corrupt { place }
}

/// A time as it is stored; what is out of range ends where the range ends.
pub(super) fn seconds(time: UnixTime) -> i64 {
    int(time.min(LAST).as_secs())
}

/// A number as it is stored; what is out of range ends where the range ends.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(Some(bytes.to_vec()))
    }
}

impl From<&Sha256> for Value {
    fn from(hash: &Sha256) -> Self {
        Self::from(&hash.as_bytes()[..])
    }
}

impl From<Option<&Sha256>> for Value {
    fn from(hash: Option<&Sha256>) -> Self {
        Self::Blob(hash.map(|hash| hash.as_bytes().to_vec()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(Some(int(number)))
    }
}

impl From<UnixTime> for Value {
    fn from(time: UnixTime) -> Self {
        Self::Int(Some(seconds(time)))
    }
}

impl From<Option<UnixTime>> for Value {
    fn from(time: Option<UnixTime>) -> Self {
        Self::Int(time.map(seconds))
    }
}
