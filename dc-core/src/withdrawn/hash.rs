//! Names as they stand in a list of withdrawn names.

use crate::name::UniqueName;

/// A name as it stands in a list.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NameHash(pub(super) u64);

impl NameHash {
    /// The hash of a name, by the SHA-256 of a crypto provider.
    pub fn new(name: &UniqueName<'_>, sha256: impl FnOnce(&[u8]) -> [u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = sha256(name.as_str().as_bytes());
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The group that it is in.
    pub(super) fn group(self, bits: u32) -> u64 {
        // None is all 64 bits gone.
        self.0.checked_shr(64 - bits).unwrap_or(0)
    }

    /// The 48 bits behind those that say the group.
    pub(super) fn rest(self, bits: u32) -> [u8; REST] {
        let [rest @ .., _, _] = (self.0 << bits).to_be_bytes();
        rest
    }
}

/// The bits of a hash that say its group.
pub(super) fn group_bits(count: u32) -> u32 {
    let groups = count / NAMES_IN_GROUP;
    groups.checked_ilog2().unwrap_or(0).min(MAX_GROUP_BITS)
}

/// Bytes of a hash behind what its group says.
pub(super) const REST: usize = 6;
/// The fewest names that a group has on average.
const NAMES_IN_GROUP: u32 = 32;
const MAX_GROUP_BITS: u32 = 16;
