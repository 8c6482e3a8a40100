use proptest::prelude::*;

use super::*;
use crate::view::certificate::{UnpackError, unpack};
use crate::view::testing::{any_block, credential, extension, status};
use crate::view::to_wire::block_to_wire;

const SPKI: &[u8] = &[0x30, 3, 0x30, 0xaa, 0xbb];
const OCSP_RESPONSE: &[u8] = &[0x30, 3, 0x0a, 1, 0];

fn map(block: &[u8]) -> Vec<u8> {
    let mut mapped = block.to_vec();
    BlockToRustls::new(block.len()).apply(&mut mapped);
    mapped
}

/// Unpacks the blob of a block, if rustls accepts the block.
fn refusal(block: &[u8]) -> Option<UnpackError> {
    let mapped = map(block);
    assert_eq!(mapped.len(), block.len());
    let blob = mapped.strip_prefix(status_header(mapped.len())?.as_slice())?;
    Some(unpack(blob).expect_err("a block that does not fit was unpacked"))
}

fn malformed(form: Form) -> Option<UnpackError> {
    Some(UnpackError::MalformedCredential { form })
}

fn own(form: Form) -> Vec<u8> {
    extension(
        form.extension_type(),
        &credential(form, SPKI, b"n1", &[0x51, 0x52, 0x53]),
    )
}

#[test]
fn lone_credential_gives_up_two_lengths() {
    let wire = [
        0x00, 0x22, 0x00, 0x15, // delegated_credential, 21 bytes
        0x00, 0x01, 0x51, 0x80, 0x04, 0x03, // valid_time, dc_cert_verify_algorithm
        0x00, 0x00, 0x05, 0x30, 0x03, 0x30, 0xaa, 0xbb, // SPKI
        0x04, 0x03, 0x00, 0x03, 0x51, 0x52, 0x53, // algorithm, signature
    ];
    let rustls = [
        0x00, 0x05, 0x00, 0x15, 0x01, 0x00, 0x00, 0x11, // status_request, OCSP, 17 bytes
        0x22, // marker
        0x00, 0x01, 0x51, 0x80, 0x04, 0x03, // valid_time, dc_cert_verify_algorithm
        0x30, 0x03, 0x30, 0xaa, 0xbb, // SPKI
        0x04, 0x03, 0x51, 0x52, 0x53, // algorithm, signature
    ];
    assert_eq!(own(Form::Rfc9345), wire);
    assert_eq!(map(&wire), rustls);
}

#[test]
fn named_credential_keeps_its_name_behind_the_spki() {
    let mapped = map(&own(Form::Named));
    let expected = [
        0x00, 0x05, 0x00, 0x18, 0x01, 0x00, 0x00, 0x14, 0x23, 0x00, 0x01, 0x51, 0x80, 0x04, 0x03,
        0x30, 0x03, 0x30, 0xaa, 0xbb, 0x02, b'n', b'1', 0x04, 0x03, 0x51, 0x52, 0x53,
    ];
    assert_eq!(mapped, expected);
}

#[test]
fn credential_before_a_status_keeps_its_signature_length() {
    let mapped = map(&[own(Form::Rfc9345), status(OCSP_RESPONSE)].concat());
    let expected = [
        0x00, 0x05, 0x00, 0x22, 0x01, 0x00, 0x00, 0x1e, 0x24, 0x00, 0x01, 0x51, 0x80, 0x04, 0x03,
        0x30, 0x03, 0x30, 0xaa, 0xbb, 0x04, 0x03, 0x00, 0x03, 0x51, 0x52, 0x53, // signature
        0x00, 0x09, 0x01, 0x00, 0x00, 0x05, 0x30, 0x03, 0x0a, 0x01,
        0x00, // status without its type
    ];
    assert_eq!(mapped, expected);
}

#[test]
fn status_before_a_credential_grows_over_it() {
    let wire = [status(OCSP_RESPONSE), own(Form::Named)].concat();
    let mapped = map(&wire);
    assert_eq!(
        mapped[..8],
        [0x00, 0x05, 0x00, 0x25, 0x01, 0x00, 0x00, 0x21]
    );
    assert_eq!(mapped[8..], wire[8..]);
}

