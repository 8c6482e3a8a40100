//! The list of withdrawn names: a few bytes for each name, looked up where they are.
//!
//! ```text
//! magic        22  "dc-withdrawn-names-v1" and a zero byte
//! zone          1  its length, and then the name
//! sequence      8
//! issued        8  seconds of Unix time
//! expires       8
//! next_keys     2  their length, and then 32 for each
//! count         4  the number of names
//! ends          4  for each group: how many names there are up to its end
//! rests         6  for each name
//! signatures    2  their length, and then 96 for each: a key and its signature over all in front of signatures
//! ```
//!
//! A name stands in the list as the first 64 bits of its SHA-256. All hashes ascend; two names may have one. There are `2^bits` groups: a hash is in the
//! group that its first `bits` bits say, and is written as the 48 bits behind these. `bits` follows from the number of names, so
//! that a group has 32 to 63 names, if there are 32 or more; it is 16 at most.
//!
//! So a name that is not in the list is taken for one that is with a probability of `count / 2^(48 + bits)`: less than
//! 2^-42 up to two million names, and 2^-40 with ten million.

mod hash;
mod key;
mod new;

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use pki_types::{SignatureVerificationAlgorithm, UnixTime};

use crate::codec::{Reader, Vector};
use crate::error::{Error, Field};
use crate::name::UniqueName;

use hash::{REST, group_bits};
use key::{KEY, SIGNATURE, check_signature};

pub use hash::NameHash;
pub use key::ListKey;
pub use new::{NewList, UnsignedList};

/// A list whose signature was verified.
#[derive(Clone, Eq, PartialEq)]
pub struct WithdrawnNames {
    zone: UniqueName<'static>,
    sequence: u64,
    issued: UnixTime,
    expires: UnixTime,
    next_keys: Vec<ListKey>,
    bits: u32,
    /// Four bytes for each group.
    ends: Bytes,
    /// Six bytes for each name.
    rests: Bytes,
}

impl WithdrawnNames {
    /// Reads a list that one of these keys has signed. It keeps the bytes, and copies none for the names.
    ///
    /// Times, zone and sequence are for the caller to compare.
    ///
    /// Fails with [`Error::ListVersion`], [`Error::Truncated`], [`Error::LengthOutOfRange`], [`Error::TrailingData`],
    /// [`Error::MalformedName`] or [`Error::ListUnsorted`] if it is not written as it should be, with
    /// [`Error::UnsupportedScheme`] if the provider has no Ed25519, and with [`Error::ListNotSigned`].
    pub fn verify(
        signed: impl Into<Bytes>,
        keys: &[ListKey],
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Error> {
        let signed = signed.into();
        let mut reader = Reader::new(&signed);
        let list = Self::read(&signed, &mut reader)?;
        let covered = signed.len().saturating_sub(reader.rest().len());
        let signatures = entries::<SIGNATURE>(reader.vector(Vector::LIST_SIGNATURES)?)?;
        reader.expect_empty(Field::WithdrawnNames)?;
        let covered = signed.get(..covered).unwrap_or_default();
        check_signature(covered, signatures, keys, algorithms)?;
        list.check_order()?;
        Ok(list)
    }

    /// The zone that a list says it is of, before anything is verified: to find the keys by.
    ///
    /// Fails with [`Error::ListVersion`], [`Error::Truncated`], [`Error::LengthOutOfRange`] or [`Error::MalformedName`].
    pub fn claimed_zone(signed: &[u8]) -> Result<UniqueName<'static>, Error> {
        read_zone(&mut Reader::new(signed))
    }

    fn read(signed: &Bytes, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let zone = read_zone(reader)?;
        let (sequence, issued, expires) =
            (reader.u64(FIELD)?, reader.u64(FIELD)?, reader.u64(FIELD)?);
        let next_keys = entries::<KEY>(reader.vector(Vector::LIST_KEYS)?)?;
        let count = reader.u32(FIELD)?;
        let bits = group_bits(count);
        let ends = reader.take(GROUP_END.saturating_mul(1 << bits), FIELD)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let rests = reader.take(REST.saturating_mul(count), FIELD)?;
        Ok(Self {
            zone,
            sequence,
            issued: at(issued),
            expires: at(expires),
            next_keys: next_keys.iter().copied().map(ListKey).collect(),
            bits,
            ends: signed.slice_ref(ends),
            rests: signed.slice_ref(rests),
        })
    }

