//! The certificates: good ones with keys of every type, ones that may not delegate, and ones for every rule of names.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::der;
use super::keys::{INTERMEDIATE, Key, ROOT, delegation};
use super::{DAY, NOT_AFTER, NOT_BEFORE, NOW};
use crate::format::Hex;
use crate::format::credentials::{Certificate, Certificates, KeyType};

/// A certificate, what is said about it, and its key.
pub(super) struct Made {
    pub(super) key: Key,
    pub(super) vector: Certificate,
}

/// The certificate of this name.
pub(super) fn certificate(id: &str) -> &'static Made {
    all().get(id).unwrap_or_else(|| panic!("no certificate {id}"))
}

/// As the file has them.
pub(super) fn certificates() -> Certificates {
    let made = all().iter();
    made.map(|(id, made)| ((*id).to_owned(), made.vector.clone())).collect()
}

/// The root's certificate.
pub(super) fn root() -> Vec<u8> {
    issue(&Plan {
        subject: ROOT_NAME,
        serial: vec![1],
        key: ROOT,
        extensions: ca(),
        ..Plan::default()
    })
}

fn all() -> &'static BTreeMap<&'static str, Made> {
    static ALL: OnceLock<BTreeMap<&'static str, Made>> = OnceLock::new();
    ALL.get_or_init(|| {
        let rows = [of_keys(), of_usages(), of_names(), of_times(), of_paths()].concat();
        let mut all = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            assert!(all.insert(row.id, row.make(number)).is_none(), "{} twice", row.id);
        }
        all
    })
}

/// A delegation certificate in the making.
#[derive(Clone)]
struct Row {
    id: &'static str,
    note: &'static str,
    key: KeyType,
    common_name: &'static str,
    /// GeneralNames: tag and contents.
    names: Vec<(u8, Vec<u8>)>,
    usage: Vec<Vec<u8>>,
    key_usage: Vec<Vec<u8>>,
    validity: (u64, u64),
    issuer: Option<Via>,
}

/// Intermediates, the one that signs first: name constraints of each, or the delegation's extension.
#[derive(Clone)]
struct Via(Vec<Vec<Vec<u8>>>);

impl Row {
    fn new(id: &'static str, note: &'static str) -> Self {
        Self {
            id,
            note,
            key: KeyType::Ed25519,
            common_name: "delegation certificate",
            names: vec![dns(ZONE)],
            usage: vec![usage(false, &[5, 0])],
            key_usage: vec![key_usage(&DIGITAL_SIGNATURE)],
            validity: (NOT_BEFORE, NOT_AFTER),
            issuer: None,
        }
    }

    fn named(id: &'static str, note: &'static str, dns_names: &[&str]) -> Self {
        Self {
            names: dns_names.iter().map(|name| dns(name)).collect(),
            ..Self::new(id, note)
        }
    }

    fn make(&self, number: usize) -> Made {
        let mut plan = Plan {
            subject: self.common_name,
            serial: vec![2, u8::try_from(number).unwrap()],
            key: delegation(self.key),
            validity: self.validity,
            extensions: [self.subject_alt_name(), self.key_usage.clone(), self.usage.clone()].concat(),
            ..Plan::default()
        };
        let intermediates = self.issuer.as_ref().map_or_else(Vec::new, |via| via.make(number));
        if !intermediates.is_empty() {
            (plan.issuer, plan.signer) = (INTERMEDIATE_NAMES[0], INTERMEDIATE);
        }
        let dns_names = self.names.iter().filter(|(tag, _)| *tag == DNS_NAME);
        let vector = Certificate {
            note: self.note.to_owned(),
            der: Hex(issue(&plan)),
            intermediates,
            key: self.key,
            private_key: Hex(plan.key.pkcs8()),
            not_before: self.validity.0,
            not_after: self.validity.1,
            dns_names: dns_names.map(|(_, name)| String::from_utf8(name.clone()).unwrap()).collect(),
        };
        Made { key: plan.key, vector }
    }

    fn subject_alt_name(&self) -> Vec<Vec<u8>> {
        if self.names.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = self.names.iter().map(|(tag, name)| der::tlv(*tag, &[name])).collect();
        let names = der::sequence(&[&names.concat()]);
        vec![der::extension(der::SUBJECT_ALT_NAME, false, &names)]
    }
}

