//! When a zone moves on to another delegation certificate: pure, so that signers that share a database decide alike.

use std::time::Duration;

use pki_types::UnixTime;

use super::view::ZoneView;
use dc_store::registry::{DelegationState, Sha256, Zone, ZoneDelegation};

/// A step that is due for a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// New credentials are to be signed with it.
    Activate(u32),
    /// Nothing under it lives, or nothing ever will.
    End(u32),
}

impl Step {
    /// The slot, and its new state.
    #[must_use]
    pub const fn target(self) -> (u32, DelegationState) {
        match self {
            Self::Activate(number) => (number, DelegationState::Active),
            Self::End(number) => (number, DelegationState::Gone),
        }
    }
}

/// The steps that are due in a zone, as far as the keys are on this machine: none can be active that this machine cannot use.
pub(super) fn due(zone: &ZoneView, now: UnixTime) -> Vec<Step> {
    due_but(zone, &[], now)
}

/// The same, with certificates that two operators have to agree to before they are used.
pub(super) fn due_but(zone: &ZoneView, held: &[Sha256], now: UnixTime) -> Vec<Step> {
    let here = |slot: &ZoneDelegation| {
        let sha256 = &slot.certificate_sha256;
        zone.loaded(sha256).is_some() && !held.contains(sha256)
    };
    steps(&zone.managed, here, now)
}

fn steps(zone: &Zone, here: impl Fn(&ZoneDelegation) -> bool, now: UnixTime) -> Vec<Step> {
    let next = next(zone, &here, now).filter(|slot| is_due(zone, slot, now));
    let ended = zone.delegations.iter().filter(|slot| has_ended(slot, now));
    let ends = ended.map(|slot| Step::End(slot.number));
    next.map(|slot| Step::Activate(slot.number))
        .into_iter()
        .chain(ends)
        .collect()
}

/// The slot that would become active if one had to: the one that lasts longest among those that may issue.
pub(super) fn next(
    zone: &Zone,
    here: impl Fn(&ZoneDelegation) -> bool,
    now: UnixTime,
) -> Option<&ZoneDelegation> {
    zone.delegations
        .iter()
        .filter(|slot| {
            slot.state == DelegationState::Next && may_be_active(slot, now) && here(slot)
        })
        .max_by_key(|slot| slot.not_after)
}

/// True if a step waits for the signers that cannot follow yet. While the zone is issued from nothing that can be used, one
/// signer that can issue is better than none.
pub(super) fn waits(zone: &Zone, step: Step, now: UnixTime) -> bool {
    let Step::Activate(_) = step else {
        return false;
    };
    match zone.active() {
        Some(active) => may_be_active(active, now),
        // Its first certificate: no device has anything to lose yet.
        None => zone
            .delegations
            .iter()
            .all(|slot| slot.state != DelegationState::Draining),
    }
}

fn may_be_active(slot: &ZoneDelegation, now: UnixTime) -> bool {
    slot.not_before <= now && slot.may_issue(now)
}

/// Without need a certificate becomes active only when clients with slow clocks take it, when every
/// signer has had time to load it, and when it lasts longer than the one before. That every signer has loaded it is
/// for [`waits`].
fn is_due(zone: &Zone, next: &ZoneDelegation, now: UnixTime) -> bool {
    let Some(active) = zone.active().filter(|active| may_be_active(active, now)) else {
        return true;
    };
    active_from(next) <= now && next.not_after > active.not_after
}

/// When a certificate can become active without need: it has soaked, and every signer has had time to load it.
fn active_from(next: &ZoneDelegation) -> UnixTime {
    // Certificates of minutes have no ten to wait.
    let spread = SPREAD.min(next.life() / 16);
    let seen = next.since.as_secs().saturating_add(spread.as_secs());
    let at = next.soaked_at().as_secs().max(seen);
    UnixTime::since_unix_epoch(Duration::from_secs(at))
}

/// When a certificate becomes active, if it is the next one and its key is here: at the latest when nothing may be issued from the
/// active one any more, soaked or not.
#[must_use]
pub fn active_by(zone: &Zone, next: &ZoneDelegation) -> UnixTime {
    let needed = zone.active().map_or(next.not_before, |active| {
        active.issues_until().max(next.not_before)
    });
    active_from(next).min(needed)
}

