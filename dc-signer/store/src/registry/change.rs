//! Changes of a device, and the device after each.

use dc_core::UniqueName;
use pki_types::UnixTime;

use super::{Action, Device, Error, Hold, Manufactured, NameChange, NextKey, Sha256, Shown, State};

/// A change of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Its suspected clone turned out to be none.
    ClearClone,
    /// Its enrolment key is pinned, and it becomes active.
    Enrol {
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        key: Sha256,
    },
    /// Two devices seem to use its key or its name.
    FlagClone,
    /// It, or its customer, gets another device.
    Replace(Replacement),
    /// It may get credentials again.
    Resume,
    /// It never gets credentials again.
    Retire,
    /// It gets no credentials from now on.
    Suspend,
    /// It is to use another enrolment key; the old one works until the new one is first used, or for
    /// [`Device::SWITCH_TIME`].
    SwitchKey {
        /// SHA-256 of the new key's SubjectPublicKeyInfo.
        key: Sha256,
    },
}

/// The parts of a device that stay when it is replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Replacement {
    /// The name stays, the enrolment key and the manufacturer's serial number do not: the new device must enrol, which it can
    /// when the credentials of the old one are over.
    KeepName {
        /// The serial number of the new device, if it is to enrol with its manufacturer's certificate.
        manufactured: Option<Manufactured>,
        /// That it need not wait for that: until then two devices have the name.
        at_once: bool,
    },
    /// The name stays, and the new device's key is known: it gets credentials when those of the old one are over.
    KeepNameWithKey {
        /// SHA-256 of the new key's SubjectPublicKeyInfo.
        key: Sha256,
        /// That it need not wait for that: until then two devices have the name.
        at_once: bool,
    },
    /// Nothing stays: somebody else has it now. It must enrol, and the old name is withdrawn.
    NewName {
        /// The new name, under the same zone.
        name: UniqueName<'static>,
        /// The epoch that the name was derived with, higher than before.
        epoch: u32,
    },
}

/// A device after a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// As it is now.
    pub device: Device,
    /// The action in the audit log.
    pub action: Action,
    /// The effect on its name.
    pub name: NameChange,
}

impl Device {
    /// The device after a change, or `None` if that is what it is already.
    ///
    /// Fails with [`Error::NotInState`], and with [`Error::AlreadyEnrolled`], [`Error::EpochNotHigher`],
    /// [`Error::NameHeld`] or [`Error::NameWithdrawn`]. Whether a key or name is another device's is for the store to see.
    pub fn apply(&self, change: &Change, now: UnixTime) -> Result<Option<Changed>, Error> {
        match change {
            Change::ClearClone => Ok(self.flagged(false, Action::ClearClone, now)),
            Change::FlagClone => Ok(self.flagged(true, Action::FlagClone, now)),
            Change::Enrol { key } => self.enrolled(*key, now),
            Change::Suspend => self.moved(State::Suspended, Action::Suspend, now),
            Change::Resume => self.moved(State::Active, Action::Resume, now),
            Change::Retire => self.moved(State::Retired, Action::Retire, now),
            Change::SwitchKey { key } => self.switched(*key, now),
            Change::Replace(replacement) => self.replaced(replacement, now),
        }
    }

    /// The device after the new key of a switch was used.
    #[must_use]
    pub fn switch_finished(&self, now: UnixTime) -> Self {
        let mut device = self.clone();
        if let Some(next) = device.next_key.take() {
            (device.key, device.changed) = (Some(next.spki_sha256), now);
        }
        device
    }

    fn flagged(&self, flag: bool, action: Action, now: UnixTime) -> Option<Changed> {
        (self.possible_clone != flag).then(|| {
            let mut changed = self.changed_by(action, NameChange::Kept, now);
            changed.device.possible_clone = flag;
            changed
        })
    }

