//! Encrypting a private key with a passphrase, in PKCS#8's way (RFC 5958 §3) with PBES2 (RFC 8018 §6.2).

use std::path::Path;

use der::asn1::{Any, OctetStringRef};
use der::{Encode, Tag};
use pkcs5::pbes2::Parameters;
use zeroize::Zeroizing;

use super::super::unlock::Unlock;
use crate::error::Error;
use crate::lock_fault::LockFault;
use crate::{pem, random};

/// The PEM of a private key in PKCS#8, encrypted, for the file at a path.
///
/// Fails with [`Error::LockedKey`] if there is no passphrase, with [`Error::Secret`] and with [`Error::Randomness`].
pub(in super::super) fn encrypt(
    path: &Path,
    pkcs8: &[u8],
    unlock: &Unlock,
) -> Result<String, Error> {
    let locked = |fault| Error::LockedKey {
        path: path.into(),
        fault,
    };
    let passphrase = unlock
        .passphrase()
        .ok_or_else(|| locked(LockFault::NoPassphrase))??;
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv);
    let encrypted = parameters.and_then(|parameters| {
        let data = parameters.encrypt(&passphrase, pkcs8)?;
        Ok((pkcs5::EncryptionScheme::Pbes2(parameters), data))
    });
    let (scheme, data) = encrypted.map_err(|_| locked(LockFault::Unsupported))?;
    let der = || {
        let parts = [scheme.to_der()?, OctetStringRef::new(&data)?.to_der()?];
        Any::new(Tag::Sequence, parts.concat())?.to_der()
    };
    let der = der().map_err(|_| locked(LockFault::Unsupported))?;
    Ok(pem::encode("ENCRYPTED PRIVATE KEY", &Zeroizing::new(der)))
}

/// As OWASP says for PBKDF2 with SHA-256; every OpenSSL since 1.0 reads it.
const ITERATIONS: u32 = 600_000;
