//! Merkle trees (RFC 9162 §2.1, the same as RFC 6962 §2.1) over any number of records in the space of one path.

use std::fmt;
use std::ops::Range;

use ring::digest::{Context, SHA256};

use crate::Error;
use crate::base64;

/// A hash in the tree: SHA-256, 32 bytes; shown in base64.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of a record: `SHA-256(0x00 || record)` (RFC 9162 §2.1.1).
    #[must_use]
    pub fn of_record(record: &[u8]) -> Self {
        digest(&[&[0], record])
    }

    /// The hash of a node: `SHA-256(0x01 || left || right)` (RFC 9162 §2.1.1).
    #[must_use]
    pub fn of_node(left: &Self, right: &Self) -> Self {
        digest(&[&[1], &left.0, &right.0])
    }

    /// The root of a tree without records: `SHA-256("")` (RFC 9162 §2.1.1).
    #[must_use]
    pub fn of_nothing() -> Self {
        digest(&[])
    }

    /// A hash that was made before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the one spelling in base64 that there is; none if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = base64::decode(text)?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}

/// The right edge of a tree: all that is needed to add records and to say the root, at most 63 hashes.
///
/// It has the roots of the perfect subtrees that the tree is made of, the largest first: as many as the size has
/// binary ones.
///
/// ```
/// use dc_evidence::{Frontier, Hash};
///
/// let mut tree = Frontier::new();
/// for record in [b"first", b"third"] {
///     tree.push(Hash::of_record(record));
/// }
/// assert_eq!(tree.size(), 2);
/// assert_eq!(tree.root(), Hash::of_node(&Hash::of_record(b"first"), &Hash::of_record(b"third")));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Of a tree without records.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            roots: Vec::new(),
        }
    }

    /// Of a tree of so many records, with what [`Self::roots`] said of it.
    ///
    /// Fails with [`Error::BadFrontier`].
    pub fn from_roots(size: u64, roots: Vec<Hash>) -> Result<Self, Error> {
        let (expected, found) = (size.count_ones(), roots.len());
        match size <= MAX_SIZE && u32::try_from(found) == Ok(expected) {
            true => Ok(Self { size, roots }),
            false => Err(Error::BadFrontier {
                size,
                expected,
                found,
            }),
        }
    }

    /// Adds the hash of a record.
    pub fn push(&mut self, record: Hash) {
        self.put(0, record);
    }

    /// Adds `2^height` records at once, by the root of the perfect tree over them.
    ///
    /// Fails with [`Error::Unaligned`] unless the size is a multiple of `2^height`, and if it would go beyond `2^63 - 1`.
    pub fn push_tree(&mut self, height: u32, root: Hash) -> Result<(), Error> {
        let size = self.size;
        let unaligned = Error::Unaligned { height, size };
        let count = 1u64.checked_shl(height).unwrap_or(u64::MAX);
        if !size.is_multiple_of(count) || count > MAX_SIZE - size {
            return Err(unaligned);
        }
        self.put(height, root);
        Ok(())
    }

    /// Joins a perfect tree with those before it that are as high, as in an addition in binary.
    fn put(&mut self, height: u32, mut root: Hash) {
        let carries = (self.size >> height).trailing_ones();
        for _ in 0..carries {
            if let Some(left) = self.roots.pop() {
                root = Hash::of_node(&left, &root);
            }
        }
        self.roots.push(root);
        self.size += 1 << height;
    }

    /// The right edge of the records of a range, as far as the tree has them: to add those that it has not, and say the root
    /// of the range. Records of the tree that are in the range are whole subtrees that are kept, or else it fails.
    ///
    /// Fails with [`Error::OutOfTree`].
    pub fn part(&self, range: &Range<u64>) -> Result<Self, Error> {
        let refused = Error::OutOfTree {
            index: range.start,
            size: self.size,
        };
        let (mut at, mut part) = (0, Self::new());
        let mut roots = self.roots.iter();
        let heights = (0..u64::BITS).rev();
        for height in heights.filter(|height| self.size >> height & 1 == 1) {
            let Some(root) = roots.next() else { break };
            let end = at + (1 << height);
            if range.start <= at && end <= range.end {
                part.push_tree(height, *root)?;
            } else if range.start < end && at < range.end {
                return Err(refused);
            }
            at = end;
        }
        Ok(part)
    }

    /// How many records the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees that the tree is made of, the largest first.
    #[must_use]
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// The root of the whole tree, `MTH` of RFC 9162 §2.1.1.
    #[must_use]
    pub fn root(&self) -> Hash {
        let joined = self.roots.iter().rev().copied();
        let joined = joined.reduce(|right, left| Hash::of_node(&left, &right));
        joined.unwrap_or_else(Hash::of_nothing)
    }
}

