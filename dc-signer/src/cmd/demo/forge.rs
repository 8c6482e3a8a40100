//! Identities that no honest device has.

use std::time::Duration;

use dc_core::pem::StoredCredential;
use dc_core::{Form, UniqueName};
use dc_rustls::server::Identity;
use pki_types::UnixTime;

use super::cannot;
use super::fleet::{Device, Fleet};
use crate::cmd::Error;
use dc_pki::identity::credential_pem;
use dc_pki::{Delegation, Wanted};

/// A credential that ended an hour ago.
pub(super) fn expired(fleet: &Fleet, device: &Device) -> Result<Identity, Error> {
    let begin = fleet.now.as_secs() - 2 * HOUR.as_secs();
    issued_at(fleet, device, begin, HOUR)
}

/// A credential of seven days from tomorrow on, which is eight days from today.
pub(super) fn too_long(fleet: &Fleet, device: &Device) -> Result<Identity, Error> {
    let tomorrow = fleet.now.as_secs() + 24 * HOUR.as_secs();
    issued_at(fleet, device, tomorrow, dc_core::MAX_VALIDITY)
}

fn issued_at(
    fleet: &Fleet,
    device: &Device,
    begin: u64,
    lifetime: Duration,
) -> Result<Identity, Error> {
    let begin = UnixTime::since_unix_epoch(Duration::from_secs(begin));
    let wanted = Wanted::Named(device.name.clone());
    let issued = fleet.issue(device, &wanted, Some(lifetime), begin)?;
    let file = credential_pem(&issued);
    identity(&fleet.delegation, file.as_bytes(), device)
}

/// The device's own credential, with a certificate that did not sign it.
pub(super) fn other_certificate(device: &Device, other: &Delegation) -> Result<Identity, Error> {
    identity(other, &device.credential_file()?, device)
}

/// The device's own credential, with another device's name written over its own.
pub(super) fn renamed(
    fleet: &Fleet,
    device: &Device,
    name: &UniqueName<'_>,
) -> Result<Identity, Error> {
    let (old, new) = (device.name.as_str().as_bytes(), name.as_str().as_bytes());
    changed(fleet, device, |bytes| {
        // Both names are made by the same zone, so they are of the same length.
        if let Some(at) = bytes.windows(old.len()).position(|window| window == old) {
            bytes.splice(at..at + old.len(), new.iter().copied());
        }
    })
}

/// The device's own credential, with one bit of its signature flipped.
pub(super) fn bad_signature(fleet: &Fleet, device: &Device) -> Result<Identity, Error> {
    changed(fleet, device, |bytes| {
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
    })
}

fn changed(
    fleet: &Fleet,
    device: &Device,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<Identity, Error> {
    let mut bytes = named(&device.credential_file()?)?;
    change(&mut bytes);
    let file = dc_core::pem::write(Form::Named, &bytes);
    identity(&fleet.delegation, file.as_bytes(), device)
}

/// Somebody else's credential, which is no secret, without the key that it is for.
pub(super) fn stolen(fleet: &Fleet, victim: &Device, thief: &Device) -> Result<Identity, Error> {
    identity(&fleet.delegation, &victim.credential_file()?, thief)
}

/// Only the credential without a name.
pub(super) fn without_name(fleet: &Fleet, device: &Device) -> Result<Identity, Error> {
    let issued = fleet.issue(device, &Wanted::Rfc9345, None, fleet.now)?;
    let file = credential_pem(&issued);
    identity(&fleet.delegation, file.as_bytes(), device)
}

fn named(file: &[u8]) -> Result<Vec<u8>, Error> {
    stored(file)?
        .into_iter()
        .find(|credential| credential.form == Form::Named)
        .map(|credential| credential.bytes)
        .ok_or(dc_core::Error::MissingCredential)
        .map_err(cannot("find a named credential"))
}

fn stored(file: &[u8]) -> Result<Vec<StoredCredential>, Error> {
    dc_core::pem::read(file).map_err(cannot("read a credential"))
}

fn identity(delegation: &Delegation, file: &[u8], device: &Device) -> Result<Identity, Error> {
    let chain = delegation.chain().to_vec();
    Ok(Identity::new(chain, stored(file)?, device.private_key()?))
}

const HOUR: Duration = Duration::from_secs(3600);
