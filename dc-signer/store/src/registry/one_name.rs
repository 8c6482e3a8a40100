//! One name, one device: the handover from box to box, and issuing only while no other box has the name.
//!
//! An issuer must not sign a name for a second device while a credential for the first is valid (the Internet-Draft in docs/,
//! section "The Issuer"), and a box that may be stolen must not come off the list of withdrawn names before its credentials are
//! over. A device of the registry is what stays when boxes change, so whatever puts another box behind it goes through
//! `hand_over`, and whatever issues asks `may_issue`, which asks `name_is_free`. A box that changes its own enrolment key stays
//! one box: its old key vouches for the new one.

use dc_core::UniqueName;
use pki_types::UnixTime;

use super::hold::{Hold, after};
use super::{Device, Error, Held, Sha256, Shown, State};

/// The effect of a change on the device's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NameChange {
    /// Nothing.
    Kept,
    /// The device has another one; the one it had is withdrawn for good.
    Renamed {
        /// The name it had.
        old: UniqueName<'static>,
        /// From when on all credentials for that are over.
        over: Option<UnixTime>,
    },
    /// It is not withdrawn any more.
    Restored,
    /// It is withdrawn: clients that load the list refuse it.
    Withdrawn,
    /// It stays withdrawn until the credentials that were are over; the next one that is issued for it restores it.
    WithdrawnUntil {
        /// When they are over.
        until: UnixTime,
    },
}

impl Device {
    /// Until when a credential for its name is valid; none if none is now.
    #[must_use]
    pub fn held_until(&self, now: UnixTime) -> Option<UnixTime> {
        // RFC 9345 §4.1.3: its last second belongs to a credential.
        self.last_end().filter(|until| now <= *until)
    }

    /// When the last credential for its name ends or ended, whatever time it is; none if there was none.
    fn last_end(&self) -> Option<UnixTime> {
        // A signer of an earlier version writes the credential and does not know of the hold.
        let last = self.credential.map(|held| held.expires);
        self.hold.until.max(last)
    }

    /// From when on all credentials for its name are over, whatever time it is; none if there was none.
    pub(crate) fn over_from(&self) -> Option<UnixTime> {
        self.last_end().map(after)
    }

    /// From when on it gets credentials, if another box's are valid until then.
    #[must_use]
    pub fn waits_until(&self, now: UnixTime) -> Option<UnixTime> {
        // A signer of an earlier version that puts another box behind it leaves the credential of the one before.
        let others = self.credential.filter(|_| self.key.is_none());
        let over = others.and_then(|_| self.over_from());
        self.hold.free_from.max(over).filter(|from| now < *from)
    }

