//! The fields of a certificate that the checks need, borrowed from its DER.
//!
//! Subject, serial number and signature are for whoever verifies the chain; here they are only passed over. A reader of
//! all of it would be the largest part of a router's program that is there for credentials.

use alloc::vec::Vec;

use der::asn1::{AnyRef, BitStringRef, Ia5StringRef, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::time::Validity;

/// The object identifier of the DelegationUsage extension (RFC 9345 §4.2), in dotted form.
pub const DELEGATION_USAGE_OID: &str = "1.3.6.1.4.1.44363.44";

/// [`DELEGATION_USAGE_OID`] as numbers, for whoever builds certificates from such.
pub const DELEGATION_USAGE_ARCS: [u64; 8] = [1, 3, 6, 1, 4, 1, 44363, 44];

/// Fields of a certificate (RFC 5280 §4.1).
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// The contents of the issuer's Name.
    pub(crate) issuer: &'a [u8],
    pub(crate) validity: Validity,
    /// The SubjectPublicKeyInfo, which is not looked into yet.
    pub(crate) spki: &'a [u8],
    /// In the order of the certificate.
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// An extension (RFC 5280 §4.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    /// The contents of the object identifier, which may be one that nobody here can take apart.
    pub(crate) id: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Fails unless `der` is one certificate, whole.
    pub(crate) fn read(der: &'a [u8]) -> der::Result<Self> {
        whole(der, |certificate| {
            let fields = certificate.sequence(Self::read_tbs)?;
            skip(certificate, Tag::Sequence)?;
            BitStringRef::decode(certificate)?;
            Ok(fields)
        })
    }

    fn read_tbs(tbs: &mut SliceReader<'a>) -> der::Result<Self> {
        optional(tbs, VERSION)?;
        // The serial number and the signature's algorithm.
        skip(tbs, Tag::Integer)?;
        skip(tbs, Tag::Sequence)?;
        let issuer = required(tbs, Tag::Sequence)?;
        let validity = Validity::decode(tbs)?;
        // The subject.
        skip(tbs, Tag::Sequence)?;
        let spki = tbs.tlv_bytes()?;
        optional(tbs, ISSUER_UNIQUE_ID)?;
        optional(tbs, SUBJECT_UNIQUE_ID)?;
        let extensions = match optional(tbs, EXTENSIONS)? {
            Some(extensions) => whole(extensions, |list| all(list, Extension::read))?,
            None => Vec::new(),
        };
        Ok(Self {
            issuer,
            validity,
            spki,
            extensions,
        })
    }
}

impl<'a> Extension<'a> {
    fn read(list: &mut SliceReader<'a>) -> der::Result<Self> {
        list.sequence(|extension| {
            Ok(Self {
                id: required(extension, Tag::ObjectIdentifier)?,
                critical: match Tag::peek(extension)? {
                    Tag::Boolean => bool::decode(extension)?,
                    _ => false,
                },
                value: <&OctetStringRef>::decode(extension)?.as_bytes(),
            })
        })
    }
}

/// The dNSNames of a SubjectAltName (RFC 5280 §4.2.1.6), in their order.
pub(crate) fn dns_names(value: &[u8]) -> der::Result<Vec<&str>> {
    let names = whole(value, |list| {
        all(list, |list| dns_name(AnyRef::decode(list)?))
    })?;
    Ok(names.into_iter().flatten().collect())
}

/// The dNSNames whose subtrees a NameConstraints excludes (RFC 5280 §4.2.1.10), in their order.
pub(crate) fn excluded_dns_names(value: &[u8]) -> der::Result<Vec<&str>> {
    whole(value, excluded)
}

/// The same of a value without its outermost tag and length, as trust anchors have it.
pub(crate) fn excluded_dns_names_of_contents(contents: &[u8]) -> der::Result<Vec<&str>> {
    let mut constraints = SliceReader::new(contents)?;
    let names = excluded(&mut constraints)?;
    constraints.finish()?;
    Ok(names)
}

