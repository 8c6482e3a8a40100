//! Taking a delegation certificate with its key into the data folder, and into a zone as its next slot.

use std::path::Path;
use std::time::Duration;

use dc_core::Role;
use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::blocking::Blocking;
use super::error::PkiError;
use super::loaded::{Loaded, for_clients, try_key};
use super::promise::Promise;
use super::secrets::Sealing;
use super::{Authority, Error};
use dc_pki::delegation::{self, CHAIN, Delegation, KEY_FILES};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::Unlock;
use dc_pki::names::{self, ZoneName};
use dc_pki::{Roles, Warning};
use dc_store::registry::{self, DelegationState, Sha256, SharedDelegation, Zone, ZoneDelegation};
use dc_store::{Act, NewDelegation, NewZone};

/// A delegation certificate that is in a zone now.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The slot that it has.
    pub slot: u32,
    /// It was in the zone before, and only its key was brought to this machine.
    pub known: bool,
    /// Warnings about the certificate and the files.
    pub warnings: Vec<Warning>,
}

/// A delegation certificate with its key that was read from a folder, to be taken into a zone.
#[derive(Debug)]
pub struct Import {
    delegation: Delegation,
    for_clients: Option<Delegation>,
    chain: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    /// The name of the file with the key, or with its place.
    key_name: &'static str,
    warnings: Vec<Warning>,
}

impl Import {
    /// Reads `chain.pem` and the file of [`KEY_FILES`] of a folder, which is not needed afterwards.
    ///
    /// Fails with what [`Delegation::load_with`] fails with.
    pub fn read(folder: &Path, unlock: &Unlock, now: UnixTime) -> Result<Self, PkiError> {
        let delegation = Delegation::load_with(folder, Role::Server, unlock)?;
        let key_name = delegation::key_file(folder)?;
        Ok(Self {
            warnings: delegation.warnings(now)?,
            for_clients: for_clients(&delegation)?,
            chain: files::read(&folder.join(CHAIN))?,
            key: files::read(&folder.join(key_name))?,
            key_name,
            delegation,
        })
    }

    /// When the certificate begins.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.delegation.certificate().not_before()
    }
}

impl Authority {
    /// Takes `chain.pem` and `key.pem` of a folder that this process can read into a zone.
    ///
    /// Fails as [`Import::read`] and [`Self::take_delegation`] do.
    pub async fn import_delegation(
        &self,
        zone: &ZoneName,
        folder: &Path,
        by: &Act,
    ) -> Result<Imported, Error> {
        let (folder, unlock, now) = (folder.to_owned(), self.unlock().clone(), by.at);
        let reading = move || Import::read(&folder, &unlock, now);
        let import = self.signing.run(reading).await??;
        self.take_delegation(zone, import, by).await
    }

    /// The passphrase of delegation keys that are encrypted, as the configuration says.
    #[must_use]
    pub fn unlock(&self) -> &Unlock {
        self.delegations.unlock()
    }

