//! One device: what it is, what it holds, and what can be done to it.

use maud::{Markup, html};
use pki_types::UnixTime;

use super::bar::{Part, stacked};
use super::history::{acts, issues};
use super::layout::{Place, Who, page};
use super::show::{distance, foreign, hash, moment, name, state, urgency, when};
use crate::authority::History;
use crate::web::act::{Act, may_act};
use dc_pki::time::Span;
use dc_store::registry::{Device, Held, State};

/// The data of the page.
pub(in crate::web) struct DevicePage<'a> {
    /// The device.
    pub(in crate::web) device: &'a Device,
    /// Its history.
    pub(in crate::web) history: &'a History,
    /// The act that the operator was just told to have done.
    pub(in crate::web) done: Option<Act>,
    /// The most rows of each table of the history.
    pub(in crate::web) limit: u32,
    /// The time of the page.
    pub(in crate::web) now: UnixTime,
}

impl DevicePage<'_> {
    /// The page.
    pub(in crate::web) fn render(&self, who: &Who) -> Markup {
        let device = self.device;
        let main = html! {
            (self.message())
            div.title {
                div {
                    p.small { "Device" }
                    h1.id { (device.external_id.as_str()) }
                    p.states { (state(device.state)) @if device.possible_clone { " " span.state.clone { "possible clone" } } }
                }
                @if may_act(who.role) { (self.buttons()) }
            }
            (self.clone_notice())
            div.columns {
                (self.credential())
                (self.about())
            }
            (acts(&self.history.acts, self.limit, self.now))
            (issues(&self.history.issues, self.limit, self.now))
        };
        page(device.external_id.as_str(), who, Place::Device, main)
    }

    /// The act that was done, if the audit log says so: a link alone makes nobody believe it.
    fn message(&self) -> Markup {
        let last = self.history.acts.first().map(|record| &record.entry);
        let fits = |act: &Act| last.is_some_and(|entry| entry.action == act.action());
        let Some((act, entry)) = self.done.filter(fits).zip(last) else {
            return html! {};
        };
        html! {
            div.notice.good role="status" {
                p { strong { (what_happened(act)) } " " span.far { "By " (entry.actor) ", " (distance(entry.time, self.now)) "." } }
                p { (self.what_follows(act)) }
            }
        }
    }

    fn what_follows(&self, act: Act) -> Markup {
        let living = self
            .device
            .credential
            .filter(|held| held.expires > self.now);
        html! {
            @match act {
                Act::Suspend | Act::Retire => {
                    "It gets no new credentials, and its name is on the list of withdrawn ones. "
                    @if let Some(held) = living {
                        "Clients that do not load that list accept the credential it holds until it ends, "
                        (distance(held.expires, self.now)) "."
                    }
                }
                Act::Resume if self.device.is_withdrawn() => {
                    "It can enrol when the credential of the box that had its name is over. "
                    "Until then the name stays on the list of withdrawn ones."
                }
                Act::Resume if self.device.state == State::Preregistered => "It can enrol again.",
                Act::Resume => "It gets credentials again, and its name is off the list of withdrawn ones.",
                Act::ClearClone => "The flag comes back if two boxes use its key or its name again.",
            }
        }
    }

    fn buttons(&self) -> Markup {
        let possible = Act::ALL
            .into_iter()
            .filter(|act| act.is_possible(self.device));
        html! {
            nav.acts aria-label="What can be done" {
                @for act in possible {
                    a.button.danger[act == Act::Retire] href={ "/devices/" (self.device.id.to_string()) "/" (act.path()) } {
                        (label(act)) "…"
                    }
                }
            }
        }
    }

    fn clone_notice(&self) -> Markup {
        html! {
            @if self.device.possible_clone {
                p.notice.mild {
                    "Two boxes seem to use this device's key or name. If one of them was copied, suspend or replace the device. "
                    "If it was restored from a backup or moved to a new box, clear the flag."
                }
            }
        }
    }

    fn credential(&self) -> Markup {
        html! {
            section.card aria-labelledby="credential" {
                h2 #credential { "Credential" }
                @match &self.device.credential {
                    Some(held) => (self.held(held)),
                    None => p.empty { (why_none(self.device.state)) },
                }
                (self.other_boxes())
            }
        }
    }

    /// The hold of boxes before it on its name.
    fn other_boxes(&self) -> Markup {
        let own = self.device.credential.map(|held| held.expires);
        let other = self
            .device
            .held_until(self.now)
            .filter(|until| own.is_none_or(|own| own < *until));
        html! {
            @match (self.device.waits_until(self.now), other) {
                (Some(from), _) => p.notice.mild {
                    "The box that had this name before has a credential for it. This one gets its own when that is over, "
                    (distance(from, self.now)) " (" (moment(from)) ")."
                },
                (None, Some(until)) => p.notice.mild {
                    "A box that had this name before has a credential for it that ends " (distance(until, self.now))
                    " (" (moment(until)) "). Whoever has that box can pose as this one until then."
                },
                (None, None) => {}
            }
        }
    }

    fn held(&self, held: &Held) -> Markup {
        html! {
            (self.life(held))
            p.life {
                strong.(urgency(held.expires, self.now)) {
                    @if held.expires > self.now { "Ends " } @else { "Ended " } (distance(held.expires, self.now))
                }
                " of a life of " (Span::about(held.issued, held.expires))
            }
            dl {
                dt { "Issued" } dd { (when(held.issued, self.now)) }
                dt { "Ends" } dd { (when(held.expires, self.now)) }
                dt { "SHA-256" } dd { (hash(&held.sha256)) }
                dt { "Its key (SHA-256)" } dd { (hash(&held.spki_sha256)) }
            }
        }
    }

    /// The part of its life that is over, and the time that is left.
    fn life(&self, held: &Held) -> Markup {
        let life = held.expires.as_secs().saturating_sub(held.issued.as_secs());
        let left = held
            .expires
            .as_secs()
            .saturating_sub(self.now.as_secs())
            .min(life);
        let parts = [
            Part {
                amount: life - left,
                class: "over",
            },
            Part {
                amount: left,
                class: urgency(held.expires, self.now),
            },
        ];
        let percent = u128::from(left) * 100 / u128::from(life.max(1));
        stacked(
            &format!("{percent} percent of the credential's life are left"),
            &parts,
        )
    }

    fn about(&self) -> Markup {
        let device = self.device;
        html! {
            section.card aria-labelledby="about" {
                h2 #about { "Device" }
                dl {
                    dt { "Name" } dd { (name(&device.name)) }
                    dt { "Zone" } dd { (device.zone.to_string()) }
                    dt { "Device id" } dd { code { (device.id.to_string()) } }
                    dt { "Enrolment key (SHA-256)" }
                    dd { @match &device.key { Some(key) => (hash(key)), None => span.far { "none yet" } } }
                    @if let Some(next) = &device.next_key {
                        dt { "Next enrolment key" } dd { (hash(&next.spki_sha256)) br; span.far { "since " (distance(next.since, self.now)) } }
                    }
                    @if let Some(made) = &device.manufactured {
                        dt { "Manufacturer" } dd { (foreign(&made.manufacturer)) ", serial number " code { (foreign(&made.serial)) } }
                    }
                    dt { "Slot and epoch" } dd { (device.slot) ", " (device.epoch) }
                    dt { "Added" } dd { (when(device.created, self.now)) }
                    dt { "Changed" } dd { (when(device.changed, self.now)) }
                }
            }
        }
    }
}

