//! Continuing the audit log with the records of a newer copy, and doing again what they say was done: so that a restored backup
//! lets nobody back in, and gives no name to a second box.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use pki_types::UnixTime;

use crate::registry::{
    self, Action, Change, Device, DeviceChange, DeviceId, Held, NameChange, Record, Replacement,
    Shown, State,
};
use crate::{Act, BroughtUp, Error, Find, Store};

use super::lost::{self, Lost};
use super::work::Work;
use super::{devices, operators, people, replays, slots, withdrawn};

impl Store {
    /// Puts the records that a newer copy of the log has behind this one's end, and suspends, resumes
    /// and retires accordingly: so that a restored backup lets nobody back in.
    ///
    /// A device that is not here stays lost; its name is held, and withdrawn if it was, until what was issued for it is over.
    ///
    /// Fails with [`Error::Refused`] if the records do not continue this log, and with [`Error::OlderThanSeen`] if it is older than was seen with them too; then nothing has
    /// changed.
    pub async fn replay(&self, newer: &[Record], by: &Act) -> Result<BroughtUp, Error> {
        let replayed = self.shared.write_to_any(async |work| {
            let replayed = replay(work, newer, by).await?;
            self.shared.check_reached(work, newer).await?;
            Ok(replayed)
        });
        self.timed("replay", replayed).await
    }
}

/// Continues the log with the records of a newer copy, and keeps out who was kept out since. Where there is nothing behind the
/// end, it writes nothing.
pub(super) async fn replay(
    work: &mut Work,
    newer: &[Record],
    by: &Act,
) -> Result<BroughtUp, Error> {
    let here = work.head;
    let mut replayed = Replaying::default();
    for record in newer {
        if record.seq < here.seq {
            continue;
        }
        if record.seq == here.seq {
            // The copy must have had the same past.
            if record.hash() != here.hash {
                return Err(registry::Error::OtherLog { seq: here.seq }.into());
            }
            continue;
        }
        work.follow(record)?;
        replayed.apply(work, record).await?;
    }
    if work.head == here {
        return Ok(BroughtUp::default());
    }
    work.write_followed().await?;
    replayed.end_slots(work).await?;
    if by.is_without_credential() {
        people::break_glass(work, by).await?;
    }
    replayed.finish(work, by).await?;
    let mut entry = work.entry(Action::Replay, by);
    // So that rows are compared with the records that were done here.
    entry.scope = Some(replays::scope(here.seq));
    work.log(entry);
    Ok(BroughtUp {
        changed: replayed.changed,
        operators: replayed.operators.into_iter().collect(),
        slots: replayed.slots,
        lost: replayed.lost.keep(work).await?,
    })
}

#[derive(Default)]
struct Replaying {
    changed: u64,
    /// By name, what was issued and is not written yet: only the last one and the longest count.
    issued: HashMap<String, Issued>,
    /// Which box is behind these names now is not all in the log.
    replaced: BTreeSet<String>,
    /// The device that was replaced last, and when: the record behind it may say more.
    replacing: Option<(DeviceId, UnixTime)>,
    /// The devices that are not here.
    lost: Lost,
    /// Operators who are kept out now.
    operators: BTreeSet<String>,
    /// The records by which people have ended slots.
    ends: Vec<Record>,
    /// Slots that have ended now, with their zones.
    slots: Vec<String>,
}

struct Issued {
    held: Held,
    zone: Option<String>,
    until: UnixTime,
}

