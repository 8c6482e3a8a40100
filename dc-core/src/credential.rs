//! The two structures of RFC 9345 §4, in both forms: decoder and encoder side by side.

use alloc::vec::Vec;

use bytes::BufMut;

use crate::codec::{Reader, Vector};
use crate::error::{Error, Field};
use crate::name::UniqueName;
use crate::scheme::SignatureScheme;

/// The two forms of credentials.
///
/// They travel in different extensions and are signed under different contexts, so neither can be
/// taken for the other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// As RFC 9345 defines it: the names are the delegation certificate's.
    Rfc9345,
    /// With a name that only one device has.
    Named,
}

impl Form {
    /// Both forms, the one that says more first.
    pub const ALL: [Self; 2] = [Self::Named, Self::Rfc9345];

    /// The TLS extension that offers and carries this form: 34, or 0xFF22 (private use).
    #[must_use]
    pub const fn extension_type(self) -> u16 {
        match self {
            Self::Rfc9345 => 34,
            Self::Named => 0xff22,
        }
    }
}

/// The signed part of a credential: a key, what it signs with, and until when (RFC 9345 §4).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Credential<'a> {
    /// Seconds from the delegation certificate's notBefore to the end of the credential. It is not
    /// the credential's lifetime.
    pub valid_time: u32,
    /// The scheme of the CertificateVerify that the credential's key makes.
    pub dc_cert_verify_algorithm: SignatureScheme,
    /// The credential's key: a DER SubjectPublicKeyInfo of 1 to 2^24-1 bytes, not yet parsed.
    pub spki: &'a [u8],
    /// The device's name, in a credential of the named form.
    pub unique_name: Option<UniqueName<'a>>,
}

impl<'a> Credential<'a> {
    /// A credential of the named form if there is a name, else of RFC 9345's.
    #[must_use]
    pub fn new(
        valid_time: u32,
        dc_cert_verify_algorithm: SignatureScheme,
        spki: &'a [u8],
        unique_name: Option<UniqueName<'a>>,
    ) -> Self {
        Self {
            valid_time,
            dc_cert_verify_algorithm,
            spki,
            unique_name,
        }
    }

    fn read(form: Form, reader: &mut Reader<'a>) -> Result<Self, Error> {
        let valid_time = reader.u32(Field::ValidTime)?;
        let dc_cert_verify_algorithm = SignatureScheme(reader.u16(Field::DcCertVerifyAlgorithm)?);
        let spki = reader.vector(Vector::SPKI)?;
        let unique_name = match form {
            Form::Rfc9345 => None,
            Form::Named => Some(UniqueName::parse(reader.vector(Vector::UNIQUE_NAME)?)?),
        };
        Ok(Self {
            valid_time,
            dc_cert_verify_algorithm,
            spki,
            unique_name,
        })
    }

    /// Appends the encoding.
    ///
    /// Fails with [`Error::LengthOutOfRange`], with nothing of the offending vector written, when
    /// the key is empty or longer than 2^24-1 bytes.
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), Error> {
        let Self {
            valid_time,
            dc_cert_verify_algorithm,
            spki,
            unique_name,
        } = self;
        out.put_u32(*valid_time);
        out.put_u16(dc_cert_verify_algorithm.0);
        Vector::SPKI.write(spki, out)?;
        match unique_name {
            None => Ok(()),
            Some(name) => Vector::UNIQUE_NAME.write(name.as_str().as_bytes(), out),
        }
    }

    /// The form: named if there is a name.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.unique_name {
            None => Form::Rfc9345,
            Some(_) => Form::Named,
        }
    }
}

/// A credential and the delegation certificate's signature over it: the whole `extension_data` of
/// one extension in a CertificateEntry (RFC 9345 §4).
///
/// Decoding borrows and allocates nothing. A decoded value says what was claimed; only
/// [`Verifier`](crate::Verifier) says whether it is true.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DelegatedCredential<'a> {
    credential: Credential<'a>,
    algorithm: SignatureScheme,
    signature: &'a [u8],
    /// `credential` as it was received: the signature is over these bytes and no others.
    credential_bytes: &'a [u8],
}

