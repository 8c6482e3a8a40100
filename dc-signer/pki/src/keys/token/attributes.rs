//! The public half of a key in a token, from what the token says of it.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::asn1::{Any, BitString, Null, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Tag};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::failed;
use crate::token_fault::TokenFault;

/// The SubjectPublicKeyInfo of a private key, in DER.
pub(super) fn spki(session: &Session, key: ObjectHandle) -> Result<Vec<u8>, TokenFault> {
    let public = public_key(session, key)?;
    let wanted = [
        AttributeType::KeyType,
        AttributeType::EcParams,
        AttributeType::EcPoint,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
    ];
    let found = session.get_attributes(public, &wanted);
    let found = found.map_err(|error| failed(&error))?;
    let (mut kind, mut parameters, mut point, mut modulus, mut exponent) =
        (None, None, None, None, None);
    for attribute in found {
        match attribute {
            Attribute::KeyType(value) => kind = Some(value),
            Attribute::EcParams(value) => parameters = Some(value),
            Attribute::EcPoint(value) => point = Some(value),
            Attribute::Modulus(value) => modulus = Some(value),
            Attribute::PublicExponent(value) => exponent = Some(value),
            _ => {}
        }
    }
    let spki = match (kind, parameters, point, modulus, exponent) {
        (Some(KeyType::EC), Some(curve), Some(point), _, _) => of_curve(&curve, &point),
        (Some(KeyType::EC_EDWARDS), _, Some(point), _, _) => of_ed25519(&point),
        (Some(KeyType::RSA), _, _, Some(modulus), Some(exponent)) => of_rsa(&modulus, &exponent),
        _ => return Err(TokenFault::Type),
    };
    spki.map_err(|_| TokenFault::Type)
}

/// The public key with the same id, or, if the private key has none, with the same label.
fn public_key(session: &Session, key: ObjectHandle) -> Result<ObjectHandle, TokenFault> {
    let names = session.get_attributes(key, &[AttributeType::Id, AttributeType::Label]);
    let names = names.map_err(|error| failed(&error))?;
    let has_content = |attribute: &&Attribute| match attribute {
        Attribute::Id(value) | Attribute::Label(value) => !value.is_empty(),
        _ => false,
    };
    let name = names
        .iter()
        .find(has_content)
        .ok_or(TokenFault::NoPublicKey)?;
    let wanted = [Attribute::Class(ObjectClass::PUBLIC_KEY), name.clone()];
    let found = session.find_objects(&wanted);
    match found.map_err(|error| failed(&error))?.as_slice() {
        [one] => Ok(*one),
        [] => Err(TokenFault::NoPublicKey),
        _ => Err(TokenFault::Several { what: "public key" }),
    }
}

/// An elliptic curve's point is in an OCTET STRING (PKCS#11 v3.1 §6.3.3).
fn of_curve(curve: &[u8], point: &[u8]) -> der::Result<Vec<u8>> {
    let point = <&OctetStringRef>::from_der(point)?.as_bytes();
    encode(EC_PUBLIC_KEY, Some(Any::from_der(curve)?), point)
}

/// Some tokens give the bare 32 bytes.
fn of_ed25519(point: &[u8]) -> der::Result<Vec<u8>> {
    let point = match <&OctetStringRef>::from_der(point) {
        Ok(wrapped) if point.len() != ED25519_LEN => wrapped.as_bytes(),
        _ => point,
    };
    match point.len() {
        ED25519_LEN => encode(ED25519, None, point),
        _ => Err(Tag::OctetString.value_error().into()),
    }
}

fn of_rsa(modulus: &[u8], exponent: &[u8]) -> der::Result<Vec<u8>> {
    let fields = [modulus, exponent].map(|number| UintRef::new(number)?.to_der());
    let [modulus, exponent] = fields;
    let key = Any::new(Tag::Sequence, [modulus?, exponent?].concat())?.to_der()?;
    encode(RSA, Some(Any::encode_from(&Null)?), &key)
}

fn encode(oid: ObjectIdentifier, parameters: Option<Any>, key: &[u8]) -> der::Result<Vec<u8>> {
    let spki = SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters },
        subject_public_key: BitString::from_bytes(key)?,
    };
    spki.to_der()
}

pub(super) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519_LEN: usize = 32;
