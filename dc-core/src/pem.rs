//! PEM files as people have them: credentials, certificates, keys and requests, also what other
//! implementations write. One reader for all of them, which loses nothing without a word.

mod block;
mod find;
mod label;
mod line;
mod speech;

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};
use pki_types::SignatureVerificationAlgorithm;

pub use self::block::{Block, blocks, is_pem};
pub use self::find::{
    certificates, encrypted_private_key, private_key, public_key, public_keys, request, requests,
};
use self::label::Kind;
use crate::certificate::DelegationCertificate;
use crate::credential::{DelegatedCredential, Form};
use crate::error::Error;
use crate::tbs::Role;
use crate::verify::find_role;

/// A credential as it was found in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredCredential {
    /// The form that the label says, or that the bare structure parses as.
    pub form: Form,
    /// The role, where the label says it; [`find_role`](Self::find_role) knows for certain.
    pub role: Option<Role>,
    /// The encoding, which parses if it was read from a file.
    pub bytes: Vec<u8>,
}

impl StoredCredential {
    /// A credential that came in another way than from a file; its bytes may be anything.
    #[must_use]
    pub fn new(form: Form, bytes: &[u8]) -> Self {
        Self {
            form,
            role: None,
            bytes: bytes.into(),
        }
    }

    /// The end that the credential authenticates, as only the certificate's signature proves.
    ///
    /// Fails with [`Error::RoleMismatch`] if the label says the other role, and as
    /// [`DelegatedCredential::decode`] and [`find_role`] do.
    pub fn find_role(
        &self,
        certificate: &DelegationCertificate<'_>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Role, Error> {
        let credential = DelegatedCredential::decode(self.form, &self.bytes)?;
        let got = find_role(&credential, certificate, algorithms)?;
        match self.role {
            Some(wanted) if wanted != got => Err(Error::RoleMismatch { wanted, got }),
            _ => Ok(got),
        }
    }
}

/// All credentials of a file, in their order.
///
/// Takes PEM blocks `DELEGATED CREDENTIAL`, `NAMED DELEGATED CREDENTIAL`, `SERVER DELEGATED
/// CREDENTIAL` and `CLIENT DELEGATED CREDENTIAL`, with lines of any length, among any others; and a
/// file that is the bare structure.
///
/// Fails with [`Error::MalformedPem`], with [`Error::MissingCredential`] if there is none, and as
/// [`DelegatedCredential::decode`] does.
pub fn read(file: &[u8]) -> Result<Vec<StoredCredential>, Error> {
    if !is_pem(file) {
        return Ok([read_bare(file)?].into());
    }
    let blocks = find::matching(file, |kind| matches!(kind, Kind::Credential(..)))?;
    let mut found = Vec::new();
    for (block, kind) in blocks {
        let Kind::Credential(form, role) = kind else {
            continue;
        };
        let bytes = block.decode()?;
        DelegatedCredential::decode(form, &bytes)?;
        found.push(StoredCredential { form, role, bytes });
    }
    match found.is_empty() {
        true => Err(Error::MissingCredential),
        false => Ok(found),
    }
}

fn read_bare(file: &[u8]) -> Result<StoredCredential, Error> {
    if file.is_empty() {
        return Err(Error::MissingCredential);
    }
    let stored = |form| StoredCredential::new(form, file);
    // Both layouts are self-delimiting, so at most one of them ends where the file does but for a
    // coincidence that no signature would cover.
    DelegatedCredential::decode(Form::Rfc9345, file)
        .map(|_| stored(Form::Rfc9345))
        .or_else(
            |error| match DelegatedCredential::decode(Form::Named, file) {
                Ok(_) => Ok(stored(Form::Named)),
                Err(_) => Err(error),
            },
        )
}

