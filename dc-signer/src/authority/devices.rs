//! Adding devices and replacing them: what needs names made and codes drawn.

use dc_core::UniqueName;

use super::codes::CodeMade;
use super::error::PkiError;
use super::view::View;
use super::{Authority, Error};
use crate::authority::json::{self, AddedDevice, Replace, Replaced};
use crate::config::NameMode;

use dc_pki::names::ZoneName;
use dc_store::registry::{
    self, Action, Change, Device, DeviceId, ExternalId, Manufactured, NameInput, Replacement, State,
};
use dc_store::{Act, Added, Conflict, Find, NewDevice};

impl Authority {
    /// Adds devices in one transaction; says for each, in order, what became of it.
    ///
    /// Adding the same ones again changes nothing: an activation code that was made before stays good, and only whoever has none
    /// that is gets one; how many were known is recorded as a read. Lines are numbered from 1. Fails with [`Error::Store`]; then nothing is known about any of them.
    pub async fn add_devices(
        &self,
        new: &[&json::NewDevice],
        by: &Act,
    ) -> Result<Vec<Result<AddedDevice, Error>>, Error> {
        let view = self.view(by.at).await?;
        self.keep_secrets().await?;
        let mut outcomes = Vec::with_capacity(new.len());
        let mut good = Vec::new();
        for new in new {
            match self.parse(&view, new) {
                Ok(new) => good.push(new),
                Err(refusal) => {
                    // Goes behind those before it, which are not known yet.
                    outcomes.push((good.len(), refusal));
                }
            }
        }
        let mut outcomes = merge(self.add(&good, by).await?, outcomes);
        let wanted: Vec<bool> = new.iter().map(|new| new.code).collect();
        self.with_codes(&mut outcomes, &wanted, by).await?;
        // Whoever adds what is there is shown what there is.
        let known = outcomes.iter().flatten().filter(|added| !added.created);
        let known = known.count();
        if known > 0 {
            let scope = format!("added-again rows={known}");
            self.note_read(Action::Read, scope, by).await?;
        }
        Ok(outcomes)
    }

    fn parse(&self, view: &View, new: &json::NewDevice) -> Result<NewDevice, Error> {
        let external_id: ExternalId = new.external_id.parse()?;
        let given = new.zone.as_deref().map(ZoneName::parse).transpose();
        let given = given.map_err(Error::BadZone)?;
        let zone = zone_or_only(view, given.as_ref())?;
        Ok(NewDevice {
            id: DeviceId::random()?,
            name: self.name(&zone, &external_id, new.slot, 0)?,
            external_id,
            zone,
            slot: new.slot,
            epoch: 0,
            key: new.enrolment_key.as_deref().map(str::parse).transpose()?,
            manufactured: self.manufactured(new.manufacturer.as_ref(), new.serial.as_ref())?,
        })
    }

    fn manufactured(
        &self,
        manufacturer: Option<&String>,
        serial: Option<&String>,
    ) -> Result<Option<Manufactured>, Error> {
        let (Some(manufacturer), Some(serial)) = (manufacturer, serial) else {
            return match manufacturer.is_none() && serial.is_none() {
                true => Ok(None),
                false => Err(Error::SerialAlone),
            };
        };
        if !self.settings.load().manufacturers.has(manufacturer) {
            let given = manufacturer.clone();
            return Err(Error::NoManufacturer { given });
        }
        Ok(Some(Manufactured {
            manufacturer: manufacturer.clone(),
            serial: serial.clone(),
        }))
    }

    /// Adds devices in one transaction, and then those again whose name somebody has had.
    async fn add(
        &self,
        new: &[NewDevice],
        by: &Act,
    ) -> Result<Vec<Result<AddedDevice, Error>>, Error> {
        let mut outcomes = Vec::with_capacity(new.len());
        let added = self.store.add_devices(new, by).await?;
        for (new, added) in new.iter().zip(added) {
            outcomes.push(match added {
                Added::Conflict(Conflict::Name) => self.add_renamed(new, by).await?,
                added => told(new, added),
            });
        }
        Ok(outcomes)
    }

