use std::collections::BTreeSet;
use std::string::String;
use std::{format, vec};

use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::scheme::SignatureScheme;
use crate::testing::{NOW, algorithms};

fn key(seed: u8) -> (Ed25519KeyPair, ListKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = ListKey(pair.public_key().as_ref().try_into().unwrap());
    (pair, public)
}

fn hash(name: &str) -> NameHash {
    NameHash::new(&name.try_into().unwrap(), |bytes| {
        digest(&SHA256, bytes).as_ref().try_into().unwrap()
    })
}

fn name(number: usize) -> String {
    format!("d{number}.cpe.example.com")
}

fn new_list(next_keys: &[ListKey]) -> NewList<'_> {
    NewList {
        zone: "cpe.example.com".try_into().unwrap(),
        sequence: 7,
        issued: at(NOW),
        expires: at(NOW + 86_400),
        next_keys,
    }
}

fn sign(list: UnsignedList, seeds: &[u8]) -> Vec<u8> {
    let sign = |seed: &u8| {
        let (pair, public) = key(*seed);
        let signature = pair.sign(list.as_bytes());
        (public, signature.as_ref().try_into().unwrap())
    };
    let signatures: Vec<_> = seeds.iter().map(sign).collect();
    list.into_signed(&signatures).unwrap()
}

fn signed(names: impl IntoIterator<Item = String>) -> Vec<u8> {
    let hashes = names.into_iter().map(|name| hash(&name)).collect();
    sign(new_list(&[]).encode(hashes).unwrap(), &[1])
}

fn verify(bytes: &[u8]) -> Result<WithdrawnNames, Error> {
    WithdrawnNames::verify(bytes.to_vec(), &[key(1).1], algorithms())
}

/// Signs what was changed behind the back of the encoder.
fn resigned(changed: Vec<u8>) -> Vec<u8> {
    sign(UnsignedList(changed), &[1])
}

#[test]
fn the_list_of_the_documentation_is_read_and_written() {
    let expected: String = include_str!("example.hex").split_whitespace().collect();
    let names = ["k3v.cpe.example.com", "m7q.cpe.example.com"];
    let written = signed(names.map(String::from));
    let hex: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
    let list = verify(&written).unwrap();
    assert_eq!(list.zone().as_str(), "cpe.example.com");
    assert_eq!((list.sequence(), list.len()), (7, 2));
    assert_eq!((list.issued(), list.expires()), (at(NOW), at(NOW + 86_400)));
    assert!(names.into_iter().all(|name| list.contains(hash(name))));
    assert!(!list.contains(hash("a.cpe.example.com")));
}

#[test]
fn finds_each_name_and_no_other_whatever_their_number() {
    for count in [0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 5000] {
        let list = verify(&signed((0..count).map(name))).unwrap();
        assert_eq!((list.len(), list.is_empty()), (count, count == 0));
        assert!((0..count).all(|number| list.contains(hash(&name(number)))));
        assert!((count..count + 1000).all(|number| !list.contains(hash(&name(number)))));
    }
}

#[test]
fn the_order_of_the_names_changes_nothing() {
    let ascending = signed((0..100).map(name));
    assert_eq!(ascending, signed((0..100).rev().map(name)));
    assert_eq!(ascending, signed((0..100).chain(50..100).map(name)));
}

#[test]
fn names_that_share_what_is_written_are_both_counted() {
    let list = new_list(&[]).encode(vec![NameHash(1 << 20), NameHash(1 << 20 | 1)]);
    let list = verify(&sign(list.unwrap(), &[1])).unwrap();
    assert_eq!(list.len(), 2);
    assert!(list.contains(NameHash(1 << 20)));
}

#[test]
fn a_group_has_32_to_63_names_until_there_are_two_million() {
    for count in [32, 63, 64, 1000, 10_000, 100_000, 2_000_000] {
        let average = count >> group_bits(count);
        assert!((32..64).contains(&average), "{count}: {average}");
    }
    assert_eq!([0, 1, 31, 63].map(group_bits), [0; 4]);
    assert_eq!(group_bits(u32::MAX), 16);
}

#[test]
fn hashes_at_either_end_are_in_the_first_and_the_last_group() {
    let mut hashes: Vec<_> = (0..1000).map(|number| hash(&name(number))).collect();
    hashes.extend([NameHash(0), NameHash(u64::MAX)]);
    let list = verify(&sign(new_list(&[]).encode(hashes).unwrap(), &[1])).unwrap();
    assert!(list.contains(NameHash(0)) && list.contains(NameHash(u64::MAX)));
}

#[test]
fn any_key_that_is_trusted_will_do_and_no_other() {
    let (next, trusted) = ([key(2).1], [key(3).1, key(2).1]);
    let list = new_list(&next).encode(Vec::new()).unwrap();
    let both = sign(list.clone(), &[1, 2]);
    let list_of_both = WithdrawnNames::verify(both, &trusted, algorithms()).unwrap();
    assert_eq!(list_of_both.next_keys(), next);
    let one = sign(list.clone(), &[1]);
    let verify = |bytes: &[u8], keys: &[ListKey], algorithms| {
        WithdrawnNames::verify(bytes.to_vec(), keys, algorithms).unwrap_err()
    };
    assert_eq!(verify(&one, &trusted, algorithms()), Error::ListNotSigned);
    assert_eq!(verify(&one, &[], algorithms()), Error::ListNotSigned);
    let scheme = SignatureScheme::ED25519;
    assert_eq!(
        verify(&one, &trusted, &[]),
        Error::UnsupportedScheme { scheme }
    );
    // Nor is a second signature looked at.
    let second = |seeds: &[u8]| {
        let mut signatures: Vec<_> = vec![(key(3).1, [0; 64])];
        let own = key(3).0.sign(list.as_bytes()).as_ref().try_into().unwrap();
        signatures.extend(seeds.iter().map(|_| (key(3).1, own)));
        list.clone().into_signed(&signatures).unwrap()
    };
    assert_eq!(
        verify(&second(&[3]), &trusted, algorithms()),
        Error::ListNotSigned
    );
    // The key of another's signature is no proof.
    let (_, trusted) = key(1);
    let signature = key(2).0.sign(list.as_bytes());
    let posing = [(trusted, signature.as_ref().try_into().unwrap())];
    let posing = list.into_signed(&posing).unwrap();
    assert_eq!(
        verify(&posing, &[trusted], algorithms()),
        Error::ListNotSigned
    );
}

