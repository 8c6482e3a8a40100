//! The reference's parsers take any octets.

use proptest::collection::vec;
use proptest::prelude::*;

use super::certificate::Certificate;
use super::*;
use crate::format::Form;

fn reference(signatures: &Signatures) -> Reference<'_> {
    Reference::new(None, signatures)
}

/// A structure that is not far from one.
fn nearly(form: Form) -> impl Strategy<Value = Vec<u8>> {
    let vectors = (vec(any::<u8>(), 0..60), vec(any::<u8>(), 0..70));
    (any::<u32>(), vectors, "[a-z0-9.-]{0,70}", -2..=2_i32).prop_map(
        move |(valid_time, (spki, signature), name, change)| {
            let mut all = valid_time.to_be_bytes().to_vec();
            all.extend([8, 7, 0, 0, u8::try_from(spki.len()).unwrap_or_default()]);
            all.extend(spki);
            if form == Form::Named {
                all.push(u8::try_from(name.len()).unwrap_or_default());
                all.extend(name.as_bytes());
            }
            all.extend([8, 7, 0, u8::try_from(signature.len()).unwrap_or_default()]);
            all.extend(signature);
            all.resize(
                all.len()
                    .saturating_add_signed(change.try_into().unwrap_or(0)),
                0,
            );
            all
        },
    )
}

proptest! {
    #[test]
    fn octets_of_strangers_never_panic(octets in vec(any::<u8>(), 0..300)) {
        let signatures = Signatures::default();
        let reference = reference(&signatures);
        for form in [Form::Named, Form::Rfc9345] {
            let _ = reference.decode(form, &octets);
        }
        let _ = Certificate::read(&octets);
        let _ = reference.key(&octets);
        let _ = reference.unique_name(&octets);
    }

    #[test]
    fn a_structure_is_decoded_only_if_its_fields_are_all_there_is(octets in nearly(Form::Named)) {
        let signatures = Signatures::default();
        if let Ok(found) = reference(&signatures).decode(Form::Named, &octets) {
            let length = found.signed.len() + 2 + 2 + found.signature.len();
            prop_assert_eq!(length, octets.len());
            prop_assert!(!found.signature.is_empty() && !found.spki.is_empty());
        }
    }

    #[test]
    fn a_certificate_that_was_cut_or_changed_never_panics(at in 0..2000_usize, octet: u8, cut: bool) {
        let mut der = good_certificate();
        let at = at % der.len();
        match cut {
            true => der.truncate(at),
            false => der[at] = octet,
        }
        if let Some(certificate) = Certificate::read(&der) {
            let _ = (certificate.dns_names(), certificate.constraints(), certificate.key_usage());
            let _ = (certificate.common_names(), certificate.is_authority());
        }
    }

    #[test]
    fn text_of_strangers_never_panics(text in "(-----(BEGIN|END) [A-Z ]{0,8}-----\n|[A-Za-z0-9+/=]{0,70}\n|.){0,20}") {
        let signatures = Signatures::default();
        let reference = reference(&signatures);
        let _ = reference.file(&text, &good_certificate());
        let _ = reference.reference(&text);
        let _ = reference.covers(&text, "k3v.cpe.example.com");
    }
}

fn good_certificate() -> Vec<u8> {
    let files = Published::read(std::path::Path::new(PUBLISHED)).expect("the published files");
    files.credentials.certificates["good"].der.0.clone()
}

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/vectors");