fn excluded<'a>(constraints: &mut SliceReader<'a>) -> der::Result<Vec<&'a str>> {
    optional(constraints, PERMITTED_SUBTREES)?;
    let Some(subtrees) = optional(constraints, EXCLUDED_SUBTREES)? else {
        return Ok(Vec::new());
    };
    let names = all(&mut SliceReader::new(subtrees)?, |list| {
        list.sequence(|subtree| {
            let name = dns_name(AnyRef::decode(subtree)?)?;
            // RFC 5280 has no use for these. A subtree that they make smaller is taken as a whole.
            optional(subtree, MINIMUM)?;
            optional(subtree, MAXIMUM)?;
            Ok(name)
        })
    })?;
    Ok(names.into_iter().flatten().collect())
}

/// The name in a GeneralName, if that is a dNSName.
fn dns_name<'a>(name: AnyRef<'a>) -> der::Result<Option<&'a str>> {
    match name.tag() {
        DNS_NAME => Ok(Some(Ia5StringRef::new(name.value())?.as_str())),
        Tag::ContextSpecific { .. } => Ok(None),
        other => Err(other.value_error().into()),
    }
}

/// Reads one SEQUENCE, with nothing behind it.
fn whole<'a, T>(
    der: &'a [u8],
    read: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>,
) -> der::Result<T> {
    let mut outer = SliceReader::new(der)?;
    let value = outer.sequence(read)?;
    outer.finish()?;
    Ok(value)
}

/// Reads until the end of a SEQUENCE OF.
fn all<'a, T>(
    list: &mut SliceReader<'a>,
    read: impl Fn(&mut SliceReader<'a>) -> der::Result<T>,
) -> der::Result<Vec<T>> {
    let mut values = Vec::new();
    while !list.is_finished() {
        values.push(read(list)?);
    }
    Ok(values)
}

/// Passes over a field that has to be there.
fn skip(reader: &mut SliceReader<'_>, tag: Tag) -> der::Result<()> {
    required(reader, tag).map(drop)
}

/// The contents of a field that has to be there.
fn required<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> der::Result<&'a [u8]> {
    let field = AnyRef::decode(reader)?;
    field.tag().assert_eq(tag)?;
    Ok(field.value())
}

/// The contents of a field that need not be there.
fn optional<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> der::Result<Option<&'a [u8]>> {
    match !reader.is_finished() && Tag::peek(reader)? == tag {
        true => Ok(Some(AnyRef::decode(reader)?.value())),
        false => Ok(None),
    }
}

const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber(number),
    }
}