    /// Fails unless the groups are next to each other and have all hashes, which ascend in each.
    fn check_order(&self) -> Result<(), Error> {
        let mut rests = self.rests();
        let mut before = 0;
        let mut group = 0;
        for end in self.ends().iter().map(|end| to_usize(*end)) {
            let own = end.checked_sub(before);
            let split = own.and_then(|own| rests.split_at_checked(own));
            let (own, behind) = split.ok_or(Error::ListUnsorted { group })?;
            if !own.is_sorted() {
                return Err(Error::ListUnsorted { group });
            }
            (rests, before, group) = (behind, end, group + 1);
        }
        match rests.is_empty() {
            true => Ok(()),
            false => Err(Error::ListUnsorted { group }),
        }
    }

    /// True if the list has this name, or by chance another one of the same hash.
    #[must_use]
    pub fn contains(&self, name: NameHash) -> bool {
        let Ok(group) = usize::try_from(name.group(self.bits)) else {
            return false;
        };
        let end = |group: usize| self.ends().get(group).map(|end| to_usize(*end));
        let start = group.checked_sub(1).map_or(Some(0), end);
        let (Some(start), Some(end)) = (start, end(group)) else {
            return false;
        };
        let group = self.rests().get(start..end).unwrap_or_default();
        group.binary_search(&name.rest(self.bits)).is_ok()
    }

    /// The zone that the names are of.
    #[must_use]
    pub fn zone(&self) -> &UniqueName<'static> {
        &self.zone
    }

    /// The number of the list's state: it grows whenever a name is withdrawn or restored.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When it was made.
    #[must_use]
    pub fn issued(&self) -> UnixTime {
        self.issued
    }

    /// The last second at which it may be used without asking for a newer one.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// The keys that lists are signed with from now on, while one replaces another: whoever trusts the key that signed
    /// this can trust these. None means that it stays as it is.
    #[must_use]
    pub fn next_keys(&self) -> &[ListKey] {
        &self.next_keys
    }

    /// The number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rests().len()
    }

    /// True if no name is withdrawn.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rests.is_empty()
    }

    /// True if this list is older than another one of its zone: whoever has that does not take this.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        (self.sequence, self.issued) < (other.sequence, other.issued)
    }

    fn ends(&self) -> &[[u8; GROUP_END]] {
        self.ends.as_chunks().0
    }

    fn rests(&self) -> &[[u8; REST]] {
        self.rests.as_chunks().0
    }
}

impl fmt::Debug for WithdrawnNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            zone,
            sequence,
            issued,
            expires,
            next_keys,
            bits: _,
            ends: _,
            rests: _,
        } = self;
        f.debug_struct("WithdrawnNames")
            .field("zone", zone)
            .field("sequence", sequence)
            .field("issued", issued)
            .field("expires", expires)
            .field("next_keys", next_keys)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The beginning of a list.
fn read_zone(reader: &mut Reader<'_>) -> Result<UniqueName<'static>, Error> {
    // Whatever else it is, it is no shorter list.
    if reader.take(MAGIC.len(), FIELD) != Ok(MAGIC) {
        return Err(Error::ListVersion);
    }
    UniqueName::parse(reader.vector(Vector::UNIQUE_NAME)?).map(UniqueName::into_owned)
}

/// A vector of what is so long.
fn entries<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], Error> {
    match bytes.as_chunks() {
        (entries, []) => Ok(entries),
        (_, left) => Err(Error::TrailingData {
            field: FIELD,
            bytes: left.len(),
        }),
    }
}

fn to_usize(end: [u8; GROUP_END]) -> usize {
    usize::try_from(u32::from_be_bytes(end)).unwrap_or(usize::MAX)
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

const MAGIC: &[u8] = b"dc-withdrawn-names-v1\0";
const FIELD: Field = Field::WithdrawnNames;
/// Bytes of the end of a group.
const GROUP_END: usize = 4;

#[cfg(test)]
mod tests;
