//! A private key from a file as a token wants it: in its parts.

use cryptoki::object::Attribute;
use der::asn1::{AnyRef, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader};
use pki_types::PrivateKeyDer;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::attributes;

/// The secret parts of a key, to be wiped.
pub(super) fn secret(key: &PrivateKeyDer<'_>) -> Option<Vec<Attribute>> {
    let parts = match key {
        PrivateKeyDer::Pkcs8(key) => of_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(key) => of_sec1(key.secret_sec1_der()),
        PrivateKeyDer::Pkcs1(key) => of_pkcs1(key.secret_pkcs1_der()),
        _ => return None,
    };
    parts.ok()
}

/// The public parts of an RSA key, from the contents of its SubjectPublicKeyInfo.
pub(super) fn rsa_public(der: &[u8]) -> Option<Vec<Attribute>> {
    let read = || {
        let mut reader = SliceReader::new(der)?;
        reader.sequence(|fields| {
            let modulus = fields.decode::<UintRef<'_>>()?;
            let exponent = fields.decode::<UintRef<'_>>()?;
            Ok::<_, der::Error>(vec![
                Attribute::Modulus(modulus.as_bytes().to_vec()),
                Attribute::PublicExponent(exponent.as_bytes().to_vec()),
            ])
        })
    };
    read().ok()
}

/// OneAsymmetricKey (RFC 5958 §2).
fn of_pkcs8(der: &[u8]) -> der::Result<Vec<Attribute>> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|fields| {
        let _version = fields.decode::<u8>()?;
        let algorithm = fields.decode::<AlgorithmIdentifierRef<'_>>()?;
        let key = fields.decode::<&OctetStringRef>()?.as_bytes();
        fields.drain(fields.remaining_len())?;
        match algorithm.oid {
            attributes::EC_PUBLIC_KEY => of_sec1(key),
            // CurvePrivateKey (RFC 8410 §7).
            attributes::ED25519 => {
                let seed = <&OctetStringRef>::from_der(key)?.as_bytes();
                Ok(vec![Attribute::Value(seed.to_vec())])
            }
            _ => of_pkcs1(key),
        }
    })
}

/// ECPrivateKey (RFC 5915 §3).
fn of_sec1(der: &[u8]) -> der::Result<Vec<Attribute>> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|fields| {
        let _version = fields.decode::<u8>()?;
        let value = fields.decode::<&OctetStringRef>()?.as_bytes();
        while !fields.is_finished() {
            fields.decode::<AnyRef<'_>>()?;
        }
        Ok(vec![Attribute::Value(value.to_vec())])
    })
}

/// RSAPrivateKey (RFC 8017 §A.1.2).
fn of_pkcs1(der: &[u8]) -> der::Result<Vec<Attribute>> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|fields| {
        let _version = fields.decode::<u8>()?;
        let mut next = || Ok::<_, der::Error>(fields.decode::<UintRef<'_>>()?.as_bytes().to_vec());
        Ok(vec![
            Attribute::Modulus(next()?),
            Attribute::PublicExponent(next()?),
            Attribute::PrivateExponent(next()?),
            Attribute::Prime1(next()?),
            Attribute::Prime2(next()?),
            Attribute::Exponent1(next()?),
            Attribute::Exponent2(next()?),
            Attribute::Coefficient(next()?),
        ])
    })
}
