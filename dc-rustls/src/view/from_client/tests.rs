use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::certificate::UnpackError;
use crate::view::handshake::CERTIFICATE;
use crate::view::presented::{check_ignored, is_extension_entry, pack_entry, unpack_entry};
use crate::view::testing::{any_credential, certificate_message, extension, message, sequence};
use crate::view::to_server::certificates_to_server;

/// What leaves of these pieces, one after another.
fn map(pieces: &[&[u8]]) -> Vec<u8> {
    let mut from_client = FromClient::new();
    let mut out = Vec::new();
    for piece in pieces {
        from_client.apply(piece, &mut out);
    }
    out
}

/// The entries of a Certificate message, as a server's rustls reads them: with no extension anywhere.
fn rustls_entries(message: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut cursor = crate::view::bytes::Cursor::new(message);
    (cursor.u8()? == CERTIFICATE).then_some(())?;
    let body = cursor.vector(3)?;
    cursor.rest().is_empty().then_some(())?;
    let mut cursor = crate::view::bytes::Cursor::new(body);
    cursor.vector(1)?;
    let mut list = crate::view::bytes::Cursor::new(cursor.vector(3)?);
    cursor.rest().is_empty().then_some(())?;
    let mut entries = Vec::new();
    while !list.rest().is_empty() {
        entries.push(list.vector(3)?.to_vec());
        list.vector(2)?.is_empty().then_some(())?;
    }
    Some(entries)
}

type Presented = Vec<(Vec<u8>, Option<(Form, Vec<u8>)>)>;

/// Certificates, each with or without a credential next to it.
fn any_presented() -> impl Strategy<Value = Presented> {
    let certificate = vec(any::<u8>(), 0..300).prop_map(|content| sequence(&content));
    vec((certificate, proptest::option::of(any_credential())), 1..4)
}

fn wire(presented: &Presented) -> Vec<u8> {
    let blocks: Vec<Vec<u8>> = presented
        .iter()
        .map(|(_, credential)| match credential {
            Some((form, body)) => extension(form.extension_type(), body),
            None => Vec::new(),
        })
        .collect();
    certificate_message(
        presented
            .iter()
            .zip(&blocks)
            .map(|((certificate, _), block)| (certificate.as_slice(), block.as_slice())),
    )
}

fn rustls(presented: &Presented) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for (at, (certificate, credential)) in presented.iter().enumerate() {
        entries.push(certificate.clone());
        if let Some((form, body)) = credential {
            let own = pack_entry(*form, body).unwrap();
            entries.push(match at {
                0 => own,
                // An entry of the same length: a signature's gives way to the mark.
                _ => vec![Mark::Ignored.byte(); own.len()],
            });
        }
    }
    entries
}

/// What leaves of these pieces, and what the transcript makes of a message that is all of them.
fn there_and_back(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let mut from_client = FromClient::new();
    let mut out = Vec::new();
    for piece in pieces {
        from_client.apply(piece, &mut out);
    }
    let mut back = out.clone();
    certificates_to_server(&mut back);
    from_client.take_originals().restore(&mut back);
    (out, back)
}

/// The one entry that stands for this block next to the first of two certificates.
fn stands_for(block: &[u8]) -> Vec<u8> {
    let certificate = sequence(b"c");
    let wire = certificate_message([(&*certificate, block), (&*certificate, &[])]);
    let mapped = map(&[&wire]);
    assert_eq!(mapped.len(), wire.len());
    let entries = rustls_entries(&mapped).unwrap();
    assert_eq!(entries.len(), 3);
    assert!(is_extension_entry(&entries[1]));
    entries[1].clone()
}

fn own(form: Form) -> Vec<u8> {
    crate::view::testing::credential(form, b"\x30\x01k", b"a.example", b"signature")
}

#[test]
fn says_what_does_not_fit() {
    const SCT: [u8; 4] = [0, 18, 0, 0];
    for form in Form::ALL {
        let malformed = UnpackError::MalformedCredential { form };
        let whole = own(form);
        let extended = extension(form.extension_type(), &whole);
        assert_eq!(
            unpack_entry(&stands_for(&extended)),
            Ok((form, whole.clone()))
        );
        for other in Form::ALL {
            let two = [
                extended.clone(),
                extension(other.extension_type(), &own(other)),
            ]
            .concat();
            assert_eq!(
                unpack_entry(&stands_for(&two)),
                Err(UnpackError::DuplicateExtension)
            );
        }
        for block in [
            [&extended[..], &SCT].concat(),
            [&SCT[..], &extended].concat(),
        ] {
            assert_eq!(
                unpack_entry(&stands_for(&block)),
                Err(UnpackError::UnexpectedExtension)
            );
        }
        for cut in 2..whole.len() {
            let block = extension(form.extension_type(), &whole[..cut]);
            assert_eq!(unpack_entry(&stands_for(&block)), Err(malformed), "{cut}");
            let mut longer = extended.clone();
            longer.truncate(4 + cut);
            assert_eq!(unpack_entry(&stands_for(&longer)), Err(malformed), "{cut}");
        }
        let block = extension(form.extension_type(), &[&whole[..], &[0]].concat());
        assert_eq!(unpack_entry(&stands_for(&block)), Err(malformed));
    }
}