#[test]
fn lone_status_is_unchanged() {
    assert_eq!(map(&status(OCSP_RESPONSE)), status(OCSP_RESPONSE));
}

#[test]
fn other_extension_is_unchanged() {
    for block in [
        extension(18, &[0; 9]),
        extension(1, &[5; 9]),
        extension(0xfe00, b"unknown"),
        vec![0, 34, 0, 0],
    ] {
        assert_eq!(map(&block), block);
    }
}

#[test]
fn type_that_only_begins_like_ours_stays_unknown_to_rustls() {
    for low in (0..=0xff).filter(|&low| low != 0x22) {
        let mapped = map(&extension(
            u16::from_be_bytes([0xff, low]),
            &[1, 0, 0, 1, 0x30],
        ));
        assert_eq!(mapped[..2], [0x00, 0xff]);
    }
}

#[test]
fn refuses_an_spki_length_that_is_not_der() {
    for spki in [
        &[0x30, 4, 0x30, 0xaa, 0xbb][..],
        &[0x30, 2, 0x30, 0xaa, 0xbb],
        &[0x31, 3, 0x30, 0xaa, 0xbb],
        &[0x30, 0x81, 2, 0xaa, 0xbb],
        &[0x30, 0x82, 0, 1, 0xbb],
        &[0x30, 0x82, 1, 1, 0xbb],
        &[0x30, 0x80, 1, 1, 0xbb],
        &[0x30, 0x82],
        &[0x30],
        &[],
    ] {
        let body = credential(Form::Rfc9345, spki, b"", &[0x30; 70]);
        let block = extension(34, &body);
        assert_eq!(refusal(&block), malformed(Form::Rfc9345), "{spki:02x?}");
        let followed = [block, status(OCSP_RESPONSE)].concat();
        assert_eq!(refusal(&followed), malformed(Form::Rfc9345), "{spki:02x?}");
    }
}

#[test]
fn refuses_a_signature_length_that_is_not_the_rest() {
    for wrong in [0, 1, 2, 4, 0xff] {
        let mut block = own(Form::Rfc9345);
        let at = block.len() - 4;
        block[at] = wrong;
        assert_eq!(refusal(&block), malformed(Form::Rfc9345));
        let followed = [block, status(OCSP_RESPONSE)].concat();
        assert_eq!(refusal(&followed), malformed(Form::Rfc9345));
    }
}

#[test]
fn refuses_a_name_that_ends_behind_the_extension() {
    let mut block = own(Form::Named);
    block[18] = 0xff;
    assert_eq!(refusal(&block), malformed(Form::Named));
}

#[test]
fn refuses_a_signature_of_zeros() {
    let block = extension(34, &credential(Form::Rfc9345, SPKI, b"", &[0; 64]));
    assert_eq!(refusal(&block), malformed(Form::Rfc9345));
    let block = extension(34, &credential(Form::Rfc9345, SPKI, b"", b""));
    assert_eq!(refusal(&block), malformed(Form::Rfc9345));
}

#[test]
fn refuses_a_credential_cut_at_any_field() {
    let body = credential(Form::Named, SPKI, b"n1", &[0x51, 0x52, 0x53]);
    for len in 5..body.len() {
        let block = extension(0xff22, &body[..len]);
        assert_eq!(refusal(&block), malformed(Form::Named), "{len}");
    }
}

#[test]
fn rustls_itself_refuses_an_extension_longer_than_the_block() {
    for block in [own(Form::Rfc9345), own(Form::Named), status(OCSP_RESPONSE)] {
        let mut block = block;
        block[3] += 1;
        assert_eq!(refusal(&block), None);
        assert_eq!(map(&block)[4], 0, "no status type that rustls knows");
    }
}

#[test]
fn refuses_a_status_that_looks_relabelled() {
    for marker in 0x22..=0x25 {
        let mut blob = map(&own(Form::Rfc9345))[8..].to_vec();
        blob[0] = marker;
        assert_eq!(refusal(&status(&blob)), Some(UnpackError::Malformed));
        assert_eq!(map(&status(&[marker; 40]))[8..], [0; 40]);
    }
}

