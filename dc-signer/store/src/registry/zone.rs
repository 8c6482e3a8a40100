//! Zones, and the delegation certificates that names under them are signed with.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pki_types::UnixTime;

use super::{Error, Sha256};
use dc_pki::names::ZoneName;

/// Which forms of credentials a zone's devices get.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Forms {
    /// One with the unique name.
    Named,
    /// One with the unique name, and one as RFC 9345 defines it, which every holder can use for
    /// every name of the certificate.
    Both,
    /// One as RFC 9345 defines it.
    Rfc9345,
}

impl Forms {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Named, Self::Both, Self::Rfc9345];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Both => "both",
            Self::Rfc9345 => "rfc9345",
        }
    }
}

impl FromStr for Forms {
    type Err = Error;

    /// Fails with [`Error::BadForms`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|forms| forms.as_str() == text)
            .ok_or(Error::BadForms)
    }
}

/// A zone that the signer issues under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone {
    /// What all its names end in.
    pub zone: ZoneName,
    /// What its devices get.
    pub forms: Forms,
    /// Devices whose credential was issued before this are to renew now, not when it is due.
    pub renew_issued_before: Option<UnixTime>,
    /// How often its list of withdrawn names changed.
    pub withdrawn_sequence: u64,
    /// Its delegation certificates, by number.
    pub slots: Vec<Slot>,
}

/// What a delegation certificate is used for: `next → active → draining → gone`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SlotState {
    /// Imported, so that replicas can load it; nothing is signed with it.
    Next,
    /// New credentials are signed with it. A zone has one such slot at most.
    Active,
    /// Not used any more, but credentials under it still live.
    Draining,
    /// Nothing under it lives; its key can be destroyed.
    Gone,
}

impl SlotState {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Next, Self::Active, Self::Draining, Self::Gone];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

impl FromStr for SlotState {
    type Err = Error;

    /// Fails with [`Error::BadState`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(Error::BadState)
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One delegation certificate of a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slot {
    /// Counts up from 1 within the zone.
    pub number: u32,
    /// What it is used for.
    pub state: SlotState,
    /// SHA-256 of the delegation certificate.
    pub certificate_sha256: Sha256,
    /// When the certificate begins.
    pub not_before: UnixTime,
    /// When it ends.
    pub not_after: UnixTime,
    /// When it got into its state.
    pub since: UnixTime,
}

impl Slot {
    /// What an active certificate must have left: no credential may end after it, and none lives
    /// longer than seven days.
    pub const MIN_LEFT: Duration = Duration::from_secs(8 * 86_400);

    /// Whether enough is left of the certificate to issue under it.
    #[must_use]
    pub fn may_issue(&self, now: UnixTime) -> bool {
        let left = self.not_after.as_secs().saturating_sub(now.as_secs());
        left >= Self::MIN_LEFT.as_secs()
    }
}

impl Zone {
    /// The slot that new credentials are signed with.
    #[must_use]
    pub fn active(&self) -> Option<&Slot> {
        self.slots
            .iter()
            .find(|slot| slot.state == SlotState::Active)
    }

    /// Moves a slot on. What was active starts draining when another becomes active.
    ///
    /// Says which slots changed; none, if the slot is in that state already, so two replicas may
    /// both ask. Fails with [`Error::UnknownSlot`], [`Error::SlotOrder`] for a step back or one
    /// left out (a slot that was never used may go at once), and [`Error::TooLittleLeft`] if the
    /// certificate cannot be active, or if it begins later.
    pub fn move_slot(
        &mut self,
        number: u32,
        to: SlotState,
        now: UnixTime,
    ) -> Result<Vec<Slot>, Error> {
        let slot = self.slots.iter().find(|slot| slot.number == number);
        let slot = slot.ok_or(Error::UnknownSlot { number })?;
        match (slot.state, to) {
            (from, to) if from == to => return Ok(Vec::new()),
            (SlotState::Next, SlotState::Active)
                if slot.not_before > now || !slot.may_issue(now) =>
            {
                return Err(Error::TooLittleLeft {
                    not_before: slot.not_before,
                    not_after: slot.not_after,
                });
            }
            (SlotState::Next, SlotState::Active | SlotState::Gone)
            | (SlotState::Active, SlotState::Draining)
            | (SlotState::Draining, SlotState::Gone) => {}
            (from, to) => return Err(Error::SlotOrder { from, to }),
        }
        Ok(self.place(number, to, now))
    }

