//! A peer's offer: the lists of a ClientHello or CertificateRequest.

use alloc::vec::Vec;

use bytes::BufMut;

use crate::codec::{Reader, Vector};
use crate::credential::{DelegatedCredential, Form};
use crate::error::{Error, Field};
use crate::scheme::SignatureScheme;

/// A `SignatureSchemeList` (RFC 8446 §4.2.3): 1 to 32,767 schemes, the peer's favourite first.
///
/// Unknown schemes are kept; GREASE is harmless.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SchemeList(Vec<SignatureScheme>);

impl SchemeList {
    /// A list to offer.
    ///
    /// Fails with [`Error::LengthOutOfRange`] if it is empty or has more than 32,767 schemes.
    pub fn new(schemes: impl IntoIterator<Item = SignatureScheme>) -> Result<Self, Error> {
        let list = Self(schemes.into_iter().collect());
        list.encode(&mut Vec::new())?;
        Ok(list)
    }

    /// Reads the whole `extension_data` of extension 34, 0xFF22 or signature_algorithms.
    ///
    /// Fails with [`Error::Truncated`], [`Error::LengthOutOfRange`] or [`Error::TrailingData`]; a
    /// list is neither empty nor of odd length.
    pub fn decode(extension_data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(extension_data);
        let mut items = Reader::new(reader.vector(Vector::SCHEME_LIST)?);
        reader.expect_empty(Field::SchemeList)?;
        let mut schemes = Vec::with_capacity(items.rest().len() / 2);
        while !items.is_empty() {
            schemes.push(SignatureScheme(items.u16(Field::SchemeList)?));
        }
        Ok(Self(schemes))
    }

    /// Appends the `extension_data`.
    ///
    /// Fails with [`Error::LengthOutOfRange`] if there are no or more than 32,767 schemes.
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), Error> {
        let items: Vec<u8> = self.0.iter().flat_map(|s| s.0.to_be_bytes()).collect();
        Vector::SCHEME_LIST.write(&items, out)
    }

    /// True if the list has this scheme.
    #[must_use]
    pub fn contains(&self, scheme: SignatureScheme) -> bool {
        self.0.contains(&scheme)
    }

    /// The schemes, the favourite first.
    pub fn iter(&self) -> impl Iterator<Item = SignatureScheme> + '_ {
        self.0.iter().copied()
    }
}

/// One peer's offer: a list of schemes for each form of credential that it takes, and its
/// signature_algorithms.
///
/// The two kinds of list are independent (RFC 9345 §4.1.1): `dc_cert_verify_algorithm` is looked up
/// in the form's own list, `algorithm` in `signature_algorithms`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Offer {
    /// The list of extension 34, if it was offered.
    pub rfc9345: Option<SchemeList>,
    /// The list of extension 0xFF22, if it was offered.
    pub named: Option<SchemeList>,
    /// The list of signature_algorithms.
    pub signature_algorithms: SchemeList,
}

impl Offer {
    /// An offer of no credential yet.
    #[must_use]
    pub fn new(signature_algorithms: SchemeList) -> Self {
        Self {
            rfc9345: None,
            named: None,
            signature_algorithms,
        }
    }

    /// The offer that suits this credential and nothing else: its form and its two schemes.
    ///
    /// For whoever holds a credential and asks what a peer would make of it.
    #[must_use]
    pub fn suiting(credential: &DelegatedCredential<'_>) -> Self {
        let only = |scheme| SchemeList([scheme].into());
        let scheme = credential.credential().dc_cert_verify_algorithm;
        Self::new(only(credential.algorithm())).with(credential.form(), only(scheme))
    }

    /// The same offer with this form offered too.
    #[must_use]
    pub fn with(mut self, form: Form, schemes: SchemeList) -> Self {
        match form {
            Form::Rfc9345 => self.rfc9345 = Some(schemes),
            Form::Named => self.named = Some(schemes),
        }
        self
    }

    /// The list of one form, if it was offered.
    #[must_use]
    pub fn schemes(&self, form: Form) -> Option<&SchemeList> {
        match form {
            Form::Rfc9345 => self.rfc9345.as_ref(),
            Form::Named => self.named.as_ref(),
        }
    }

    /// Checks that a credential may be sent in answer to this offer, or was (RFC 9345 §4.1.1).
    ///
    /// Fails with [`Error::FormNotOffered`], [`Error::SchemeNotOffered`] or
    /// [`Error::AlgorithmNotOffered`].
    pub fn suits(&self, credential: &DelegatedCredential<'_>) -> Result<(), Error> {
        self.meets(credential.into())
    }

    /// Checks the same of a credential whose requirements are at hand.
    ///
    /// Fails as [`suits`](Self::suits) does.
    pub fn meets(&self, requirements: Requirements) -> Result<(), Error> {
        let Requirements {
            form,
            dc_cert_verify_algorithm: scheme,
            algorithm,
        } = requirements;
        let schemes = self.schemes(form).ok_or(Error::FormNotOffered { form })?;
        if !schemes.contains(scheme) {
            return Err(Error::SchemeNotOffered { scheme });
        }
        if !self.signature_algorithms.contains(algorithm) {
            return Err(Error::AlgorithmNotOffered { algorithm });
        }
        Ok(())
    }
}

