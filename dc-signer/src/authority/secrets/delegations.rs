//! Keys of delegation certificates, or the places where they are, sealed for the database.

use dc_pki::delegation::KEY;
use dc_pki::sealing::{Label, SealError, SealingKey, SealingKeys};
use dc_store::registry::{Sha256, SharedDelegation};
use zeroize::Zeroizing;

use super::super::{Error, SetupError};

/// Makes of the files of a delegation certificate what the database has.
///
/// Of a key that is elsewhere the place is sealed: whoever writes to the database must not choose the module, the program or the
/// socket that a signer uses. Fails with [`SetupError::SealingKey`].
pub(super) fn share(
    sealing: &SealingKey,
    tenant: &str,
    certificate_sha256: Sha256,
    chain: &[u8],
    (key_name, key): (&str, &[u8]),
) -> Result<SharedDelegation, Error> {
    let is_place = key_name != KEY;
    let what = purpose(&certificate_sha256, is_place);
    let sealed = sealing.seal(&label(&what, tenant), key);
    let sealed = sealed.map_err(|source| SetupError::SealingKey { source })?;
    Ok(SharedDelegation {
        certificate_sha256,
        chain: chain.to_vec(),
        location: is_place.then(|| String::from_utf8_lossy(key).into_owned()),
        sealed: Some(sealed),
    })
}

/// Opens the key of one, or the place where it is, which has to be the one that the database says.
///
/// Fails with [`SetupError::Sealed`].
pub(in super::super) fn open(
    shared: &SharedDelegation,
    keys: &SealingKeys,
    tenant: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let what = purpose(&shared.certificate_sha256, shared.location.is_some());
    let sealed = shared.sealed.as_deref().unwrap_or_default();
    let opened = keys.open(&label(&what, tenant), sealed);
    let opened = opened.and_then(|opened| match &shared.location {
        Some(place) if place.as_bytes() != &opened[..] => Err(SealError::Malformed),
        _ => Ok(opened),
    });
    opened.map_err(|source| SetupError::Sealed { what, source }.into())
}

fn purpose(certificate_sha256: &Sha256, is_place: bool) -> String {
    let what = if is_place {
        "delegation-place"
    } else {
        "delegation"
    };
    format!("{what}/{certificate_sha256}")
}

const fn label<'a>(what: &'a str, tenant: &'a str) -> Label<'a> {
    Label {
        what,
        tenant,
        version: 1,
    }
}
