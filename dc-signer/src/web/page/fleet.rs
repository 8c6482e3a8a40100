//! The fleet at a glance.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pki_types::UnixTime;

use super::attention::{in_state, notices, total};
use super::bar::{Part, filled, stacked};
use super::layout::{Place, Who, page};
use super::show::{self, distance, moment, number, short_hash};
use crate::authority::json::ZoneRenewal;
use crate::authority::{Fleet, ZoneCount};
use dc_pki::Roles;
use dc_protocol::Kind;
use dc_store::registry::{DelegationState, State, Zone, ZoneDelegation};

/// The data of the first page.
pub(in crate::web) struct FleetPage<'a> {
    /// The counts.
    pub(in crate::web) fleet: &'a Fleet,
    /// When they were taken.
    pub(in crate::web) counted: UnixTime,
    /// The zones with their delegation certificates.
    pub(in crate::web) zones: &'a [Zone],
    /// How far the renewals of their delegation certificates are.
    pub(in crate::web) renewals: &'a BTreeMap<String, ZoneRenewal>,
    /// The time of the page.
    pub(in crate::web) now: UnixTime,
}

impl FleetPage<'_> {
    /// The page.
    pub(in crate::web) fn render(&self, who: &Who) -> Markup {
        let main = html! {
            div.title {
                h1 { "Fleet" }
                p.small { "Counted " (moment(self.counted)) ", at most once a minute" }
            }
            (self.attention())
            (self.states())
            div.columns {
                (self.ends())
                (self.refused())
            }
            (self.by_zone())
            (self.slots())
        };
        page("Fleet", who, Place::Fleet, main)
    }

    fn attention(&self) -> Markup {
        let notices = notices(self.fleet, self.zones, self.renewals, self.now);
        html! {
            section aria-label="What needs attention" {
                @if self.zones.is_empty() {
                    p.notice { "There is no zone yet. Add one with " code { "dc-signer zones add ZONE --import DIR --config FILE" } ", and import its delegation certificate." }
                } @else if notices.is_empty() {
                    p.notice.good { "Nothing needs attention." }
                }
                @if !notices.is_empty() {
                    ul.notices {
                        @for notice in &notices {
                            li.notice.severe[notice.severe].mild[!notice.severe] { (notice.text) }
                        }
                    }
                }
            }
        }
    }

    fn states(&self) -> Markup {
        html! {
            section aria-label="Devices by state" {
                ul.tiles {
                    @for state in BY_INTEREST {
                        li {
                            a href={ "/devices?state=" (state.as_str()) } {
                                span.count { (number(total(self.fleet, |zone| in_state(zone, state)))) }
                                span.state.(state.as_str()) { (state.as_str()) }
                            }
                        }
                    }
                    li {
                        a href="/devices?clone=1" {
                            span.count { (number(total(self.fleet, |zone| zone.possible_clones))) }
                            span.state.clone { "possible clones" }
                        }
                    }
                }
            }
        }
    }

    fn ends(&self) -> Markup {
        let rows = ends(self.fleet);
        let active = total(self.fleet, |zone| in_state(zone, State::Active));
        let parts: Vec<Part> = rows
            .iter()
            .map(|row| Part {
                amount: row.devices,
                class: row.class,
            })
            .collect();
        html! {
            section.card aria-labelledby="ends" {
                h2 #ends { "When credentials end" }
                (stacked(&format!("{} active devices by when their credential ends; the table has the numbers", number(active)), &parts))
                table {
                    caption { "Active devices, each in the first row that fits" }
                    thead { tr { th scope="col" { "Ends" } th.num scope="col" { "Devices" } } }
                    tbody {
                        @for row in &rows {
                            tr {
                                th scope="row" {
                                    span.key.(row.class) {}
                                    @match row.hours {
                                        Some(hours) if row.devices > 0 => a href={ "/devices?state=active&ends=" (hours) } { (row.text) },
                                        _ => (row.text),
                                    }
                                }
                                td.num { (number(row.devices)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn refused(&self) -> Markup {
        let mut reasons: Vec<(&str, u64)> = self
            .fleet
            .refused
            .iter()
            .map(|(reason, count)| (reason.as_str(), *count))
            .collect();
        reasons.sort_by_key(|(reason, count)| (u64::MAX - count, *reason));
        let most = reasons.first().map_or(0, |(_, count)| *count);
        html! {
            section.card aria-labelledby="refused" {
                h2 #refused { "Refused requests" }
                @if reasons.is_empty() {
                    p.empty { "None in the last 24 hours." }
                } @else {
                    table {
                        caption { "In the last 24 hours, by reason" }
                        thead { tr { th scope="col" { "Reason" } th.num scope="col" { "Requests" } } }
                        tbody {
                            @for (reason, count) in reasons {
                                tr {
                                    th scope="row" { (title(reason)) br; code.small { (reason) } (filled(count, most, "refusal")) }
                                    td.num { (number(count)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn by_zone(&self) -> Markup {
        html! {
            section.card aria-labelledby="zones" {
                h2 #zones { "Zones" }
                div.scroll tabindex="0" role="region" aria-label="Table of zones" {
                    table {
                        caption { "Devices of each zone by state" }
                        thead {
                            tr {
                                th scope="col" { "Zone" }
                                th.rare scope="col" { "Forms" }
                                @for state in BY_INTEREST { th.num.rare[state != State::Active] scope="col" { (state.as_str()) } }
                                th.num scope="col" { "clones" }
                                th.num scope="col" { "ended" }
                            }
                        }
                        tbody {
                            @for zone in self.zones { (self.zone_row(zone)) }
                        }
                    }
                }
            }
        }
    }

    fn zone_row(&self, zone: &Zone) -> Markup {
        let name = zone.zone.to_string();
        let none = ZoneCount::default();
        let count = self.fleet.zones.get(&name).unwrap_or(&none);
        html! {
            tr {
                th scope="row" { a href={ "/devices?zone=" (name) } { (show::zone(&zone.zone)) } }
                td.rare { (zone.forms.as_str()) @if zone.roles == Roles::Both { ", clients too" } }
                @for state in BY_INTEREST { td.num.rare[state != State::Active] { (number(in_state(count, state))) } }
                td.num.warn[count.possible_clones > 0] { (number(count.possible_clones)) }
                td.num.bad[count.expired > 0] { (number(count.expired)) }
            }
        }
    }

    fn slots(&self) -> Markup {
        let slots = self
            .zones
            .iter()
            .flat_map(|zone| zone.delegations.iter().map(move |slot| (zone, slot)))
            .filter(|(_, slot)| slot.state != DelegationState::Gone);
        let gone = self.zones.iter().flat_map(|zone| &zone.delegations);
        let gone = gone
            .filter(|slot| slot.state == DelegationState::Gone)
            .count();
        html! {
            section.card aria-labelledby="slots" {
                h2 #slots { "Delegation certificates" }
                div.scroll tabindex="0" role="region" aria-label="Table of delegation certificates" {
                    table {
                        caption { "The slots of each zone" @if gone > 0 { ", without the " (gone) " that are gone" } }
                        thead {
                            tr {
                                th scope="col" { "Zone" }
                                th.num scope="col" { "Slot" }
                                th scope="col" { "State" }
                                th scope="col" { "Ends" }
                                th.rare scope="col" { "SHA-256" }
                            }
                        }
                        tbody {
                            @for (zone, slot) in slots { (self.delegation_row(zone, slot)) }
                        }
                    }
                }
            }
        }
    }

    fn delegation_row(&self, zone: &Zone, slot: &ZoneDelegation) -> Markup {
        let too_late = slot.state != DelegationState::Draining && !slot.may_issue(self.now);
        html! {
            tr {
                th scope="row" { (show::zone(&zone.zone)) }
                td.num { (slot.number) }
                td { span.state.(slot.state.as_str()) { (slot.state.as_str()) } " " span.far.rare { "since " (distance(slot.since, self.now)) } }
                td.ends.bad[too_late] { (distance(slot.not_after, self.now)) br; span.far { (moment(slot.not_after)) } }
                td.rare { (short_hash(&slot.certificate_sha256)) }
            }
        }
    }
}

/// Most important first.
const BY_INTEREST: [State; 4] = [
    State::Active,
    State::Preregistered,
    State::Suspended,
    State::Retired,
];

/// Some of the active devices.
struct Ends {
    text: &'static str,
    class: &'static str,
    /// The search for these and those that end sooner, or have.
    hours: Option<u32>,
    devices: u64,
}

/// The counts that include each other, taken apart.
fn ends(fleet: &Fleet) -> [Ends; 6] {
    let active = total(fleet, |zone| in_state(zone, State::Active));
    let ended = total(fleet, |zone| zone.expired);
    let [six, twelve, day, two_days] = [0, 1, 2, 3]
        .map(|place: usize| total(fleet, |zone| zone.expiring.get(place).map_or(0, |n| *n)));
    let row = |text, class, hours, devices| Ends {
        text,
        class,
        hours,
        devices,
    };
    [
        row("has ended", "ended", Some(0), ended),
        row("within 6 h", "within-6", Some(6), six),
        row(
            "within 12 h",
            "within-12",
            Some(12),
            twelve.saturating_sub(six),
        ),
        row(
            "within 24 h",
            "within-24",
            Some(24),
            day.saturating_sub(twelve),
        ),
        row(
            "within 48 h",
            "within-48",
            Some(48),
            two_days.saturating_sub(day),
        ),
        row(
            "later, or none yet",
            "later",
            None,
            active.saturating_sub(ended.saturating_add(two_days)),
        ),
    ]
}

/// The meaning of a reason; the reason itself, if a later version has counted it.
fn title(reason: &str) -> &str {
    let known = Kind::ALL.into_iter().find(|kind| kind.name() == reason);
    known.map_or(reason, |kind| kind.title())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;
    use crate::web::page::testing::{NOW, fleet, slot, who, zone};

    fn rendered(fleet: &Fleet, zones: &[Zone]) -> String {
        let page = FleetPage {
            fleet,
            counted: at(NOW),
            zones,
            renewals: &BTreeMap::new(),
            now: at(NOW),
        };
        page.render(&who(Role::Viewer)).into_string()
    }

    use dc_store::registry::Role;

    #[test]
    fn counts_that_include_each_other_are_taken_apart() {
        let rows = ends(&fleet()).map(|row| row.devices);
        // Of 1,000 active devices 3 have ended, and 1, 3, 6 and 10 end within the four spans.
        assert_eq!(rows, [3, 1, 2, 3, 4, 987]);
        assert_eq!(ends(&Fleet::default()).map(|row| row.devices), [0; 6]);
    }

    #[test]
    fn it_shows_zones_delegations_and_reasons() {
        let zones = [zone(vec![
            slot(1, DelegationState::Gone, 1),
            slot(2, DelegationState::Active, 90 * 86_400),
        ])];
        let page = rendered(&fleet(), &zones);
        for words in [
            "1,000",
            ">Zone<",
            "The device is suspended",
            "device-suspended",
            "cpe.example.com",
            "2026-",
            "in 90 d",
            "without the 1 that are gone",
            "href=\"/devices?state=active&amp;ends=24\"",
        ] {
            assert!(page.contains(words), "{words}\n{page}");
        }
    }

    #[test]
    fn a_new_signer_is_told_what_comes_first() {
        let page = rendered(&Fleet::default(), &[]);
        assert!(page.contains("There is no zone yet") && !page.contains("Nothing needs attention"));
    }

    #[test]
    fn a_reason_that_is_not_known_is_shown_and_escaped() {
        let mut fleet = fleet();
        fleet.refused.insert("<img src=x>".into(), 1);
        let page = rendered(&fleet, &[]);
        assert!(page.contains("&lt;img src=x&gt;") && !page.contains("<img src=x>"));
    }
}