#[test]
fn an_entry_that_is_no_certificate_is_not_taken_for_a_credential() {
    let forged = pack_entry(Form::Rfc9345, &own(Form::Rfc9345)).unwrap();
    let certificate = sequence(b"c");
    let wire = certificate_message([(&*certificate, &[][..]), (&*forged, &[])]);
    let entries = rustls_entries(&map(&[&wire])).unwrap();
    assert_eq!(unpack_entry(&entries[1]), Err(UnpackError::Malformed));
}

#[test]
fn one_next_to_an_issuer_is_ignored_if_tls_allows_it() {
    const SCT: [u8; 4] = [0, 18, 0, 0];
    let ocsp = crate::view::testing::status(b"\x30\0");
    let certificate = sequence(b"c");
    for form in Form::ALL {
        let own = |body: &[u8]| extension(form.extension_type(), body);
        let whole = own(&self::own(form));
        let twice = [&*whole, &whole].concat();
        for (block, expected) in [
            (whole.clone(), Ok(())),
            (own(b"no"), Ok(())),
            (own(b"none of this is a credential"), Ok(())),
            (twice, Err(UnpackError::DuplicateExtension)),
            (
                [&*whole, &SCT].concat(),
                Err(UnpackError::UnexpectedExtension),
            ),
            (
                [&*ocsp, &whole].concat(),
                Err(UnpackError::UnexpectedExtension),
            ),
            (
                whole[..whole.len() - 1].to_vec(),
                Err(UnpackError::Malformed),
            ),
            ([&*whole, &[0]].concat(), Err(UnpackError::Malformed)),
        ] {
            let wire = certificate_message([(&*certificate, &[][..]), (&*certificate, &*block)]);
            let (mapped, back) = there_and_back(&[&wire]);
            let entries = rustls_entries(&mapped).unwrap();
            assert_eq!(entries.len(), 3);
            assert!(is_extension_entry(&entries[2]));
            assert_eq!(check_ignored(&entries[2]), expected, "{block:x?}");
            assert_eq!(back, wire);
        }
    }
}

#[test]
fn a_block_that_is_too_short_is_left_to_rustls() {
    let certificate = sequence(b"c");
    for length in 1..SHORTEST_BLOCK {
        let block = vec![0; length];
        let wire = certificate_message([(&*certificate, &*block)]);
        assert_eq!(map(&[&wire]), wire);
    }
}

#[test]
fn a_block_that_is_longer_than_its_message_is_not_made_to_fit() {
    let certificate = sequence(b"c");
    for behind in [0, 6, 300] {
        let mut wire = certificate_message([(&*certificate, &*vec![0; behind])]);
        let at = wire.len() - behind - 2;
        wire[at..at + 2].copy_from_slice(&[0x15, 0]);
        assert_eq!(&map(&[&wire])[at..at + 2], &[0, 0xff], "{behind}");
    }
}

proptest! {
    #[test]
    fn maps_to_what_rustls_reads_and_back(
        presented in any_presented(),
        before in vec(any::<u8>(), 0..40),
        piece in 1usize..700,
    ) {
        let certificate = wire(&presented);
        let stream = [message(8, &before), certificate.clone(), message(20, &before)].concat();
        let pieces: Vec<&[u8]> = stream.chunks(piece).collect();
        let mapped = map(&pieces);
        prop_assert_eq!(mapped.len(), stream.len());
        let at = 4 + before.len();
        let message = &mapped[at..at + certificate.len()];
        prop_assert_eq!(rustls_entries(message), Some(rustls(&presented)));
        let pieces: Vec<&[u8]> = certificate.chunks(piece).collect();
        prop_assert_eq!(there_and_back(&pieces).1, certificate);
    }

    /// What has left depends on nothing that is still to come, is at most two bytes behind, and never ahead.
    #[test]
    fn each_byte_leaves_in_time(presented in any_presented(), noise in vec(any::<u8>(), 0..200), at in 0usize..2000) {
        let mut stream = wire(&presented);
        let at = at.min(stream.len());
        stream.splice(at.., noise);
        let whole = map(&[&stream]);
        let mut from_client = FromClient::new();
        let mut out = Vec::new();
        for (taken, byte) in stream.iter().enumerate() {
            from_client.apply(&[*byte], &mut out);
            prop_assert!(out.len() <= taken + 1);
            prop_assert!(out.len() + 2 > taken);
        }
        prop_assert_eq!(out, whole);
    }

    /// A credential that does not fit is never one that the verifier is given.
    #[test]
    fn a_changed_message_is_mapped_back_or_refused(
        presented in any_presented(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut stream = wire(&presented);
        let at = at.index(stream.len());
        stream[at] = byte;
        let (mapped, back) = there_and_back(&[&stream]);
        if let Some(entries) = rustls_entries(&mapped) {
            let is_accepted = |(at, entry): (usize, &Vec<u8>)| match at {
                _ if !is_extension_entry(entry) => true,
                0 | 1 => unpack_entry(entry).is_ok(),
                _ => check_ignored(entry).is_ok(),
            };
            if entries.iter().enumerate().all(is_accepted) {
                prop_assert_eq!(back, stream);
            }
        }
    }

    #[test]
    fn a_decompressed_body_is_mapped_as_the_message_is(presented in any_presented()) {
        let stream = wire(&presented);
        let mut body = stream[4..].to_vec();
        certificate_body_from_client(&mut body);
        prop_assert_eq!(&body[..], &map(&[&stream])[4..]);
    }
}
