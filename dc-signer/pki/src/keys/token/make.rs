//! Making a key in a token, and putting one into it: from then on it cannot leave.

use cryptoki::error::{Error as Cryptoki, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType as Kind, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use dc_core::Signer;
use der::asn1::OctetStringRef;
use der::{Decode, Encode};
use pki_types::PrivateKeyDer;
use rustls::crypto::ring::default_provider;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroize;

use super::super::key::Key;
use super::super::pem_file::PemKey;
use super::super::secret_key_error::SecretKeyError;
use super::super::stored::KeyType;
use super::super::unlock::Unlock;
use super::fault::Fault;
use super::module::{Module, Place};
use super::secret::{LEN, TokenSecret};
use super::{TokenKey, at, attributes, failed, private};
use crate::error::Error;
use crate::signing::KeyFault;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// Makes a key in a token, and signs with it once.
pub(in super::super) fn generate(
    uri: &TokenUri,
    kind: KeyType,
    unlock: &Unlock,
) -> Result<Vec<u8>, Error> {
    let made = Module::load(uri, ObjectClass::PRIVATE_KEY, unlock)
        .map_err(Fault::from)
        .and_then(|module| module.change(|session, place| make(session, place, uri, kind)))
        .and_then(|()| try_once(uri, unlock));
    made.map_err(|fault| at(uri, fault))
}

/// Makes a secret key in a token that its MACs are made with, and makes one.
pub(in super::super) fn generate_secret(
    uri: &TokenUri,
    known_by: &[u8],
    unlock: &Unlock,
) -> Result<TokenSecret, SecretKeyError> {
    let module = Module::load(uri, ObjectClass::SECRET_KEY, unlock).map_err(Fault::from)?;
    module.change(|session, place| make_secret(session, place, uri))?;
    TokenSecret::open(uri, known_by, unlock)
}

/// Puts a secret key into a token, and makes a MAC with it.
pub(in super::super) fn import_secret(
    uri: &TokenUri,
    value: &[u8],
    known_by: &[u8],
    unlock: &Unlock,
) -> Result<TokenSecret, SecretKeyError> {
    let module = Module::load(uri, ObjectClass::SECRET_KEY, unlock).map_err(Fault::from)?;
    module.change(|session, place| put_secret(session, place, uri, value))?;
    TokenSecret::open(uri, known_by, unlock)
}

/// Puts a key into a token, and signs with it once.
pub(in super::super) fn import(
    uri: &TokenUri,
    key: &PrivateKeyDer<'_>,
    unlock: &Unlock,
) -> Result<Vec<u8>, Error> {
    let put = || {
        let known = PemKey::from_der(key).ok_or(TokenFault::Type)?;
        let module = Module::load(uri, ObjectClass::PRIVATE_KEY, unlock)?;
        module.change(|session, place| put(session, place, uri, key, known.spki()))?;
        match try_once(uri, unlock)? == known.spki() {
            true => Ok(known.spki().to_vec()),
            false => Err(TokenFault::NoKey.into()),
        }
    };
    put().map_err(|fault| at(uri, fault))
}

fn make(
    session: &Session,
    place: &Place<'_>,
    uri: &TokenUri,
    kind: KeyType,
) -> Result<(), TokenFault> {
    let (mechanism, name) = match kind {
        KeyType::P256 | KeyType::P384 => (Mechanism::EccKeyPairGen, "CKM_EC_KEY_PAIR_GEN"),
        KeyType::Ed25519 => (
            Mechanism::EccEdwardsKeyPairGen,
            "CKM_EC_EDWARDS_KEY_PAIR_GEN",
        ),
        KeyType::Rsa2048 | KeyType::Rsa3072 => {
            (Mechanism::RsaPkcsKeyPairGen, "CKM_RSA_PKCS_KEY_PAIR_GEN")
        }
    };
    can(place, mechanism.mechanism_type(), name)?;
    let (public, private) = (public_half(uri, kind), private_half(uri));
    let made = session.generate_key_pair(&mechanism, &public, &private);
    made.map(|_| ()).map_err(|error| failed(&error))
}

fn make_secret(session: &Session, place: &Place<'_>, uri: &TokenUri) -> Result<(), TokenFault> {
    let mechanism = Mechanism::GenericSecretKeyGen;
    can(
        place,
        mechanism.mechanism_type(),
        "CKM_GENERIC_SECRET_KEY_GEN",
    )?;
    can(place, MechanismType::SHA256_HMAC, "CKM_SHA256_HMAC")?;
    let made = of_either_kind(|kind| {
        let mut key = secret_key(uri, kind);
        key.push(Attribute::ValueLen(LEN.into()));
        session.generate_key(&mechanism, &key)
    });
    made.map_err(|error| failed(&error))
}

fn put_secret(
    session: &Session,
    place: &Place<'_>,
    uri: &TokenUri,
    value: &[u8],
) -> Result<(), TokenFault> {
    can(place, MechanismType::SHA256_HMAC, "CKM_SHA256_HMAC")?;
    let put = of_either_kind(|kind| {
        let mut key = secret_key(uri, kind);
        key.push(Attribute::Value(value.to_vec()));
        let put = session.create_object(&key);
        key.iter_mut().for_each(wipe);
        put
    });
    put.map_err(|error| refused(&error))
}

/// Some tokens have a type of secret key for each hash function, and no other.
fn of_either_kind(make: impl Fn(Kind) -> Result<ObjectHandle, Cryptoki>) -> Result<(), Cryptoki> {
    let made = match make(Kind::GENERIC_SECRET) {
        Err(Cryptoki::Pkcs11(
            RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateInconsistent,
            _,
        )) => make(Kind::SHA256_HMAC),
        made => made,
    };
    made.map(|_| ())
}

fn put(
    session: &Session,
    place: &Place<'_>,
    uri: &TokenUri,
    key: &PrivateKeyDer<'_>,
    spki: &[u8],
) -> Result<(), TokenFault> {
    let spki = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| TokenFault::Type)?;
    let (mut public, mut private) = (named(uri), private_half(uri));
    let (kind, parameters) = match spki.algorithm.oid {
        attributes::EC_PUBLIC_KEY => {
            can(place, MechanismType::ECDSA, "CKM_ECDSA")?;
            (
                Kind::EC,
                spki.algorithm.parameters.map(|curve| curve.to_der()),
            )
        }
        attributes::ED25519 => {
            can(place, MechanismType::EDDSA, "CKM_EDDSA")?;
            (Kind::EC_EDWARDS, Some(attributes::ED25519.to_der()))
        }
        _ => {
            can(
                place,
                MechanismType::SHA256_RSA_PKCS_PSS,
                "CKM_SHA256_RSA_PKCS_PSS",
            )?;
            (Kind::RSA, None)
        }
    };
    let bits = spki.subject_public_key.as_bytes().ok_or(TokenFault::Type)?;
    match parameters {
        Some(curve) => {
            let point = OctetStringRef::new(bits).and_then(|point| point.to_der());
            let curve = Attribute::EcParams(curve.map_err(|_| TokenFault::Type)?);
            public.push(curve.clone());
            public.push(Attribute::EcPoint(point.map_err(|_| TokenFault::Type)?));
            private.push(curve);
        }
        None => public.extend(private::rsa_public(bits).ok_or(TokenFault::Type)?),
    }
    for (template, class) in [
        (&mut public, ObjectClass::PUBLIC_KEY),
        (&mut private, ObjectClass::PRIVATE_KEY),
    ] {
        template.extend([Attribute::Class(class), Attribute::KeyType(kind)]);
    }
    public.extend([Attribute::Private(false), Attribute::Verify(true)]);
    private.extend(private::secret(key).ok_or(TokenFault::Type)?);
    let done = create(session, &public, &private);
    private.iter_mut().for_each(wipe);
    done
}