impl<'a> DelegatedCredential<'a> {
    /// Reads the whole of `extension_data`.
    ///
    /// Fails with [`Error::Truncated`], [`Error::LengthOutOfRange`], [`Error::TrailingData`] or
    /// [`Error::MalformedName`]. The key is not looked at yet: what it must be is for
    /// [`Verifier`](crate::Verifier) to say.
    pub fn decode(form: Form, extension_data: &'a [u8]) -> Result<Self, Error> {
        check_size(extension_data.len())?;
        let mut reader = Reader::new(extension_data);
        let credential = Credential::read(form, &mut reader)?;
        let credential_len = extension_data.len() - reader.rest().len();
        let credential_bytes = extension_data.get(..credential_len).unwrap_or_default();
        let algorithm = SignatureScheme(reader.u16(Field::Algorithm)?);
        let signature = reader.vector(Vector::SIGNATURE)?;
        reader.expect_empty(Field::DelegatedCredential)?;
        Ok(Self {
            credential,
            algorithm,
            signature,
            credential_bytes,
        })
    }

    /// Puts a credential, whose encoding is given, and a signature together.
    ///
    /// Fails with [`Error::LengthOutOfRange`] when the signature is empty or the whole would not fit
    /// a CertificateEntry.
    pub(crate) fn encode(
        credential_bytes: &[u8],
        algorithm: SignatureScheme,
        signature: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let length = credential_bytes.len() + 4 + signature.len();
        check_size(length)?;
        let mut out = Vec::with_capacity(length);
        out.put_slice(credential_bytes);
        out.put_u16(algorithm.0);
        Vector::SIGNATURE.write(signature, &mut out)?;
        Ok(out)
    }

    /// The bytes this was decoded from, again.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.credential_bytes.len() + 4 + self.signature.len());
        out.put_slice(self.credential_bytes);
        out.put_u16(self.algorithm.0);
        out.put_u16(u16::try_from(self.signature.len()).unwrap_or(u16::MAX));
        out.put_slice(self.signature);
        out
    }

    /// The signed part.
    #[must_use]
    pub fn credential(&self) -> &Credential<'a> {
        &self.credential
    }

    /// The form it was decoded as.
    #[must_use]
    pub fn form(&self) -> Form {
        self.credential.form()
    }

    /// The scheme of the delegation certificate's signature.
    #[must_use]
    pub fn algorithm(&self) -> SignatureScheme {
        self.algorithm
    }

    /// The delegation certificate's signature.
    #[must_use]
    pub fn signature(&self) -> &'a [u8] {
        self.signature
    }

    pub(crate) fn credential_bytes(&self) -> &'a [u8] {
        self.credential_bytes
    }
}

fn check_size(length: usize) -> Result<(), Error> {
    if length <= MAX_EXTENSION_DATA {
        return Ok(());
    }
    Err(Error::LengthOutOfRange {
        field: Field::DelegatedCredential,
        length,
        min: 1,
        max: MAX_EXTENSION_DATA,
    })
}

