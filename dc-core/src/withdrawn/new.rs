//! Lists of withdrawn names that are made and signed.

use alloc::vec::Vec;

use bytes::BufMut;
use pki_types::UnixTime;

use super::hash::{NameHash, REST, group_bits};
use super::key::{ListKey, SIGNATURE};
use super::{FIELD, MAGIC};
use crate::codec::Vector;
use crate::error::Error;
use crate::name::UniqueName;

/// A list that is to be signed, but for its names.
#[derive(Clone, Debug)]
pub struct NewList<'a> {
    /// The zone that the names are of.
    pub zone: UniqueName<'a>,
    /// A number that never goes back.
    pub sequence: u64,
    /// When it is made.
    pub issued: UnixTime,
    /// The last second at which it may be used.
    pub expires: UnixTime,
    /// The keys that lists are signed with from now on, if that changes.
    pub next_keys: &'a [ListKey],
}

impl NewList<'_> {
    /// Encodes the list with these names, in any order. The same names give the same bytes.
    ///
    /// Fails with [`Error::LengthOutOfRange`] if there are more than 2^32-1 names or 2,047 keys.
    pub fn encode(&self, mut names: Vec<NameHash>) -> Result<UnsignedList, Error> {
        names.sort_unstable();
        names.dedup();
        let count = u32::try_from(names.len()).map_err(|_| Error::LengthOutOfRange {
            field: FIELD,
            length: names.len(),
            min: 0,
            max: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        })?;
        let bits = group_bits(count);
        let mut out = Vec::with_capacity(HEAD + REST.saturating_mul(names.len()));
        out.put_slice(MAGIC);
        Vector::UNIQUE_NAME.write(self.zone.as_str().as_bytes(), &mut out)?;
        out.put_u64(self.sequence);
        out.put_u64(self.issued.as_secs());
        out.put_u64(self.expires.as_secs());
        let keys: Vec<u8> = self.next_keys.iter().flat_map(|key| key.0).collect();
        Vector::LIST_KEYS.write(&keys, &mut out)?;
        out.put_u32(count);
        let mut behind = names.iter().peekable();
        let mut end = 0_u32;
        for group in 0..1_u64 << bits {
            while behind.next_if(|name| name.group(bits) == group).is_some() {
                end = end.saturating_add(1);
            }
            out.put_u32(end);
        }
        for name in names {
            out.put_slice(&name.rest(bits));
        }
        Ok(UnsignedList(out))
    }
}

/// The bytes of a list that list keys sign.
#[derive(Clone, Debug)]
pub struct UnsignedList(pub(super) Vec<u8>);

impl UnsignedList {
    /// The bytes to sign with each key. What they begin with is in nothing else that such a key signs.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The signed list.
    ///
    /// Fails with [`Error::LengthOutOfRange`] if there is no signature, or more than 682.
    pub fn into_signed(self, signatures: &[(ListKey, [u8; 64])]) -> Result<Vec<u8>, Error> {
        let Self(mut out) = self;
        let mut all = Vec::with_capacity(SIGNATURE.saturating_mul(signatures.len()));
        for (key, signature) in signatures {
            all.put_slice(&key.0);
            all.put_slice(signature);
        }
        Vector::LIST_SIGNATURES.write(&all, &mut out)?;
        Ok(out)
    }
}

/// Room for what stands in front of the names; with many of them there is more.
const HEAD: usize = 512;
