//! The serial number in a manufacturer's certificate (IEEE 802.1AR).

use der::asn1::{
    Any, AnyRef, Ia5StringRef, ObjectIdentifier, OctetString, PrintableStringRef, Utf8StringRef,
};
use der::{Decode, Encode, Sequence, Tag, Tagged};
use pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// serialNumber of the certificate's subject, or else the hwSerialNum of a hardwareModuleName (RFC 4108
/// §5) among its subjectAltNames: as text if it is printable, else `hex:` and its octets in hexadecimal, so that no two
/// serial numbers are written alike.
///
/// None if it has neither, more than one of a kind, or an empty one: then it is not clear which device it is.
pub(super) fn serial(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let found = match of_subject(&certificate) {
        Found::None => of_module(&certificate),
        found => found,
    };
    match found {
        Found::One(serial) if !serial.is_empty() && serial.len() <= MAX_LEN => Some(serial),
        Found::None | Found::One(_) | Found::Unclear => None,
    }
}

/// The find in one place.
enum Found {
    None,
    One(String),
    /// More than one, or one that cannot be read.
    Unclear,
}

impl Found {
    fn and(self, next: Option<String>) -> Self {
        match (self, next) {
            (Self::None, Some(serial)) => Self::One(serial),
            (Self::None, None) | (Self::One(_) | Self::Unclear, _) => Self::Unclear,
        }
    }
}

fn of_subject(certificate: &Certificate) -> Found {
    let subject = certificate.tbs_certificate().subject();
    let serials = subject.iter().filter(|a| a.oid == SERIAL_NUMBER);
    serials.fold(Found::None, |found, attribute| {
        let text = attribute.value.to_der().ok();
        found.and(text.and_then(|der| text_of(&der)))
    })
}

fn text_of(der: &[u8]) -> Option<String> {
    let any = AnyRef::from_der(der).ok()?;
    let printable = any.decode_as::<PrintableStringRef<'_>>();
    let text = printable.map(|text| text.as_str().to_owned());
    let utf8 = || any.decode_as::<Utf8StringRef<'_>>();
    let ia5 = || any.decode_as::<Ia5StringRef<'_>>();
    text.or_else(|_| utf8().map(|text| text.as_str().to_owned()))
        .or_else(|_| ia5().map(|text| text.as_str().to_owned()))
        .ok()
        .map(|text| written(&text))
}

/// RFC 4108 §5.
#[derive(Sequence)]
struct HardwareModuleName {
    /// An object identifier. Whatever it is, and not all there are fit into [`ObjectIdentifier`].
    hw_type: Any,
    hw_serial_num: OctetString,
}

fn of_module(certificate: &Certificate) -> Found {
    let extensions = certificate.tbs_certificate().extensions();
    let names = extensions
        .into_iter()
        .flatten()
        .filter(|extension| extension.extn_id == SUBJECT_ALT_NAME);
    let mut found = Found::None;
    for extension in names {
        let Ok(SubjectAltName(names)) = SubjectAltName::from_der(extension.extn_value.as_bytes())
        else {
            return Found::Unclear;
        };
        for name in names {
            if let GeneralName::OtherName(other) = name
                && other.type_id == HARDWARE_MODULE_NAME
            {
                found = found.and(
                    other
                        .value
                        .to_der()
                        .ok()
                        .and_then(|der| module_serial(&der)),
                );
            }
        }
    }
    found
}

fn module_serial(der: &[u8]) -> Option<String> {
    let module = HardwareModuleName::from_der(der).ok()?;
    if module.hw_type.tag() != Tag::ObjectIdentifier {
        return None;
    }
    let serial = module.hw_serial_num.as_bytes();
    match str::from_utf8(serial) {
        // An empty one is none, however it is written.
        Ok("") => Some(String::new()),
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Some(written(text)),
        _ => Some(in_hex(serial)),
    }
}

/// A text as it is, unless it looks like something else in hexadecimal.
fn written(text: &str) -> String {
    match text.starts_with(HEX) {
        true => in_hex(text.as_bytes()),
        false => text.to_owned(),
    }
}

fn in_hex(octets: &[u8]) -> String {
    format!("{HEX}{}", data_encoding::HEXLOWER.encode(octets))
}