    /// Adds one device with the name of a later epoch.
    async fn add_renamed(
        &self,
        new: &NewDevice,
        by: &Act,
    ) -> Result<Result<AddedDevice, Error>, Error> {
        for epoch in 1..=EPOCHS {
            let renamed = NewDevice {
                name: self.name(&new.zone, &new.external_id, new.slot, epoch)?,
                epoch,
                ..new.clone()
            };
            let added = self
                .store
                .add_devices(std::slice::from_ref(&renamed), by)
                .await?;
            let added = added.into_iter().next();
            let added = added.unwrap_or(Added::Conflict(Conflict::Name));
            if added != Added::Conflict(Conflict::Name) {
                return Ok(told(&renamed, added));
            }
        }
        Ok(Err(Error::Conflict(Conflict::Name)))
    }

    /// Adds a device that its manufacturer's certificate vouches for.
    pub(super) async fn add_made(
        &self,
        external_id: ExternalId,
        zone: Option<&ZoneName>,
        manufactured: &Manufactured,
        by: &Act,
    ) -> Result<(), Error> {
        let view = self.view(by.at).await?;
        self.keep_secrets().await?;
        let zone = zone_or_only(&view, zone)?;
        let new = NewDevice {
            id: DeviceId::random()?,
            name: self.name(&zone, &external_id, 0, 0)?,
            external_id,
            zone,
            slot: 0,
            epoch: 0,
            key: None,
            manufactured: Some(manufactured.clone()),
        };
        let outcome = self.add(&[new], by).await?.pop();
        outcome.map_or(Ok(()), |added| added.map(|_| ()))
    }

    /// Makes the codes that are asked for, in one transaction.
    async fn with_codes(
        &self,
        outcomes: &mut [Result<AddedDevice, Error>],
        wanted: &[bool],
        by: &Act,
    ) -> Result<(), Error> {
        let (mut devices, mut places) = (Vec::new(), Vec::new());
        for (place, (outcome, wanted)) in outcomes.iter_mut().zip(wanted).enumerate() {
            if let (Ok(added), true) = (&outcome, wanted) {
                match self.settings.load().codes {
                    true => {
                        devices.push(added.id.parse()?);
                        places.push(place);
                    }
                    false => *outcome = Err(Error::CodesOff),
                }
            }
        }
        if devices.is_empty() {
            return Ok(());
        }
        let codes = self.missing_codes(&devices, by).await?;
        for (place, code) in places.into_iter().zip(codes) {
            let Some(outcome) = outcomes.get_mut(place) else {
                continue;
            };
            match (code, outcome) {
                (Ok(CodeMade::Now(code)), Ok(added)) => added.code = Some(code),
                (Ok(CodeMade::Before(until)), Ok(added)) => {
                    added.earlier_code_until = Some(until.as_secs());
                }
                // It has enrolled, and needs none.
                (Err(registry::Error::NotInState { .. }), _) => {}
                (Err(error), outcome) => *outcome = Err(error.into()),
                (Ok(_), Err(_)) => {}
            }
        }
        Ok(())
    }

    /// Replaces a device: another box takes its name over, when the credentials of the one before are over or at once, or another
    /// customer the box.
    ///
    /// Whoever must enrol afterwards gets an activation code, if codes are taken here, unless the manufacturer's
    /// certificate says who it is. Fails with [`Error::TwoWays`], [`Error::SerialAlone`],
    /// [`Error::NoManufacturer`] and [`Error::NameOfSuspended`], and as [`Store::change_device`](dc_store::Store::change_device) does.
    pub async fn replace(
        &self,
        device: DeviceId,
        how: &Replace,
        by: &Act,
    ) -> Result<Replaced, Error> {
        let made = self.manufactured(how.manufacturer.as_ref(), how.serial.as_ref())?;
        let key = how.enrolment_key.as_deref().map(str::parse).transpose()?;
        let ways = [how.new_name, made.is_some(), key.is_some()];
        let said_twice = how.new_name && (how.at_once || how.keep_name);
        if ways.iter().filter(|way| **way).count() > 1 || said_twice {
            return Err(Error::TwoWays);
        }
        let at_once = how.at_once;
        let replaced = match (how.new_name, key) {
            (true, _) => self.rename(device, by).await?,
            (false, key) => {
                let replacement = match key {
                    Some(key) => Replacement::KeepNameWithKey { key, at_once },
                    None => Replacement::KeepName {
                        manufactured: made,
                        at_once,
                    },
                };
                let change = Change::Replace(replacement);
                match how.keep_name {
                    true => self.store.change_device(device, &change, by).await?,
                    false => self.keep_name(device, &change, by).await?,
                }
            }
        };
        let must_enrol = replaced.state == State::Preregistered && how.serial.is_none();
        let code = match must_enrol && self.settings.load().codes {
            true => Some(self.new_code(device, by).await?),
            false => None,
        };
        Ok(Replaced {
            available_from: replaced.waits_until(by.at).map(|from| from.as_secs()),
            held_until: replaced.held_until(by.at).map(|until| until.as_secs()),
            device: (&replaced).into(),
            code,
        })
    }

