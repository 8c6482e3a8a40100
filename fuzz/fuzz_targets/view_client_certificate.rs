//! A client's Certificate on its way to a server's rustls, and the server's CertificateRequest.
#![no_main]

use dc_core::Form;
use dc_rustls::fuzzing::{
    FromClient, certificates_to_server, is_ignored, requested, requests_to_wire, unpack_entry,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, cut], input)) = input.split_first_chunk() else {
        return;
    };
    let stream = match mode % 4 {
        0 => input.to_vec(),
        entries => certificate(input, entries.into(), cut.into()),
    };
    let mapped = from_client(&stream, stream.len());
    for length in [1, usize::from(cut), 1 + usize::from(mode)] {
        assert_eq!(from_client(&stream, length), mapped, "cut into {length}");
    }
    if mode % 4 != 0 {
        let (mapped, back) = mapped;
        check_entries(&stream, &mapped, &back);
    }
    check_request(input, cut.into());
});

/// What leaves, which is at most two bytes behind what has arrived and never ahead, and what the transcript hashes of it.
fn from_client(stream: &[u8], length: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut mapping, mut out, mut taken) = (FromClient::new(), Vec::new(), 0);
    for piece in stream.chunks(length.max(1)) {
        mapping.apply(piece, &mut out);
        taken += piece.len();
        assert!(out.len() <= taken && taken <= out.len() + 2);
    }
    let mut back = out.clone();
    certificates_to_server(&mut back);
    mapping.restore(&mut back);
    (out, back)
}

/// A Certificate message of so many entries, between which `input` is divided.
fn certificate(input: &[u8], entries: usize, cut: usize) -> Vec<u8> {
    let mut list = Vec::new();
    let mut rest = input;
    for entry in 1..=entries {
        let at = if entry == entries {
            rest.len()
        } else {
            rest.len().min(cut)
        };
        let (block, behind) = rest.split_at(at.min(0xffff));
        list.extend(vector(3, &CERTIFICATE));
        list.extend(vector(2, block));
        rest = behind;
    }
    message(11, &[vec![0], vector(3, &list)].concat())
}

/// Every certificate is still there, and behind it the credential that was next to it, or what is refused.
fn check_entries(wire: &[u8], rustls: &[u8], back: &[u8]) {
    assert_eq!(wire.len(), rustls.len());
    let mut entries = entries(rustls).into_iter().peekable();
    let mut all_accepted = true;
    for (at, (_, block)) in self::entries(wire).into_iter().enumerate() {
        let (certificate, own) = entries.next().expect("a certificate");
        assert_eq!(certificate, CERTIFICATE);
        let stands_for = entries.next_if(|(entry, _)| unpack_entry(entry).is_some());
        let Some((entry, none)) = stands_for else {
            // rustls takes no extension.
            assert_eq!(own, block);
            assert!(block.len() < 6);
            all_accepted &= block.is_empty();
            continue;
        };
        assert!(own.is_empty() && none.is_empty());
        if at > 0 {
            all_accepted &= is_ignored(entry);
            continue;
        }
        let found = unpack_entry(entry).flatten();
        all_accepted &= found.is_some();
        if let Some(found) = found {
            assert_eq!(Some(found), only_credential(block));
        }
    }
    assert!(entries.next().is_none());
    if all_accepted {
        assert_eq!(back, wire);
    }
}

/// The credential of a block that holds nothing else.
fn only_credential(block: &[u8]) -> Option<(Form, Vec<u8>)> {
    let (&[a, b, c, d], body) = block.split_first_chunk()?;
    let kind = u16::from_be_bytes([a, b]);
    let form = Form::ALL
        .into_iter()
        .find(|form| form.extension_type() == kind)?;
    (body.len() == usize::from(u16::from_be_bytes([c, d]))).then(|| (form, body.to_vec()))
}

/// A request is read alike however it is cut, and an offer goes nowhere without a place for it.
fn check_request(input: &[u8], cut: usize) {
    let request = message(13, input);
    assert_eq!(requested(&request, cut), requested(&request, request.len()));
    // There is one in a handshake; of several, the last counts.
    let (cut, whole) = (requested(input, cut), requested(input, input.len()));
    assert_eq!(cut.last(), whole.last());
    let mut mapped = request.clone();
    requests_to_wire(&mut mapped, &OFFER);
    assert_eq!(mapped.len(), request.len());
    if mapped != request {
        assert!(mapped.windows(OFFER.len()).any(|bytes| bytes == OFFER));
    }
}

fn entries(message: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = &message[8..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (certificate, behind) = split(rest, 3);
        let (block, behind) = split(behind, 2);
        found.push((certificate, block));
        rest = behind;
    }
    found
}

fn split(data: &[u8], width: usize) -> (&[u8], &[u8]) {
    let (length, rest) = data.split_at(width);
    let length = length
        .iter()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    rest.split_at(length)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], vector(3, body)].concat()
}

fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&length[4 - width..], body].concat()
}

/// All of a certificate that anybody looks at.
const CERTIFICATE: [u8; 5] = [0x30, 3, 7, 7, 7];
/// `delegated_credential` with two schemes.
const OFFER: [u8; 10] = [0, 34, 0, 6, 0, 4, 4, 3, 8, 7];
