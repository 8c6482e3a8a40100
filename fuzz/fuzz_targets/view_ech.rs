//! The two hellos of Encrypted ClientHello, as they are sealed.
#![no_main]

use dc_rustls::fuzzing::{maximum_name_length, seal};
use libfuzzer_sys::fuzz_target;

const OFFER: &[u8] = &[0xff, 0x22, 0, 4, 0, 2, 4, 3, 0, 34, 0, 4, 0, 2, 8, 7];

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, max, name, at], input)) = input.split_first_chunk() else {
        return;
    };
    check_info(input);
    let (one, other) = input.split_at(usize::from(at).min(input.len()));
    match mode % 3 {
        0 => check_any(one, other, max),
        1 => check_rustls(one, other, None, max),
        _ => check_rustls(one, other, Some(&vec![b'x'; name.into()]), max),
    }
});

/// Anything at all: if it is sealed, nothing but the offer, zeros and lengths was added.
fn check_any(outer: &[u8], padded: &[u8], max: u8) {
    if let Some([outer_wire, padded_wire]) = seal(outer, padded, OFFER, max) {
        assert_eq!(padded_wire.len() % 32, 0);
        let growth = padded_wire.len() - padded.len();
        assert_eq!(outer_wire.len(), outer.len() + OFFER.len() + growth);
    }
}

/// Hellos as rustls makes them, around any extensions.
fn check_rustls(outer: &[u8], inner: &[u8], name: Option<&[u8]>, max: u8) {
    let (outer, inner) = (extensions(outer), extensions(inner));
    let own = name.map(server_name).unwrap_or_default();
    let sealed = |offer: &[u8]| {
        let mut padded = hello(&[], &[offer, &own, &inner].concat());
        let length = recommended(padded.len(), name.map(<[u8]>::len), max);
        padded.resize(length, 0);
        let extension = encrypted_hello(length + 16);
        [
            hello(&[9; 32], &[offer, &outer, &extension].concat()),
            padded,
        ]
    };
    let [rustls_outer, rustls_padded] = sealed(&[]);
    let wire = seal(&rustls_outer, &rustls_padded, OFFER, max).expect("what rustls makes");
    assert_eq!(wire, sealed(OFFER));
}

/// Whole extensions in any order, none of them one that this is about.
fn extensions(bytes: &[u8]) -> Vec<u8> {
    let pieces = bytes.chunks(40).zip(100..);
    pieces
        .flat_map(|(body, kind)| extension(kind, body))
        .collect()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector(body)].concat()
}

fn vector(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("inputs are short");
    [&length.to_be_bytes()[..], body].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &vector(&[&[0][..], &vector(name)].concat()))
}

fn encrypted_hello(payload: usize) -> Vec<u8> {
    let head = [0, 0, 1, 0, 1, 7];
    extension(
        0xfe0d,
        &[&head[..], &vector(&[5; 32]), &vector(&vec![0; payload])].concat(),
    )
}

fn hello(session: &[u8], extensions: &[u8]) -> Vec<u8> {
    let length = u8::try_from(session.len()).expect("32 at most");
    let head = [
        &[3, 3][..],
        &[7; 32],
        &[length],
        session,
        &[0, 2, 0x13, 1, 1, 0],
    ];
    [&head.concat(), &vector(extensions)[..]].concat()
}

/// RFC 9849 §6.1.3, with the names of its variables.
fn recommended(hello: usize, d: Option<usize>, max: u8) -> usize {
    let l = if max == 0 { 255 } else { usize::from(max) };
    let named = hello + d.map_or(l + 9, |d| l.saturating_sub(d));
    let n = 31 - ((named - 1) % 32);
    named + n
}

/// A configuration made of any key and suites, and any bytes in the place of one.
fn check_info(input: &[u8]) {
    let _ = maximum_name_length(input);
    let (key, suites) = input.split_at(input.len() / 2);
    let contents = [
        &[1, 0, 32][..],
        &vector(key),
        &vector(suites),
        &[77, 0, 0, 0],
    ]
    .concat();
    let info = [&b"tls ech\0\xfe\x0d"[..], &vector(&contents)].concat();
    assert_eq!(maximum_name_length(&info), Some(77));
    let cut = info.len() - 1 - input.len() % info.len();
    assert_eq!(maximum_name_length(&info[..cut]), None);
}