/// The code points that an offer must have, so that a credential may be sent (RFC 9345 §4.1.1).
///
/// A server keeps them of each credential that it has, and decodes none when a client asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Requirements {
    /// The form, which has to be offered.
    pub form: Form,
    /// The scheme of the credential's key, which has to be in the list of that form.
    pub dc_cert_verify_algorithm: SignatureScheme,
    /// The scheme of the delegation certificate's signature, which has to be in signature_algorithms.
    pub algorithm: SignatureScheme,
}

impl From<&DelegatedCredential<'_>> for Requirements {
    fn from(credential: &DelegatedCredential<'_>) -> Self {
        Self {
            form: credential.form(),
            dc_cert_verify_algorithm: credential.credential().dc_cert_verify_algorithm,
            algorithm: credential.algorithm(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P256: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
    const RSA: SignatureScheme = SignatureScheme::RSA_PSS_RSAE_SHA256;
    /// `dc_cert_verify_algorithm` ecdsa_secp256r1_sha256, `algorithm` rsa_pss_rsae_sha256.
    const CREDENTIAL: &[u8] = b"\0\0\0\0\x04\x03\0\0\x01k\x08\x04\0\x01s";

    fn list(schemes: &[SignatureScheme]) -> SchemeList {
        SchemeList::new(schemes.iter().copied()).unwrap()
    }

    fn suits(offer: &Offer) -> Result<(), Error> {
        offer.suits(&DelegatedCredential::decode(Form::Rfc9345, CREDENTIAL).unwrap())
    }

    #[test]
    fn case_3_reads_and_writes_the_known_list() {
        let decoded = SchemeList::decode(&[0, 2, 8, 4]).unwrap();
        assert_eq!(decoded, list(&[RSA]));
        let mut encoded = Vec::new();
        decoded.encode(&mut encoded).unwrap();
        assert_eq!(encoded, [0, 2, 8, 4]);
    }

    #[test]
    fn keeps_unknown_schemes() {
        let decoded = SchemeList::decode(&[0, 4, 0x7a, 0x7a, 9, 4]).unwrap();
        assert!(decoded.contains(SignatureScheme(0x7a7a)));
        assert!(decoded.contains(SignatureScheme(0x0904)));
    }

    #[test]
    fn case_11_refuses_empty_odd_short_and_long_lists() {
        for input in [
            &[0, 0][..],
            &[0, 1, 4],
            &[0, 3, 4, 3, 8],
            &[0, 4, 4, 3],
            &[0, 2, 4, 3, 0],
            &[0xff, 0xff],
            &[0],
            &[],
        ] {
            let error = SchemeList::decode(input).unwrap_err();
            assert_eq!(error.alert(), crate::Alert::DecodeError, "{input:?}");
        }
        assert!(SchemeList::new([]).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "65,536 bytes take minutes")]
    fn a_list_has_at_most_32767_schemes() {
        assert!(SchemeList::new([P256; 32_768]).is_err());
        assert!(SchemeList::new([P256; 32_767]).is_ok());
    }

    #[test]
    fn case_12_a_list_of_unknown_schemes_is_an_offer_that_nothing_suits() {
        let grease = SchemeList::decode(&[0, 4, 0x7a, 0x7a, 0xfe, 0x00]).unwrap();
        let offer = Offer::new(list(&[RSA])).with(Form::Rfc9345, grease);
        assert_eq!(suits(&offer), Err(Error::SchemeNotOffered { scheme: P256 }));
    }

    #[test]
    fn the_two_lists_are_independent() {
        let offer = Offer::new(list(&[RSA])).with(Form::Rfc9345, list(&[P256]));
        assert_eq!(suits(&offer), Ok(()));
    }

    #[test]
    fn the_suiting_offer_suits_and_offers_nothing_else() {
        let credential = DelegatedCredential::decode(Form::Rfc9345, CREDENTIAL).unwrap();
        let offer = Offer::suiting(&credential);
        assert_eq!(offer.suits(&credential), Ok(()));
        assert_eq!(
            offer,
            Offer::new(list(&[RSA])).with(Form::Rfc9345, list(&[P256]))
        );
    }

    #[test]
    fn a_form_that_was_not_offered_does_not_suit() {
        let form = Form::Rfc9345;
        let offer = Offer::new(list(&[RSA])).with(Form::Named, list(&[P256]));
        assert_eq!(suits(&offer), Err(Error::FormNotOffered { form }));
    }

    #[test]
    fn a_scheme_that_was_not_offered_does_not_suit() {
        let offer = Offer::new(list(&[RSA])).with(Form::Rfc9345, list(&[RSA]));
        assert_eq!(suits(&offer), Err(Error::SchemeNotOffered { scheme: P256 }));
    }

    #[test]
    fn an_algorithm_that_was_not_offered_does_not_suit() {
        let offer = Offer::new(list(&[P256])).with(Form::Rfc9345, list(&[P256]));
        assert_eq!(
            suits(&offer),
            Err(Error::AlgorithmNotOffered { algorithm: RSA })
        );
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(codes in proptest::collection::vec(any::<u16>(), 1..100)) {
            let schemes = SchemeList::new(codes.into_iter().map(SignatureScheme)).unwrap();
            let mut encoded = Vec::new();
            schemes.encode(&mut encoded).unwrap();
            prop_assert_eq!(SchemeList::decode(&encoded).unwrap(), schemes);
        }

        #[test]
        fn never_panics(input: Vec<u8>) {
            if let Ok(list) = SchemeList::decode(&input) {
                let mut encoded = Vec::new();
                list.encode(&mut encoded).unwrap();
                prop_assert_eq!(encoded, input);
            }
        }
    }
}
