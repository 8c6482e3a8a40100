//! Notices that need attention, from the counts and the zones.

use std::collections::BTreeMap;
use std::time::Duration;

use maud::{Markup, html};
use pki_types::UnixTime;

use super::show::{devices, distance, moment};
use crate::authority::json::ZoneRenewal;
use crate::authority::{BothFormsWarning, Fleet, ZoneCount};
use dc_store::registry::{DelegationState, State, Zone, ZoneDelegation};

/// Something to look at.
pub(super) struct Notice {
    /// Devices are, or will soon be, without credentials.
    pub(super) severe: bool,
    /// The text, with what to do.
    pub(super) text: Markup,
}

/// All there is, the severe ones first.
pub(super) fn notices(
    fleet: &Fleet,
    zones: &[Zone],
    renewals: &BTreeMap<String, ZoneRenewal>,
    now: UnixTime,
) -> Vec<Notice> {
    let mut notices: Vec<Notice> = zones.iter().filter_map(|zone| of_zone(zone, now)).collect();
    notices.extend(zones.iter().filter_map(|zone| both_forms(zone, now)));
    let late = renewals.values().flat_map(|renewal| &renewal.warnings);
    notices.extend(late.map(|warning| mild(html! { (sentence(warning)) })));
    notices.extend(ended(fleet));
    notices.extend(ending(fleet));
    notices.extend(clones(fleet));
    notices.sort_by_key(|notice| !notice.severe);
    notices
}

/// Notices about a zone's delegation certificates.
fn of_zone(zone: &Zone, now: UnixTime) -> Option<Notice> {
    let name = &zone.zone;
    let Some(active) = zone.active() else {
        return Some(severe(html! {
            "Nothing is issued in zone " strong { (name.to_string()) } ": it has no active delegation certificate. "
            "Import one and roll over to it."
        }));
    };
    if !active.may_issue(now) {
        return Some(severe(html! {
            "Nothing is issued in zone " strong { (name.to_string()) } ": its delegation certificate ends "
            (distance(active.not_after, now)) ", and that is too soon for credentials of a week. Roll over to a newer one."
        }));
    }
    let lasting = |slot: &&ZoneDelegation| {
        slot.state == DelegationState::Next && slot.not_after > active.not_after
    };
    let left = active.not_after.as_secs().saturating_sub(now.as_secs());
    let soon =
        left < IMPORT_BEFORE.as_secs() && !zone.delegations.iter().any(|slot| lasting(&slot));
    soon.then(|| {
        mild(html! {
            "The delegation certificate of zone " strong { (name.to_string()) } " ends " (distance(active.not_after, now))
            " (" (moment(active.not_after)) "), and no next one is imported yet."
        })
    })
}

fn both_forms(zone: &Zone, now: UnixTime) -> Option<Notice> {
    let warning = BothFormsWarning::of(zone, now)?;
    Some(mild(html! { (sentence(&warning.to_string())) }))
}

/// A clause of the log as a sentence.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn ended(fleet: &Fleet) -> Option<Notice> {
    let ended = total(fleet, |zone| zone.expired);
    (ended > 0).then(|| {
        severe(html! {
            a href="/devices?state=active&ends=0" { (devices(ended)) } " in state active " (hold(ended)) " a credential that has ended. "
            "Those that are still in use do not reach this service."
        })
    })
}

fn ending(fleet: &Fleet) -> Option<Notice> {
    let ending = total(fleet, |zone| zone.expiring[2]);
    (ending > 0).then(|| {
        mild(html! {
            a href="/devices?state=active&ends=24" { (devices(ending)) } " " (hold(ending)) " a credential that ends within 24 hours. "
            "A device in order renews days before."
        })
    })
}

fn clones(fleet: &Fleet) -> Option<Notice> {
    let clones = total(fleet, |zone| zone.possible_clones);
    (clones > 0).then(|| {
        mild(html! {
            a href="/devices?clone=1" { (devices(clones)) } " may be cloned: two boxes seem to use one key or one name."
        })
    })
}

fn hold(count: u64) -> &'static str {
    match count {
        1 => "holds",
        _ => "hold",
    }
}

/// A number of all zones together.
pub(super) fn total(fleet: &Fleet, of: impl Fn(&ZoneCount) -> u64) -> u64 {
    fleet.zones.values().map(of).sum()
}

