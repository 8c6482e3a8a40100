//! The certificates: good ones with keys of every type, ones that may not delegate, and ones for every rule of names.

mod rows;
mod x509;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub(super) use self::x509::END_OF_TIME;
use self::x509::{Plan, ROOT_NAME, ca, issue};
use super::der;
use super::keys::{INTERMEDIATE, Key, ROOT, delegation};
use super::{NOT_AFTER, NOT_BEFORE};
use crate::format::Hex;
use crate::format::credentials::{Certificate, Certificates, KeyType};

/// A certificate, what is said about it, and its key.
pub(super) struct Made {
    pub(super) key: Key,
    pub(super) vector: Certificate,
}

/// The certificate of this name.
pub(super) fn certificate(id: &str) -> &'static Made {
    all()
        .get(id)
        .unwrap_or_else(|| panic!("no certificate {id}"))
}

/// As the file has them.
pub(super) fn certificates() -> Certificates {
    let made = all().iter();
    made.map(|(id, made)| ((*id).to_owned(), made.vector.clone()))
        .collect()
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

/// A root with more extensions.
fn other_root(extensions: &[Vec<u8>]) -> Vec<u8> {
    issue(&Plan {
        subject: OTHER_ROOT_NAME,
        issuer: OTHER_ROOT_NAME,
        serial: vec![4],
        key: ROOT,
        extensions: [ca(), extensions.to_vec()].concat(),
        ..Plan::default()
    })
}

fn all() -> &'static BTreeMap<&'static str, Made> {
    static ALL: OnceLock<BTreeMap<&'static str, Made>> = OnceLock::new();
    ALL.get_or_init(|| {
        let rows = rows::all();
        let mut all = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            assert!(
                all.insert(row.id, row.make(number)).is_none(),
                "{} twice",
                row.id
            );
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
    /// More of its extensions.
    more: Vec<Vec<u8>>,
    /// The extensions of a root of its own.
    root: Option<Vec<Vec<u8>>>,
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
            more: Vec::new(),
            root: None,
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
            extensions: [
                self.subject_alt_name(),
                self.key_usage.clone(),
                self.usage.clone(),
                self.more.clone(),
            ]
            .concat(),
            ..Plan::default()
        };
        let intermediates = self
            .issuer
            .as_ref()
            .map_or_else(Vec::new, |via| via.make(number));
        if !intermediates.is_empty() {
            (plan.issuer, plan.signer) = (INTERMEDIATE_NAMES[0], INTERMEDIATE);
        }
        if self.root.is_some() {
            plan.issuer = OTHER_ROOT_NAME;
        }
        let root = self
            .root
            .as_ref()
            .map(|extensions| Hex(other_root(extensions)));
        let dns_names = self.names.iter().filter(|(tag, _)| *tag == DNS_NAME);
        let vector = Certificate {
            note: self.note.to_owned(),
            der: Hex(issue(&plan)),
            intermediates,
            root,
            key: self.key,
            private_key: Hex(plan.key.pkcs8()),
            not_before: self.validity.0,
            not_after: self.validity.1,
            dns_names: dns_names
                .map(|(_, name)| String::from_utf8(name.clone()).unwrap())
                .collect(),
        };
        Made {
            key: plan.key,
            vector,
        }
    }

    fn subject_alt_name(&self) -> Vec<Vec<u8>> {
        if self.names.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = self
            .names
            .iter()
            .map(|(tag, name)| der::tlv(*tag, &[name]))
            .collect();
        let names = der::sequence(&[&names.concat()]);
        vec![der::extension(der::SUBJECT_ALT_NAME, false, &names)]
    }
}

impl Via {
    fn make(&self, number: usize) -> Vec<Hex> {
        let Self(levels) = self;
        let one = |(level, extensions): (usize, &Vec<Vec<u8>>)| {
            let is_top = level + 1 == levels.len();
            let issuer = if is_top {
                ROOT_NAME
            } else {
                INTERMEDIATE_NAMES[level + 1]
            };
            Hex(issue(&Plan {
                subject: INTERMEDIATE_NAMES[level],
                issuer,
                serial: vec![
                    3,
                    u8::try_from(number).unwrap(),
                    u8::try_from(level).unwrap(),
                ],
                key: INTERMEDIATE,
                signer: if is_top { ROOT } else { INTERMEDIATE },
                extensions: [ca(), extensions.clone()].concat(),
                ..Plan::default()
            }))
        };
        levels.iter().enumerate().map(one).collect()
    }
}

fn usage(critical: bool, value: &[u8]) -> Vec<u8> {
    der::extension(der::DELEGATION_USAGE, critical, value)
}

fn key_usage(bits: &[u8]) -> Vec<u8> {
    der::extension(der::KEY_USAGE, true, bits)
}

/// nameConstraints with one excluded dNSName.
fn name_constraints(excluded: &str) -> Vec<u8> {
    let subtree = der::sequence(&[&der::tlv(DNS_NAME, &[excluded.as_bytes()])]);
    let value = der::sequence(&[&der::tlv(0xa1, &[&subtree])]);
    der::extension(der::NAME_CONSTRAINTS, true, &value)
}

/// nameConstraints whose one subtree is cut.
fn unreadable_constraints() -> Vec<u8> {
    let value = der::sequence(&[&der::tlv(0xa1, &[&[0x30, 9, DNS_NAME, 7]])]);
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
const INTERMEDIATE_NAMES: [&str; 2] = ["first intermediate", "second intermediate"];
const OTHER_ROOT_NAME: &str = "root with name constraints";
const DIGITAL_SIGNATURE: [u8; 4] = [3, 2, 7, 0x80];
const OTHER_NAME: u8 = 0xa0;
const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
