//! Decoding borrows: no allocation, whatever the input.

// All of it is test code, helpers too.
#![allow(clippy::unwrap_used)]

use allocation_counter::{AllocationInfo, measure};
use dc_core::{DelegatedCredential, Form, SchemeList, UniqueName, pem};
use proptest::prelude::*;

const RFC9345: &[u8] = b"\0\0\0\x01\x08\x07\0\0\x01k\x08\x07\0\x01s";
const NAMED: &[u8] = b"\0\0\0\x01\x08\x07\0\0\x01k\x03a.b\x08\x07\0\x01s";

fn decode(form: Form, input: &[u8]) -> (bool, AllocationInfo) {
    let mut decoded = false;
    let info = measure(|| decoded = DelegatedCredential::decode(form, input).is_ok());
    (decoded, info)
}

#[test]
fn the_counter_counts() {
    let info = measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!((info.count_total, info.bytes_total), (1, 100));
}

#[test]
fn decoding_a_credential_allocates_nothing() {
    for (form, input) in [(Form::Rfc9345, RFC9345), (Form::Named, NAMED)] {
        let (decoded, info) = decode(form, input);
        assert!(decoded);
        assert_eq!(info.count_total, 0, "{form}");
    }
}

#[test]
fn parsing_a_name_allocates_nothing() {
    let info = measure(|| assert!(UniqueName::parse(b"k3v.cpe.example.com").is_ok()));
    assert_eq!(info.count_total, 0);
}

#[test]
fn case_8_a_huge_length_allocates_nothing() {
    for form in Form::ALL {
        let (decoded, info) = decode(form, b"\0\0\0\0\x08\x07\xff\xff\xffshort");
        assert!(!decoded);
        assert_eq!(info.count_total, 0, "{form}");
    }
}

proptest! {
    #[test]
    fn decoding_anything_allocates_nothing(input: Vec<u8>, named: bool) {
        let form = if named { Form::Named } else { Form::Rfc9345 };
        prop_assert_eq!(decode(form, &input).1.count_total, 0);
    }

    #[test]
    fn a_changed_credential_allocates_nothing(at: prop::sample::Index, byte: u8) {
        for (form, good) in [(Form::Rfc9345, RFC9345), (Form::Named, NAMED)] {
            let mut input = good.to_vec();
            input[at.index(good.len())] = byte;
            prop_assert_eq!(decode(form, &input).1.count_total, 0);
        }
    }

    /// A list and a file own what they read: never more than was there.
    #[test]
    fn lists_and_files_allocate_no_more_than_the_input_justifies(input: Vec<u8>) {
        let info = measure(|| drop(SchemeList::decode(&input)));
        prop_assert!(info.bytes_max as usize <= input.len());
        let file = pem::write(Form::Rfc9345, &input);
        let info = measure(|| drop(pem::read(file.as_bytes())));
        // The base64 without its line ends next to what is in it, and two lists of blocks, with room for four each at first.
        prop_assert!(info.bytes_max as usize <= 4 * file.len() + 1024);
    }
}