    /// A device is suspended because its box is not where it should be, and then its name must not go on to another one.
    ///
    /// Fails with [`Error::NameOfSuspended`].
    async fn keep_name(&self, id: DeviceId, change: &Change, by: &Act) -> Result<Device, Error> {
        let state = State::Suspended;
        match self.store.change_unless_suspended(id, change, by).await {
            Err(dc_store::Error::Refused { source })
                if source == (registry::Error::NotInState { state }) =>
            {
                let found = self.store.find_device(&Find::Id(id)).await?;
                let found = found.ok_or(registry::Error::UnknownDevice)?;
                Err(Error::NameOfSuspended { name: found.name })
            }
            changed => Ok(changed?),
        }
    }

    /// Gives a device a name that nobody has had.
    pub(super) async fn rename(&self, device: DeviceId, by: &Act) -> Result<Device, Error> {
        let found = self.store.find_device(&Find::Id(device)).await?;
        let old = found.ok_or(registry::Error::UnknownDevice)?;
        self.keep_secrets().await?;
        for step in 1..=EPOCHS {
            let epoch = old.epoch.saturating_add(step);
            let name = self.name(&old.zone, &old.external_id, old.slot, epoch)?;
            let change = Change::Replace(Replacement::NewName { name, epoch });
            match self.store.change_device(device, &change, by).await {
                Err(dc_store::Error::Refused {
                    source: registry::Error::NameTaken,
                }) => {}
                changed => return Ok(changed?),
            }
        }
        Err(registry::Error::NameTaken.into())
    }

    fn name(
        &self,
        zone: &ZoneName,
        external_id: &ExternalId,
        slot: u32,
        epoch: u32,
    ) -> Result<UniqueName<'static>, Error> {
        let settings = self.settings.load();
        Ok(match settings.names {
            NameMode::Random => zone.fresh_name()?,
            NameMode::Hmac => {
                let input = NameInput {
                    tenant: &settings.tenant,
                    external_id,
                    slot,
                    epoch,
                };
                let keys = self.secrets.last()?;
                let named = keys.names.name(zone, &input);
                named.map_err(|source| PkiError::BadName {
                    given: zone.to_string(),
                    source,
                })?
            }
        })
    }
}

/// Puts refusals among outcomes, each behind as many of them as it says.
fn merge<T>(good: Vec<Result<T, Error>>, bad: Vec<(usize, Error)>) -> Vec<Result<T, Error>> {
    let mut merged = Vec::with_capacity(good.len() + bad.len());
    let mut bad = bad.into_iter().peekable();
    for (place, outcome) in good.into_iter().enumerate() {
        while let Some((_, refusal)) = bad.next_if(|(before, _)| *before == place) {
            merged.push(Err(refusal));
        }
        merged.push(outcome);
    }
    merged.extend(bad.map(|(_, refusal)| Err(refusal)));
    merged
}

/// The zone that is meant: the one that is named, or else the only one.
fn zone_or_only(view: &View, given: Option<&ZoneName>) -> Result<ZoneName, Error> {
    match (given, view.zones()) {
        (Some(zone), _) => Ok(zone.clone()),
        (None, [only]) => Ok(only.managed.zone.clone()),
        (None, _) => Err(Error::WhichZone),
    }
}

/// The outcome for one device, for whoever added it.
fn told(new: &NewDevice, added: Added) -> Result<AddedDevice, Error> {
    let told = |id: DeviceId, name: &UniqueName<'_>, state: State, created| AddedDevice {
        line: 1,
        id: id.to_string(),
        external_id: new.external_id.to_string(),
        name: name.to_string(),
        state: state.to_string(),
        created,
        code: None,
        earlier_code_until: None,
    };
    match added {
        Added::New => {
            let state = new.key.map_or(State::Preregistered, |_| State::Active);
            Ok(told(new.id, &new.name, state, true))
        }
        Added::Same(old) => Ok(told(old.id, &old.name, old.state, false)),
        Added::Conflict(conflict) => Err(Error::Conflict(conflict)),
    }
}

/// The most names that are tried: each is taken with a chance of one in 2^130.
const EPOCHS: u32 = 8;
