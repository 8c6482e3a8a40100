//! What is read of an X.509 certificate (RFC 5280).

use super::bytes::Bytes;
use super::der::{self, Value};

/// A certificate.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'a> {
    /// The whole certificate.
    pub(super) der: &'a [u8],
    /// The part that is signed.
    pub(super) tbs: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// Unix time of notBefore and notAfter.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) spki: &'a [u8],
    pub(super) extensions: Vec<Extension<'a>>,
    /// The algorithm's identifier, and the signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// An extension of a certificate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    pub(super) id: &'a [u8],
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate, with nothing after it.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(der);
        let mut outer = Bytes(der::tagged(&mut bytes, der::SEQUENCE)?);
        let tbs = der::next(&mut outer)?;
        let algorithm = der::tagged(&mut outer, der::SEQUENCE)?;
        let signature = der::whole_octets(der::tagged(&mut outer, der::BIT_STRING)?)?;
        if !bytes.is_empty() || !outer.is_empty() || tbs.tag != der::SEQUENCE {
            return None;
        }
        let mut fields = Bytes(tbs.content);
        der::optional(&mut fields, VERSION);
        der::tagged(&mut fields, der::INTEGER)?;
        der::tagged(&mut fields, der::SEQUENCE)?;
        let issuer = der::tagged(&mut fields, der::SEQUENCE)?;
        let validity = der::all(der::tagged(&mut fields, der::SEQUENCE)?)?;
        let [not_before, not_after] = validity.as_slice() else {
            return None;
        };
        let subject = der::tagged(&mut fields, der::SEQUENCE)?;
        let spki = der::next(&mut fields)?;
        Some(Self {
            der,
            tbs: tbs.whole,
            issuer,
            subject,
            not_before: der::time(not_before)?,
            not_after: der::time(not_after)?,
            spki: spki.whole,
            extensions: extensions(&mut fields)?,
            algorithm,
            signature,
        })
    }

    /// The first extension with this identifier.
    pub(super) fn extension(&self, id: &[u8]) -> Option<Extension<'a>> {
        self.extensions
            .iter()
            .find(|extension| extension.id == id)
            .copied()
    }

    /// The dNSNames of subjectAltName, in their order.
    pub(super) fn dns_names(&self) -> Vec<&'a str> {
        let octets = self.alternative_names(DNS_NAME).into_iter();
        octets
            .filter_map(|octets| str::from_utf8(octets).ok())
            .collect()
    }

    /// The iPAddresses of subjectAltName, in their order.
    pub(super) fn addresses(&self) -> Vec<&'a [u8]> {
        self.alternative_names(IP_ADDRESS)
    }

    /// The contents of the names of subjectAltName that have this tag.
    pub(super) fn alternative_names(&self, tag: u8) -> Vec<&'a [u8]> {
        let names = self.extension(SUBJECT_ALT_NAME).and_then(|names| {
            let mut bytes = Bytes(names.value);
            der::all(der::tagged(&mut bytes, der::SEQUENCE)?)
        });
        let names = names.unwrap_or_default().into_iter();
        names
            .filter(|name| name.tag == tag)
            .map(|name| name.content)
            .collect()
    }

    /// The subject's common names.
    pub(super) fn common_names(&self) -> Vec<&'a str> {
        let sets = der::all(self.subject).unwrap_or_default();
        let attributes = sets.iter().filter(|set| set.tag == der::SET);
        attributes
            .filter_map(|set| common_name(set.content))
            .collect()
    }

    /// The dNSNames of permitted and of excluded subtrees.
    pub(super) fn constraints(&self) -> [Vec<&'a str>; 2] {
        let parts = self.extension(NAME_CONSTRAINTS).and_then(|constraints| {
            let mut bytes = Bytes(constraints.value);
            der::all(der::tagged(&mut bytes, der::SEQUENCE)?)
        });
        let parts = parts.unwrap_or_default();
        [PERMITTED, EXCLUDED].map(|tag| {
            let subtrees = parts.iter().filter(|part| part.tag == tag);
            subtrees.flat_map(subtree_names).collect()
        })
    }

    /// False if it has nameConstraints that are not the sequence of subtrees that they should be.
    pub(super) fn has_readable_constraints(&self) -> bool {
        let read = |value| {
            let mut bytes = Bytes(value);
            let parts = der::all(der::tagged(&mut bytes, der::SEQUENCE)?)?;
            let mut subtrees = Vec::new();
            for part in parts {
                subtrees.extend(der::all(part.content)?);
            }
            let whole = |subtree: &Value<'_>| der::all(subtree.content).is_some();
            (bytes.is_empty() && subtrees.iter().all(whole)).then_some(())
        };
        let constraints = self.extension(NAME_CONSTRAINTS);
        constraints.is_none_or(|constraints| read(constraints.value).is_some())
    }

    /// True if it has nameConstraints twice.
    pub(super) fn has_constraints_twice(&self) -> bool {
        let ids = self.extensions.iter().map(|extension| extension.id);
        ids.filter(|id| *id == NAME_CONSTRAINTS).count() > 1
    }

    /// The bits of keyUsage, the first in the highest bit of the first octet.
    pub(super) fn key_usage(&self) -> Option<&'a [u8]> {
        let mut bytes = Bytes(self.extension(KEY_USAGE)?.value);
        der::tagged(&mut bytes, der::BIT_STRING)?.get(1..)
    }

    /// True if it has DelegationUsage.
    pub(super) fn may_delegate(&self) -> bool {
        self.extension(DELEGATION_USAGE).is_some()
    }

    /// True if basicConstraints says that it is a CA.
    pub(super) fn is_authority(&self) -> bool {
        self.extension(BASIC_CONSTRAINTS)
            .and_then(|constraints| {
                let mut bytes = Bytes(constraints.value);
                let mut fields = Bytes(der::tagged(&mut bytes, der::SEQUENCE)?);
                der::optional(&mut fields, der::BOOLEAN)
            })
            .is_some_and(|value| value == [0xff])
    }
}