    /// The DER certificate that a zone issues from now; none if it has none, or its key is not on this machine.
    ///
    /// Fails with [`UnknownZone`](registry::Error::UnknownZone), and with what reading the database fails with.
    pub async fn active_certificate(&self, zone: &ZoneName) -> Result<Option<Vec<u8>>, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        let zone = view.zone(zone)?;
        let active = zone.managed.active();
        let loaded = active.and_then(|active| zone.loaded(&active.certificate_sha256));
        Ok(loaded.map(|loaded| loaded.delegation.certificate().der().to_vec()))
    }

    /// Takes a delegation certificate as the next one of a zone. If the secrets are sealed in the database, so is its key, and all
    /// signers of the database have it some seconds later; else this keeps a copy that only the signer's user can read. One that is
    /// there and cannot be used is written anew.
    ///
    /// Fails with [`PkiError::NameOutsideZone`] if the certificate does not
    /// cover the zone, with [`Error::NotForClients`] if the zone issues for clients and the certificate may not, with [`PkiError::BadCertificate`] if a CA of its chain excludes the zone, with [`SetupError::SelfTest`](super::SetupError::SelfTest) if the key does not sign, with [`PkiError::Write`], and with
    /// [`SlotIsGone`](registry::Error::SlotIsGone), [`TooLittleLeft`](registry::Error::TooLittleLeft), [`UnknownZone`](registry::Error::UnknownZone) and
    /// [`DelegationExists`](registry::Error::DelegationExists); then nothing has changed.
    pub async fn take_delegation(
        &self,
        zone: &ZoneName,
        import: Import,
        by: &Act,
    ) -> Result<Imported, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        let managed = &view.zone(zone)?.managed;
        let of = Promise::of(managed);
        let ready = self.make_ready(of, Some(managed), import, by.at).await?;
        let Ready {
            slot,
            shared,
            was_here,
            warnings,
        } = ready;
        let imported = match &shared {
            Some(shared) => self.store.import_shared_delegation(&slot, shared, by).await,
            None => self.store.import_delegation(&slot, by).await,
        };
        let (number, known) = match imported {
            Ok(number) => (number, false),
            Err(dc_store::Error::Refused {
                source: registry::Error::DelegationExists { number },
            }) if !was_here => {
                if let Some(shared) = &shared {
                    self.store.share_delegation(shared, by).await?;
                }
                (number, true)
            }
            Err(error) => return Err(error.into()),
        };
        self.delegations.refresh(&self.store).await?;
        Ok(Imported {
            slot: number,
            known,
            warnings,
        })
    }

    /// Adds a zone with its first delegation certificate, in one transaction.
    ///
    /// Fails with [`ZoneExists`](registry::Error::ZoneExists), and as [`Self::take_delegation`] does; then nothing has changed.
    pub async fn add_zone_with(
        &self,
        new: &NewZone,
        import: Import,
        by: &Act,
    ) -> Result<Imported, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        if view.zone(&new.zone).is_ok() {
            return Err(registry::Error::ZoneExists.into());
        }
        if new.roles == Roles::Both && import.for_clients.is_none() {
            let path = import.delegation.chain_path().into();
            return Err(Error::NotForClients { path });
        }
        let of = Promise {
            zone: new.zone.clone(),
            forms: new.forms,
            roles: new.roles,
        };
        let ready = self.make_ready(of, None, import, by.at).await?;
        let (slot, shared) = (&ready.slot, ready.shared.as_ref());
        let number = self.store.add_zone_with(new, slot, shared, by).await?;
        self.delegations.refresh(&self.store).await?;
        Ok(Imported {
            slot: number,
            known: false,
            warnings: ready.warnings,
        })
    }

    /// Whatever an import is refused for comes before anything is written but the copy of the key.
    async fn make_ready(
        &self,
        of: Promise,
        managed: Option<&Zone>,
        import: Import,
        now: UnixTime,
    ) -> Result<Ready, Error> {
        let Import {
            delegation,
            for_clients,
            chain,
            key,
            key_name,
            warnings,
        } = import;
        let slot = check(&of.zone, &delegation, now)?;
        if let Some(managed) = managed {
            may_come(managed, &slot, &delegation, for_clients.is_some())?;
        }
        let sha256 = slot.certificate_sha256;
        let to = self.delegations.folder(&sha256);
        self.keep_secrets().await?;
        let sealing = self.secrets.sealing();
        let share = move || {
            let share = |sealing: Sealing| sealing.share(sha256, &chain, (key_name, &key));
            (sealing.map(share).transpose(), chain, key)
        };
        let (shared, chain, key) = self.signing.run(share).await?;
        let shared = shared?;
        let was_here = match &shared {
            Some(_) => self.store.shared_delegation(&sha256).await?.is_some(),
            None => is_here(&to, &sha256, self.unlock())?,
        };
        let trying = move || try_once(&of, delegation, for_clients, sha256, now);
        self.signing.run(trying).await??;
        if shared.is_none() && !was_here {
            keep(&chain, (key_name, &key), &to)?;
        }
        Ok(Ready {
            slot,
            shared,
            was_here,
            warnings,
        })
    }
}

/// A delegation certificate that nothing is against, and whose key can be used here.
struct Ready {
    slot: NewDelegation,
    /// Its key for the other signers, if the secrets are sealed in the database.
    shared: Option<SharedDelegation>,
    /// The key was here before.
    was_here: bool,
    warnings: Vec<Warning>,
}