/// The number of a zone's devices in a state.
pub(super) fn in_state(zone: &ZoneCount, state: State) -> u64 {
    zone.states.get(&state).copied().unwrap_or(0)
}

fn severe(text: Markup) -> Notice {
    Notice { severe: true, text }
}

fn mild(text: Markup) -> Notice {
    Notice {
        severe: false,
        text,
    }
}

/// Enough for an order at a CA, and for the week of overlap.
const IMPORT_BEFORE: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;
    use crate::web::page::testing::{NOW, slot, zone};
    use dc_pki::Forms;

    const DAY: u64 = 86_400;

    fn said(fleet: &Fleet, zones: &[Zone]) -> Vec<(bool, String)> {
        let notices = notices(fleet, zones, &BTreeMap::new(), at(NOW));
        let said = |notice: Notice| (notice.severe, notice.text.into_string());
        notices.into_iter().map(said).collect()
    }

    #[test]
    fn a_fleet_in_order_needs_nobody() {
        let zones = [zone(vec![slot(1, DelegationState::Active, 90 * DAY)])];
        assert!(said(&Fleet::default(), &zones).is_empty());
        let next = vec![
            slot(1, DelegationState::Active, 20 * DAY),
            slot(2, DelegationState::Next, 110 * DAY),
        ];
        assert!(said(&Fleet::default(), &[zone(next)]).is_empty());
    }

    #[test]
    fn a_zone_that_cannot_issue_or_soon_cannot_is_said() {
        for (slots, severe, words) in [
            (vec![], true, "it has no active delegation certificate"),
            (
                vec![slot(1, DelegationState::Next, 90 * DAY)],
                true,
                "no active",
            ),
            (
                vec![slot(1, DelegationState::Active, 7 * DAY)],
                true,
                "ends in 7 d",
            ),
            (
                vec![slot(1, DelegationState::Active, 29 * DAY)],
                false,
                "no next one is imported",
            ),
            (
                vec![
                    slot(1, DelegationState::Active, 29 * DAY),
                    slot(2, DelegationState::Next, 28 * DAY),
                ],
                false,
                "no next one is imported",
            ),
        ] {
            let said = said(&Fleet::default(), &[zone(slots)]);
            assert_eq!(said.len(), 1, "{words}");
            assert!(said[0].0 == severe && said[0].1.contains(words), "{said:?}");
        }
    }

    #[test]
    fn a_zone_with_both_forms_is_said_and_is_not_severe() {
        let active = || vec![slot(1, DelegationState::Active, 90 * DAY)];
        let zone = |forms, until: Option<u64>| Zone {
            forms,
            roles: dc_pki::Roles::Server,
            other_forms_until: until.map(at),
            ..zone(active())
        };
        for (zone, words) in [
            (
                zone(Forms::Both, None),
                Some("Zone cpe.example.com issues both forms"),
            ),
            (
                zone(Forms::Named, Some(NOW + DAY)),
                Some("Zone cpe.example.com has changed its forms"),
            ),
            (zone(Forms::Named, Some(NOW - 1)), None),
            (zone(Forms::Rfc9345, None), None),
        ] {
            let said = said(&Fleet::default(), &[zone]);
            let Some(words) = words else {
                assert!(said.is_empty(), "{said:?}");
                continue;
            };
            assert!(said.len() == 1 && !said[0].0, "{said:?}");
            assert!(said[0].1.starts_with(words), "{said:?}");
        }
    }

    #[test]
    fn devices_in_need_are_counted_over_all_zones_and_the_severe_comes_first() {
        let mut fleet = Fleet::default();
        for name in ["a.example.com", "b.example.com"] {
            let count = ZoneCount {
                possible_clones: 1,
                expiring: [0, 0, 2, 5],
                expired: 3,
                ..ZoneCount::default()
            };
            fleet.zones.insert(name.into(), count);
        }
        let said = said(&fleet, &[]);
        let severe: Vec<bool> = said.iter().map(|notice| notice.0).collect();
        assert_eq!(severe, [true, false, false]);
        for (notice, words) in said.iter().zip(["6 devices", "4 devices", "2 devices"]) {
            assert!(notice.1.contains(words), "{notice:?}");
        }
    }
}