/// Both halves or none.
fn create(
    session: &Session,
    public: &[Attribute],
    private: &[Attribute],
) -> Result<(), TokenFault> {
    let public = session.create_object(public).map_err(|e| refused(&e))?;
    let created = session.create_object(private);
    created.map(|_| ()).map_err(|error| {
        let _ = session.destroy_object(public);
        refused(&error)
    })
}

/// Many a token takes no private key that somebody else has seen.
fn refused(error: &Cryptoki) -> TokenFault {
    match error {
        Cryptoki::Pkcs11(
            RvError::FunctionNotSupported
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
            | RvError::ActionProhibited,
            _,
        ) => TokenFault::ReadOnly {
            why: "it takes no key of this type from outside: make one in it, with 'dc-signer keys generate' or 'dc-signer secrets make-key'",
        },
        error => failed(error),
    }
}

/// The key is found by its name, and a signature of it verifies.
fn try_once(uri: &TokenUri, unlock: &Unlock) -> Result<Vec<u8>, Fault> {
    let key = TokenKey::open(uri, unlock)?;
    let message = b"dc-signer tries a new key";
    let signature = key.sign(message).map_err(|fault| match fault {
        KeyFault::Token { fault } => fault,
        _ => TokenFault::Type,
    })?;
    let public = SubjectPublicKeyInfoRef::from_der(key.spki()).map_err(|_| TokenFault::Type)?;
    let public = public.subject_public_key.as_bytes().unwrap_or_default();
    let known = default_provider().signature_verification_algorithms.mapping;
    let mut algorithms = known.iter().filter(|(scheme, _)| *scheme == key.scheme);
    let verifies = algorithms.any(|(_, algorithms)| {
        let mut algorithms = algorithms.iter();
        algorithms.any(|one| one.verify_signature(public, message, &signature).is_ok())
    });
    match verifies {
        true => Ok(key.spki().to_vec()),
        false => Err(TokenFault::Type.into()),
    }
}

