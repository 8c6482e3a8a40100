//! The fields of a certificate that the checks need, borrowed from its DER.
//!
//! Names, serial number and signature are for whoever verifies the chain; here they are only passed over. A reader of
//! all of it would be the largest part of a router's program that is there for credentials.

use alloc::vec::Vec;

use der::asn1::{AnyRef, BitStringRef, Ia5StringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::time::Validity;

/// The object identifier of the DelegationUsage extension (RFC 9345 §4.2), in dotted form.
pub const DELEGATION_USAGE_OID: &str = "1.3.6.1.4.1.44363.44";

/// [`DELEGATION_USAGE_OID`] as numbers, for whoever builds certificates from such.
pub const DELEGATION_USAGE_ARCS: [u64; 8] = [1, 3, 6, 1, 4, 1, 44363, 44];

/// Fields of a certificate (RFC 5280 §4.1).
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) validity: Validity,
    /// The SubjectPublicKeyInfo, which is not looked into yet.
    pub(crate) spki: &'a [u8],
    /// In the order of the certificate.
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// An extension (RFC 5280 §4.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    pub(crate) id: ObjectIdentifier,
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
        // The serial number, the signature's algorithm and the issuer.
        skip(tbs, Tag::Integer)?;
        skip(tbs, Tag::Sequence)?;
        skip(tbs, Tag::Sequence)?;
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
                id: ObjectIdentifier::decode(extension)?,
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
        all(list, |list| {
            let name = AnyRef::decode(list)?;
            match name.tag() {
                DNS_NAME => Ok(Some(Ia5StringRef::new(name.value())?.as_str())),
                Tag::ContextSpecific { .. } => Ok(None),
                other => Err(other.value_error().into()),
            }
        })
    })?;
    Ok(names.into_iter().flatten().collect())
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
    AnyRef::decode(reader)?.tag().assert_eq(tag)?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use der::{Decode, Encode};
    use proptest::prelude::*;
    use x509_cert::Certificate;
    use x509_cert::ext::pkix::SubjectAltName;
    use x509_cert::ext::pkix::name::GeneralName;

    use super::*;
    use crate::testing::CertificateTemplate;

    /// Compares with a reader of whole certificates.
    fn is_as_x509_cert_reads_it(der: &[u8]) {
        let Ok(theirs) = Certificate::from_der(der) else {
            return;
        };
        let ours = Fields::read(der).unwrap();
        let tbs = theirs.tbs_certificate();
        assert_eq!(ours.validity, *tbs.validity());
        let spki = tbs.subject_public_key_info().to_der().unwrap();
        assert_eq!(ours.spki, spki);
        let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
        assert_eq!(ours.extensions.len(), extensions.len());
        for (ours, theirs) in ours.extensions.iter().zip(extensions) {
            assert_eq!((ours.id, ours.critical), (theirs.extn_id, theirs.critical));
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
        fn nothing_makes_it_panic(der: Vec<u8>) {
            let _ = Fields::read(&der);
            let _ = dns_names(&der);
        }
    }
}