    fn enrolled(&self, key: Sha256, now: UnixTime) -> Result<Option<Changed>, Error> {
        match self.state {
            State::Preregistered => {
                self.name_is_free(now)?;
                let mut changed = self.changed_by(Action::Enrol, NameChange::Kept, now);
                changed.device.state = State::Active;
                changed.device.key = Some(key);
                Ok(Some(changed))
            }
            State::Active if self.key == Some(key) => Ok(None),
            State::Active => Err(Error::AlreadyEnrolled),
            state => Err(Error::NotInState { state }),
        }
    }

    fn moved(&self, to: State, action: Action, now: UnixTime) -> Result<Option<Changed>, Error> {
        let (to, name) = match (self.state, to) {
            (from, to) if from == to => return Ok(None),
            // What never enrolled has no key to be active with.
            (State::Suspended, State::Active) => match self.key {
                None => (State::Preregistered, self.restored()),
                Some(_) => (State::Active, self.restored()),
            },
            (State::Preregistered | State::Active, State::Suspended)
            | (State::Preregistered | State::Active | State::Suspended, State::Retired) => {
                (to, NameChange::Withdrawn)
            }
            (state, _) => return Err(Error::NotInState { state }),
        };
        let is_resumed = action == Action::Resume;
        let mut changed = self.changed_by(action, name, now);
        if is_resumed {
            changed.device.hold.withdrawn = changed.name == NameChange::Kept;
        }
        changed.device.state = to;
        Ok(Some(changed))
    }

    /// A resumed box has its own name back at once. What another one was given before stays withdrawn until this one gets
    /// credentials, which it does when that is over.
    fn restored(&self) -> NameChange {
        match self.hold.free_from {
            Some(_) => NameChange::Kept,
            None => NameChange::Restored,
        }
    }

    fn switched(&self, key: Sha256, now: UnixTime) -> Result<Option<Changed>, Error> {
        if self.state != State::Active {
            return Err(Error::NotInState { state: self.state });
        }
        if self.key == Some(key) || self.next_key.is_some_and(|next| next.spki_sha256 == key) {
            return Ok(None);
        }
        let mut changed = self.changed_by(Action::SwitchKey, NameChange::Kept, now);
        changed.device.next_key = Some(NextKey {
            spki_sha256: key,
            since: now,
        });
        Ok(Some(changed))
    }

    fn replaced(&self, by: &Replacement, now: UnixTime) -> Result<Option<Changed>, Error> {
        if self.state == State::Retired {
            return Err(Error::NotInState { state: self.state });
        }
        let at_once = match by {
            Replacement::NewName { name, epoch } => {
                return self.renamed(name, *epoch, now).map(Some);
            }
            // The box that it has already.
            Replacement::KeepNameWithKey { key, at_once } if self.key == Some(*key) => {
                return match self.state {
                    State::Active if *at_once => self.taken(now),
                    State::Active => Ok(None),
                    state => Err(Error::NotInState { state }),
                };
            }
            Replacement::KeepName { at_once, .. }
            | Replacement::KeepNameWithKey { at_once, .. } => *at_once,
        };
        let mut changed = self.changed_by(Action::Replace, NameChange::Kept, now);
        changed.name = changed.device.hand_over(at_once, now)?;
        match by {
            Replacement::KeepNameWithKey { key, .. } => {
                (changed.device.state, changed.device.key) = (State::Active, Some(*key));
            }
            // The old one is the old box's, whose certificate must not enrol it again.
            Replacement::KeepName { manufactured, .. } => {
                changed.device.manufactured.clone_from(manufactured);
            }
            Replacement::NewName { .. } => {}
        }
        Ok(Some(changed))
    }

    /// The box that it has already need not wait any more.
    fn taken(&self, now: UnixTime) -> Result<Option<Changed>, Error> {
        match self.waits_until(now) {
            None => Ok(None),
            Some(from) if self.is_withdrawn() => Err(Error::NameWithdrawn { from }),
            Some(_) => {
                let mut changed = self.changed_by(Action::TakeName, NameChange::Kept, now);
                changed.device.hold.free_from = None;
                Ok(Some(changed))
            }
        }
    }