#[test]
fn a_list_without_signatures_is_none() {
    let list = new_list(&[]).encode(Vec::new()).unwrap();
    assert!(list.clone().into_signed(&[]).is_err());
    let bare = [list.as_bytes(), &[0, 0]].concat();
    let field = Field::ListSignatures;
    assert!(matches!(verify(&bare), Err(Error::LengthOutOfRange { field: at, .. }) if at == field));
}

#[test]
fn no_bit_can_be_changed_and_nothing_cut_or_added() {
    let bytes = signed((0..40).map(name));
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            assert!(verify(&changed).is_err(), "{at}");
        }
        assert!(verify(&bytes[..at]).is_err(), "{at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let (field, bytes) = (FIELD, 1);
    assert_eq!(verify(&longer), Err(Error::TrailingData { field, bytes }));
}

/// Also by whoever has the key.
#[test]
fn hashes_out_of_order_and_tables_that_do_not_fit_are_refused() {
    let names = 64;
    let list = new_list(&[]).encode((0..names).map(|n| hash(&name(n))).collect());
    let list = list.unwrap().0;
    let rests = list.len() - REST * names;
    let [first, second] = [rests - 8, rests - 4];
    assert_eq!(list[second..rests], 64_u32.to_be_bytes());
    let mut changes: Vec<(usize, u32)> = vec![(second, 63), (second, 65), (first, 65)];
    changes.extend([(first, u32::MAX), (second, 0)]);
    for (at, end) in changes {
        let mut changed = list.clone();
        changed[at..at + 4].copy_from_slice(&end.to_be_bytes());
        let error = verify(&resigned(changed)).unwrap_err();
        assert!(matches!(error, Error::ListUnsorted { .. }), "{error}");
    }
    let mut swapped = list.clone();
    let (one, other) = swapped[rests..].split_at_mut(REST);
    one.swap_with_slice(&mut other[..REST]);
    let error = verify(&resigned(swapped)).unwrap_err();
    assert_eq!(error, Error::ListUnsorted { group: 0 });
    assert!(verify(&resigned(list)).is_ok());
}

#[test]
fn what_is_no_list_of_this_version_is_refused_as_that() {
    let mut other = signed([]);
    other[20] = b'2';
    for bytes in [&b"{\"list\":\"\"}"[..], b"", &other] {
        assert_eq!(verify(bytes), Err(Error::ListVersion));
    }
}

#[test]
fn keys_are_read_as_they_are_written() {
    let (_, key) = key(1);
    assert_eq!(ListKey::try_from(&*format!("{key}")), Ok(key));
    for text in ["", "AAAA", "not base64!", &format!("{key}AAAA")] {
        assert_eq!(ListKey::try_from(text), Err(Error::BadPublicKey), "{text}");
    }
}

#[test]
fn an_older_list_is_one_of_an_earlier_state_or_time() {
    let list = |sequence, issued| {
        let new = NewList {
            sequence,
            issued: at(issued),
            ..new_list(&[])
        };
        verify(&sign(new.encode(Vec::new()).unwrap(), &[1])).unwrap()
    };
    let (one, later, next) = (list(7, NOW), list(7, NOW + 1), list(8, NOW - 1));
    assert!(one.is_older_than(&later) && later.is_older_than(&next));
    assert!(!one.is_older_than(&one) && !next.is_older_than(&one));
}

proptest! {
    #[test]
    fn a_list_has_what_was_put_into_it(hashes: Vec<u64>, others: Vec<u64>) {
        let list = new_list(&[]).encode(hashes.iter().copied().map(NameHash).collect());
        let list = verify(&sign(list.unwrap(), &[1])).unwrap();
        let bits = 48 + list.bits;
        let known: BTreeSet<u64> = hashes.iter().map(|hash| hash >> (64 - bits)).collect();
        for hash in hashes.into_iter().chain(others) {
            let expected = known.contains(&(hash >> (64 - bits)));
            prop_assert_eq!(list.contains(NameHash(hash)), expected);
        }
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, at: usize, part: Vec<u8>) {
        let _ = verify(&bytes);
        // Behind what all lists begin with, and inside of one.
        let _ = verify(&resigned([MAGIC, &bytes].concat()));
        let mut list = new_list(&[]).encode((0..70).map(|n| hash(&name(n))).collect()).unwrap().0;
        let at = at % list.len();
        list.splice(at.., part);
        let _ = verify(&resigned(list)).map(|list| list.contains(NameHash(u64::MAX)));
    }
}

/// The sizes that `docs/withdrawn-names.md` has.
#[test]
#[cfg_attr(miri, ignore = "hashes by the thousand take minutes")]
fn each_name_takes_a_little_more_than_six_bytes() {
    let bytes = |count: u64| {
        // Spread evenly, as hashes are.
        let hashes = (0..count).map(|n| NameHash(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        sign(new_list(&[]).encode(hashes.collect()).unwrap(), &[1]).len()
    };
    assert_eq!(
        [0, 1_000, 6_000, 100_000].map(bytes),
        [170, 6_230, 36_678, 608_358]
    );
}
