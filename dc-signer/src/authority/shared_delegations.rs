//! Delegation certificates that every signer of the database can sign with: sealed when one is imported, opened by the others.

use std::path::Path;

use zeroize::Zeroizing;

use super::secrets::{Sealing, check_place, delegation_label, no_key};
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
    let is_place = key_name != KEY;
    let sealed = sealing.seal(&delegation_label(&certificate_sha256, is_place), key);
    let sealed = sealed.map_err(|source| SetupError::SealingKey { source })?;
    let location = is_place.then(|| String::from_utf8_lossy(key).into_owned());
    Ok(SharedDelegation {
        certificate_sha256,
        chain: chain.to_vec(),
        location,
        sealed: Some(sealed),
    })
}

/// Opens the key of one, or the place where it is, which has to be the one that the database says.
///
/// Fails with [`SetupError::NoSealingKey`] and [`SetupError::Sealed`].
pub(super) fn open(
    shared: &SharedDelegation,
    keys: Option<&SealingKeys>,
    tenant: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let sealed = shared.sealed.as_deref().unwrap_or_default();
    let keys = keys.ok_or_else(|| no_key(sealed))?;
    let what = delegation_label(&shared.certificate_sha256, shared.location.is_some());
    let label = Label {
        what: &what,
        tenant,
        version: 1,
    };
    let opened = keys.open(&label, sealed);
    let opened = opened.map_err(|source| SetupError::Sealed {
        what: what.clone(),
        source,
    })?;
    check_place(shared, what, &opened)?;
    Ok(opened)
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