/// The prefix of a serial number in hexadecimal.
const HEX: &str = "hex:";
/// The most characters of a serial number.
const MAX_LEN: usize = 128;
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const HARDWARE_MODULE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.4");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn certificate(numbers: &[DnValue], modules: &[&[u8]]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for number in numbers {
            let kind = DnType::CustomDnType(vec![2, 5, 4, 5]);
            params.distinguished_name.push(kind, number.clone());
        }
        let others = modules.iter().map(|value| {
            let oid = vec![1, 3, 6, 1, 5, 5, 7, 8, 4];
            let value = String::from_utf8_lossy(value).into_owned();
            SanType::OtherName((oid, value.into()))
        });
        params.subject_alt_names = others.collect();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().into()
    }

    fn text(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    /// `SEQUENCE { hwType 1.3.6, hwSerialNum serial }`.
    fn module(serial: &[u8]) -> Vec<u8> {
        let len = |len: usize| u8::try_from(len).unwrap();
        let mut der = vec![0x30, len(serial.len() + 6), 0x06, 0x02, 0x2b, 0x06, 0x04];
        der.push(len(serial.len()));
        der.extend_from_slice(serial);
        der
    }

    #[test]
    fn reads_the_subjects_serial_number() {
        assert_eq!(serial(&certificate(&[text("SN-1")], &[])).unwrap(), "SN-1");
        let printable = DnValue::PrintableString("SN-2".try_into().unwrap());
        assert_eq!(serial(&certificate(&[printable], &[])).unwrap(), "SN-2");
    }

    #[test]
    fn reads_the_serial_number_of_a_hardware_module() {
        assert_eq!(module_serial(&module(b"SN-3")).unwrap(), "SN-3");
        assert_eq!(module_serial(&module(&[0, 255])).unwrap(), "hex:00ff");
        assert_eq!(module_serial(b"SN-3"), None);
    }

    /// Tag, length and contents of something short.
    fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
    }

    /// A certificate without a subject, with a hardwareModuleName as IEEE 802.1AR §8.6 has it.
    fn with_module(module: &[u8]) -> CertificateDer<'static> {
        let kind = tagged(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04]);
        let name = tagged(0xa0, &[kind, tagged(0xa0, module)].concat());
        let names = tagged(0x30, &name);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let extension = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
        params.custom_extensions.push(extension);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().into()
    }

    #[test]
    fn reads_the_serial_number_of_a_certificate_with_a_hardware_module() {
        let certificate = with_module(&module(b"SN-5"));
        assert_eq!(serial(&certificate).unwrap(), "SN-5");
        // Of a type in the arc for examples, 2.999.
        let example = tagged(0x06, &[0x88, 0x37]);
        let of = |kind: Vec<u8>| tagged(0x30, &[kind, tagged(0x04, b"SN-6")].concat());
        assert_eq!(serial(&with_module(&of(example))).unwrap(), "SN-6");
        assert_eq!(serial(&with_module(&of(tagged(0x0c, b"1.3.6")))), None);
        assert_eq!(serial(&with_module(b"\x04\x04SN-5")), None);
    }

    #[test]
    fn octets_and_the_text_that_shows_them_are_two_serial_numbers() {
        let of = |serial: &[u8]| module_serial(&module(serial)).unwrap();
        assert_eq!(of(b"00ff"), "00ff");
        assert_eq!(of(b"hex:00ff"), "hex:6865783a30306666");
        let subject = certificate(&[text("hex:00ff")], &[]);
        assert_eq!(serial(&subject).unwrap(), of(b"hex:00ff"));
        assert_eq!(serial(&with_module(&module(b""))), None);
    }

    #[test]
    fn what_is_not_clear_is_none() {
        let none = [
            certificate(&[], &[]),
            certificate(&[text("")], &[]),
            certificate(&[text(&"9".repeat(MAX_LEN + 1))], &[]),
            // A module that is none: it is a text, not a sequence.
            certificate(&[], &[b"SN-4"]),
            CertificateDer::from(vec![0x30, 0]),
        ];
        for certificate in none {
            assert_eq!(serial(&certificate), None);
        }
    }

    #[test]
    fn two_of_a_kind_are_not_clear() {
        let one = Found::None.and(Some("SN-1".to_owned()));
        assert!(matches!(one, Found::One(_)));
        assert!(matches!(one.and(Some("SN-1".to_owned())), Found::Unclear));
        assert!(matches!(Found::None.and(None), Found::Unclear));
    }

    proptest! {
        #[test]
        fn no_two_serial_numbers_are_written_alike(one in "(hex:)?[0-9a-f]{0,4}", other: Vec<u8>) {
            prop_assume!(other.len() < 100 && one.as_bytes() != other);
            let of = |serial: &[u8]| module_serial(&module(serial)).unwrap();
            prop_assert_ne!(of(one.as_bytes()), of(&other));
            let octets = data_encoding::HEXLOWER.decode(one.trim_start_matches("hex:").as_bytes());
            if let Ok(octets) = octets && !octets.is_empty() {
                prop_assert_ne!(of(one.as_bytes()), of(&octets));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at: proptest::sample::Index, to: u8) {
            let _ = serial(&CertificateDer::from(bytes.clone()));
            let _ = module_serial(&bytes);
            let _ = text_of(&bytes);
            let mut changed = certificate(&[text("SN-1")], &[]).to_vec();
            *at.get_mut(&mut changed) = to;
            let _ = serial(&CertificateDer::from(changed));
        }
    }
}
