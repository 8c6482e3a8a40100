//! The certificates' table.

use super::{
    DIGITAL_SIGNATURE, IP_ADDRESS, OTHER_NAME, RFC822_NAME, Row, URI, Via, ZONE, dns, key_usage,
    name_constraints, srv_name, unreadable_constraints, usage,
};
use crate::format::credentials::KeyType;
use crate::make::certificates::END_OF_TIME;
use crate::make::{DAY, NOT_AFTER, NOT_BEFORE, NOW};

pub(super) fn all() -> Vec<Row> {
    let rows = [of_keys(), of_usages(), of_names(), of_times(), of_paths()].concat();
    // The serial numbers are those of the rows: what is new comes last.
    [rows, of_subtrees(), of_more_names()].concat()
}

/// The key types of delegation certificates.
fn of_keys() -> Vec<Row> {
    let mut rows = vec![
        Row::new("good", "a delegation certificate as it should be"),
        Row::new("reissued", "the same key and names, another serial number"),
    ];
    for (id, key) in [
        ("p256", KeyType::P256),
        ("p384", KeyType::P384),
        ("p521", KeyType::P521),
        ("rsa", KeyType::Rsa),
        ("rsa-pss", KeyType::RsaPss),
    ] {
        let row = Row::new(id, "a delegation certificate with a key of another type");
        rows.push(Row { key, ..row });
    }
    rows
}

/// The two extensions without which a certificate may not delegate.
#[rustfmt::skip]
fn of_usages() -> Vec<Row> {
    let with_usage = |id, note, usage| Row { usage, ..Row::new(id, note) };
    let with_key_usage = |id, note, key_usage| Row { key_usage, ..Row::new(id, note) };
    let null = || usage(false, &[5, 0]);
    let signs = || key_usage(&DIGITAL_SIGNATURE);
    vec![
        with_usage("no-usage", "no DelegationUsage", vec![]),
        with_usage("empty-usage", "a DelegationUsage of no bytes, as in drafts of RFC 9345", vec![usage(false, &[])]),
        with_usage("sequence-usage", "a DelegationUsage that is an empty SEQUENCE", vec![usage(false, &[0x30, 0])]),
        with_usage("trailing-usage", "a byte after the NULL of DelegationUsage", vec![usage(false, &[5, 0, 0])]),
        with_usage("critical-usage", "DelegationUsage is critical", vec![usage(true, &[5, 0])]),
        with_usage("duplicate-usage", "DelegationUsage twice", vec![null(), null()]),
        with_key_usage("no-key-usage", "no keyUsage", vec![]),
        with_key_usage("key-agreement-only", "keyUsage has keyAgreement alone", vec![key_usage(&[3, 2, 3, 8])]),
        with_key_usage("signs-certificates-only", "keyUsage has keyCertSign alone", vec![key_usage(&[3, 2, 2, 4])]),
        with_key_usage("more-key-usages", "keyUsage has digitalSignature and keyEncipherment", vec![key_usage(&[3, 2, 5, 0xa0])]),
        with_key_usage("duplicate-key-usage", "keyUsage twice", vec![signs(), signs()]),
        Row {
            usage: vec![],
            issuer: Some(Via(vec![vec![usage(false, &[5, 0])]])),
            ..Row::new("usage-of-the-issuer", "DelegationUsage in the certificate that signed it alone")
        },
    ]
}

/// What covers a unique name, and what does not.
#[rustfmt::skip]
fn of_names() -> Vec<Row> {
    let long = |last: usize| format!("*.{0}.{0}.{1}", "b".repeat(63), "c".repeat(last));
    let mut rows = vec![
        Row::named("exact", "one device's name", &["k3v.cpe.example.com"]),
        Row::named("upper-case", "a wildcard in capitals", &["*.CPE.Example.COM"]),
        Row::named("upper-case-exact", "one device's name in capitals", &["K3V.CPE.Example.COM"]),
        Row::named("second", "the wildcard is the second name", &["www.example.com", ZONE]),
        Row::named("many", "names of two zones, and one of another host", &[ZONE, "*.sensors.example.net", "www.example.com"]),
        Row::named("sibling", "another device's name", &["k3w.cpe.example.com"]),
        Row::named("below", "a wildcard below the name", &["*.k3v.cpe.example.com"]),
        Row::named("parent", "the parent without a wildcard", &["cpe.example.com"]),
        Row::named("above", "a wildcard two labels above", &["*.example.com"]),
        Row::named("part-of-label", "wildcards for parts of a label", &["k*.cpe.example.com", "*v.cpe.example.com", "k*v.cpe.example.com"]),
        Row::named("inner-wildcard", "a wildcard that is not the first label", &["k3v.*.example.com"]),
        Row::named("two-wildcards", "two wildcards", &["*.*.example.com"]),
        Row::named("star", "a wildcard alone", &["*"]),
        Row::named("top-level", "a wildcard below a top-level domain", &["*.com"]),
        Row::named("final-dot", "dNSNames that end with a dot", &["*.cpe.example.com.", "k3v.cpe.example.com."]),
        Row::named("single-label", "a name of one label", &["router"]),
        Row::named("rare", "names that are seldom seen", &["a", "1.a", "a--b", "ab--c.example", "xn--bcher-kva.example", "xn--0.example", "0x1.b", "a.0xg", "a.x1", "a.1a", "a.1-1"]),
        Row::named("numbers", "dNSNames that end in a number, which no host has", &["a.0x1f", "a.0x", "a.1", "1", "*.0.2.1"]),
        Row { names: vec![], common_name: "k3v.cpe.example.com", ..Row::new("common-name", "the name in commonName alone") },
        Row { names: vec![(IP_ADDRESS, vec![192, 0, 2, 1])], ..Row::new("address", "an iPAddress alone") },
        Row { names: vec![(OTHER_NAME, srv_name("_https.k3v.cpe.example.com"))], ..Row::new("srv", "an SRVName alone") },
        Row { names: vec![(URI, b"https://k3v.cpe.example.com/".to_vec())], ..Row::new("uri", "a uniformResourceIdentifier alone") },
        Row { names: vec![(RFC822_NAME, b"k3v.cpe.example.com".to_vec())], ..Row::new("rfc822", "an rfc822Name alone") },
    ];
    let long: Vec<_> = [61, 62, 63].map(long).into();
    let names = long.iter().map(|name| dns(name)).collect();
    rows.push(Row { names, ..Row::new("long", "wildcards for names of 253 octets and more") });
    rows
}