fn extensions<'a>(fields: &mut Bytes<'a>) -> Option<Vec<Extension<'a>>> {
    der::optional(fields, ISSUER_UNIQUE_ID);
    der::optional(fields, SUBJECT_UNIQUE_ID);
    let Some(list) = der::optional(fields, EXTENSIONS) else {
        return fields.is_empty().then(Vec::new);
    };
    let list = der::tagged(&mut Bytes(list), der::SEQUENCE)?;
    der::all(list)?
        .iter()
        .map(|value| {
            let mut parts = Bytes(value.content);
            let id = der::tagged(&mut parts, der::OBJECT_IDENTIFIER)?;
            let critical = der::optional(&mut parts, der::BOOLEAN) == Some(&[0xff]);
            let value = der::tagged(&mut parts, der::OCTET_STRING)?;
            Some(Extension {
                id,
                critical,
                value,
            })
        })
        .collect()
}

fn common_name(attribute: &[u8]) -> Option<&str> {
    let mut bytes = Bytes(attribute);
    let mut parts = Bytes(der::tagged(&mut bytes, der::SEQUENCE)?);
    let id = der::tagged(&mut parts, der::OBJECT_IDENTIFIER)?;
    let value = der::next(&mut parts)?;
    str::from_utf8(value.content)
        .ok()
        .filter(|_| id == COMMON_NAME)
}

fn subtree_names<'a>(part: &Value<'a>) -> Vec<&'a str> {
    let subtrees = der::all(part.content).unwrap_or_default().into_iter();
    subtrees
        .filter_map(|subtree| {
            let base = der::next(&mut Bytes(subtree.content))?;
            str::from_utf8(base.content)
                .ok()
                .filter(|_| base.tag == DNS_NAME)
        })
        .collect()
}

const VERSION: u8 = 0xa0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
pub(super) const OTHER_NAME: u8 = 0xa0;
pub(super) const RFC822_NAME: u8 = 0x81;
pub(super) const URI: u8 = 0x86;
pub(super) const IP_ADDRESS: u8 = 0x87;
const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;

pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.3.6.1.4.1.44363.44
pub(super) const DELEGATION_USAGE: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xda, 0x4b, 0x2c];