    fn renamed(
        &self,
        name: &UniqueName<'static>,
        epoch: u32,
        now: UnixTime,
    ) -> Result<Changed, Error> {
        if epoch <= self.epoch || *name == self.name {
            return Err(Error::EpochNotHigher { epoch: self.epoch });
        }
        let (old, over) = (self.name.clone(), self.over_from());
        let mut changed = self.changed_by(Action::Replace, NameChange::Renamed { old, over }, now);
        let device = &mut changed.device;
        (device.name, device.epoch) = (name.clone(), epoch);
        (device.state, device.key, device.next_key) = (State::Preregistered, None, None);
        // Nothing was issued for this name, and the old one is nobody's any more.
        (device.credential, device.hold) = (None, Hold::default());
        (device.shown, device.possible_clone) = (Shown::Unknown, false);
        Ok(changed)
    }

    fn changed_by(&self, action: Action, name: NameChange, now: UnixTime) -> Changed {
        let mut device = self.clone();
        device.changed = now;
        Changed {
            device,
            action,
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::KeyUse;
    use crate::testing::registry::{at, device, key};

    fn name(text: &str) -> UniqueName<'static> {
        dc_pki::names::parse(text).unwrap()
    }

    fn in_state(state: State) -> Device {
        Device {
            state,
            key: (state != State::Preregistered).then(|| key(1)),
            ..device()
        }
    }

    fn apply(device: &Device, change: &Change) -> Result<Option<Changed>, Error> {
        device.apply(change, at(9))
    }

    fn after(device: &Device, change: &Change) -> Changed {
        apply(device, change).unwrap().unwrap()
    }

    #[test]
    fn a_device_enrols_once() {
        let enrol = |number| Change::Enrol { key: key(number) };
        let changed = after(&in_state(State::Preregistered), &enrol(1));
        assert_eq!(changed.device.state, State::Active);
        assert_eq!(changed.device.key, Some(key(1)));
        assert_eq!(apply(&changed.device, &enrol(1)), Ok(None));
        assert_eq!(
            apply(&changed.device, &enrol(2)),
            Err(Error::AlreadyEnrolled)
        );
    }

    #[test]
    fn every_change_in_every_state_is_allowed_or_refused_as_in_this_table() {
        use State::{Active, Preregistered, Retired, Suspended};
        let new_name = Change::Replace(Replacement::NewName {
            name: name("new.cpe.example.com"),
            epoch: 1,
        });
        let with_key = Change::Replace(Replacement::KeepNameWithKey {
            key: key(2),
            at_once: false,
        });
        let keep = Change::Replace(Replacement::KeepName {
            manufactured: None,
            at_once: false,
        });
        let switch = Change::SwitchKey { key: key(2) };
        // What becomes of a device that is preregistered, active, suspended, retired.
        let table = [
            (
                Change::Suspend,
                [Some(Suspended), Some(Suspended), Some(Suspended), None],
            ),
            (Change::Resume, [None, Some(Active), Some(Active), None]),
            (Change::Retire, [Some(Retired); 4]),
            (
                keep,
                [
                    Some(Preregistered),
                    Some(Preregistered),
                    Some(Preregistered),
                    None,
                ],
            ),
            (
                new_name,
                [
                    Some(Preregistered),
                    Some(Preregistered),
                    Some(Preregistered),
                    None,
                ],
            ),
            (with_key, [Some(Active), Some(Active), Some(Active), None]),
            (switch, [None, Some(Active), None, None]),
            (
                Change::Enrol { key: key(1) },
                [Some(Active), Some(Active), None, None],
            ),
            (
                Change::FlagClone,
                [
                    Some(Preregistered),
                    Some(Active),
                    Some(Suspended),
                    Some(Retired),
                ],
            ),
        ];
        for (change, expected) in table {
            for (state, expected) in State::ALL.into_iter().zip(expected) {
                let device = in_state(state);
                let state_after = apply(&device, &change)
                    .map(|changed| changed.map_or(state, |changed| changed.device.state));
                assert_eq!(
                    state_after,
                    expected.ok_or(Error::NotInState { state }),
                    "{change:?} of {state}"
                );
            }
        }
    }

    #[test]
    fn what_never_enrolled_is_preregistered_again_after_a_suspension() {
        let suspended = after(&in_state(State::Preregistered), &Change::Suspend).device;
        let resumed = after(&suspended, &Change::Resume);
        assert_eq!(resumed.device.state, State::Preregistered);
        assert_eq!(resumed.name, NameChange::Restored);
    }

    #[test]
    fn names_are_withdrawn_and_restored_with_the_state() {
        let active = in_state(State::Active);
        let suspended = after(&active, &Change::Suspend);
        assert_eq!(suspended.name, NameChange::Withdrawn);
        assert_eq!(
            after(&suspended.device, &Change::Resume).name,
            NameChange::Restored
        );
        assert_eq!(after(&active, &Change::Retire).name, NameChange::Withdrawn);
        let keep = Change::Replace(Replacement::KeepName {
            manufactured: None,
            at_once: false,
        });
        assert_eq!(after(&active, &keep).name, NameChange::Kept);
        assert_eq!(after(&suspended.device, &keep).name, NameChange::Restored);
    }

    #[test]
    fn a_new_name_leaves_nothing_of_the_old_device() {
        let old = Device {
            possible_clone: true,
            ..after(&in_state(State::Active), &Change::SwitchKey { key: key(2) }).device
        };
        let replacement = Replacement::NewName {
            name: name("new.cpe.example.com"),
            epoch: 4,
        };
        let changed = after(&old, &Change::Replace(replacement));
        let device = changed.device;
        assert_eq!(
            (device.key, device.next_key, device.credential),
            (None, None, None)
        );
        assert_eq!((device.epoch, device.possible_clone), (4, false));
        assert_eq!(
            changed.name,
            NameChange::Renamed {
                old: old.name,
                over: None
            }
        );
    }

    #[test]
    fn a_new_name_needs_a_higher_epoch() {
        let replacement = Replacement::NewName {
            name: name("new.cpe.example.com"),
            epoch: 0,
        };
        let refused = apply(&in_state(State::Active), &Change::Replace(replacement));
        assert_eq!(refused, Err(Error::EpochNotHigher { epoch: 0 }));
    }

    #[test]
    fn both_keys_of_a_switch_work_until_the_new_one_is_used() {
        let switched = after(&in_state(State::Active), &Change::SwitchKey { key: key(2) }).device;
        assert_eq!(switched.key_use(&key(1), at(10)), KeyUse::Current);
        assert_eq!(switched.key_use(&key(2), at(10)), KeyUse::Next);
        let finished = switched.switch_finished(at(11));
        assert_eq!(finished.key_use(&key(1), at(11)), KeyUse::Unknown);
        assert_eq!(finished.key_use(&key(2), at(11)), KeyUse::Current);
    }

    #[test]
    fn the_old_key_of_a_switch_ends_after_a_day() {
        let switched = after(&in_state(State::Active), &Change::SwitchKey { key: key(2) }).device;
        let day = 24 * 3600;
        assert_eq!(switched.key_use(&key(1), at(9 + day - 1)), KeyUse::Current);
        assert_eq!(switched.key_use(&key(1), at(9 + day)), KeyUse::Ended);
        // A clock that went back gives no key more than a day either.
        assert_eq!(switched.key_use(&key(1), at(0)), KeyUse::Current);
        assert_eq!(switched.key_use(&key(2), at(9 + day)), KeyUse::Next);
    }
}