/// The most that databases can count.
const MAX_SIZE: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(count: u64) -> impl Iterator<Item = Hash> {
        (0..count).map(|number| Hash::of_record(&number.to_be_bytes()))
    }

    fn tree(count: u64) -> Frontier {
        let mut tree = Frontier::new();
        records(count).for_each(|record| tree.push(record));
        tree
    }

    /// RFC 9162 §2.1.1, word by word.
    fn plain_root(records: &[Hash]) -> Hash {
        match records {
            [] => Hash::of_nothing(),
            [one] => *one,
            many => {
                let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
                Hash::of_node(&plain_root(left), &plain_root(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        // The tree of certificate-transparency-go's testdata, which other implementations test with too.
        let records = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let mut tree = Frontier::new();
        for (record, root) in records.into_iter().zip(roots) {
            tree.push(Hash::of_record(&hex(record)));
            assert_eq!(tree.root().as_bytes()[..], hex(root));
        }
    }

    #[test]
    fn nothing_has_a_root() {
        let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(Frontier::new().root().to_string(), root);
        assert_eq!(Hash::parse(root), Some(Hash::of_nothing()));
    }

    #[test]
    fn a_frontier_of_another_size_is_refused() {
        let roots = tree(5).roots().to_vec();
        assert_eq!(Frontier::from_roots(5, roots.clone()), Ok(tree(5)));
        for size in [0, 1, 7, u64::MAX] {
            let refused = Frontier::from_roots(size, roots.clone()).unwrap_err();
            assert!(matches!(refused, Error::BadFrontier { found: 2, .. }));
        }
    }

    #[test]
    fn a_subtree_stands_only_where_it_fits() {
        let root = Hash::of_nothing();
        for (size, height) in [(1, 1), (2, 2), (6, 2), (0, 63), (0, 64), (0, u32::MAX)] {
            let refused = tree(size).push_tree(height, root).unwrap_err();
            assert_eq!(refused, Error::Unaligned { height, size });
        }
        let mut large = Frontier::new();
        large.push_tree(62, root).unwrap();
        let size = 1 << 62;
        assert_eq!(
            large.push_tree(62, root),
            Err(Error::Unaligned { height: 62, size })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_proof_of_an_edge_is_that_of_the_records((old, new) in (0u64..200).prop_flat_map(|old| (Just(old), old..260))) {
            let all: Vec<Hash> = records(new).collect();
            let slice = |range: Range<u64>| &all[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            let edge = tree(old);
            for range in crate::consistency_ranges(old, new).unwrap() {
                let mut part = edge.part(&range).unwrap();
                for record in slice(range.start.max(old).min(range.end)..range.end) {
                    part.push(*record);
                }
                prop_assert_eq!(part.root(), plain_root(slice(range)));
            }
            if old > 1 {
                // One record of it is in a subtree of more, unless the size is odd.
                let within = edge.part(&(0..1));
                prop_assert_eq!(within.is_err(), old > 1);
            }
        }

        #[test]
        fn a_root_is_that_of_the_plain_sentence_and_of_another_implementation(count in 0u64..300) {
            let mut other = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
            (0..count).for_each(|number| other.push(number.to_be_bytes().to_vec()));
            let tree = tree(count);
            prop_assert_eq!(tree.root(), plain_root(&records(count).collect::<Vec<_>>()));
            let (root, theirs) = (tree.root(), other.root());
            prop_assert_eq!(&root.as_bytes()[..], &theirs.as_bytes()[..]);
            prop_assert_eq!(tree.roots().len(), count.count_ones() as usize);
        }

        #[test]
        fn subtrees_and_records_make_the_same_tree(count in 0u64..600, height in 0u32..6) {
            let all: Vec<Hash> = records(count).collect();
            let mut tree = Frontier::new();
            let mut whole = all.chunks_exact(1 << height);
            for records in &mut whole {
                tree.push_tree(height, plain_root(records)).unwrap();
            }
            whole.remainder().iter().for_each(|record| tree.push(*record));
            prop_assert_eq!(tree.root(), plain_root(&all));
            prop_assert_eq!(tree.size(), count);
        }
    }
}