/// The text of the button.
pub(super) fn label(act: Act) -> &'static str {
    match act {
        Act::ClearClone => "Clear clone flag",
        Act::Resume => "Resume",
        Act::Retire => "Retire",
        Act::Suspend => "Suspend",
    }
}

fn what_happened(act: Act) -> &'static str {
    match act {
        Act::ClearClone => "The clone flag is cleared.",
        Act::Resume => "The device is resumed.",
        Act::Retire => "The device is retired.",
        Act::Suspend => "The device is suspended.",
    }
}

fn why_none(state: State) -> &'static str {
    match state {
        State::Preregistered => "None yet: it has not enrolled.",
        State::Active | State::Retired | State::Suspended => "It holds none.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::{at, key};
    use crate::web::page::testing::{NOW, device, who};
    use dc_store::registry::{Action, Entry, Manufactured, Record, Role, Sha256};

    fn rendered(device: &Device, history: &History, done: Option<Act>, role: Role) -> String {
        let page = DevicePage {
            device,
            history,
            done,
            limit: 50,
            now: at(NOW),
        };
        page.render(&who(role)).into_string()
    }

    fn suspended_by_alice() -> History {
        let entry = Entry {
            time: at(NOW - 3),
            node: "node-1".into(),
            actor: "operator:alice".into(),
            action: Action::Suspend,
            name: None,
            spki_sha256: None,
            credential_sha256: None,
            zone: None,
            expires: None,
            detail_sha256: None,
            reason: Some("NOC-4711".into()),
            scope: None,
        };
        let record = Record {
            seq: 7,
            entry,
            prev_hash: Sha256::ZERO,
        };
        History {
            issues: vec![],
            acts: vec![record],
        }
    }

    #[test]
    fn a_viewer_sees_no_buttons_and_an_operator_those_that_change_something() {
        let mut device = device();
        let none = History::default();
        assert!(!rendered(&device, &none, None, Role::Viewer).contains("/retire"));
        for (state, paths) in [
            (State::Active, vec!["suspend", "retire"]),
            (State::Suspended, vec!["resume", "retire"]),
            (State::Retired, vec![]),
        ] {
            device.state = state;
            let page = rendered(&device, &none, None, Role::Operator);
            for act in Act::ALL {
                let link = format!("/devices/{}/{}\"", device.id, act.path());
                assert_eq!(
                    page.contains(&link),
                    paths.contains(&act.path()),
                    "{state} {link}"
                );
            }
        }
        device.possible_clone = true;
        assert!(rendered(&device, &none, None, Role::Admin).contains("/clear-clone\""));
    }

    #[test]
    fn a_link_says_nothing_that_the_audit_log_does_not() {
        let device = device();
        let history = suspended_by_alice();
        let said = "The device is suspended.";
        let page = rendered(&device, &history, Some(Act::Suspend), Role::Viewer);
        assert!(page.contains(said) && page.contains("By operator:alice, 3 s ago."));
        assert!(page.contains("until it ends, in 5 d 20 h"));
        for (history, done) in [
            (History::default(), Some(Act::Suspend)),
            (suspended_by_alice(), Some(Act::Retire)),
            (suspended_by_alice(), None),
        ] {
            let page = rendered(&device, &history, done, Role::Viewer);
            assert!(!page.contains("role=\"status\""), "{done:?}");
        }
    }

    #[test]
    fn it_shows_keys_serials_and_what_is_left_of_the_credential() {
        let mut device = device();
        device.manufactured = Some(Manufactured {
            manufacturer: "acme".into(),
            serial: "<b>1\u{202e}2".into(),
        });
        let page = rendered(&device, &History::default(), None, Role::Viewer);
        let fingerprint = key(1).to_string();
        for words in [
            fingerprint.as_str(),
            "<bdi>&lt;b&gt;1\\u{202e}2</bdi>",
            "85 percent",
            "Ends in 5 d 20 h",
            "a life of 6 d 20 h",
        ] {
            assert!(page.contains(words), "{words}");
        }
    }

    #[test]
    fn it_says_what_boxes_before_it_have_of_its_name() {
        let mut device = device();
        let words = [
            "gets its own when that is over",
            "can pose as this one until then",
        ];
        let shows = |device: &Device| {
            let page = rendered(device, &History::default(), None, Role::Viewer);
            words.map(|words| page.contains(words))
        };
        assert_eq!(shows(&device), [false, false]);
        device.hold.until = Some(at(NOW + 150 * 3600));
        assert_eq!(shows(&device), [false, true]);
        device.hold.free_from = Some(at(NOW + 150 * 3600 + 1));
        assert_eq!(shows(&device), [true, false]);
        device.hold.withdrawn = true;
        device.state = State::Preregistered;
        let mut history = suspended_by_alice();
        history.acts[0].entry.action = Action::Resume;
        let page = rendered(&device, &history, Some(Act::Resume), Role::Viewer);
        assert!(
            page.contains("stays on the list of withdrawn ones"),
            "{page}"
        );
    }

    #[test]
    fn any_times_make_a_page() {
        let mut device = device();
        for (issued, expires) in [(0, 0), (u64::MAX, 0), (0, u64::MAX), (NOW, NOW), (5, 4)] {
            device.credential = device.credential.map(|held| Held {
                issued: at(issued),
                expires: at(expires),
                ..held
            });
            rendered(&device, &History::default(), None, Role::Admin);
        }
    }
}
