use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::Form;
use crate::view::bytes::Cursor;
use crate::view::certificate::unpack;
use crate::view::testing::{
    Flight, any_flight, certificate_message, credential, extension, message, rustls_blobs, status,
    wire_extensions,
};

fn to_rustls(wire: &[u8]) -> Vec<u8> {
    let mut mapped = wire.to_vec();
    let _ = ToRustls::new().apply(&mut mapped);
    mapped
}

/// What the transcript makes of this, if the mapping goes on to its end.
fn there_and_back(wire: &[u8]) -> Option<Vec<u8>> {
    let mut mapped = wire.to_vec();
    let mut stream = ToRustls::new();
    stream.apply(&mut mapped).ok()?;
    assert_eq!(mapped.len(), wire.len());
    let mut back = certificates_to_wire(&mapped).into_owned();
    stream.take_originals().restore(&mut back);
    Some(back)
}

/// Maps `wire` in pieces of the given lengths, and the rest at once.
fn to_rustls_in_pieces(wire: &[u8], lens: &[usize]) -> Vec<u8> {
    let mut mapped = wire.to_vec();
    let mut stream = ToRustls::new();
    let mut rest = mapped.as_mut_slice();
    for &len in lens {
        let len = len.min(rest.len());
        let _ = stream.apply(rest.split_off_mut(..len).expect("not past the end"));
    }
    let _ = stream.apply(rest);
    mapped
}

/// The extension block of the first entry of a Certificate message.
fn first_block(message: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(message.get(4..)?);
    cursor.vector(1)?;
    let mut cursor = Cursor::new(cursor.vector(3)?);
    cursor.vector(3)?;
    cursor.vector(2)
}

fn block() -> Vec<u8> {
    extension(
        34,
        &credential(Form::Rfc9345, &[0x30, 3, 0x30, 1, 2], b"", &[0x51; 70]),
    )
}

#[test]
fn maps_the_first_entry_and_empties_the_second() {
    let block = block();
    let mapped = to_rustls(&certificate_message([
        (&[7u8; 9][..], &block[..]),
        (&[8; 5], &block),
    ]));
    let blobs = rustls_blobs(&mapped).expect("rustls reads it");
    assert_eq!(blobs.len(), 2);
    assert!(unpack(&blobs[0]).is_ok_and(|unpacked| unpacked.credential.is_some()));
    assert_eq!(blobs[1], vec![0; block.len() - 8]);
}

#[test]
fn a_short_block_is_refused_where_a_longer_one_is_ignored() {
    let with = |block: &[u8]| certificate_message([(&[7u8; 9][..], &[][..]), (&[8; 5], block)]);
    for kind in [34, 0xff22] {
        for length in 0..5 {
            assert_eq!(
                there_and_back(&with(&extension(kind, &vec![0; length]))),
                None
            );
        }
        let shortest = with(&extension(kind, &[0; 5]));
        assert_eq!(there_and_back(&shortest), Some(shortest));
    }
}

#[test]
fn maps_a_body_without_header() {
    let wire = certificate_message([(&[7u8; 9][..], &block()[..])]);
    let mut body = wire[4..].to_vec();
    certificate_body_to_rustls(&mut body).expect("nothing is refused");
    assert_eq!(body, to_rustls(&wire)[4..]);
}

#[test]
fn a_body_that_is_too_short_is_unchanged() {
    for len in 0..4 {
        let mut body = vec![0; len];
        assert_eq!(certificate_body_to_rustls(&mut body), Ok(()));
        assert_eq!(body, vec![0; len]);
    }
}

#[test]
fn message_whose_lengths_disagree_is_unchanged() {
    let whole = certificate_message([(&[7u8; 9][..], &block()[..])]);
    for (at, name) in [(7, "list"), (10, "certificate"), (3, "message")] {
        let mut broken = [whole.clone(), vec![0; 300]].concat();
        broken[at] ^= 0x70;
        assert_eq!(to_rustls(&broken), broken, "{name}");
        assert_eq!(rustls_blobs(&broken[..whole.len()]), None, "{name}");
    }
}

#[test]
fn certificate_of_tls12_is_unchanged() {
    let list = [&[0, 0, 200][..], &[7; 200]].concat();
    let message = message(11, &[&[0, 0, 203], list.as_slice()].concat());
    assert_eq!(to_rustls(&message), message);
    assert_eq!(certificates_to_wire(&message), message);
}

