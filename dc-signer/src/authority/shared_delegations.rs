//! Delegation certificates that every signer of the database can sign with: sealed when one is imported, opened by the others.

use std::path::Path;

use zeroize::Zeroizing;

use super::secrets::{Sealing, delegation_label, no_key};
use super::{Error, SetupError};
use dc_pki::delegation::{Files, KEY, KEY_KEYD, KeyFile, file_of_place};
use dc_pki::sealing::{Label, SealingKeys};
use dc_store::registry::{Sha256, SharedDelegation};

/// Makes of the files of a delegation certificate what the other signers need: of a key that is elsewhere only its place.
///
/// Fails with [`SetupError::SealingKey`].
pub(super) fn share(
    sealing: &Sealing,
    certificate_sha256: Sha256,
    chain: &[u8],
    (key_name, key): (&str, &[u8]),
) -> Result<SharedDelegation, Error> {
    let (location, sealed) = match key_name == KEY {
        true => {
            let sealed = sealing.seal(&delegation_label(&certificate_sha256), key);
            let sealed = sealed.map_err(|source| SetupError::SealingKey { source })?;
            (None, Some(sealed))
        }
        false => (Some(String::from_utf8_lossy(key).into_owned()), None),
    };
    Ok(SharedDelegation {
        certificate_sha256,
        chain: chain.to_vec(),
        location,
        sealed,
    })
}

/// Opens the key of one; what is elsewhere is empty.
///
/// Fails with [`SetupError::NoSealingKey`] and [`SetupError::Sealed`].
pub(super) fn open(
    shared: &SharedDelegation,
    keys: Option<&SealingKeys>,
    tenant: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let Some(sealed) = &shared.sealed else {
        return Ok(Zeroizing::default());
    };
    let keys = keys.ok_or_else(|| no_key(sealed))?;
    let what = delegation_label(&shared.certificate_sha256);
    let label = Label {
        what: &what,
        tenant,
        version: 1,
    };
    let opened = keys.open(&label, sealed);
    opened.map_err(|source| SetupError::Sealed { what, source }.into())
}

/// The files of one, as if they were in a folder.
pub(super) fn files<'a>(
    folder: &'a Path,
    shared: &'a SharedDelegation,
    pem: &'a [u8],
) -> Files<'a> {
    Files {
        folder,
        chain: &shared.chain,
        key: match &shared.location {
            Some(place) if file_of_place(place) == KEY_KEYD => KeyFile::Socket(place.as_bytes()),
            Some(place) => KeyFile::Uri(place.as_bytes()),
            None => KeyFile::Pem(pem),
        },
    }
}