const VERSION: Tag = context(0, true);
const ISSUER_UNIQUE_ID: Tag = context(1, false);
const SUBJECT_UNIQUE_ID: Tag = context(2, false);
const EXTENSIONS: Tag = context(3, true);
const DNS_NAME: Tag = context(2, false);
const PERMITTED_SUBTREES: Tag = context(0, true);
const EXCLUDED_SUBTREES: Tag = context(1, true);
const MINIMUM: Tag = context(0, false);
const MAXIMUM: Tag = context(1, false);

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use der::{Decode, Encode};
    use proptest::prelude::*;
    use x509_cert::Certificate;
    use x509_cert::ext::pkix::name::GeneralName;
    use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};

    use super::*;
    use crate::testing::CertificateTemplate;
    use crate::testing::name_constraints::tlv;

    /// Compares with a reader of whole certificates.
    fn is_as_x509_cert_reads_it(der: &[u8]) {
        let Ok(theirs) = Certificate::from_der(der) else {
            return;
        };
        let ours = Fields::read(der).unwrap();
        let tbs = theirs.tbs_certificate();
        assert_eq!(ours.validity, *tbs.validity());
        let issuer = tbs.issuer().to_der().unwrap();
        assert!(issuer.ends_with(ours.issuer) && issuer.len() - ours.issuer.len() < 6);
        let spki = tbs.subject_public_key_info().to_der().unwrap();
        assert_eq!(ours.spki, spki);
        let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
        assert_eq!(ours.extensions.len(), extensions.len());
        for (ours, theirs) in ours.extensions.iter().zip(extensions) {
            assert_eq!(ours.id, theirs.extn_id.as_bytes());
            assert_eq!(ours.critical, theirs.critical);
            assert_eq!(ours.value, theirs.extn_value.as_bytes());
        }
    }

    #[test]
    fn reads_what_is_there() {
        for is_ca in [false, true] {
            let template = CertificateTemplate {
                is_ca,
                ..CertificateTemplate::default()
            };
            let der = template.build().der;
            assert!(Certificate::from_der(&der).is_ok());
            is_as_x509_cert_reads_it(&der);
        }
    }

    #[test]
    fn rejects_what_is_cut_or_goes_on() {
        let der = CertificateTemplate::default().build().der.to_vec();
        for length in 0..der.len() {
            assert!(Fields::read(&der[..length]).is_err(), "{length}");
        }
        assert!(Fields::read(&[&der[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn whatever_x509_cert_reads_is_read_alike(
            changes in proptest::collection::vec((0..400_usize, any::<u8>()), 1..4),
        ) {
            let mut der = CertificateTemplate::default().build().der.to_vec();
            for (at, byte) in changes {
                let length = der.len();
                der[at % length] = byte;
            }
            is_as_x509_cert_reads_it(&der);
        }

        #[test]
        fn names_are_those_that_x509_cert_reads(
            tags in proptest::collection::vec(0x80..0x89_u8, 0..4),
            text in "[a-z.*\u{80}]{0,5}",
            cut in 0..40_usize,
        ) {
            let mut body = Vec::new();
            for tag in tags {
                body.extend([tag, u8::try_from(text.len()).unwrap()]);
                body.extend(text.as_bytes());
            }
            let mut value = std::vec![0x30, u8::try_from(body.len()).unwrap()];
            value.extend(body);
            value.truncate(value.len().max(cut));
            if let Ok(theirs) = SubjectAltName::from_der(&value) {
                let theirs: Vec<&str> = theirs.0.iter().filter_map(|name| match name {
                    GeneralName::DnsName(dns) => Some(dns.as_str()),
                    _ => None,
                }).collect();
                prop_assert_eq!(dns_names(&value).unwrap(), theirs);
            }
        }

        #[test]
        fn excluded_names_are_those_that_x509_cert_reads(
            permits in any::<bool>(),
            tags in proptest::collection::vec((0x80..0x89_u8, any::<bool>()), 0..4),
            text in "[a-z.*\u{80}]{0,5}",
            change in (0..40_usize, any::<u8>(), 0..3_u8),
        ) {
            let subtrees: Vec<u8> = tags.iter().flat_map(|&(tag, has_maximum)| {
                let base = tlv(tag, text.as_bytes());
                let maximum = if has_maximum { tlv(0x81, &[3]) } else { Vec::new() };
                tlv(0x30, &[base, maximum].concat())
            }).collect();
            let permitted = if permits { tlv(0xa0, &subtrees) } else { Vec::new() };
            let mut value = tlv(0x30, &[permitted, tlv(0xa1, &subtrees)].concat());
            let (at, byte, whether) = change;
            if whether == 0 {
                let length = value.len();
                value[at % length] = byte;
            }
            if let Ok(theirs) = NameConstraints::from_der(&value) {
                let excluded = theirs.excluded_subtrees.unwrap_or_default();
                let theirs: Vec<&str> = excluded.iter().filter_map(|subtree| match &subtree.base {
                    GeneralName::DnsName(dns) => Some(dns.as_str()),
                    _ => None,
                }).collect();
                prop_assert_eq!(excluded_dns_names(&value).unwrap(), &theirs[..]);
                // Short enough for a length of one octet.
                prop_assert_eq!(excluded_dns_names_of_contents(&value[2..]).unwrap(), theirs);
            }
        }

        #[test]
        fn nothing_makes_it_panic(der: Vec<u8>) {
            let _ = Fields::read(&der);
            let _ = dns_names(&der);
            let _ = excluded_dns_names(&der);
            let _ = excluded_dns_names_of_contents(&der);
        }
    }
}