/// Certificates that are valid at other times.
#[rustfmt::skip]
fn of_times() -> Vec<Row> {
    let valid = |id, note, validity| Row { validity, ..Row::new(id, note) };
    vec![
        valid("ended", "ended a second before the others' vectors begin", (NOT_BEFORE, NOW - 1)),
        valid("not-yet", "begins a second later", (NOW + 1, NOT_AFTER)),
        valid("ending", "ends two days later", (NOT_BEFORE, NOW + 2 * DAY)),
        valid("endless", "has no end that anybody knows (RFC 5280 §4.1.2.5)", (NOT_BEFORE, END_OF_TIME)),
    ]
}

/// Every way to write an excluded subtree, and every certificate that can have one.
#[rustfmt::skip]
fn of_subtrees() -> Vec<Row> {
    let excluded = |subtree: &str| vec![name_constraints(subtree)];
    let via = |id, note, subtree: &str| Row { issuer: Some(Via(vec![excluded(subtree)])), ..Row::new(id, note) };
    let twin = "twin.cpe.example.com";
    vec![
        via("excluding-below", "name constraints exclude .cpe.example.com", ".cpe.example.com"),
        via("excluding-below-twin", "name constraints exclude .twin.cpe.example.com", ".twin.cpe.example.com"),
        via("excluding-with-final-dot", "name constraints exclude twin.cpe.example.com. with a dot", "twin.cpe.example.com."),
        via("excluding-everything", "name constraints exclude the empty dNSName", ""),
        Row { issuer: Some(Via(vec![vec![unreadable_constraints()]])), ..Row::new("constrained-unreadably", "name constraints of the intermediate that cannot be read") },
        Row { issuer: Some(Via(vec![[excluded("example.net"), excluded("example.org")].concat()])), ..Row::new("constrained-twice", "name constraints twice in the intermediate") },
        Row { root: Some(excluded(twin)), ..Row::new("excluding-by-root", "name constraints of its root exclude twin.cpe.example.com") },
        Row { more: excluded(twin), ..Row::new("excluding-by-itself", "its own name constraints exclude twin.cpe.example.com") },
    ]
}

/// subjectAltName twice, a name that C cuts, and subtrees that are seldom seen.
#[rustfmt::skip]
fn of_more_names() -> Vec<Row> {
    let row = Row::new("duplicate-names", "subjectAltName twice");
    let more = row.subject_alt_name();
    let via = |id, note, subtree| Row { issuer: Some(Via(vec![vec![name_constraints(subtree)]])), ..Row::new(id, note) };
    vec![
        Row { more, ..row },
        Row::named("nul", "dNSNames with a NUL after the name", &["k3v.cpe.example.com\0", "k3v.cpe.example.com\0.evil.example"]),
        via("excluding-a-dot", "name constraints exclude a dot", "."),
        via("excluding-a-star", "name constraints exclude *.cpe.example.com, where * is a label like others", "*.cpe.example.com"),
    ]
}

/// Certificates with intermediates.
#[rustfmt::skip]
fn of_paths() -> Vec<Row> {
    let excluded = |subtree: &str| vec![name_constraints(subtree)];
    let via = |id, note, levels| Row { issuer: Some(Via(levels)), ..Row::new(id, note) };
    vec![
        via("with-intermediate", "signed by an intermediate", vec![vec![]]),
        via("excluding", "name constraints of the intermediate exclude twin.cpe.example.com", vec![excluded("twin.cpe.example.com")]),
        via("excluding-above", "name constraints of the second intermediate exclude twin.cpe.example.com", vec![vec![], excluded("twin.cpe.example.com")]),
        via("excluding-in-capitals", "name constraints exclude Twin.CPE.example.com", vec![excluded("Twin.CPE.example.com")]),
    ]
}