impl Replaying {
    async fn apply(&mut self, work: &mut Work, record: &Record) -> Result<(), Error> {
        if record.entry.ends_by_hand() {
            self.ends.push(record.clone());
            return Ok(());
        }
        let Some(name) = &record.entry.name else {
            return Ok(());
        };
        if let Action::ChangeOperator | Action::DisableOperator = record.entry.action {
            if operators::keep_out(work, name, record.entry.detail_sha256).await? {
                self.operators.insert(name.to_owned());
            }
            return Ok(());
        }
        if record.entry.action == Action::Issue {
            self.end_replacement(work, record).await?;
            self.note(name, record);
            return Ok(());
        }
        // It came with a server's, which ends with it and is what the device is said to hold.
        if record.entry.action == Action::IssueClient {
            return self.end_replacement(work, record).await;
        }
        self.catch_up(work, name).await?;
        self.end_replacement(work, record).await?;
        let device = match find(work, name).await? {
            Some(device) if device.name.as_str() == name => device,
            Some(_) => return Ok(()),
            None => {
                self.lost.note(name, record);
                return Ok(());
            }
        };
        self.do_again(work, &device, record).await
    }

    /// Ends the slots that people have ended who could do that: a key that is forgotten does not come back.
    async fn end_slots(&mut self, work: &mut Work) -> Result<(), Error> {
        let sound = Arc::clone(&work.sound);
        for record in std::mem::take(&mut self.ends) {
            if sound.fault(&mut work.session, &record).await?.is_none() {
                self.slots.extend(slots::end_again(work, &record).await?);
            }
        }
        Ok(())
    }

    /// Does to a device what a record says was done.
    async fn do_again(
        &mut self,
        work: &mut Work,
        device: &Device,
        record: &Record,
    ) -> Result<(), Error> {
        let time = record.entry.time;
        let Some(done) = record.entry.action.device_change() else {
            return Ok(());
        };
        match (done, record.entry.spki_sha256) {
            (DeviceChange::Suspend, _) => self.move_to(work, device, &Change::Suspend, time).await,
            (DeviceChange::Resume, _) => self.move_to(work, device, &Change::Resume, time).await,
            (DeviceChange::Retire, _) => self.move_to(work, device, &Change::Retire, time).await,
            (DeviceChange::Replace, _) => {
                self.replacing = Some((device.id, time));
                Ok(())
            }
            (DeviceChange::Enrol, Some(key)) => {
                change(work, device, &Change::Enrol { key }, time).await?;
                Ok(())
            }
            (DeviceChange::SwitchKey, Some(key)) => {
                change(work, device, &Change::SwitchKey { key }, time).await?;
                Ok(())
            }
            (DeviceChange::FinishSwitch, Some(_)) => {
                devices::update(&mut work.session, &device.switch_finished(time)).await
            }
            // It is there already, and a new name was given when its replacement ended.
            (DeviceChange::Add | DeviceChange::NewName, _) => Ok(()),
            // A record of a key without the key says nothing.
            (DeviceChange::Enrol | DeviceChange::FinishSwitch | DeviceChange::SwitchKey, None) => {
                Ok(())
            }
        }
    }

    /// Of one issuance in two forms, the first is what the device is said to hold.
    fn note(&mut self, name: &str, record: &Record) {
        let entry = &record.entry;
        let (Some(spki_sha256), Some(sha256), Some(expires)) =
            (entry.spki_sha256, entry.credential_sha256, entry.expires)
        else {
            return;
        };
        let held = Held {
            sha256,
            spki_sha256,
            issued: entry.time,
            expires,
        };
        let is_second = |before: &Issued| {
            (before.held.spki_sha256, before.held.issued) == (spki_sha256, entry.time)
        };
        match self.issued.get_mut(name) {
            Some(before) if is_second(before) => {}
            Some(before) => {
                (before.held, before.until) = (held, before.until.max(expires));
            }
            None => {
                let issued = Issued {
                    held,
                    zone: entry.zone.clone(),
                    until: expires,
                };
                self.issued.insert(name.to_owned(), issued);
            }
        }
    }

    /// Writes what was issued for a name before anything else happens to it.
    async fn catch_up(&mut self, work: &mut Work, name: &str) -> Result<(), Error> {
        let Some(issued) = self.issued.remove(name) else {
            return Ok(());
        };
        let mut device = match find(work, name).await? {
            Some(device) if device.name.as_str() == name => device,
            Some(_) => return Ok(()),
            None => {
                self.lost.issued(name, issued.zone, issued.until);
                return Ok(());
            }
        };
        if device.hand_out(issued.held, None) == NameChange::Restored {
            withdrawn::restore(work, &device).await?;
        }
        device.hold.until = device.hold.until.max(Some(issued.until));
        // What it showed is not in the log.
        device.shown = Shown::Unknown;
        devices::update(&mut work.session, &device).await
    }