#[test]
fn refuses_a_credential_hidden_behind_the_response_in_a_status() {
    let blob = [OCSP_RESPONSE, &own(Form::Rfc9345)].concat();
    assert_eq!(refusal(&status(&blob)), Some(UnpackError::Malformed));
}

#[test]
fn refuses_a_response_whose_der_length_is_wrong() {
    for response in [
        &[0x30, 2, 0x0a, 1, 0][..],
        &[0x30, 4, 0x0a, 1, 0],
        &[0x30, 0x81, 2, 1, 1],
        &[0x30, 0x82, 0, 1, 1],
        &[0x30, 0x82, 1, 1, 1],
        &[0x30, 0x82],
        &[0x30, 0],
        &[0x04, 3, 0x0a, 1, 0],
    ] {
        assert_eq!(
            refusal(&status(response)),
            Some(UnpackError::Malformed),
            "{response:02x?}"
        );
        let block = [status(response), own(Form::Rfc9345)].concat();
        assert_eq!(
            refusal(&block),
            Some(UnpackError::Malformed),
            "{response:02x?}"
        );
    }
}

#[test]
fn refuses_a_zeroed_response_that_ends_with_the_block() {
    // Zeroing the low byte of this length gives the length of the whole blob.
    let mut response = vec![0x30, 0x82, 1, 1];
    response.resize(4 + 0x100, 0x0a);
    assert_eq!(refusal(&status(&response)), Some(UnpackError::Malformed));
}

#[test]
fn refuses_a_second_credential() {
    for (one, other) in [(Form::Rfc9345, Form::Named), (Form::Named, Form::Named)] {
        for block in [
            [own(one), own(other)].concat(),
            [own(one), status(OCSP_RESPONSE), own(other)].concat(),
            [status(OCSP_RESPONSE), own(one), own(other)].concat(),
        ] {
            assert_eq!(refusal(&block), Some(UnpackError::DuplicateExtension));
        }
    }
}

#[test]
fn refuses_a_second_status() {
    let ocsp = status(OCSP_RESPONSE);
    for block in [
        [ocsp.clone(), ocsp.clone()].concat(),
        [ocsp.clone(), own(Form::Rfc9345), ocsp.clone()].concat(),
        [own(Form::Rfc9345), ocsp.clone(), ocsp.clone()].concat(),
    ] {
        assert_eq!(refusal(&block), Some(UnpackError::DuplicateExtension));
    }
}

#[test]
fn refuses_an_unknown_extension_beside_a_credential() {
    let unknown = extension(18, &[0, 2, 0, 0]);
    for block in [
        [own(Form::Rfc9345), unknown.clone()].concat(),
        [own(Form::Rfc9345), status(OCSP_RESPONSE), unknown.clone()].concat(),
        [status(OCSP_RESPONSE), unknown.clone(), own(Form::Rfc9345)].concat(),
        [status(OCSP_RESPONSE), unknown].concat(),
    ] {
        assert_eq!(refusal(&block), Some(UnpackError::UnexpectedExtension));
    }
}

#[test]
fn refuses_remains_of_an_extension_behind_a_credential() {
    for remains in [
        &[0][..],
        &[0, 5],
        &[0, 5, 0],
        &[0, 5, 0, 0],
        &[0, 18, 0],
        &[0, 5, 0, 4, 1, 0, 0, 0],
    ] {
        let block = [own(Form::Rfc9345).as_slice(), remains].concat();
        let refusal = refusal(&block);
        assert!(
            refusal == Some(UnpackError::Malformed) || refusal == malformed(Form::Rfc9345),
            "{remains:02x?}: {refusal:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn maps_back_to_the_same_block(block in any_block()) {
        let mut mapped = map(&block.bytes);
        prop_assert_eq!(mapped.len(), block.bytes.len());
        block_to_wire(&mut mapped);
        prop_assert_eq!(mapped, block.bytes);
    }

    #[test]
    fn no_byte_depends_on_a_later_one(block in any_block(), at in any::<prop::sample::Index>(), other: u8) {
        let at = at.index(block.bytes.len() + 1);
        let mut changed = block.bytes.clone();
        changed[at..].fill(other);
        prop_assert_eq!(&map(&changed)[..at], &map(&block.bytes)[..at]);
    }
}
