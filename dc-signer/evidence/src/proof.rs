//! Proofs that a record is in a tree, and that a tree begins with an older one (RFC 9162 §2.1.3 and §2.1.4).
//!
//! A proof is the roots of some ranges of records. Which ones follows from sizes alone, so whoever has the records
//! makes the roots, from wherever they are kept.

use std::ops::Range;

use crate::{Error, Hash};

/// The ranges of records whose roots are the proof that record `index` is in a tree of `size`, in the order of the
/// proof (RFC 9162 §2.1.3.1). There are at most 63.
///
/// Fails with [`Error::OutOfTree`].
pub fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<Range<u64>>, Error> {
    if index >= size {
        return Err(Error::OutOfTree { index, size });
    }
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = tree.start + left_size(tree.end - tree.start);
        let other = match index < middle {
            true => middle..std::mem::replace(&mut tree.end, middle),
            false => std::mem::replace(&mut tree.start, middle)..middle,
        };
        ranges.push(other);
    }
    ranges.reverse();
    Ok(ranges)
}

/// Checks that the record with this hash has place `index` in the tree of `size` with this root (RFC 9162 §2.1.3.2).
///
/// Fails with [`Error::OutOfTree`], and with [`Error::NotIncluded`].
pub fn verify_inclusion(
    record: Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), Error> {
    if index >= size {
        return Err(Error::OutOfTree { index, size });
    }
    let refused = Error::NotIncluded { index, size };
    let (mut place, mut last, mut hash) = (index, size - 1, record);
    for other in proof {
        if last == 0 {
            return Err(refused);
        }
        if place & 1 == 1 || place == last {
            hash = Hash::of_node(other, &hash);
            // The right edge skips the levels at which it has nothing beside it.
            let skipped = place.trailing_zeros().min(63);
            (place, last) = (place >> skipped, last >> skipped);
        } else {
            hash = Hash::of_node(&hash, other);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match last == 0 && hash == *root {
        true => Ok(()),
        false => Err(refused),
    }
}

/// The ranges of records whose roots are the proof that a tree of `new` records begins with the one of `old`, in the
/// order of the proof (RFC 9162 §2.1.4.1). There are at most 64, and none if both are the same or the older is empty.
///
/// Fails with [`Error::OutOfTree`] if `old` is larger.
pub fn consistency_ranges(old: u64, new: u64) -> Result<Vec<Range<u64>>, Error> {
    if old > new {
        return Err(Error::OutOfTree {
            index: old,
            size: new,
        });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    let mut tree = 0..new;
    // Until this part of the larger tree ends where the smaller one does.
    while tree.end != old {
        let middle = tree.start + left_size(tree.end - tree.start);
        let other = match old <= middle {
            true => middle..std::mem::replace(&mut tree.end, middle),
            false => std::mem::replace(&mut tree.start, middle)..middle,
        };
        ranges.push(other);
    }
    // All of the smaller tree is known to whoever asks.
    if tree.start != 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    Ok(ranges)
}

/// Checks that the tree of `new` records begins with the one of `old` (RFC 9162 §2.1.4.2); the proof of an empty tree is
/// empty, and so is that of the same one.
///
/// Fails with [`Error::OutOfTree`] if `old` is larger, and with [`Error::Rewritten`].
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), Error> {
    if old > new {
        let (index, size) = (old, new);
        return Err(Error::OutOfTree { index, size });
    }
    let is_shown = match (old, proof) {
        (0, []) => *old_root == Hash::of_nothing(),
        (0, _) => false,
        (_, []) => old == new && old_root == new_root,
        _ if old == new => false,
        (_, proof) => joins(old, new, old_root, proof) == Some((*old_root, *new_root)),
    };
    match is_shown {
        true => Ok(()),
        false => Err(Error::Rewritten { old, new }),
    }
}

/// Both roots that a proof leads to; none if it has too few or too many hashes.
fn joins(old: u64, new: u64, old_root: &Hash, proof: &[Hash]) -> Option<(Hash, Hash)> {
    let (first, rest) = match old.is_power_of_two() {
        true => (old_root, proof),
        false => proof.split_first()?,
    };
    let whole = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> whole, (new - 1) >> whole);
    let (mut older, mut newer) = (*first, *first);
    for other in rest {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            older = Hash::of_node(other, &older);
            newer = Hash::of_node(other, &newer);
            let skipped = place.trailing_zeros().min(63);
            (place, last) = (place >> skipped, last >> skipped);
        } else {
            newer = Hash::of_node(&newer, other);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    (last == 0).then_some((older, newer))
}

/// The largest power of two smaller than this, which is at least 2: how many records stand on the left.
fn left_size(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;

    use super::*;
    use crate::Frontier;

    type Other = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

    fn record(number: u64) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    fn root(range: Range<u64>) -> Hash {
        let mut tree = Frontier::new();
        range.for_each(|number| tree.push(Hash::of_record(&record(number))));
        tree.root()
    }

    fn roots(ranges: Vec<Range<u64>>) -> Vec<Hash> {
        ranges.into_iter().map(root).collect()
    }

    fn other(size: u64) -> Other {
        let mut other = Other::new();
        (0..size).for_each(|number| other.push(record(number)));
        other
    }

    fn pair() -> impl Strategy<Value = (u64, u64)> {
        (1u64..130).prop_flat_map(|size| (0..size, Just(size)))
    }

    /// Everything that can be wrong with a proof by one step.
    fn bent(proof: &[Hash], place: usize) -> Vec<Vec<Hash>> {
        let mut bent = vec![[proof, &[Hash::of_nothing()]].concat()];
        bent.push([&[Hash::of_nothing()], proof].concat());
        if !proof.is_empty() {
            bent.push(proof[1..].to_vec());
            bent.push(proof[..proof.len() - 1].to_vec());
            let mut changed = proof.to_vec();
            changed[place % proof.len()] = Hash::of_record(b"another");
            bent.push(changed);
        }
        bent
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_record_is_shown_as_another_implementation_shows_it((index, size) in pair(), place: usize) {
            let proof = roots(inclusion_ranges(index, size).unwrap());
            let bytes: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let theirs = other(size).prove_inclusion(usize::try_from(index).unwrap());
            prop_assert_eq!(&bytes[..], theirs.as_bytes());
            let (hash, root) = (Hash::of_record(&record(index)), root(0..size));
            prop_assert_eq!(verify_inclusion(hash, index, size, &root, &proof), Ok(()));
            let refused = Err(Error::NotIncluded { index, size });
            for bent in bent(&proof, place) {
                prop_assert_eq!(verify_inclusion(hash, index, size, &root, &bent), refused.clone());
            }
            let changed = Hash::of_record(b"another");
            prop_assert_eq!(verify_inclusion(changed, index, size, &root, &proof), refused.clone());
            prop_assert_eq!(verify_inclusion(hash, index, size, &changed, &proof), refused);
            for wrong in (0..size).filter(|wrong| *wrong != index) {
                prop_assert!(verify_inclusion(hash, wrong, size, &root, &proof).is_err());
            }
        }

        #[test]
        fn a_tree_is_shown_to_go_on_as_another_implementation_shows_it((old, new) in pair(), place: usize) {
            prop_assume!(old > 0);
            let proof = roots(consistency_ranges(old, new).unwrap());
            let bytes: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let added = usize::try_from(new - old).unwrap();
            let theirs = other(new).prove_consistency(added);
            prop_assert_eq!(&bytes[..], theirs.as_bytes());
            let (before, after) = (root(0..old), root(0..new));
            prop_assert_eq!(verify_consistency((old, &before), (new, &after), &proof), Ok(()));
            let refused = Err(Error::Rewritten { old, new });
            for bent in bent(&proof, place) {
                prop_assert_eq!(verify_consistency((old, &before), (new, &after), &bent), refused.clone());
            }
            let changed = Hash::of_record(b"another");
            prop_assert_eq!(verify_consistency((old, &changed), (new, &after), &proof), refused.clone());
            prop_assert_eq!(verify_consistency((old, &before), (new, &changed), &proof), refused);
        }

        #[test]
        fn no_sizes_are_too_large(index: u64, size: u64, hashes in 0usize..70) {
            let proof = vec![Hash::of_nothing(); hashes];
            let nothing = Hash::of_nothing();
            let ranges = inclusion_ranges(index, size).map_or(0, |ranges| ranges.len());
            prop_assert!(ranges <= 64);
            let ranges = consistency_ranges(index, size).map_or(0, |ranges| ranges.len());
            prop_assert!(ranges <= 65);
            prop_assert!(verify_inclusion(nothing, index, size, &nothing, &proof).is_err());
            prop_assume!(index != size && index != 0);
            prop_assert!(verify_consistency((index, &nothing), (size, &nothing), &proof).is_err());
        }
    }

    #[test]
    fn a_tree_goes_on_from_nothing_and_from_itself() {
        let (nothing, some) = (Hash::of_nothing(), root(0..3));
        assert_eq!(consistency_ranges(0, 3), Ok(vec![]));
        assert_eq!(consistency_ranges(3, 3), Ok(vec![]));
        assert_eq!(verify_consistency((0, &nothing), (3, &some), &[]), Ok(()));
        assert_eq!(verify_consistency((3, &some), (3, &some), &[]), Ok(()));
        let wrong = [
            verify_consistency((0, &some), (3, &some), &[]),
            verify_consistency((0, &nothing), (3, &some), &[some]),
            verify_consistency((3, &some), (3, &nothing), &[]),
            verify_consistency((3, &some), (3, &some), &[some]),
            verify_consistency((2, &some), (3, &some), &[]),
        ];
        for wrong in wrong {
            assert!(matches!(wrong, Err(Error::Rewritten { .. })), "{wrong:?}");
        }
        let (index, size) = (4, 3);
        let beyond = Error::OutOfTree { index, size };
        assert_eq!(consistency_ranges(4, 3), Err(beyond.clone()));
        assert_eq!(verify_consistency((4, &some), (3, &some), &[]), Err(beyond));
    }
}
