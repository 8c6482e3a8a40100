//! Structures that cannot be decoded.

use super::Book;
use crate::fault::Fault;
use crate::make::draft::Draft;

/// The offset of the key's length, and its octets.
const SPKI_LENGTH: usize = 6;

pub(super) fn add(good: &Draft, book: &mut Book) {
    let bytes = good.signed();
    let malformed = |note: &str| {
        good.but("structure", note, |_| ())
            .refused(Fault::Malformed)
    };

    let trailing = [&bytes[..], &[0]].concat();
    book.add_bytes(
        "trailing-byte",
        &malformed("a byte after the structure"),
        trailing,
    );
    for (id, length) in edges(good) {
        let draft = malformed("ends there");
        book.add_bytes(&format!("cut-{id}"), &draft, bytes[..length].to_vec());
    }
    for (id, note, at, value) in lengths(good) {
        let mut changed = bytes.clone();
        changed[at..at + value.len()].copy_from_slice(&value);
        book.add_bytes(id, &malformed(note), changed);
    }
    let draft = malformed("a signature of no bytes");
    book.add_bytes("empty-signature", &draft, draft.with_signature(&[]));
    let draft = good.but("structure", "a key of no bytes", |draft| draft.spki.clear());
    book.add("empty-key", &draft.refused(Fault::Malformed));
    if good.name.is_some() {
        let draft = good.but("structure", "a name of no bytes", |draft| {
            draft.name = Some(Vec::new());
        });
        book.add("empty-name", &draft.refused(Fault::Malformed));
    }
}

/// Lengths that end with a field, or within one.
fn edges(good: &Draft) -> Vec<(&'static str, usize)> {
    let key = SPKI_LENGTH + 3 + good.spki.len();
    let body = good.body().len();
    let mut edges = vec![
        ("before-everything", 0),
        ("in-valid-time", 3),
        ("after-valid-time", 4),
        ("in-scheme", 5),
        ("after-scheme", SPKI_LENGTH),
        ("in-key-length", SPKI_LENGTH + 2),
        ("after-key-length", SPKI_LENGTH + 3),
        ("in-key", key - 1),
    ];
    if good.name.is_some() {
        edges.extend([
            ("after-key", key),
            ("after-name-length", key + 1),
            ("in-name", body - 1),
        ]);
    }
    edges.extend([
        ("after-credential", body),
        ("in-algorithm", body + 1),
        ("after-algorithm", body + 2),
        ("in-signature-length", body + 3),
        ("after-signature-length", body + 4),
        ("in-signature", good.signed().len() - 1),
    ]);
    edges
}

/// Length prefixes that are not the lengths: where they stand, and what stands there.
#[rustfmt::skip]
fn lengths(good: &Draft) -> Vec<(&'static str, &'static str, usize, Vec<u8>)> {
    let key = u8::try_from(good.spki.len()).unwrap();
    let (name_at, signature_at) = (SPKI_LENGTH + 3 + good.spki.len(), good.body().len() + 2);
    let mut lengths = vec![
        ("key-length-too-small", "the key's length is one less", SPKI_LENGTH, vec![0, 0, key - 1]),
        ("key-length-too-big", "the key's length is one more than there is", SPKI_LENGTH, rest(good, SPKI_LENGTH + 3, 3)),
        ("key-length-greatest", "the key's length is 2^24-1", SPKI_LENGTH, vec![0xff; 3]),
        ("signature-length-too-small", "the signature's length is one less", signature_at, vec![0, 63]),
        ("signature-length-too-big", "the signature's length is one more than there is", signature_at, vec![0, 65]),
        ("signature-length-greatest", "the signature's length is 2^16-1", signature_at, vec![0xff; 2]),
    ];
    if let Some(name) = &good.name {
        let shorter = u8::try_from(name.len()).unwrap() - 1;
        lengths.extend([
            ("name-length-too-small", "the name's length is one less", name_at, vec![shorter]),
            ("name-length-too-big", "the name's length is one more than there is", name_at, rest(good, name_at + 1, 1)),
            ("name-length-greatest", "the name's length is 255", name_at, vec![255]),
        ]);
    }
    lengths
}

/// One more than the bytes behind a length of so many octets.
fn rest(good: &Draft, from: usize, octets: usize) -> Vec<u8> {
    let length = u32::try_from(good.signed().len() - from + 1).unwrap();
    length.to_be_bytes()[4 - octets..].to_vec()
}
