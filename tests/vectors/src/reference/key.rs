//! Keys, and the signature schemes that are for them.

use super::Reference;
use super::bytes::Bytes;
use super::der;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::credentials::KeyType;

/// The key of a SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// Its type, if it is one that TLS has schemes for.
    pub(super) kind: Option<KeyType>,
    /// The hash that its parameters ask for.
    hash: Option<&'a [u8]>,
    /// The contents of subjectPublicKey.
    pub(super) octets: &'a [u8],
}

impl Reference<'_> {
    /// The key of a vector that is to be one SubjectPublicKeyInfo in DER.
    pub(super) fn key<'a>(&self, spki: &'a [u8]) -> Result<Key<'a>, Fault> {
        let read = || {
            let mut bytes = Bytes(spki);
            let outer = der::next(&mut bytes)?;
            let mut fields = Bytes(outer.content);
            let algorithm = der::next(&mut fields)?;
            let bits = der::next(&mut fields)?;
            let shortest = outer.is_der && algorithm.is_der && bits.is_der;
            let one = outer.tag == der::SEQUENCE
                && algorithm.tag == der::SEQUENCE
                && bits.tag == der::BIT_STRING
                && fields.is_empty()
                && (shortest || !self.keeps(Rule::KeyIsDer))
                && (bytes.is_empty() || !self.keeps(Rule::NothingAfterTheKey));
            let octets = der::whole_octets(bits.content)?;
            let kind = kind(algorithm.content);
            let hash = hash(algorithm.content).filter(|_| kind == Some(KeyType::RsaPss));
            one.then_some(Key { kind, hash, octets })
        };
        match read() {
            Some(key) => Ok(key),
            None if self.keeps(Rule::KeyIsASubjectPublicKeyInfo) => Err(Fault::MalformedKey),
            None => Ok(Key {
                kind: None,
                hash: None,
                octets: spki,
            }),
        }
    }

    /// Whether a credential may have this `dc_cert_verify_algorithm`, whatever its key.
    pub(super) fn may_be_a_credentials(&self, scheme: u16) -> bool {
        match scheme {
            0x0804..=0x0806 => !self.keeps(Rule::CredentialHasNoRsaeScheme),
            0x0401 | 0x0501 | 0x0601 => !self.keeps(Rule::CredentialHasNoPkcs1Scheme),
            0x0201..=0x0203 => !self.keeps(Rule::CredentialHasNoSha1Scheme),
            _ => true,
        }
    }

    /// Whether a scheme is for a credential's key.
    pub(super) fn fits_credential(&self, scheme: u16, key: &Key<'_>) -> bool {
        let wanted = key_type(scheme);
        let rsa = |kind| matches!(kind, Some(KeyType::Rsa | KeyType::RsaPss));
        let sha1 = matches!(scheme, 0x0201..=0x0203);
        self.fits(scheme, key)
            || !self.keeps(Rule::CredentialHasNoSha1Scheme) && sha1
            || !self.keeps(Rule::KeyIsASubjectPublicKeyInfo) && key.kind.is_none()
            || !self.keeps(Rule::SchemeIsForTheKeysType)
            || !self.keeps(Rule::UnknownSchemesFitNoKey) && wanted.is_none()
            || !self.keeps(Rule::SchemeIsForTheKeysCurve) && on_curve(wanted) && on_curve(key.kind)
            || !self.keeps(Rule::CredentialsKeyIsNotRsaEncryption) && rsa(wanted) && rsa(key.kind)
    }

    /// Whether a scheme is for a key.
    pub(super) fn fits(&self, scheme: u16, key: &Key<'_>) -> bool {
        let hash = match scheme {
            0x0809 => Some(SHA256),
            0x080a => Some(SHA384),
            0x080b => Some(SHA512),
            _ => None,
        };
        let same =
            key.hash.is_none() || hash == key.hash || !self.keeps(Rule::SchemeHasTheKeysHash);
        key.kind.is_some() && key_type(scheme) == key.kind && same
    }
}

/// The type of key that a scheme is for.
pub(super) fn key_type(scheme: u16) -> Option<KeyType> {
    Some(match scheme {
        0x0403 => KeyType::P256,
        0x0503 => KeyType::P384,
        0x0603 => KeyType::P521,
        0x0807 => KeyType::Ed25519,
        0x0808 => KeyType::Ed448,
        0x0401 | 0x0501 | 0x0601 | 0x0804..=0x0806 => KeyType::Rsa,
        0x0809..=0x080b => KeyType::RsaPss,
        _ => return None,
    })
}

/// The type of key that an AlgorithmIdentifier is for.
fn kind(algorithm: &[u8]) -> Option<KeyType> {
    let mut bytes = Bytes(algorithm);
    let id = der::tagged(&mut bytes, der::OBJECT_IDENTIFIER)?;
    let parameters = der::next(&mut bytes);
    let curve = |curve: &[u8]| parameters.is_some_and(|value| value.content == curve);
    match id {
        EC => [
            (P256, KeyType::P256),
            (P384, KeyType::P384),
            (P521, KeyType::P521),
        ]
        .into_iter()
        .find_map(|(id, kind)| curve(id).then_some(kind)),
        ED25519 => parameters.is_none().then_some(KeyType::Ed25519),
        ED448 => parameters.is_none().then_some(KeyType::Ed448),
        RSA => parameters
            .is_some_and(|value| value.tag == der::NULL)
            .then_some(KeyType::Rsa),
        RSA_PSS => Some(KeyType::RsaPss),
        _ => None,
    }
}

/// The hash of RSASSA-PSS-params (RFC 4055 §3.1), if there are any.
fn hash(algorithm: &[u8]) -> Option<&[u8]> {
    let mut bytes = Bytes(algorithm);
    der::next(&mut bytes)?;
    let mut parameters = Bytes(der::tagged(&mut bytes, der::SEQUENCE)?);
    let hash = der::optional(&mut parameters, 0xa0)?;
    let hash = der::tagged(&mut Bytes(hash), der::SEQUENCE)?;
    der::tagged(&mut Bytes(hash), der::OBJECT_IDENTIFIER)
}

fn on_curve(kind: Option<KeyType>) -> bool {
    matches!(kind, Some(KeyType::P256 | KeyType::P384 | KeyType::P521))
}

const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
