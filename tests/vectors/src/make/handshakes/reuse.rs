//! Authenticated connections, and other origins.

use std::collections::BTreeMap;

use super::sessions::{certificate, named, unnamed};
use crate::format::handshakes::{Accepted, ReuseVector};
use crate::make::NAME;
use crate::make::certificates::ZONE;

const WEB: &str = "www.example.com";

#[rustfmt::skip]
pub(super) fn all() -> BTreeMap<String, ReuseVector> {
    let rows: [(&str, &str, &str, bool, bool); 9] = [
        ("own-name", "the unique name", NAME, true, true),
        ("own-name-in-capitals", "the unique name; ASCII case does not matter", "K3V.CPE.example.com", true, true),
        ("neighbour", "another name that the wildcard covers", "neighbour.cpe.example.com", false, true),
        ("other-host", "another dNSName of the certificate", WEB, false, true),
        ("below", "two labels below the wildcard", "a.k3v.cpe.example.com", false, false),
        ("zone", "the wildcard without its label", "cpe.example.com", false, false),
        ("elsewhere", "a name that is nowhere in it", "k3v.example.org", false, false),
        ("with-suffix", "a name that begins with the unique name", "k3v.cpe.example.com.evil.example", false, false),
        ("address", "an address", "192.0.2.1", false, false),
    ];
    let mut all = BTreeMap::new();
    for (id, note, other, by_name, by_certificate) in rows {
        for (peer_id, peer, authoritative) in [
            ("named", named(), by_name),
            ("unnamed", unnamed(), by_certificate),
            ("certificate", certificate(), by_certificate),
        ] {
            let vector = vector(note, peer, other, authoritative);
            all.insert(format!("{peer_id}-{id}"), vector);
        }
    }
    all
}

fn vector(note: &str, peer: Accepted, other: &str, authoritative: bool) -> ReuseVector {
    ReuseVector {
        note: note.to_owned(),
        section: "reuse".to_owned(),
        peer,
        dns_names: vec![ZONE.to_owned(), WEB.to_owned()],
        other: other.to_owned(),
        authoritative,
    }
}