    async fn move_to(
        &mut self,
        work: &mut Work,
        device: &Device,
        to: &Change,
        time: UnixTime,
    ) -> Result<(), Error> {
        self.changed += u64::from(change(work, device, to, time).await?);
        Ok(())
    }

    /// Does what was begun by the record before.
    async fn end_replacement(&mut self, work: &mut Work, record: &Record) -> Result<(), Error> {
        let Some((id, time)) = self.replacing.take() else {
            return Ok(());
        };
        let device = devices::by_id(work, id).await?;
        let new_name = match (record.entry.action, &record.entry.name) {
            (Action::NewName, Some(name)) => dc_pki::names::parse(name).ok(),
            _ => None,
        };
        let replacement = match new_name {
            Some(name) if is_free(work, name.as_str(), time).await? => Replacement::NewName {
                epoch: device.epoch.saturating_add(1),
                name,
            },
            _ => Replacement::KeepName {
                manufactured: None,
                at_once: record.entry.action == Action::TakeName,
            },
        };
        change(work, &device, &Change::Replace(replacement), time).await?;
        let device = devices::by_id(work, id).await?;
        self.replaced.insert(device.name.to_string());
        Ok(())
    }

    /// Whoever was replaced gets nothing until an operator has looked at it, because a manufacturer's serial number is not in the log.
    async fn finish(&mut self, work: &mut Work, by: &Act) -> Result<(), Error> {
        if let Some((id, time)) = self.replacing.take() {
            let device = devices::by_id(work, id).await?;
            let keep = Change::Replace(Replacement::KeepName {
                manufactured: None,
                at_once: false,
            });
            change(work, &device, &keep, time).await?;
            self.replaced.insert(device.name.to_string());
        }
        let names: Vec<String> = self.issued.keys().cloned().collect();
        for name in names {
            self.catch_up(work, &name).await?;
        }
        for name in std::mem::take(&mut self.replaced) {
            let device = find(work, &name).await?;
            let Some(device) = device.filter(|device| device.name.as_str() == name) else {
                continue;
            };
            if matches!(device.state, State::Preregistered | State::Active) {
                devices::change(work, device.id, &Change::Suspend, by).await?;
                self.changed += 1;
            }
        }
        Ok(())
    }
}

/// Applies a change and returns whether it did anything: the device may be so already, or the change mean nothing for an older
/// state.
async fn change(
    work: &mut Work,
    device: &Device,
    change: &Change,
    time: UnixTime,
) -> Result<bool, Error> {
    let Ok(Some(changed)) = device.apply(change, time) else {
        return Ok(false);
    };
    let keys = [
        changed.device.key,
        changed.device.next_key.map(|next| next.spki_sha256),
    ];
    for key in keys.into_iter().flatten() {
        let other = devices::find(&mut work.session, &Find::Key(key)).await?;
        if other.is_some_and(|other| other.id != device.id) {
            return Ok(false);
        }
    }
    let by = Act::new("", time);
    devices::write_change(work, &changed, &by).await?;
    Ok(true)
}

/// Looks whether a name is free: no device has or had it.
async fn is_free(work: &mut Work, name: &str, now: UnixTime) -> Result<bool, Error> {
    let is_known = find(work, name).await?.is_some();
    Ok(!is_known && !lost::is_held(&mut work.session, name, now).await?)
}

/// The device that has or had this name; none has one that is none.
async fn find(work: &mut Work, name: &str) -> Result<Option<Device>, Error> {
    match dc_pki::names::parse(name) {
        Ok(name) => devices::find(&mut work.session, &Find::Name(name)).await,
        Err(_) => Ok(None),
    }
}
