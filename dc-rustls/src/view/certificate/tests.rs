use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::block::status_header;
use crate::view::testing::{any_block, any_credential, any_ocsp, credential, extension, status};
use crate::view::to_wire::block_to_wire;

const SPKI: &[u8] = &[0x30, 3, 0x30, 0xaa, 0xbb];
const OCSP_RESPONSE: &[u8] = &[0x30, 3, 0x0a, 1, 0];

fn named() -> Vec<u8> {
    credential(Form::Named, SPKI, b"n1", &[0x51, 0x52])
}

/// The block that a rustls server emits for `blob`, as it leaves the connection.
fn emitted(blob: &[u8]) -> Vec<u8> {
    let header = status_header(STATUS_HEADER_LEN + blob.len()).expect("a short blob");
    let mut block = [header.as_slice(), blob].concat();
    block_to_wire(&mut block);
    block
}

#[test]
fn packed_credential_is_emitted_in_its_own_extension() {
    let blob = pack(Form::Named, &named(), None).expect("a credential that fits");
    assert_eq!(emitted(&blob), extension(0xff22, &named()));
}

#[test]
fn packed_response_is_emitted_behind_the_credential() {
    let blob = pack(Form::Named, &named(), Some(OCSP_RESPONSE)).expect("a credential that fits");
    assert_eq!(
        emitted(&blob),
        [extension(0xff22, &named()), status(OCSP_RESPONSE)].concat()
    );
}

#[test]
fn no_blob_is_no_credential() {
    assert_eq!(unpack(b""), Ok(Unpacked::default()));
}

#[test]
fn ordinary_response_is_no_credential() {
    let expected = Unpacked {
        ocsp: OCSP_RESPONSE,
        credential: None,
    };
    assert_eq!(unpack(OCSP_RESPONSE), Ok(expected));
}

#[test]
fn refuses_a_blob_without_a_known_first_byte() {
    for first in (0..=0xff).filter(|first| !matches!(first, 0x22..=0x25 | 0x30)) {
        assert_eq!(unpack(&[first, 3, 0x0a, 1, 0]), Err(UnpackError::Malformed));
    }
}

#[test]
fn refuses_to_pack_what_is_not_one_credential() {
    let trailing = [named(), vec![7]].concat();
    for body in [&[][..], &[0; 40], &named()[1..], &trailing] {
        assert_eq!(
            pack(Form::Named, body, None),
            Err(PackError::MalformedCredential)
        );
        assert_eq!(
            pack(Form::Named, body, Some(OCSP_RESPONSE)),
            Err(PackError::MalformedCredential)
        );
    }
}

#[test]
fn refuses_to_pack_a_response_that_is_not_der() {
    for ocsp in [
        &[][..],
        b"ocsp",
        &[0x30, 4, 0x0a, 1, 0],
        &[0x30, 2, 0x0a, 1, 0],
        &[0x30, 0],
    ] {
        assert_eq!(
            pack(Form::Named, &named(), Some(ocsp)),
            Err(PackError::MalformedOcsp)
        );
    }
}

#[test]
fn packs_a_block_of_at_most_65535_bytes() {
    let around = 4 + credential(Form::Rfc9345, SPKI, b"", b"").len();
    let packed = |block_len: usize, ocsp: Option<&[u8]>| {
        let status_len = ocsp.map_or(0, |response| status(response).len());
        let signature = vec![0x51; block_len - around - status_len];
        let body = credential(Form::Rfc9345, SPKI, b"", &signature);
        pack(Form::Rfc9345, &body, ocsp).map(|blob| blob.len())
    };
    for ocsp in [None, Some(OCSP_RESPONSE)] {
        assert_eq!(packed(0xffff, ocsp), Ok(0xffff - STATUS_HEADER_LEN));
        assert_eq!(packed(0x1_0000, ocsp), Err(PackError::TooLong));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn unpack_gives_back_what_was_packed(
        (form, body) in any_credential(),
        ocsp in proptest::option::of(any_ocsp()),
    ) {
        let blob = pack(form, &body, ocsp.as_deref()).expect("a credential that fits");
        let expected = Unpacked { ocsp: ocsp.as_deref().unwrap_or_default(), credential: Some((form, body)) };
        prop_assert_eq!(unpack(&blob), Ok(expected));
    }

    #[test]
    fn unpack_finds_what_was_on_the_wire(block in any_block()) {
        let mut mapped = block.bytes;
        BlockToRustls::new(mapped.len()).apply(&mut mapped);
        let blob = mapped.get(STATUS_HEADER_LEN..).unwrap_or_default();
        prop_assert_eq!(unpack(blob), Ok(Unpacked { ocsp: &block.ocsp, credential: block.credential }));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..200), first in 0x20u8..0x32) {
        let _ = unpack(&bytes);
        let _ = unpack(&[&[first, 0, 0, 0, 0, 0, 0, 0x30], bytes.as_slice()].concat());
        let _ = pack(Form::Rfc9345, &bytes, Some(&bytes));
        let _ = pack(Form::Named, &bytes, None);
    }
}