#[test]
fn block_in_two_records_is_an_error() {
    let message = to_rustls(&certificate_message([
        (&[7u8; 9][..], &block()[..]),
        (&[8; 5], &[]),
    ]));
    let block_at = 4 + 1 + 3 + 3 + 9 + 2;
    let block_len = block().len();
    for at in 0..=message.len() {
        let mut wire = message.clone();
        let (first, second) = wire.split_at_mut(at);
        let mut stream = ToWire::new();
        let result = stream.apply(first).and_then(|()| stream.apply(second));
        if (block_at + 1..block_at + block_len).contains(&at) {
            assert_eq!(result, Err(Straddle { block_len }));
        } else {
            assert_eq!(result, Ok(()));
            assert_eq!(certificates_to_wire(&message), wire);
        }
    }
}

#[test]
fn data_that_is_no_sequence_of_messages_is_unchanged() {
    let mapped = to_rustls(&certificate_message([(&[7u8; 9][..], &block()[..])]));
    let trailing = [mapped.as_slice(), &[1]].concat();
    for data in [&mapped[..mapped.len() - 1], &mapped[1..], &trailing] {
        assert_eq!(certificates_to_wire(data), data);
    }
}

#[test]
fn no_single_byte_edit_is_repaired() {
    let ocsp = status(&[0x30, 3, 0x0a, 1, 0]);
    let named = extension(
        0xff22,
        &credential(Form::Named, &[0x30, 3, 0x30, 1, 2], b"n1", &[9; 3]),
    );
    for block in [
        ocsp.clone(),
        named.clone(),
        [ocsp.clone(), named.clone()].concat(),
        [named.clone(), ocsp.clone()].concat(),
        [named.clone(), ocsp, named].concat(),
    ] {
        let message = certificate_message([(&[7u8; 3][..], block.as_slice())]);
        for (at, value) in
            (0..message.len()).flat_map(|at| (0..=0xff).map(move |value| (at, value)))
        {
            let mut edited = message.clone();
            edited[at] = value;
            check_nothing_is_repaired(&edited).expect("what was unpacked was on the wire");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn transcript_is_the_wire(flight in any_flight()) {
        prop_assert_eq!(there_and_back(&flight.certificate), Some(flight.certificate));
    }

    /// Whatever is next to an issuer's certificate, if TLS allows it at all.
    #[test]
    fn transcript_is_the_wire_with_anything_next_to_an_issuer(
        flight in any_flight(),
        body in vec(any::<u8>(), 0..300),
        kind in prop_oneof![Just(5u16), Just(34), Just(0xff22), Just(18)],
        ocsp in any::<bool>(),
        cuts in vec(0usize..60, 0..200),
    ) {
        let block = match ocsp {
            true => [status(&[0x30, 0]), extension(kind, &body)].concat(),
            false => extension(kind, &body),
        };
        let first = flight.blocks.first().map_or(&[][..], |first| &first.bytes);
        let message = certificate_message([(&[7u8; 9][..], first), (&[8; 5], &block), (&[9; 3], &block)]);
        let is_allowed = matches!(kind, 34 | 0xff22) && block.len() > 8;
        match there_and_back(&message) {
            Some(back) => {
                prop_assert_eq!(back, &message[..]);
                prop_assert!(rustls_blobs(&to_rustls(&message)).is_some());
            }
            None => prop_assert!(!is_allowed),
        }
        prop_assert_eq!(to_rustls_in_pieces(&message, &cuts).len(), message.len());
    }

    #[test]
    fn rustls_reads_every_entry(flight in any_flight()) {
        let blobs = rustls_blobs(&to_rustls(&flight.certificate)).expect("rustls reads it");
        for (blob, block) in blobs.iter().zip(&flight.blocks).take(1) {
            let unpacked = unpack(blob).expect("a block that fits");
            prop_assert_eq!(unpacked.ocsp, &block.ocsp);
            prop_assert_eq!(&unpacked.credential, &block.credential);
        }
    }

    #[test]
    fn mapping_does_not_depend_on_the_cuts(flight in any_flight(), lens in vec(0usize..60, 0..200)) {
        let whole = to_rustls(&flight.bytes);
        prop_assert_eq!(&to_rustls_in_pieces(&flight.bytes, &lens), &whole);
        prop_assert_eq!(&to_rustls_in_pieces(&flight.bytes, &vec![1; flight.bytes.len()]), &whole);
    }

    #[test]
    fn no_byte_depends_on_a_later_one(flight in any_flight(), at: prop::sample::Index, other in vec(any::<u8>(), 1..9)) {
        let at = at.index(flight.certificate.len());
        let changed: Vec<u8> =
            flight.certificate[..at].iter().chain(other.iter().cycle()).take(flight.certificate.len()).copied().collect();
        prop_assert_eq!(&to_rustls(&changed)[..at], &to_rustls(&flight.certificate)[..at]);
    }

    #[test]
    fn message_without_our_extensions_is_unchanged(flight in any_flight(), ocsp: bool) {
        let Flight { blocks, .. } = flight;
        let plain: Vec<Vec<u8>> = blocks
            .iter()
            .take(1)
            .map(|block| if ocsp && !block.ocsp.is_empty() { status(&block.ocsp) } else { Vec::new() })
            .collect();
        let message = certificate_message(plain.iter().map(|block| (&[7u8; 30][..], block.as_slice())));
        prop_assert_eq!(&to_rustls(&message), &message);
        prop_assert_eq!(certificates_to_wire(&message), message.as_slice());
    }

    /// Whatever unpacks is exactly what was on the wire, whoever sent it.
    #[test]
    fn nothing_is_repaired(
        flight in any_flight(),
        edits in vec((any::<prop::sample::Index>(), likely_byte()), 0..4),
    ) {
        let mut wire = flight.certificate;
        for (at, byte) in edits {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        check_nothing_is_repaired(&wire)?;
    }

    #[test]
    fn no_length_is_repaired(flight in any_flight(), at in 0usize..24, by in 1u8..4) {
        let mut wire = flight.certificate;
        let first_certificate = Cursor::new(&wire[8..]).vector(3).expect("an entry");
        let block_at = 8 + 3 + first_certificate.len() + 2;
        if let Some(byte) = wire.get_mut(block_at + at) {
            *byte = byte.wrapping_add(by);
        }
        check_nothing_is_repaired(&wire)?;
    }

    #[test]
    fn arbitrary_block_is_not_repaired(block in vec(likely_byte(), 0..60)) {
        for kind in [&[0, 5][..], &[0, 34], &[0xff, 0x22], &[]] {
            let block = [kind, &block].concat();
            check_nothing_is_repaired(&certificate_message([(&[7u8; 3][..], block.as_slice())]))?;
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes in vec(any::<u8>(), 0..300), kind in 10u8..13) {
        let framed = message(kind, &bytes);
        let _ = (to_rustls(&bytes), to_rustls(&framed));
        let _ = (certificates_to_wire(&bytes), certificates_to_wire(&framed));
        let _ = ToWire::new().apply(&mut bytes);
        let _ = certificate_body_to_rustls(&mut bytes);
    }
}

/// Any byte, and more often one that means something in an extension block.
fn likely_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), 0u8..6, 0x22u8..0x26, Just(0x30), Just(0x82)]
}

fn check_nothing_is_repaired(wire: &[u8]) -> Result<(), TestCaseError> {
    let mapped = to_rustls(wire);
    prop_assert_eq!(mapped.len(), wire.len());
    let Some(blobs) = rustls_blobs(&mapped) else {
        return Ok(());
    };
    let Ok(unpacked) = unpack(blobs.first().map(Vec::as_slice).unwrap_or_default()) else {
        return Ok(());
    };
    let block = first_block(wire).expect("lengths that rustls has accepted");
    let extensions = wire_extensions(block).expect("framing that was accepted");
    let mut found: Vec<(u16, Vec<u8>)> = Vec::new();
    if let Some((form, body)) = unpacked.credential {
        found.push((form.extension_type(), body));
    }
    if !unpacked.ocsp.is_empty() {
        found.push((5, status(unpacked.ocsp)[4..].to_vec()));
    }
    let mut sent: Vec<(u16, Vec<u8>)> = extensions
        .into_iter()
        .map(|(kind, body)| (kind, body.to_vec()))
        .collect();
    found.sort();
    sent.sort();
    prop_assert_eq!(found, sent);
    let back = certificates_to_wire(&mapped);
    prop_assert_eq!(first_block(&back), Some(block));
    Ok(())
}
