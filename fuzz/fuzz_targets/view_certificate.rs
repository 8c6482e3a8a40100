//! Certificate messages on their way to rustls.
#![no_main]

use dc_core::{DelegatedCredential, Form};
use dc_rustls::fuzzing::{
    ToRustls, behind_warnings, certificate_body_to_rustls, certificates_to_wire, unpack_blob,
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
    let (mapped, back) = to_rustls(&stream, stream.len());
    for length in [1, usize::from(cut), 1 + usize::from(mode)] {
        let in_pieces = to_rustls(&stream, length);
        // What is refused is refused however it is cut.
        assert_eq!(in_pieces.1, back, "cut into {length}");
        if back.is_some() {
            assert_eq!(in_pieces.0, mapped, "cut into {length}");
        }
    }
    let Some(back) = back else {
        return;
    };
    // Nothing but application data ends the mapping.
    assert_eq!(behind_warnings(&stream, 1 + usize::from(cut)), mapped);
    if mode % 4 != 0 {
        check_blocks(&stream, &mapped, &back);
    }
});

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
        list.extend(vector(3, &[7; 5]));
        list.extend(vector(2, block));
        rest = behind;
    }
    let body = [vec![0], vector(3, &list)].concat();
    [vec![11], vector(3, &body)].concat()
}

/// What rustls is given, and what the transcript hashes of that, unless the connection ends.
fn to_rustls(stream: &[u8], length: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut mapped = stream.to_vec();
    let mut mapping = ToRustls::new();
    for piece in mapped.chunks_mut(length.max(1)) {
        if !mapping.apply(piece) {
            return (mapped, None);
        }
    }
    let mut back = certificates_to_wire(&mapped);
    mapping.restore(&mut back);
    (mapped, Some(back))
}

fn check_blocks(wire: &[u8], rustls: &[u8], back: &[u8]) {
    let mut body = wire[4..].to_vec();
    assert!(certificate_body_to_rustls(&mut body));
    assert_eq!(body, rustls[4..]);
    let mut all_accepted = true;
    for (entry, (wire, rustls)) in blocks(wire).into_iter().zip(blocks(rustls)).enumerate() {
        assert_eq!(wire.len(), rustls.len());
        if entry > 0 {
            // Nobody looks at it, but rustls has to be able to.
            assert!(blob(rustls).is_some());
            continue;
        }
        let accepted = blob(rustls).and_then(unpack_blob);
        all_accepted &= accepted.is_some();
        match (accepted, expected(wire)) {
            (Some(accepted), Some(expected)) => assert_eq!(accepted, expected),
            (Some(accepted), None) => panic!("accepted {accepted:x?} of {wire:x?}"),
            (None, Some(expected)) => assert!(!is_good(&expected), "lost {expected:x?}"),
            (None, None) => {}
        }
        if !is_ours(wire) {
            assert_eq!(wire, rustls);
        }
    }
    if all_accepted {
        assert_eq!(back, wire);
    }
}

/// Whether the block begins with an extension that the mapping looks into, or may have to.
fn is_ours(block: &[u8]) -> bool {
    matches!(block, [0, 5 | 34, ..] | [0xff, ..]) && block.len() >= 8
}

/// The blob of a block, read as strictly as rustls does; empty without extension.
fn blob(block: &[u8]) -> Option<&[u8]> {
    match extensions(block)?[..] {
        [] => Some(&[]),
        [(5, status)] => response(status).filter(|blob| !blob.is_empty()),
        _ => None,
    }
}

/// What is in a block of at most one OCSP response and at most one credential and nothing else.
#[allow(clippy::type_complexity)]
fn expected(block: &[u8]) -> Option<(Vec<u8>, Option<(Form, Vec<u8>)>)> {
    let (mut ocsp, mut credential) = (None, None);
    for (kind, body) in extensions(block)? {
        let form = Form::ALL
            .into_iter()
            .find(|form| form.extension_type() == kind);
        let is_second = match (form, kind) {
            (Some(form), _) => credential.replace((form, body.to_vec())).is_some(),
            (None, 5) => ocsp.replace(response(body)?.to_vec()).is_some(),
            _ => true,
        };
        if is_second {
            return None;
        }
    }
    Some((ocsp.unwrap_or_default(), credential))
}

/// Whether somebody could want it: it decodes, and the response is of the right type.
fn is_good((ocsp, credential): &(Vec<u8>, Option<(Form, Vec<u8>)>)) -> bool {
    let decodes = credential.as_ref().is_none_or(|(form, bytes)| {
        DelegatedCredential::decode(*form, bytes).is_ok_and(|decoded| {
            let signed = decoded.signature().iter().any(|&byte| byte != 0);
            signed && is_sequence(decoded.credential().spki)
        })
    });
    // Every OCSPResponse begins with its status.
    let response = ocsp.is_empty() || (is_sequence(ocsp) && content(ocsp).first() == Some(&10));
    decodes && response && (!ocsp.is_empty() || credential.is_some())
}

/// Whether it is one DER SEQUENCE, with its length in the shortest form.
fn is_sequence(der: &[u8]) -> bool {
    let length = match der {
        [0x30, length, ..] if *length < 0x80 => 2 + usize::from(*length),
        [0x30, 0x81, length, ..] if *length >= 0x80 => 3 + usize::from(*length),
        [0x30, 0x82, high, low, ..] if *high > 0 => {
            4 + usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => return false,
    };
    der.len() == length
}

fn content(der: &[u8]) -> &[u8] {
    let header = match der[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    &der[header..]
}

fn response(status: &[u8]) -> Option<&[u8]> {
    let (&[1, a, b, c], response) = status.split_first_chunk()? else {
        return None;
    };
    let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
    (response.len() == length).then_some(response)
}

fn extensions(mut block: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !block.is_empty() {
        let (&[a, b, c, d], rest) = block.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
        found.push((u16::from_be_bytes([a, b]), body));
        block = rest;
    }
    Some(found)
}

/// The extension blocks of a message that [`certificate`] made.
fn blocks(message: &[u8]) -> Vec<&[u8]> {
    let mut rest = &message[8..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([rest[8], rest[9]]));
        let (block, behind) = rest[10..].split_at(length);
        found.push(block);
        rest = behind;
    }
    found
}

fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&length[4 - width..], body].concat()
}
