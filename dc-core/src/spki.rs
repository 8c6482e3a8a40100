//! SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), split the way signature verifiers take it.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

use crate::error::Error;

/// A public key as its DER says it, borrowed from the SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicKey<'a> {
    /// The contents of the AlgorithmIdentifier SEQUENCE.
    pub(crate) algorithm: &'a [u8],
    /// The contents of the BIT STRING.
    pub(crate) bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Fails with [`Error::BadPublicKey`] unless `spki` is one DER SubjectPublicKeyInfo, whole.
    pub(crate) fn parse(spki: &'a [u8]) -> Result<Self, Error> {
        Self::read(spki).map_err(|_| Error::BadPublicKey)
    }

    fn read(spki: &'a [u8]) -> der::Result<Self> {
        let mut outer = SliceReader::new(spki)?;
        let key = outer.sequence(|fields| {
            let algorithm = AnyRef::decode(fields)?;
            algorithm.tag().assert_eq(Tag::Sequence)?;
            let bits = BitStringRef::decode(fields)?;
            let bits = bits
                .as_bytes()
                .ok_or_else(|| der::Error::from(Tag::BitString.value_error()))?;
            Ok::<_, der::Error>(Self {
                algorithm: algorithm.value(),
                bits,
            })
        })?;
        outer.finish()?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use pki_types::alg_id;
    use proptest::prelude::*;
    use rcgen::PublicKeyData;

    use super::*;

    #[test]
    fn splits_a_p256_key() {
        let spki = rcgen::KeyPair::generate()
            .unwrap()
            .subject_public_key_info();
        let key = PublicKey::parse(&spki).unwrap();
        assert_eq!(key.algorithm, alg_id::ECDSA_P256.as_ref());
        assert_eq!(key.bits.len(), 65);
    }

    #[test]
    fn refuses_trailing_bytes() {
        let mut spki = rcgen::KeyPair::generate()
            .unwrap()
            .subject_public_key_info();
        spki.push(0);
        assert_eq!(PublicKey::parse(&spki).unwrap_err(), Error::BadPublicKey);
    }

    #[test]
    fn refuses_unused_bits() {
        let spki = [
            0x30, 0x0b, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x02, 0x01, 0x80,
        ];
        assert_eq!(PublicKey::parse(&spki).unwrap_err(), Error::BadPublicKey);
    }

    proptest! {
        #[test]
        fn never_panics(input: Vec<u8>) {
            let _ = PublicKey::parse(&input);
        }
    }
}