/// Shows that a certificate may become the next one of a zone.
///
/// Fails with [`SlotIsGone`](registry::Error::SlotIsGone) and [`Error::NotForClients`].
fn may_come(
    zone: &Zone,
    slot: &NewDelegation,
    delegation: &Delegation,
    is_for_clients: bool,
) -> Result<(), Error> {
    // Its key would lie here, and be worth something to a thief alone.
    let same = |one: &&ZoneDelegation| one.certificate_sha256 == slot.certificate_sha256;
    let known = zone.delegations.iter().find(same);
    if let Some(gone) = known.filter(|one| one.state == DelegationState::Gone) {
        let number = gone.number;
        return Err(registry::Error::SlotIsGone { number }.into());
    }
    if zone.roles == Roles::Both && !is_for_clients {
        let path = delegation.chain_path().into();
        return Err(Error::NotForClients { path });
    }
    Ok(())
}

/// True if the certificate and its key are in a folder of the data folder, and can be used.
///
/// Fails with [`PkiError::Read`] if that is closed to this process: then a copy could not be written either.
fn is_here(folder: &Path, certificate_sha256: &Sha256, unlock: &Unlock) -> Result<bool, PkiError> {
    match Delegation::load_with(folder, Role::Server, unlock) {
        Ok(here) => Ok(Sha256::of(here.certificate().der()) == *certificate_sha256),
        Err(error @ PkiError::Read { .. }) if delegation::has_key(folder)? => Err(error),
        Err(_) => Ok(false),
    }
}

/// Checks a certificate for a zone.
fn check(zone: &ZoneName, delegation: &Delegation, now: UnixTime) -> Result<NewDelegation, Error> {
    let certificate = delegation.certificate();
    // The certificate covers every name of the zone if it covers one that nobody knows.
    let any = zone.fresh_name()?;
    if certificate.covers(&any).is_err() {
        let name = names::parse(&zone.to_string())?;
        let covered = certificate.dns_names().to_vec();
        return Err(PkiError::NameOutsideZone { name, covered }.into());
    }
    // And a CA that excludes this one excludes the zone.
    if let Err(source) = delegation.policy().check_name(&any) {
        let path = delegation.chain_path().into();
        return Err(PkiError::BadCertificate { path, source }.into());
    }
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    let seconds =
        |from: UnixTime| Duration::from_secs(not_after.as_secs().saturating_sub(from.as_secs()));
    if seconds(now) < ZoneDelegation::min_left_of(seconds(not_before)) {
        return Err(registry::Error::TooLittleLeft {
            not_before,
            not_after,
        }
        .into());
    }
    Ok(NewDelegation {
        zone: zone.clone(),
        certificate_sha256: Sha256::of(certificate.der()),
        not_before,
        not_after,
    })
}

/// Shows that the key signs, if the certificate has begun, and that a process that has it would issue what the zone promises.
fn try_once(
    promise: &Promise,
    delegation: Delegation,
    for_clients: Option<Delegation>,
    certificate_sha256: Sha256,
    now: UnixTime,
) -> Result<(), Error> {
    let begun = delegation.certificate().not_before() <= now;
    let loaded = Loaded {
        certificate_sha256,
        delegation,
        for_clients,
        chain_pem: String::new(),
        looking: Blocking::one(),
    };
    if begun {
        try_key(&promise.zone, &loaded, now)?;
    }
    Ok(promise.try_with(&loaded)?)
}

/// All of the copy is there or none of it, whenever the machine stops.
fn keep(chain: &[u8], key: (&'static str, &[u8]), to: &Path) -> Result<(), PkiError> {
    let [chain, key] = [(CHAIN, chain), key].map(|(name, contents)| NewFile {
        name,
        contents,
        access: Access::Owner,
    });
    match files::is_there(to)? {
        false => {
            if let Some(all) = to.parent()
                && !files::is_there(all)?
            {
                files::create_folder(all, Access::Owner, &[])?;
            }
            files::create_folder(to, Access::Owner, &[chain, key])
        }
        // A copy without its key, or with another one.
        true => {
            for other in KEY_FILES.into_iter().filter(|name| *name != key.name) {
                files::remove(&to.join(other))?;
            }
            for file in [chain, key] {
                files::stage(to, &file)?.replace()?;
            }
            files::sync(to)
        }
    }
}