impl Via {
    fn make(&self, number: usize) -> Vec<Hex> {
        let Self(levels) = self;
        let one = |(level, extensions): (usize, &Vec<Vec<u8>>)| {
            let is_top = level + 1 == levels.len();
            let issuer = if is_top { ROOT_NAME } else { INTERMEDIATE_NAMES[level + 1] };
            Hex(issue(&Plan {
                subject: INTERMEDIATE_NAMES[level],
                issuer,
                serial: vec![3, u8::try_from(number).unwrap(), u8::try_from(level).unwrap()],
                key: INTERMEDIATE,
                signer: if is_top { ROOT } else { INTERMEDIATE },
                extensions: [ca(), extensions.clone()].concat(),
                ..Plan::default()
            }))
        };
        levels.iter().enumerate().map(one).collect()
    }
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
fn of_times() -> Vec<Row> {
    let valid = |id, note, validity| Row { validity, ..Row::new(id, note) };
    vec![
        valid("ended", "ended a second before the others' vectors begin", (NOT_BEFORE, NOW - 1)),
        valid("not-yet", "begins a second later", (NOW + 1, NOT_AFTER)),
        valid("ending", "ends two days later", (NOT_BEFORE, NOW + 2 * DAY)),
        valid("endless", "has no end that anybody knows (RFC 5280 §4.1.2.5)", (NOT_BEFORE, END_OF_TIME)),
    ]
}

/// Certificates with intermediates.
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

/// A certificate to be signed.
struct Plan {
    subject: &'static str,
    issuer: &'static str,
    serial: Vec<u8>,
    key: Key,
    signer: Key,
    validity: (u64, u64),
    extensions: Vec<Vec<u8>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            subject: ROOT_NAME,
            issuer: ROOT_NAME,
            serial: vec![1],
            key: ROOT,
            signer: ROOT,
            validity: (NOT_BEFORE - 365 * DAY, END_OF_TIME),
            extensions: Vec::new(),
        }
    }
}

fn issue(plan: &Plan) -> Vec<u8> {
    const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
    let (from, to) = plan.validity;
    let tbs = der::sequence(&[
        &[0xa0, 0x03, 0x02, 0x01, 0x02],
        &der::tlv(0x02, &[&plan.serial]),
        ED25519,
        &der::common_name(plan.issuer),
        &der::sequence(&[&time(from), &time(to)]),
        &der::common_name(plan.subject),
        &plan.key.spki(),
        &der::tlv(0xa3, &[&der::sequence(&[&plan.extensions.concat()])]),
    ]);
    let signature = plan.signer.sign(plan.signer.scheme(), &tbs);
    der::sequence(&[&tbs, ED25519, &der::bit_string(&signature)])
}

/// UTCTime until 2049, then GeneralizedTime (RFC 5280 §4.1.2.5).
fn time(seconds: u64) -> Vec<u8> {
    let (days, second) = (seconds / DAY, seconds % DAY);
    // Howard Hinnant's days_from_civil, backwards, for days after 0000-03-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let clock = format!("{month:02}{day:02}{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60);
    match year {
        ..2050 => der::tlv(0x17, &[format!("{:02}{clock}", year % 100).as_bytes()]),
        _ => der::tlv(0x18, &[format!("{year:04}{clock}").as_bytes()]),
    }
}

fn usage(critical: bool, value: &[u8]) -> Vec<u8> {
    der::extension(der::DELEGATION_USAGE, critical, value)
}

fn key_usage(bits: &[u8]) -> Vec<u8> {
    der::extension(der::KEY_USAGE, true, bits)
}

/// basicConstraints with cA, and keyUsage with keyCertSign.
fn ca() -> Vec<Vec<u8>> {
    let constraints = der::sequence(&[&[1, 1, 0xff]]);
    vec![der::extension(der::BASIC_CONSTRAINTS, true, &constraints), key_usage(&[3, 2, 2, 4])]
}

/// nameConstraints with one excluded dNSName.
fn name_constraints(excluded: &str) -> Vec<u8> {
    let subtree = der::sequence(&[&der::tlv(DNS_NAME, &[excluded.as_bytes()])]);
    let value = der::sequence(&[&der::tlv(0xa1, &[&subtree])]);
    der::extension(der::NAME_CONSTRAINTS, true, &value)
}

fn dns(name: &str) -> (u8, Vec<u8>) {
    (DNS_NAME, name.as_bytes().to_vec())
}

/// The contents of an otherName with an SRVName (RFC 4985 §2).
fn srv_name(name: &str) -> Vec<u8> {
    const ON_DNS_SRV: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 8, 7];
    let value = der::tlv(0x16, &[name.as_bytes()]);
    [der::tlv(0x06, &[ON_DNS_SRV]), der::tlv(0xa0, &[&value])].concat()
}

pub(super) const ZONE: &str = "*.cpe.example.com";
const ROOT_NAME: &str = "root of the vectors";
const INTERMEDIATE_NAMES: [&str; 2] = ["first intermediate", "second intermediate"];
/// 9999-12-31 23:59:59.
pub(super) const END_OF_TIME: u64 = 253_402_300_799;
const DIGITAL_SIGNATURE: [u8; 4] = [3, 2, 7, 0x80];
const OTHER_NAME: u8 = 0xa0;
const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