    /// True if its name is withdrawn, or stays so until another box's credentials are over.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.hold.withdrawn || matches!(self.state, State::Suspended | State::Retired)
    }

    /// Checks that no other box has a valid credential for its name, as far as anybody has to wait for that.
    ///
    /// Fails with [`Error::NameHeld`].
    pub(super) fn name_is_free(&self, now: UnixTime) -> Result<(), Error> {
        match self.waits_until(now) {
            Some(from) => Err(Error::NameHeld { from }),
            None => Ok(()),
        }
    }

    /// Puts another box behind the device, which keeps its name and has to make itself known: it gets credentials when
    /// those of the boxes before are over, or `at_once`, which is an operator's word for it that they may not be.
    ///
    /// `now` may be wrong, so it decides nothing but whether somebody's word for it is needed: where it is not, because all is
    /// over, the box waits for what is over, which costs nothing by a clock that is right.
    ///
    /// Fails with [`Error::NameWithdrawn`]: nobody's word takes a name off the list while what was withdrawn is valid.
    pub(super) fn hand_over(&mut self, at_once: bool, now: UnixTime) -> Result<NameChange, Error> {
        let (over, was_withdrawn) = (self.over_from(), self.is_withdrawn());
        let taken = over.filter(|from| at_once && now < *from);
        if let (Some(from), true) = (taken, was_withdrawn) {
            return Err(Error::NameWithdrawn { from });
        }
        self.hold = Hold {
            until: self.last_end(),
            free_from: over.filter(|_| taken.is_none()),
            withdrawn: was_withdrawn && over.is_some(),
        };
        (self.state, self.key, self.next_key) = (State::Preregistered, None, None);
        (self.credential, self.shown) = (None, Shown::Unknown);
        self.possible_clone = false;
        Ok(match (was_withdrawn, over) {
            (false, _) => NameChange::Kept,
            (true, None) => NameChange::Restored,
            (true, Some(until)) => NameChange::WithdrawnUntil { until },
        })
    }

    /// Gives it a credential, which it asked for with `shown`. [`Self::may_issue`] has allowed it.
    pub fn hand_out(&mut self, held: Held, shown: Option<Sha256>) -> NameChange {
        self.hold.until = self.last_end().max(Some(held.expires));
        self.hold.free_from = None;
        self.credential = Some(held);
        self.shown = shown.map_or(Shown::Nothing, Shown::Credential);
        match std::mem::take(&mut self.hold.withdrawn) {
            true => NameChange::Restored,
            false => NameChange::Kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::AHEAD;
    use super::*;
    use crate::registry::{Action, Change, Replacement};
    use crate::testing::registry::{at, device, key};

    const END: u64 = 1_000_000;
    /// When it is over by every signer's clock.
    const OVER: u64 = END + 1 + AHEAD.as_secs();
    const DAYS: u64 = 30 * 86_400;

    /// An active device with the key 1, whose credential ends at [`END`].
    fn holding() -> Device {
        let mut device = Device {
            state: State::Active,
            key: Some(key(1)),
            ..device()
        };
        let held = Held {
            sha256: key(11),
            spki_sha256: key(21),
            issued: at(1),
            expires: at(END),
        };
        assert_eq!(device.hand_out(held, None), NameChange::Kept);
        device
    }

    fn after(device: &Device, change: &Change, now: u64) -> Result<Device, Error> {
        let changed = device.apply(change, at(now))?;
        Ok(changed.map_or_else(|| device.clone(), |changed| changed.device))
    }

    fn keep(at_once: bool) -> Change {
        Change::Replace(Replacement::KeepName {
            manufactured: None,
            at_once,
        })
    }

    fn with_key(at_once: bool) -> Change {
        Change::Replace(Replacement::KeepNameWithKey {
            key: key(2),
            at_once,
        })
    }

    #[test]
    fn another_box_waits_for_the_last_second_of_the_credential_before() {
        let enrol = Change::Enrol { key: key(2) };
        let waiting = after(&holding(), &keep(false), 10).unwrap();
        let held = Error::NameHeld { from: at(OVER) };
        assert_eq!(after(&waiting, &enrol, OVER - 1), Err(held));
        assert_eq!(after(&waiting, &enrol, OVER).unwrap().state, State::Active);
        let known = after(&holding(), &with_key(false), 10).unwrap();
        let name = known.name.clone();
        assert_eq!(known.may_issue(&name, &key(2), at(OVER - 1)), Err(held));
        assert!(known.may_issue(&name, &key(2), at(OVER)).is_ok());
        let old = known.may_issue(&name, &key(1), at(OVER));
        assert_eq!(old, Err(Error::UnknownKey));
    }

    #[test]
    fn another_box_waits_also_where_an_earlier_version_replaced_the_one_before() {
        let mut replaced = holding();
        // All that it writes.
        (replaced.state, replaced.key) = (State::Preregistered, None);
        let enrol = Change::Enrol { key: key(2) };
        let held = Error::NameHeld { from: at(OVER) };
        assert_eq!(after(&replaced, &enrol, OVER - 1), Err(held));
        let enrolled = after(&replaced, &enrol, OVER).unwrap();
        assert_eq!(enrolled.state, State::Active);
    }

    #[test]
    fn the_box_that_waits_can_be_given_the_name_at_once() {
        let waiting = after(&holding(), &with_key(false), 10).unwrap();
        assert_eq!(waiting.apply(&with_key(false), at(20)), Ok(None));
        let taken = waiting.apply(&with_key(true), at(20)).unwrap().unwrap();
        assert_eq!(
            (taken.action, taken.name),
            (Action::TakeName, NameChange::Kept)
        );
        let taken = taken.device;
        assert!(taken.may_issue(&taken.name, &key(2), at(20)).is_ok());
        assert_eq!(taken.held_until(at(20)), Some(at(END)));
        assert_eq!(taken.apply(&with_key(true), at(20)), Ok(None));
        // But not one that is withdrawn.
        let suspended = after(&holding(), &Change::Suspend, 10).unwrap();
        let waiting = after(&suspended, &with_key(false), 20).unwrap();
        let withdrawn = Error::NameWithdrawn { from: at(OVER) };
        assert_eq!(after(&waiting, &with_key(true), 30), Err(withdrawn));
    }

    #[test]
    fn a_second_replacement_does_not_shorten_the_wait_of_the_first() {
        let waiting = after(&holding(), &keep(false), 10).unwrap();
        let again = after(&waiting, &with_key(false), 20).unwrap();
        assert_eq!(again.waits_until(at(20)), Some(at(OVER)));
        // Nor does one that did not wait make the next one blind for what was valid before.
        let taken = after(&holding(), &keep(true), 10).unwrap();
        assert_eq!(taken.waits_until(at(10)), None);
        let again = after(&taken, &keep(false), 20).unwrap();
        assert_eq!(again.waits_until(at(20)), Some(at(OVER)));
    }

    #[test]
    fn nobody_waits_for_what_is_over_or_never_was() {
        for (before, now) in [(holding(), OVER), (device(), 10)] {
            let replaced = after(&before, &keep(false), now).unwrap();
            assert_eq!(replaced.waits_until(at(now)), None);
        }
    }

    #[test]
    fn the_longest_of_all_lives_counts_not_the_last_one() {
        let mut device = holding();
        let short = Held {
            expires: at(END - 500),
            ..device.credential.unwrap()
        };
        device.hand_out(short, Some(key(11)));
        assert_eq!(device.held_until(at(10)), Some(at(END)));
        // What a signer of an earlier version has written.
        device.hold = Hold::default();
        assert_eq!(device.held_until(at(10)), Some(at(END - 500)));
    }

    #[test]
    fn what_was_withdrawn_stays_so_whatever_is_done_to_the_device() {
        let suspended = after(&holding(), &Change::Suspend, 10).unwrap();
        for change in [keep(false), with_key(false)] {
            let changed = suspended.apply(&change, at(20)).unwrap().unwrap();
            let until = at(OVER);
            assert_eq!(changed.name, NameChange::WithdrawnUntil { until });
            let waiting = changed.device;
            // Nor by a detour.
            let suspended = after(&waiting, &Change::Suspend, 30).unwrap();
            let resumed = suspended.apply(&Change::Resume, at(40)).unwrap().unwrap();
            assert_eq!(resumed.name, NameChange::Kept);
            assert!(resumed.device.is_withdrawn());
            for device in [suspended, waiting, resumed.device] {
                let withdrawn = Error::NameWithdrawn { from: at(OVER) };
                assert_eq!(after(&device, &keep(true), 50), Err(withdrawn));
            }
        }
        // By the first credential that is issued afterwards.
        let later = suspended.apply(&keep(false), at(OVER)).unwrap().unwrap();
        assert!(later.device.is_withdrawn());
    }

    #[test]
    fn an_operators_clock_that_is_days_ahead_gives_a_name_to_nobody_early() {
        let suspended = after(&holding(), &Change::Suspend, 10).unwrap();
        let withdrawn = NameChange::WithdrawnUntil { until: at(OVER) };
        for (before, name) in [(holding(), NameChange::Kept), (suspended, withdrawn)] {
            for change in [keep(false), keep(true), with_key(false), with_key(true)] {
                let changed = before.apply(&change, at(10 + DAYS)).unwrap().unwrap();
                assert_eq!(changed.name, name, "{change:?}");
                assert_eq!(changed.device.waits_until(at(10)), Some(at(OVER)));
                assert_eq!(changed.device.waits_until(at(OVER)), None);
                assert_eq!(changed.device.is_withdrawn(), before.is_withdrawn());
            }
        }
    }

    #[test]
    fn a_box_that_waits_is_not_restored_by_a_clock_that_is_ahead() {
        let suspended = after(&holding(), &Change::Suspend, 10).unwrap();
        let waiting = after(&suspended, &with_key(false), 20).unwrap();
        let suspended = after(&waiting, &Change::Suspend, 30).unwrap();
        let late = at(30 + DAYS);
        let resumed = suspended.apply(&Change::Resume, late).unwrap().unwrap();
        assert_eq!(resumed.name, NameChange::Kept);
        assert!(resumed.device.is_withdrawn());
    }

    #[test]
    fn a_withdrawn_name_is_given_at_once_when_what_was_withdrawn_is_over() {
        let suspended = after(&holding(), &Change::Suspend, 10).unwrap();
        let replaced = after(&suspended, &with_key(true), OVER).unwrap();
        let name = replaced.name.clone();
        assert!(replaced.may_issue(&name, &key(2), at(OVER)).is_ok());
        let early = after(&suspended, &with_key(true), OVER - 1);
        assert_eq!(early, Err(Error::NameWithdrawn { from: at(OVER) }));
    }

    #[test]
    fn the_first_credential_after_the_wait_ends_the_withdrawal() {
        let suspended = after(&holding(), &Change::Suspend, 10).unwrap();
        let mut waiting = after(&suspended, &with_key(false), 20).unwrap();
        let held = Held {
            sha256: key(12),
            spki_sha256: key(22),
            issued: at(OVER),
            expires: at(2 * END),
        };
        assert_eq!(waiting.hand_out(held, None), NameChange::Restored);
        assert!(!waiting.is_withdrawn());
        assert_eq!(waiting.hand_out(held, None), NameChange::Kept);
    }
}
