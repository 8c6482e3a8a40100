//! Authenticated connections, and other origins.

use std::collections::BTreeMap;

use super::sessions::{EXPIRES, certificate, named, unnamed};
use crate::format::handshakes::{Accepted, ReuseVector};
use crate::format::{Form, Hex, Policy};
use crate::make::certificates::ZONE;
use crate::make::keys::{DEVICE, OTHER_DEVICE};
use crate::make::{NAME, NOW};

const WEB: &str = "www.example.com";
const NEIGHBOUR: &str = "neighbour.cpe.example.com";

pub(super) fn all() -> BTreeMap<String, ReuseVector> {
    let mut all = of_names();
    let rows = [of_policies(), of_time(), of_withdrawal()].concat();
    for (id, vector) in rows {
        assert!(all.insert(id.to_owned(), vector).is_none(), "{id} twice");
    }
    all
}

#[rustfmt::skip]
fn of_names() -> BTreeMap<String, ReuseVector> {
    let rows: [(&str, &str, &str, bool, bool); 10] = [
        ("own-name", "the unique name", NAME, true, true),
        ("own-name-with-final-dot", "the unique name; one final dot does not matter", "k3v.cpe.example.com.", true, true),
        ("own-name-in-capitals", "the unique name; ASCII case does not matter", "K3V.CPE.example.com", true, true),
        ("neighbour", "another name that the wildcard covers", NEIGHBOUR, false, true),
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
            let other = other.to_owned();
            let vector = ReuseVector { other, authoritative, ..connection(note, peer) };
            all.insert(format!("{peer_id}-{id}"), vector);
        }
    }
    all
}

/// A connection that may be used for the name that it was made for.
fn connection(note: &str, peer: Accepted) -> ReuseVector {
    let policy = match peer.form {
        Some(Form::Named) => Policy::Required,
        Some(Form::Rfc9345) | None => Policy::Ignored,
    };
    ReuseVector {
        note: note.to_owned(),
        section: "reuse".to_owned(),
        peer,
        key: None,
        dns_names: vec![ZONE.to_owned(), WEB.to_owned()],
        made_under: policy,
        other: NAME.to_owned(),
        policy,
        served: false,
        now: NOW,
        withdrawn: Vec::new(),
        withdrawn_keys: Vec::new(),
        authoritative: true,
    }
}

type Rows = Vec<(&'static str, ReuseVector)>;

/// What the connection was checked against is what its policy asked.
#[rustfmt::skip]
fn of_policies() -> Rows {
    use Policy::{Ignored, Preferred, Required, RequiredOrCertificate};
    let row = |id, note, peer, made_under, policy, authoritative| {
        (id, ReuseVector { made_under, policy, authoritative, ..connection(note, peer) })
    };
    let impossible = "made with what the policy does not accept, by a program that did not keep these rules";
    let (stronger, weaker) = ("a stronger policy for the same name", "a weaker policy for the same name");
    vec![
        row("certificate-ignored-then-required", stronger, certificate(), Ignored, Required, false),
        row("certificate-preferred-then-required", stronger, certificate(), Preferred, Required, false),
        row("certificate-ignored-then-preferred", stronger, certificate(), Ignored, Preferred, false),
        row("certificate-required-or-certificate-then-required", stronger, certificate(), RequiredOrCertificate, Required, false),
        row("certificate-required-or-certificate", "the same policy, which takes a certificate", certificate(), RequiredOrCertificate, RequiredOrCertificate, true),
        row("certificate-required-or-certificate-then-preferred", weaker, certificate(), RequiredOrCertificate, Preferred, true),
        row("certificate-preferred-then-ignored", weaker, certificate(), Preferred, Ignored, true),
        row("unnamed-ignored-then-required", stronger, unnamed(), Ignored, Required, false),
        row("unnamed-preferred-then-required", stronger, unnamed(), Preferred, Required, false),
        row("unnamed-preferred-then-required-or-certificate", stronger, unnamed(), Preferred, RequiredOrCertificate, false),
        row("unnamed-preferred-then-ignored", weaker, unnamed(), Preferred, Ignored, true),
        row("named-preferred-then-required", stronger, named(), Preferred, Required, false),
        row("named-required-or-certificate-then-required", stronger, named(), RequiredOrCertificate, Required, false),
        row("named-required-then-preferred", weaker, named(), Required, Preferred, true),
        row("named-required-then-required-or-certificate", weaker, named(), Required, RequiredOrCertificate, true),
        row("named-required-then-ignored", weaker, named(), Required, Ignored, true),
        row("unnamed-required", impossible, unnamed(), Required, Required, false),
        row("unnamed-required-or-certificate", impossible, unnamed(), RequiredOrCertificate, RequiredOrCertificate, false),
        row("certificate-required", impossible, certificate(), Required, Required, false),
        ("certificate-of-another-host-then-required", ReuseVector {
            other: NEIGHBOUR.to_owned(),
            policy: Required,
            authoritative: false,
            ..connection("another name of the certificate, whose origin requires a named credential", certificate())
        }),
    ]
}

/// A connection may stay open after the end, but serves no origin anew.
#[rustfmt::skip]
fn of_time() -> Rows {
    let row = |id, note, peer, now, authoritative| (id, ReuseVector { now, authoritative, ..connection(note, peer) });
    vec![
        row("named-last-second", "the last second of the credential", named(), EXPIRES, true),
        row("named-expired", "a second after the credential has ended", named(), EXPIRES + 1, false),
        row("unnamed-last-second", "the last second of the credential", unnamed(), EXPIRES, true),
        row("unnamed-expired", "a second after the credential has ended", unnamed(), EXPIRES + 1, false),
        ("named-expired-served", ReuseVector {
            now: EXPIRES + 1,
            served: true,
            ..connection("a second after the credential has ended, for an origin that the connection has served", named())
        }),
        row("certificate-later", "a certificate's own key has no such end", certificate(), EXPIRES + 1, true),
    ]
}

#[rustfmt::skip]
fn of_withdrawal() -> Rows {
    let section = || "withdrawal".to_owned();
    let name = |id, note, withdrawn: &str, authoritative| {
        let withdrawn = vec![withdrawn.to_owned()];
        (id, ReuseVector { section: section(), withdrawn, authoritative, ..connection(note, named()) })
    };
    let key = |id, note, peer, withdrawn: Vec<u8>, authoritative| {
        let (key, withdrawn_keys) = (Some(Hex(DEVICE.spki())), vec![Hex(withdrawn)]);
        (id, ReuseVector { section: section(), key, withdrawn_keys, authoritative, ..connection(note, peer) })
    };
    vec![
        name("named-withdrawn", "the name was withdrawn since", NAME, false),
        name("named-other-withdrawn", "another name was withdrawn since", NEIGHBOUR, true),
        key("named-key-withdrawn", "the key was withdrawn since", named(), DEVICE.spki(), false),
        key("named-other-key-withdrawn", "another key was withdrawn since", named(), OTHER_DEVICE.spki(), true),
        key("unnamed-key-withdrawn", "the key was withdrawn since", unnamed(), DEVICE.spki(), false),
    ]
}