/// A credential as a PEM block with lines of 64 columns, as RFC 7468 wants them.
#[must_use]
pub fn write(form: Form, bytes: &[u8]) -> String {
    let label = match form {
        Form::Rfc9345 => label::RFC9345,
        Form::Named => label::NAMED,
    };
    let body = Base64::encode_string(bytes);
    let mut pem = String::new();
    for part in ["-----BEGIN ", label, "-----\n"] {
        pem.push_str(part);
    }
    for (column, character) in body.chars().enumerate() {
        if column > 0 && column % COLUMNS == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    for part in ["\n-----END ", label, "-----\n"] {
        pem.push_str(part);
    }
    pem
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const COLUMNS: usize = 64;
/// Half a line of base64.
const LONG_WORD: usize = 32;

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::{format, vec};

    use proptest::prelude::*;

    use super::*;
    use crate::error::{Alert, PemFault};
    use crate::scheme::SignatureScheme;
    use crate::testing::{CertificateTemplate, Claim, NAME, TestKey, algorithms};

    const BARE: &[u8] = b"\x00\x00\x00\x01\x08\x07\x00\x00\x01k\x08\x07\x00\x01s";
    const NAMED: &[u8] = b"\x00\x00\x00\x01\x08\x07\x00\x00\x01k\x03a.b\x08\x07\x00\x01s";

    fn stored(form: Form, role: Option<Role>, bytes: &[u8]) -> StoredCredential {
        StoredCredential {
            form,
            role,
            bytes: bytes.into(),
        }
    }

    #[test]
    fn writes_lines_of_64_columns_with_the_label_of_the_form() {
        assert_eq!(
            write(Form::Rfc9345, &[0; 49]),
            format!(
                "-----BEGIN DELEGATED CREDENTIAL-----\n{}\nAA==\n-----END DELEGATED CREDENTIAL-----\n",
                "A".repeat(64)
            )
        );
        assert!(
            write(Form::Named, &[0]).starts_with("-----BEGIN NAMED DELEGATED CREDENTIAL-----\n")
        );
    }

    #[test]
    fn reads_several_blocks_among_others() {
        let file = format!(
            "# notes\r\n{}-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n{}",
            write(Form::Named, NAMED),
            write(Form::Rfc9345, BARE).replace('\n', "\r\n"),
        );
        assert_eq!(
            read(file.as_bytes()).unwrap(),
            [
                stored(Form::Named, None, NAMED),
                stored(Form::Rfc9345, None, BARE)
            ]
        );
    }

    #[test]
    fn reads_the_bare_structure_of_either_form() {
        assert_eq!(read(BARE).unwrap(), [stored(Form::Rfc9345, None, BARE)]);
        assert_eq!(read(NAMED).unwrap(), [stored(Form::Named, None, NAMED)]);
    }

    #[test]
    fn reads_role_labels_on_one_unwrapped_line_next_to_keys() {
        let body = Base64::encode_string(BARE);
        let file = format!(
            "-----BEGIN CLIENT DELEGATED CREDENTIAL-----\n{body}\n-----END CLIENT DELEGATED CREDENTIAL-----\n\
             -----BEGIN CLIENT DC PRIVATE KEY-----\nsecret\n-----END CLIENT DC PRIVATE KEY-----\n\
             -----BEGIN SERVER DELEGATED CREDENTIAL-----\n{body}\n-----END SERVER DELEGATED CREDENTIAL-----\n"
        );
        assert_eq!(
            read(file.as_bytes()).unwrap(),
            [
                stored(Form::Rfc9345, Some(Role::Client), BARE),
                stored(Form::Rfc9345, Some(Role::Server), BARE)
            ]
        );
    }

    #[test]
    fn says_which_line_is_broken() {
        let block = write(Form::Rfc9345, BARE);
        for (file, line, fault) in [
            (
                format!("\n\n{}", block.replace("AAAB", "AA?B")),
                4,
                PemFault::Base64,
            ),
            (
                format!("{block}-----BEGIN X-----\n"),
                4,
                PemFault::MissingEnd,
            ),
            (
                block.replace("-----END DEL", "-----END REL"),
                3,
                PemFault::WrongEnd,
            ),
            ("-----BEGIN ".to_string(), 1, PemFault::BadBoundary),
            (
                "-----BEGIN A\nB-----\n-----END A\nB-----".to_string(),
                1,
                PemFault::BadBoundary,
            ),
        ] {
            assert_eq!(read(file.as_bytes()), Err(fault.at(line)), "{file}");
        }
    }

    #[test]
    fn text_around_credentials_is_in_any_encoding() {
        let block = write(Form::Rfc9345, BARE);
        let file = [b"# caf\xe9\n", block.as_bytes(), b"\xff\xfe\x00\n"].concat();
        assert_eq!(read(&file).unwrap(), [stored(Form::Rfc9345, None, BARE)]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "ring is not Rust")]
    fn case_113_says_that_a_label_names_the_wrong_role() {
        let delegation = CertificateTemplate::default().build();
        let certificate = delegation.certificate();
        let key = TestKey::p384().spki();
        let mut claim = Claim::good(&key);
        claim.scheme = SignatureScheme::ECDSA_SECP384R1_SHA384;
        for role in [Role::Server, Role::Client] {
            let bytes = delegation.sign_anything(role, &claim);
            let find = |label: &str| {
                let file = write(Form::Rfc9345, &bytes).replace("DELEGATED CRED", label);
                let [stored] = &read(file.as_bytes()).unwrap()[..] else {
                    panic!("{file}");
                };
                stored.find_role(&certificate, algorithms())
            };
            assert_eq!(find("DELEGATED CRED"), Ok(role));
            for (label, wanted) in [
                ("SERVER DELEGATED CRED", Role::Server),
                ("CLIENT DELEGATED CRED", Role::Client),
            ] {
                match wanted == role {
                    true => assert_eq!(find(label), Ok(role)),
                    false => {
                        let error = find(label).unwrap_err();
                        assert_eq!(error, Error::RoleMismatch { wanted, got: role });
                        assert_eq!(error.alert(), Alert::IllegalParameter);
                    }
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "ring is not Rust")]
    fn finds_the_role_of_a_named_credential() {
        let delegation = CertificateTemplate::default().build();
        let key = TestKey::p256().spki();
        let mut claim = Claim::good(&key);
        claim.name = Some(NAME);
        let bytes = delegation.sign_anything(Role::Client, &claim);
        for file in [write(Form::Named, &bytes).into_bytes(), bytes] {
            let stored = read(&file).unwrap().remove(0);
            let role = stored.find_role(&delegation.certificate(), algorithms());
            assert_eq!((stored.form, role), (Form::Named, Ok(Role::Client)));
        }
    }

    #[test]
    fn case_113_a_file_without_credentials_says_so() {
        for file in [
            &b""[..],
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        ] {
            let error = read(file).unwrap_err();
            assert_eq!(error, Error::MissingCredential);
            assert_eq!(error.alert(), Alert::IllegalParameter);
        }
    }

    #[test]
    fn what_is_inside_must_parse() {
        let file = write(Form::Rfc9345, &[BARE, b"x"].concat());
        assert!(matches!(
            read(file.as_bytes()),
            Err(Error::TrailingData { bytes: 1, .. })
        ));
    }

    #[test]
    fn a_block_that_nobody_knows_refuses_the_file_and_one_that_is_known_is_not_looked_into() {
        let credential = write(Form::Named, NAMED);
        let beside = |label: &str| {
            let other = format!("-----BEGIN {label}-----\nA?\n-----END {label}-----\n");
            read(format!("{credential}{other}").as_bytes())
        };
        for label in [
            "CERTIFICATE",
            "X509 CRL",
            "PUBLIC KEY",
            "CLIENT DC PRIVATE KEY",
        ] {
            assert_eq!(beside(label).unwrap().len(), 1, "{label}");
        }
        for label in [
            "PKCS7",
            "SERVER NAMED DELEGATED CREDENTIAL",
            "delegated credential",
        ] {
            let unknown = PemFault::UnknownLabel {
                label: label.into(),
            };
            assert_eq!(beside(label), Err(unknown.at(4)), "{label}");
        }
    }

    #[test]
    fn the_label_alone_says_the_form() {
        for (form, other) in [(Form::Named, BARE), (Form::Rfc9345, NAMED)] {
            let error = read(write(form, other).as_bytes()).unwrap_err();
            assert_eq!(error.alert(), Alert::DecodeError, "{error}");
        }
    }

    #[test]
    fn a_bare_file_is_one_structure_and_a_block_has_one() {
        for twice in [BARE.repeat(2), NAMED.repeat(2)] {
            let error = read(&twice).unwrap_err();
            assert_eq!(error.alert(), Alert::DecodeError, "{error}");
        }
        let error = read(write(Form::Named, &NAMED.repeat(2)).as_bytes()).unwrap_err();
        assert!(matches!(error, Error::TrailingData { .. }), "{error}");
    }

    #[test]
    fn repeats_are_kept_in_their_order_and_one_that_is_broken_refuses_all() {
        let [one, other] = [write(Form::Named, NAMED), write(Form::Rfc9345, BARE)];
        let file = [&*one, &*other, &*one].concat();
        let forms: Vec<Form> = read(file.as_bytes())
            .unwrap()
            .iter()
            .map(|stored| stored.form)
            .collect();
        assert_eq!(forms, [Form::Named, Form::Rfc9345, Form::Named]);
        let broken = write(Form::Rfc9345, &BARE[1..]);
        assert!(read([&*one, &*broken].concat().as_bytes()).is_err());
    }

    #[test]
    fn base64_is_whole_and_its_spare_bits_say_nothing() {
        let file = write(Form::Rfc9345, BARE);
        assert!(file.contains("\nAAAAAQgHAAABawgHAAFz\n"), "{file}");
        // One octet more of signature, so that there are spare bits.
        let longer = [&BARE[..BARE.len() - 2], b"\x02ss"].concat();
        let file = write(Form::Rfc9345, &longer);
        assert!(file.contains("AAJzcw==\n"), "{file}");
        // RFC 4648 §3.5 leaves it to the decoder.
        let spare = file.replace("cw==", "cx==");
        assert_eq!(read(spare.as_bytes()), read(file.as_bytes()));
        assert!(read(file.as_bytes()).is_ok());
        let line =
            |file: &str, fault: PemFault| assert_eq!(read(file.as_bytes()), Err(fault.at(2)));
        line(&file.replace("cw==", "cw"), PemFault::CutOff);
        line(&file.replace("cw==", "cw==cw=="), PemFault::Base64);
        line(&file.replace("cw==", "c-=="), PemFault::Base64);
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(signature in proptest::collection::vec(any::<u8>(), 1..300), named: bool) {
            let (form, head) = match named {
                true => (Form::Named, &NAMED[..NAMED.len() - 3]),
                false => (Form::Rfc9345, &BARE[..BARE.len() - 3]),
            };
            let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
            let bytes = [head, &length, &signature].concat();
            let file = write(form, &bytes);
            prop_assert!(file.lines().all(|line| line.len() <= COLUMNS));
            prop_assert_eq!(read(file.as_bytes()).unwrap(), vec![stored(form, None, &bytes)]);
        }

        #[test]
        #[cfg_attr(miri, ignore = "strategies from regular expressions take minutes")]
        fn never_panics(file in ".{0,40}(-----BEGIN |-----END |-----|A|\\n|DELEGATED CREDENTIAL){0,12}") {
            let _ = read(file.as_bytes());
        }
    }
}