fn has_ended(slot: &ZoneDelegation, now: UnixTime) -> bool {
    match slot.state {
        DelegationState::Draining => now > slot.not_after || passed(slot.since, DRAIN, now),
        // It never issued anything and never can.
        DelegationState::Next => !slot.may_issue(now),
        DelegationState::Active | DelegationState::Gone => false,
    }
}

fn passed(since: UnixTime, time: Duration, now: UnixTime) -> bool {
    now.as_secs().saturating_sub(since.as_secs()) >= time.as_secs()
}

/// The most time from its import until it becomes active: the others look every few seconds.
const SPREAD: Duration = Duration::from_secs(600);
/// After how long nothing under a slot lives: the longest credential, and a signer that was late to notice.
pub(super) const DRAIN: Duration = dc_core::MAX_VALIDITY.saturating_add(Duration::from_secs(3600));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use dc_pki::Forms;
    use dc_pki::names::ZoneName;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn slot(number: u32, state: DelegationState, age: u64, left: u64) -> ZoneDelegation {
        ZoneDelegation {
            number,
            state,
            certificate_sha256: Sha256::of(&number.to_be_bytes()),
            not_before: at(NOW - age * DAY),
            not_after: at(NOW + left * DAY),
            since: at(NOW - age * DAY),
        }
    }

    fn zone(slots: Vec<ZoneDelegation>) -> Zone {
        Zone {
            zone: ZoneName::parse("cpe.example.com").unwrap(),
            forms: Forms::Named,
            roles: dc_pki::Roles::Server,
            other_forms_until: None,
            renew_issued_before: None,
            withdrawn_sequence: 0,
            delegations: slots,
        }
    }

    fn due_in(slots: Vec<ZoneDelegation>) -> Vec<Step> {
        steps(&zone(slots), |_| true, at(NOW))
    }

    #[test]
    fn the_first_certificate_becomes_active_at_once() {
        let first = slot(1, DelegationState::Next, 0, 90);
        assert_eq!(due_in(vec![first]), [Step::Activate(1)]);
    }

    #[test]
    fn a_newer_certificate_becomes_active_after_two_days() {
        let active = slot(1, DelegationState::Active, 60, 30);
        for (age, expected) in [(1, vec![]), (2, vec![Step::Activate(2)])] {
            let next = slot(2, DelegationState::Next, age, 90);
            assert_eq!(due_in(vec![active.clone(), next]), expected, "{age}");
        }
    }

    #[test]
    fn a_short_certificate_becomes_active_after_an_eighth_of_its_life() {
        let hours = |number, state, age: u64, life: u64| ZoneDelegation {
            not_before: at(NOW - age * 3600),
            not_after: at(NOW - age * 3600 + life * 3600),
            ..slot(number, state, 3, 4)
        };
        for (age, expected) in [(20, vec![]), (21, vec![Step::Activate(2)])] {
            let active = hours(1, DelegationState::Active, 72, 168);
            let next = hours(2, DelegationState::Next, age, 168);
            assert_eq!(due_in(vec![active, next]), expected, "{age}");
        }
    }

    #[test]
    fn a_certificate_of_minutes_becomes_active_while_the_one_before_can_issue() {
        let minutes = |number, state, since: u64| ZoneDelegation {
            not_before: at(NOW - since),
            not_after: at(NOW - since + 660),
            since: at(NOW - since),
            ..slot(number, state, 0, 0)
        };
        // Ordered after two thirds; an eighth of its life later it has soaked.
        for (age, expected) in [(81, vec![]), (82, vec![Step::Activate(2)])] {
            let active = minutes(1, DelegationState::Active, 400);
            assert!(active.may_issue(at(NOW)));
            let next = minutes(2, DelegationState::Next, age);
            assert_eq!(due_in(vec![active, next]), expected, "{age}");
        }
        // One that was valid for long before it came is waited with, a sixteenth of its life.
        let next = ZoneDelegation {
            not_before: at(NOW - 300),
            not_after: at(NOW + 360),
            ..minutes(2, DelegationState::Next, 10)
        };
        assert_eq!(active_from(&next), at(NOW - 10 + 41));
    }

    #[test]
    fn an_import_waits_until_every_signer_has_seen_it() {
        let active = slot(1, DelegationState::Active, 60, 30);
        for (seconds, expected) in [(599, vec![]), (600, vec![Step::Activate(2)])] {
            let mut next = slot(2, DelegationState::Next, 10, 90);
            next.since = at(NOW - seconds);
            assert_eq!(due_in(vec![active.clone(), next]), expected, "{seconds}");
        }
    }

    #[test]
    fn a_certificate_that_is_running_out_is_replaced_at_once() {
        let active = slot(1, DelegationState::Active, 83, 7);
        let next = slot(2, DelegationState::Next, 0, 90);
        assert_eq!(due_in(vec![active, next]), [Step::Activate(2)]);
    }

    #[test]
    fn a_certificate_that_ends_earlier_waits() {
        let active = slot(1, DelegationState::Active, 10, 80);
        let next = slot(2, DelegationState::Next, 40, 50);
        assert_eq!(due_in(vec![active, next]), []);
    }

    #[test]
    fn the_longest_of_several_is_taken() {
        let slots = vec![
            slot(1, DelegationState::Next, 3, 50),
            slot(2, DelegationState::Next, 3, 90),
            slot(3, DelegationState::Next, 3, 70),
        ];
        assert_eq!(due_in(slots), [Step::Activate(2)]);
    }

    #[test]
    fn a_key_that_is_not_here_is_not_activated_from_here() {
        let zone = zone(vec![slot(1, DelegationState::Next, 3, 90)]);
        assert_eq!(steps(&zone, |_| false, at(NOW)), []);
    }

    #[test]
    fn a_certificate_waits_for_every_signer_unless_nothing_can_be_issued_meanwhile() {
        let next = slot(2, DelegationState::Next, 3, 90);
        for (before, expected) in [
            (None, true),
            (Some((DelegationState::Active, 30)), true),
            (Some((DelegationState::Active, 7)), false),
            (Some((DelegationState::Draining, 30)), false),
        ] {
            let before = before.map(|(state, left)| slot(1, state, 60, left));
            let zone = zone(before.into_iter().chain([next.clone()]).collect());
            assert_eq!(
                waits(&zone, Step::Activate(2), at(NOW)),
                expected,
                "{zone:?}"
            );
            assert!(!waits(&zone, Step::End(1), at(NOW)));
        }
    }

    #[test]
    fn a_delegation_is_gone_when_the_last_credential_under_it_has_ended() {
        for (seconds, expected) in [(7 * DAY, vec![]), (7 * DAY + 3600, vec![Step::End(1)])] {
            let mut draining = slot(1, DelegationState::Draining, 80, 30);
            draining.since = at(NOW - seconds);
            assert_eq!(due_in(vec![draining]), expected);
        }
    }

    #[test]
    fn a_next_certificate_that_came_too_late_is_gone() {
        let active = slot(1, DelegationState::Active, 10, 80);
        let late = slot(2, DelegationState::Next, 80, 7);
        assert_eq!(due_in(vec![active, late]), [Step::End(2)]);
    }

    proptest! {
        /// Whatever the slots are, each step is allowed, and afterwards nothing is due any more.
        #[test]
        fn every_step_is_allowed_and_leads_to_rest(
            slots in proptest::collection::vec((0u64..100, 0u64..100), 0..6),
        ) {
            let slots = slots.into_iter().zip(1..).map(|((age, left), number)| {
                slot(number, DelegationState::Next, age, left)
            });
            let mut zone = zone(slots.collect());
            for day in 0..200 {
                let now = at(NOW + day * DAY);
                for step in steps(&zone, |_| true, now) {
                    let (number, to) = step.target();
                    prop_assert!(zone.move_delegation(number, to, now).is_ok(), "{step:?}");
                }
                prop_assert_eq!(steps(&zone, |_| true, now), vec![]);
                // As long as one could be active, one is.
                let could = next(&zone, |_| true, now).is_some();
                let is = zone.active().is_some_and(|active| active.may_issue(now));
                prop_assert!(is || !could);
            }
        }
    }
}