    fn place(&mut self, number: u32, to: SlotState, now: UnixTime) -> Vec<Slot> {
        let mut changed = Vec::new();
        for slot in &mut self.slots {
            let state = match slot.state {
                _ if slot.number == number => to,
                SlotState::Active if to == SlotState::Active => SlotState::Draining,
                unchanged => unchanged,
            };
            if state != slot.state {
                (slot.state, slot.since) = (state, now);
                changed.push(slot.clone());
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn slot(number: u32, state: SlotState) -> Slot {
        Slot {
            number,
            state,
            certificate_sha256: Sha256::of(&number.to_be_bytes()),
            not_before: at(NOW - 86_400),
            not_after: at(NOW + 60 * 86_400),
            since: at(NOW - 86_400),
        }
    }

    fn zone(slots: Vec<Slot>) -> Zone {
        Zone {
            zone: ZoneName::parse("cpe.example.com").unwrap(),
            forms: Forms::Named,
            renew_issued_before: None,
            withdrawn_sequence: 0,
            slots,
        }
    }

    #[test]
    fn the_active_slot_drains_when_the_next_becomes_active() {
        let mut zone = zone(vec![slot(1, SlotState::Active), slot(2, SlotState::Next)]);
        let changed = zone.move_slot(2, SlotState::Active, at(NOW)).unwrap();
        assert_eq!(changed.len(), 2);
        assert_eq!(zone.slots[0].state, SlotState::Draining);
        assert_eq!(zone.active().unwrap().number, 2);
        assert_eq!(zone.active().unwrap().since, at(NOW));
    }

    #[test]
    fn asking_twice_changes_nothing() {
        let mut zone = zone(vec![slot(1, SlotState::Active)]);
        assert_eq!(zone.move_slot(1, SlotState::Active, at(NOW)), Ok(vec![]));
    }

    #[test]
    fn no_slot_goes_back_or_skips_draining() {
        for (from, to) in [
            (SlotState::Draining, SlotState::Active),
            (SlotState::Gone, SlotState::Active),
            (SlotState::Gone, SlotState::Next),
            (SlotState::Active, SlotState::Next),
            (SlotState::Active, SlotState::Gone),
            (SlotState::Next, SlotState::Draining),
        ] {
            let mut zone = zone(vec![slot(1, from)]);
            let error = zone.move_slot(1, to, at(NOW)).unwrap_err();
            assert_eq!(error, Error::SlotOrder { from, to });
        }
    }

    #[test]
    fn a_certificate_with_less_than_eight_days_left_does_not_become_active() {
        for (left, good) in [(8 * 86_400, true), (8 * 86_400 - 1, false)] {
            let mut zone = zone(vec![slot(1, SlotState::Next)]);
            zone.slots[0].not_after = at(NOW + left);
            let moved = zone.move_slot(1, SlotState::Active, at(NOW));
            assert_eq!(moved.is_ok(), good, "{left}");
        }
    }

    #[test]
    fn a_certificate_that_has_not_begun_does_not_become_active() {
        let mut zone = zone(vec![slot(1, SlotState::Next)]);
        zone.slots[0].not_before = at(NOW + 1);
        let error = zone.move_slot(1, SlotState::Active, at(NOW)).unwrap_err();
        assert!(matches!(error, Error::TooLittleLeft { .. }), "{error}");
    }

    #[test]
    fn an_unknown_slot_is_named() {
        let error = zone(vec![]).move_slot(3, SlotState::Active, at(NOW));
        assert_eq!(error, Err(Error::UnknownSlot { number: 3 }));
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for state in SlotState::ALL {
            assert_eq!(state.as_str().parse::<SlotState>(), Ok(state));
        }
        for forms in Forms::ALL {
            assert_eq!(forms.as_str().parse::<Forms>(), Ok(forms));
        }
        assert_eq!("NEXT".parse::<SlotState>(), Err(Error::BadState));
        assert_eq!("".parse::<Forms>(), Err(Error::BadForms));
    }
}