/// All extensions of a CertificateEntry share 2^16-1 bytes, and each has a header of four
/// (RFC 8446 §4.2, §4.4.2).
const MAX_EXTENSION_DATA: usize = 0xffff - 4;

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::collection::vec as bytes;
    use proptest::prelude::*;

    use super::*;

    /// Case 2 of the catalogue, which other implementations encode the same.
    const SIMPLE: &[u8] = b"\xde\xad\xbe\xef\x08\x07\x00\x00\x06pubkey\x04\x03\x00\x04sign";

    fn encode(credential: &Credential<'_>, algorithm: u16, signature: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        credential.encode(&mut encoded).unwrap();
        DelegatedCredential::encode(&encoded, SignatureScheme(algorithm), signature).unwrap()
    }

    #[test]
    fn case_2_encodes_the_known_bytes() {
        let credential = Credential::new(0xdead_beef, SignatureScheme::ED25519, b"pubkey", None);
        assert_eq!(encode(&credential, 0x0403, b"sign"), SIMPLE);
    }

    #[test]
    fn case_2_decodes_the_known_bytes() {
        let decoded = DelegatedCredential::decode(Form::Rfc9345, SIMPLE).unwrap();
        assert_eq!(decoded.credential().valid_time, 0xdead_beef);
        assert_eq!(
            decoded.credential().dc_cert_verify_algorithm,
            SignatureScheme::ED25519
        );
        assert_eq!(decoded.credential().spki, b"pubkey");
        assert_eq!(decoded.algorithm(), SignatureScheme(0x0403));
        assert_eq!(decoded.signature(), b"sign");
        assert_eq!(decoded.credential_bytes(), &SIMPLE[..15]);
    }

    #[test]
    fn the_named_form_has_the_name_behind_the_key() {
        let name = UniqueName::try_from("a.b").unwrap();
        let credential = Credential::new(1, SignatureScheme::ED25519, b"k", Some(name));
        assert_eq!(
            encode(&credential, 0x0807, b"s"),
            b"\x00\x00\x00\x01\x08\x07\x00\x00\x01k\x03a.b\x08\x07\x00\x01s"
        );
    }

    /// `SIMPLE`, and the same with a name.
    fn both_forms() -> [(Form, Vec<u8>); 2] {
        let mut named = SIMPLE.to_vec();
        named.splice(15..15, *b"\x03a.b");
        [(Form::Rfc9345, SIMPLE.to_vec()), (Form::Named, named)]
    }

    #[track_caller]
    fn assert_malformed(form: Form, input: &[u8], error: Error) {
        let got = DelegatedCredential::decode(form, input).unwrap_err();
        assert_eq!(got, error);
        assert_eq!(got.alert(), crate::Alert::DecodeError);
    }

    #[test]
    fn case_4_refuses_a_trailing_byte() {
        for (form, mut input) in both_forms() {
            assert!(DelegatedCredential::decode(form, &input).is_ok());
            input.push(0);
            let field = Field::DelegatedCredential;
            assert_malformed(form, &input, Error::TrailingData { field, bytes: 1 });
        }
    }

    #[test]
    fn case_5_refuses_every_truncation() {
        for (form, input) in both_forms() {
            for length in 0..input.len() {
                let error = DelegatedCredential::decode(form, &input[..length]).unwrap_err();
                assert!(
                    matches!(error, Error::Truncated { .. }),
                    "{length}: {error}"
                );
                assert_eq!(error.alert(), crate::Alert::DecodeError);
            }
        }
    }

    #[test]
    fn cases_6_and_7_refuse_an_empty_key_and_an_empty_signature() {
        for (form, input, field, max) in [
            (
                Form::Rfc9345,
                &b"\0\0\0\0\x08\x07\0\0\0\x04\x03\0\x01s"[..],
                Field::SubjectPublicKeyInfo,
                0xff_ffff,
            ),
            (
                Form::Named,
                b"\0\0\0\0\x08\x07\0\0\0\x01a\x04\x03\0\x01s",
                Field::SubjectPublicKeyInfo,
                0xff_ffff,
            ),
            (
                Form::Rfc9345,
                b"\0\0\0\0\x08\x07\0\0\x01k\x04\x03\0\0",
                Field::Signature,
                0xffff,
            ),
            (
                Form::Named,
                b"\0\0\0\0\x08\x07\0\0\x01k\x01a\x04\x03\0\0",
                Field::Signature,
                0xffff,
            ),
            (
                Form::Named,
                b"\0\0\0\0\x08\x07\0\0\x01k\0\x04\x03\0\x01s",
                Field::UniqueName,
                0xff,
            ),
        ] {
            let length = 0;
            let error = Error::LengthOutOfRange {
                field,
                length,
                min: 1,
                max,
            };
            assert_malformed(form, input, error);
        }
    }

    #[test]
    fn case_8_refuses_a_huge_length_on_a_short_buffer() {
        for form in Form::ALL {
            let error = Error::Truncated {
                field: Field::SubjectPublicKeyInfo,
                needed: 0xff_ffff,
                available: 5,
            };
            assert_malformed(form, b"\0\0\0\0\x08\x07\xff\xff\xffshort", error);
        }
    }

    #[test]
    fn refuses_a_malformed_name() {
        let input = b"\0\0\0\0\x08\x07\0\0\x01k\x03a.B\x04\x03\0\x01s";
        assert_malformed(Form::Named, input, Error::MalformedName { offset: 2 });
    }

    #[test]
    fn case_13_refuses_what_no_certificate_entry_holds() {
        let encode = |spki_len: usize| {
            let mut encoded = Vec::new();
            Credential::new(0, SignatureScheme::ED25519, &vec![0; spki_len], None)
                .encode(&mut encoded)
                .unwrap();
            let whole = DelegatedCredential::encode(&encoded, SignatureScheme::ED25519, &[0; 64]);
            // The same without the limit, as a file may have it.
            let file = [&encoded[..], b"\x08\x07\0\x40", &[0; 64]].concat();
            (whole, file)
        };
        let (whole, file) = encode(65_531 - 9 - 4 - 64);
        assert_eq!(file.len(), 65_531);
        assert_eq!(whole.as_ref(), Ok(&file));
        assert!(DelegatedCredential::decode(Form::Rfc9345, &file).is_ok());
        let (whole, file) = encode(65_532 - 9 - 4 - 64);
        let error = Error::LengthOutOfRange {
            field: Field::DelegatedCredential,
            length: 65_532,
            min: 1,
            max: 65_531,
        };
        assert_eq!(whole, Err(error.clone()));
        assert_malformed(Form::Rfc9345, &file, error);
    }

    #[test]
    fn unknown_schemes_pass() {
        // ML-DSA-44, 65 and 87, and GREASE.
        for code in [0x0904, 0x0905, 0x0906, 0x7a7a] {
            let scheme = SignatureScheme(code);
            let encoded = encode(&Credential::new(1, scheme, b"k", None), code, b"s");
            let decoded = DelegatedCredential::decode(Form::Rfc9345, &encoded).unwrap();
            assert_eq!(decoded.credential().dc_cert_verify_algorithm, scheme);
            assert_eq!(decoded.algorithm(), scheme);
        }
    }

    #[test]
    fn the_layout_of_draft_02_does_not_parse() {
        // It had a u16 version behind the scheme, which shifts the key's length.
        let mut input = SIMPLE.to_vec();
        input.splice(6..6, [0x03, 0x04]);
        assert!(DelegatedCredential::decode(Form::Rfc9345, &input).is_err());
    }

    prop_compose! {
        fn any_name()(name in "[a-z]{1,20}(\\.[a-z]{1,10}){0,3}") -> std::string::String { name }
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "strategies from regular expressions take minutes")]
        fn decode_undoes_encode(
            valid_time: u32, scheme: u16, algorithm: u16,
            spki in bytes(any::<u8>(), 1..600),
            signature in bytes(any::<u8>(), 1..600),
            name in proptest::option::of(any_name()),
        ) {
            let unique_name = name.as_deref().map(|n| UniqueName::try_from(n).unwrap());
            let credential = Credential::new(valid_time, SignatureScheme(scheme), &spki, unique_name);
            let encoded = encode(&credential, algorithm, &signature);
            let decoded = DelegatedCredential::decode(credential.form(), &encoded).unwrap();
            prop_assert_eq!(decoded.credential(), &credential);
            prop_assert_eq!(decoded.algorithm().0, algorithm);
            prop_assert_eq!(decoded.signature(), &signature[..]);
            prop_assert_eq!(decoded.to_vec(), encoded);
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(mut input in bytes(any::<u8>(), 0..64), named: bool) {
            let form = if named { Form::Named } else { Form::Rfc9345 };
            // Make the long length prefix plausible now and then.
            if let Some(prefix) = input.get_mut(6..8) { prefix.fill(0); }
            if let Ok(decoded) = DelegatedCredential::decode(form, &input) {
                prop_assert_eq!(decoded.to_vec(), input);
            }
        }
    }
}
