//! Delegation certificates that every signer of the database can sign with: sealed when one is imported, opened by the others.

use std::path::Path;

use zeroize::Zeroizing;

use super::Error;
use super::secrets::{delegations, no_key};
use dc_pki::delegation::{Files, KEY_KEYD, KeyFile, file_of_place};
use dc_pki::sealing::SealingKeys;
use dc_store::registry::SharedDelegation;

/// Opens the key of one, or the place where it is, which has to be the one that the database says.
///
/// Fails with [`SetupError::NoSealingKey`](super::SetupError::NoSealingKey) and [`SetupError::Sealed`](super::SetupError::Sealed).
pub(super) fn open(
    shared: &SharedDelegation,
    keys: Option<&SealingKeys>,
    tenant: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let sealed = shared.sealed.as_deref().unwrap_or_default();
    let keys = keys.ok_or_else(|| no_key(sealed))?;
    delegations::open(shared, keys, tenant)
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