fn can(place: &Place<'_>, wanted: MechanismType, name: &'static str) -> Result<(), TokenFault> {
    let known = place.pkcs11.get_mechanism_list(place.slot);
    match known.map_err(|error| failed(&error))?.contains(&wanted) {
        true => Ok(()),
        false => Err(TokenFault::Mechanism { mechanism: name }),
    }
}

/// Both halves have the same names, by which they find each other.
fn named(uri: &TokenUri) -> Vec<Attribute> {
    let label = uri.object.clone().map(Attribute::Label);
    // Some tokens want one, and a public key is found by it.
    let id = uri.id.clone().or_else(|| uri.object.clone());
    let names = label.into_iter().chain(id.map(Attribute::Id));
    names.chain([Attribute::Token(true)]).collect()
}

fn public_half(uri: &TokenUri, kind: KeyType) -> Vec<Attribute> {
    let mut half = named(uri);
    half.extend([Attribute::Private(false), Attribute::Verify(true)]);
    match kind {
        KeyType::P256 => half.push(Attribute::EcParams(P256.to_vec())),
        KeyType::P384 => half.push(Attribute::EcParams(P384.to_vec())),
        KeyType::Ed25519 => half.push(Attribute::EcParams(ED25519.to_vec())),
        KeyType::Rsa2048 | KeyType::Rsa3072 => {
            let bits = if kind == KeyType::Rsa2048 { 2048 } else { 3072 };
            half.push(Attribute::ModulusBits(bits.into()));
            half.push(Attribute::PublicExponent(vec![1, 0, 1]));
        }
    }
    half
}

fn private_half(uri: &TokenUri) -> Vec<Attribute> {
    let mut half = named(uri);
    half.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]);
    half
}

fn secret_key(uri: &TokenUri, kind: Kind) -> Vec<Attribute> {
    let mut key = private_half(uri);
    key.extend([
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(kind),
    ]);
    key
}

fn wipe(attribute: &mut Attribute) {
    match attribute {
        Attribute::Value(secret)
        | Attribute::PrivateExponent(secret)
        | Attribute::Prime1(secret)
        | Attribute::Prime2(secret)
        | Attribute::Exponent1(secret)
        | Attribute::Exponent2(secret)
        | Attribute::Coefficient(secret) => secret.zeroize(),
        _ => {}
    }
}

/// The names of the curves, as DER (RFC 5480 §2.1.1.1, RFC 8410 §3).
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: [u8; 7] = [6, 5, 0x2b, 0x81, 4, 0, 0x22];
const ED25519: [u8; 5] = [6, 3, 0x2b, 0x65, 0x70];
