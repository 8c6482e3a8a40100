//! Requests to an issuer.

use std::collections::BTreeMap;

use super::alerts::silently;
use super::certificates::{END_OF_TIME, certificate};
use super::keys::{DEVICE, device};
use super::{DAY, NAME, NOT_AFTER, NOT_BEFORE, NOW, WEEK};
use crate::fault::Fault;
use crate::format::credentials::{KeyType, RequestVector};
use crate::format::{Hex, Role};

pub(super) fn all() -> BTreeMap<String, RequestVector> {
    let mut all = BTreeMap::new();
    for role in [Role::Server, Role::Client] {
        let rows = [
            of_lifetimes(role),
            of_names(role),
            of_keys(role),
            of_certificates(role),
        ]
        .concat();
        for (id, mut vector) in rows {
            vector.valid_time = vector.refused.is_none().then(|| valid_time(&vector));
            let id = format!("{}-{id}", super::draft::role_name(role));
            assert!(all.insert(id.clone(), vector).is_none(), "{id} twice");
        }
    }
    all
}

type Rows = Vec<(&'static str, RequestVector)>;

fn valid_time(vector: &RequestVector) -> u32 {
    let not_before = certificate(&vector.certificate).vector.not_before;
    u32::try_from(vector.now + vector.lifetime - not_before).unwrap()
}

/// A request for a named credential of a day.
fn request(role: Role, section: &str, note: &str, fault: Option<Fault>) -> RequestVector {
    RequestVector {
        note: note.to_owned(),
        section: section.to_owned(),
        certificate: "good".to_owned(),
        role,
        unique_name: Some(NAME.to_owned()),
        spki: Hex(DEVICE.spki()),
        lifetime: DAY,
        now: NOW,
        refused: fault.map(silently),
        valid_time: None,
    }
}

#[rustfmt::skip]
fn of_lifetimes(role: Role) -> Rows {
    let refused = Some(Fault::LifetimeNotAllowed);
    let beyond = NOT_BEFORE + u64::from(u32::MAX);
    let row = |id, note, certificate: &str, now, lifetime, fault| {
        let request = request(role, "issuer", note, fault);
        (id, RequestVector { certificate: certificate.to_owned(), now, lifetime, ..request })
    };
    vec![
        row("day", "a day", "good", NOW, DAY, None),
        row("164-hours", "164 hours, which leave 4 for a client's clock that is behind", "good", NOW, 164 * 3600, None),
        row("second", "a second", "good", NOW, 1, None),
        row("no-time", "no time at all", "good", NOW, 0, refused),
        row("seven-days", "seven days", "good", NOW, WEEK, None),
        row("seven-days-and-a-second", "a second more than seven days", "good", NOW, WEEK + 1, refused),
        row("before-certificate-ends", "ends a second before the certificate", "good", NOT_AFTER - DAY - 1, DAY, None),
        row("with-certificate", "ends with the certificate", "good", NOT_AFTER - DAY, DAY, refused),
        row("after-certificate", "ends a second after the certificate", "good", NOT_AFTER - DAY + 1, DAY, refused),
        row("greatest-valid-time", "ends 2^32-1 seconds after notBefore", "endless", beyond - DAY, DAY, None),
        row("beyond-valid-time", "ends 2^32 seconds after notBefore, which valid_time cannot say", "endless", beyond - DAY + 1, DAY, refused),
        row("at-the-end-of-time", "far beyond what valid_time can say", "endless", END_OF_TIME - 2 * DAY, DAY, refused),
    ]
}

#[rustfmt::skip]
fn of_names(role: Role) -> Rows {
    let row = |id, note, certificate: &str, name: Option<&str>, fault| {
        let request = request(role, "issuer", note, fault);
        (id, RequestVector { certificate: certificate.to_owned(), unique_name: name.map(Into::into), ..request })
    };
    vec![
        row("no-name", "RFC 9345's form", "good", None, None),
        row("exact-name", "the certificate's one name", "exact", Some(NAME), None),
        row("name-not-covered", "no dNSName covers it", "good", Some("k3v.example.com"), Some(Fault::NameNotCovered)),
        row("name-two-labels-below", "the wildcard stands for one label", "good", Some("a.b.cpe.example.com"), Some(Fault::NameNotCovered)),
        row("name-of-the-zone", "the wildcard stands for a label", "good", Some("cpe.example.com"), Some(Fault::NameNotCovered)),
        row("name-in-capitals", "not a unique name; an issuer does not repair it", "good", Some("K3V.cpe.example.com"), Some(Fault::MalformedName)),
        row("name-with-final-dot", "not a unique name", "good", Some("k3v.cpe.example.com."), Some(Fault::MalformedName)),
        row("wildcard-name", "not a unique name", "good", Some("*.cpe.example.com"), Some(Fault::MalformedName)),
        row("excluded-name", "excluded by name constraints of the path", "excluding", Some("twin.cpe.example.com"), Some(Fault::NameExcluded)),
    ]
}

#[rustfmt::skip]
fn of_keys(role: Role) -> Rows {
    let row = |id, note, spki, fault| (id, RequestVector { spki: Hex(spki), ..request(role, "issuer", note, fault) });
    let mut trailing = DEVICE.spki();
    trailing.push(0);
    let mut rows = vec![
        row("rsa-key", "an rsaEncryption key, which no scheme of credentials is for", device(KeyType::Rsa).spki(), Some(Fault::ForbiddenScheme)),
        row("no-key", "not a SubjectPublicKeyInfo", b"pubkey".to_vec(), Some(Fault::MalformedKey)),
        row("key-and-a-byte", "a byte after the SubjectPublicKeyInfo", trailing, Some(Fault::MalformedKey)),
    ];
    for (id, kind) in [
        ("p256-key", KeyType::P256),
        ("p384-key", KeyType::P384),
        ("p521-key", KeyType::P521),
        ("ed448-key", KeyType::Ed448),
        ("rsa-pss-key", KeyType::RsaPss),
    ] {
        rows.push(row(id, "a key of another type", device(kind).spki(), None));
    }
    rows
}

#[rustfmt::skip]
fn of_certificates(role: Role) -> Rows {
    let row = |id, note, certificate: &str, now, fault| {
        let request = request(role, "issuer", note, Some(fault));
        (id, RequestVector { certificate: certificate.to_owned(), now, ..request })
    };
    vec![
        row("certificate-not-yet", "a second before the certificate begins", "good", NOT_BEFORE - 1, Fault::CertificateNotValid),
        row("certificate-ended", "a second after the certificate has ended", "good", NOT_AFTER + 1, Fault::CertificateNotValid),
        row("certificate-no-usage", "a certificate that may not delegate", "no-usage", NOW, Fault::NoDelegationUsage),
        row("certificate-critical-usage", "a certificate that may not delegate", "critical-usage", NOW, Fault::CriticalDelegationUsage),
        row("certificate-no-key-usage", "a certificate that may not delegate", "no-key-usage", NOW, Fault::NoDigitalSignature),
        row("certificate-key-agreement-only", "a certificate that may not delegate", "key-agreement-only", NOW, Fault::NoDigitalSignature),
    ]
}
