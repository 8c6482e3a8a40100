//! Certificates, keys and requests in a file.
//!
//! Blocks that are known to be something else are passed over, as in a file with a key and its chain;
//! what nobody knows is named.

use alloc::vec::Vec;

use pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, SubjectPublicKeyInfoDer,
};

use super::block::{Block, blocks, is_pem};
use super::label::{Encoding, Kind};
use crate::error::{Error, PemFault};

/// All certificates of a file, in their order, at least one: `CERTIFICATE`, and as older programs write it,
/// `X509 CERTIFICATE`.
///
/// Fails with [`Error::MalformedPem`] and [`Error::MissingPem`].
pub fn certificates(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    all(file, Kind::Certificate, "CERTIFICATE")
}

/// All certificate signing requests of a file, at least one.
///
/// Fails with [`Error::MalformedPem`] and [`Error::MissingPem`].
pub fn requests(file: &[u8]) -> Result<Vec<CertificateSigningRequestDer<'static>>, Error> {
    all(file, Kind::Request, "CERTIFICATE REQUEST")
}

/// All public keys of a file, at least one.
///
/// Fails with [`Error::MalformedPem`] and [`Error::MissingPem`].
pub fn public_keys(file: &[u8]) -> Result<Vec<SubjectPublicKeyInfoDer<'static>>, Error> {
    all(file, Kind::PublicKey, "PUBLIC KEY")
}

/// The one certificate signing request of a file: `CERTIFICATE REQUEST`, and as GnuTLS, Java and Windows
/// write it, `NEW CERTIFICATE REQUEST`.
///
/// Fails with [`Error::MalformedPem`] and [`Error::MissingPem`].
pub fn request(file: &[u8]) -> Result<CertificateSigningRequestDer<'static>, Error> {
    let (der, _) = one(file, |kind| kind == Kind::Request, "CERTIFICATE REQUEST")?;
    Ok(der.into())
}

/// The one public key of a file: `PUBLIC KEY`.
///
/// Fails with [`Error::MalformedPem`] and [`Error::MissingPem`].
pub fn public_key(file: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let (der, _) = one(file, |kind| kind == Kind::PublicKey, "PUBLIC KEY")?;
    Ok(der.into())
}

/// The one private key of a file: `PRIVATE KEY` (PKCS#8), `EC PRIVATE KEY` (SEC1) with or without its
/// `EC PARAMETERS`, or `RSA PRIVATE KEY` (PKCS#1).
///
/// Fails with [`Error::MalformedPem`], also if the key in it is of another program's kind, and with
/// [`Error::MissingPem`].
pub fn private_key(file: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    let found = one(file, |kind| matches!(kind, Kind::Key(_)), "PRIVATE KEY");
    let (der, kind) = found.map_err(|error| match error {
        Error::MissingPem { .. } => other_key(file).unwrap_or(error),
        error => error,
    })?;
    Ok(match kind {
        Kind::Key(Encoding::Pkcs1) => PrivateKeyDer::Pkcs1(der.into()),
        Kind::Key(Encoding::Sec1) => PrivateKeyDer::Sec1(der.into()),
        // Only keys were asked for, and one that is encrypted is refused before.
        Kind::Key(Encoding::Encrypted | Encoding::Pkcs8)
        | Kind::Certificate
        | Kind::Credential(..)
        | Kind::Other
        | Kind::PublicKey
        | Kind::Request => PrivateKeyDer::Pkcs8(der.into()),
    })
}

/// The one encrypted private key of a file: `ENCRYPTED PRIVATE KEY`, an EncryptedPrivateKeyInfo (RFC 5958 §3).
///
/// Fails with [`Error::MalformedPem`], also if the file has another key besides or one that is encrypted in OpenSSL's older way,
/// and with [`Error::MissingPem`] if it has no key that is encrypted.
pub fn encrypted_private_key(file: &[u8]) -> Result<Vec<u8>, Error> {
    let label = "PRIVATE KEY";
    let missing = Error::MissingPem {
        label: "ENCRYPTED PRIVATE KEY",
    };
    let keys = matching(file, |kind| matches!(kind, Kind::Key(_)))?;
    if let Some((old, _)) = keys.iter().find(|(block, _)| block.has_old_encryption()) {
        return Err(PemFault::Encrypted.at(old.line()));
    }
    if !keys.iter().any(|(block, _)| block.is_encrypted()) {
        return Err(missing);
    }
    match keys.as_slice() {
        [(block, _)] => block.contents(),
        [_, (other, _), ..] => Err(PemFault::Another { label }.at(other.line())),
        [] => Err(missing),
    }
}

/// A private key that nobody here takes, as OpenSSH's.
fn other_key(file: &[u8]) -> Option<Error> {
    let blocks = blocks(file).ok()?;
    let is_key = |block: &&Block<'_>| block.label().ends_with(" PRIVATE KEY");
    let block = blocks.iter().find(is_key)?;
    let label = block.label().into();
    Some(PemFault::UnknownLabel { label }.at(block.line()))
}

/// The blocks of the kinds that are wanted, none of which is looked into.
///
/// Fails with [`Error::MalformedPem`].
pub(super) fn matching(
    file: &[u8],
    is_wanted: impl Fn(Kind) -> bool,
) -> Result<Vec<(Block<'_>, Kind)>, Error> {
    let mut found = Vec::new();
    for block in blocks(file)? {
        let label = block.label();
        let kind = block.kind().ok_or_else(|| {
            let label = label.into();
            PemFault::UnknownLabel { label }.at(block.line())
        })?;
        if is_wanted(kind) {
            found.push((block, kind));
        }
    }
    Ok(found)
}

/// All blocks of a kind.
fn all<T: From<Vec<u8>>>(file: &[u8], wanted: Kind, label: &'static str) -> Result<Vec<T>, Error> {
    let found = matching(file, |kind| kind == wanted)?;
    let found: Result<Vec<_>, _> = found
        .iter()
        .map(|(block, _)| block.decode().map(T::from))
        .collect();
    found.and_then(|found| some(found, file, label))
}

/// The one block of a kind. The same once more is no other one.
fn one(
    file: &[u8],
    is_wanted: impl Fn(Kind) -> bool,
    label: &'static str,
) -> Result<(Vec<u8>, Kind), Error> {
    let mut first: Option<(Vec<u8>, Kind)> = None;
    for (block, kind) in matching(file, is_wanted)? {
        let der = block.decode()?;
        match &first {
            Some((known, _)) if *known != der => {
                return Err(PemFault::Another { label }.at(block.line()));
            }
            _ => first = Some((der, kind)),
        }
    }
    let found = first.into_iter().collect();
    let mut found = some(found, file, label)?;
    found.pop().ok_or(Error::MissingPem { label })
}

/// The list, or an error if it is empty.
fn some<T>(found: Vec<T>, file: &[u8], label: &'static str) -> Result<Vec<T>, Error> {
    match (found.is_empty(), file) {
        (false, _) => Ok(found),
        (true, _) if !is_pem(file) && is_der(file) => Err(PemFault::Der { label }.at(1)),
        (true, _) => Err(Error::MissingPem { label }),
    }
}

/// A SEQUENCE whose length is in several bytes, which no text begins with, or one that is as long as it says.
fn is_der(file: &[u8]) -> bool {
    match file {
        [0x30, 0x80..=0x84, ..] => true,
        [0x30, length, contents @ ..] => usize::from(*length) == contents.len(),
        _ => false,
    }
}
