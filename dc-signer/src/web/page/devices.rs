//! The search, and the devices that it found.

use maud::{Markup, html};
use pki_types::UnixTime;

use super::layout::{Place, Who, page};
use super::show::{devices, distance, encoded, name, state, urgency};
use crate::authority::Listed;
use dc_store::registry::{Device, ExternalId, State, Zone};

/// A search.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Search {
    /// The start of an external id.
    pub(in crate::web) text: String,
    /// The state.
    pub(in crate::web) state: Option<State>,
    /// The zone, as it was asked for.
    pub(in crate::web) zone: Option<String>,
    /// Within how many hours the credential ends; 0 if it has.
    pub(in crate::web) ends_within: Option<u32>,
    /// Only suspected clones.
    pub(in crate::web) possible_clone: bool,
    /// Behind which device the page begins.
    pub(in crate::web) after: Option<ExternalId>,
}

impl Search {
    /// The address of its first page, or of the one behind a device.
    fn address(&self, after: Option<&ExternalId>) -> String {
        let ends = self.ends_within.map(|hours| hours.to_string());
        let values = [
            ("q", Some(self.text.as_str())),
            ("state", self.state.map(State::as_str)),
            ("zone", self.zone.as_deref()),
            ("ends", ends.as_deref()),
            ("clone", self.possible_clone.then_some("1")),
            ("after", after.map(ExternalId::as_str)),
        ];
        let values: Vec<String> = values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.filter(|value| !value.is_empty())?)))
            .map(|(key, value)| format!("{key}={}", encoded(value)))
            .collect();
        format!("/devices?{}", values.join("&"))
    }

    fn is_everything(&self) -> bool {
        let Self {
            text,
            state,
            zone,
            ends_within,
            possible_clone,
            after: _,
        } = self;
        text.is_empty()
            && state.is_none()
            && zone.is_none()
            && ends_within.is_none()
            && !possible_clone
    }
}

/// The data of the page.
pub(in crate::web) struct DevicesPage<'a> {
    /// A search.
    pub(in crate::web) search: &'a Search,
    /// The devices that were found.
    pub(in crate::web) listed: &'a Listed,
    /// The zones to choose from.
    pub(in crate::web) zones: &'a [Zone],
    /// The time of the page.
    pub(in crate::web) now: UnixTime,
}

impl DevicesPage<'_> {
    /// The page.
    pub(in crate::web) fn render(&self, who: &Who) -> Markup {
        let main = html! {
            h1 { "Devices" }
            (self.form())
            @if self.listed.devices.is_empty() { (self.nothing()) } @else { (self.found()) }
        };
        page("Devices", who, Place::Devices, main)
    }

    fn form(&self) -> Markup {
        let search = self.search;
        html! {
            form.card.filters action="/devices" role="search" {
                div.grow {
                    label for="q" { "External id, name, device id or key" }
                    input #q type="search" name="q" value=(search.text) maxlength="256" autocomplete="off"
                        autocapitalize="none" spellcheck="false" aria-describedby="q-help";
                    p #q-help.small { "The start of an external id, or all of another." }
                }
                div {
                    label for="state" { "State" }
                    select #state name="state" {
                        option value="" { "any" }
                        @for state in State::ALL {
                            option value=(state.as_str()) selected[search.state == Some(state)] { (state.as_str()) }
                        }
                    }
                }
                div { (self.zone_choice()) }
                div { (self.ends_choice()) }
                div.tick {
                    input #clone type="checkbox" name="clone" value="1" checked[search.possible_clone];
                    label for="clone" { "possible clone" }
                }
                div.submit { button.primary type="submit" { "Search" } }
            }
        }
    }

    fn zone_choice(&self) -> Markup {
        let wanted = self.search.zone.as_deref();
        html! {
            label for="zone" { "Zone" }
            select #zone name="zone" {
                option value="" { "any" }
                @for zone in self.zones {
                    @let name = zone.zone.to_string();
                    option value=(name) selected[wanted == Some(&name)] { (name) }
                }
            }
        }
    }

    fn ends_choice(&self) -> Markup {
        html! {
            label for="ends" { "Credential" }
            select #ends name="ends" {
                option value="" { "any" }
                @for (hours, text) in ENDS {
                    option value=(hours) selected[self.search.ends_within == Some(hours)] { (text) }
                }
            }
        }
    }

    fn nothing(&self) -> Markup {
        html! {
            p.empty role="status" {
                @if self.search.after.is_some() { "There are no more." }
                @else if self.search.is_everything() {
                    "There are no devices yet. Add some with " code { "dc-signer devices add DEVICE --config FILE" } "."
                } @else {
                    "No device fits. External ids are compared from their start, and capital letters count."
                }
            }
        }
    }

    fn found(&self) -> Markup {
        let count = u64::try_from(self.listed.devices.len()).unwrap_or(u64::MAX);
        html! {
            section.card aria-label="Devices that fit" {
                table {
                    caption { (devices(count)) @if self.listed.next.is_some() { " of more" } ", by external id" }
                    thead {
                        tr {
                            th scope="col" { "External id" }
                            th scope="col" { "State" }
                            th.rare scope="col" { "Name" }
                            th scope="col" { "Credential ends" }
                        }
                    }
                    tbody {
                        @for device in &self.listed.devices { (self.row(device)) }
                    }
                }
                (self.pages())
            }
        }
    }

    fn row(&self, device: &Device) -> Markup {
        html! {
            tr {
                th scope="row" { a.id href={ "/devices/" (device.id.to_string()) } { (device.external_id.as_str()) } }
                td {
                    (state(device.state))
                    @if device.possible_clone { " " span.state.clone { "possible clone" } }
                }
                td.rare { (name(&device.name)) }
                td {
                    @match &device.credential {
                        Some(held) => span.(urgency(held.expires, self.now)) { @if held.expires <= self.now { "ended " } (distance(held.expires, self.now)) },
                        None => span.far { "holds none" },
                    }
                }
            }
        }
    }

    fn pages(&self) -> Markup {
        html! {
            @if self.search.after.is_some() || self.listed.next.is_some() {
                nav.pages aria-label="Pages of the list" {
                    @if self.search.after.is_some() {
                        a.button href=(self.search.address(None)) { "First page" }
                    }
                    @if let Some(next) = &self.listed.next {
                        a.button rel="next" href=(self.search.address(Some(next))) { "Next page" }
                    }
                }
            }
        }
    }
}

const ENDS: [(u32, &str); 5] = [
    (0, "has ended"),
    (6, "ends within 6 h"),
    (12, "ends within 12 h"),
    (24, "ends within 24 h"),
    (48, "ends within 48 h"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;
    use crate::web::page::testing::{NOW, device, who, zone};
    use dc_store::registry::Role;

    fn rendered(search: &Search, devices: Vec<Device>, next: Option<&str>) -> String {
        let listed = Listed {
            devices,
            next: next.map(|next| next.parse().unwrap()),
        };
        let page = DevicesPage {
            search,
            listed: &listed,
            zones: &[zone(vec![])],
            now: at(NOW),
        };
        page.render(&who(Role::Viewer)).into_string()
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "\"><script>alert(1)</script>&amp;'";
        let mut device = device();
        device.external_id = hostile.parse().unwrap();
        let search = Search {
            text: hostile.into(),
            zone: Some(hostile.into()),
            ..Search::default()
        };
        let page = rendered(&search, vec![device], Some(hostile));
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
        assert!(!page.contains(hostile));
    }

    #[test]
    fn the_next_page_asks_for_the_same() {
        let search = Search {
            text: "a b&state=".into(),
            state: Some(State::Active),
            ends_within: Some(0),
            possible_clone: true,
            after: Some("first".parse().unwrap()),
            ..Search::default()
        };
        let page = rendered(&search, vec![device()], Some("c d"));
        let same = "/devices?q=a%20b%26state%3D&amp;state=active&amp;ends=0&amp;clone=1";
        assert!(page.contains(&format!("href=\"{same}&amp;after=c%20d\"")));
        assert!(page.contains(&format!("href=\"{same}\"")));
    }

    #[test]
    fn nothing_found_is_said_in_words_that_fit() {
        let mut search = Search::default();
        assert!(rendered(&search, vec![], None).contains("There are no devices yet"));
        search.state = Some(State::Retired);
        assert!(rendered(&search, vec![], None).contains("No device fits"));
        search.after = Some("z".parse().unwrap());
        assert!(rendered(&search, vec![], None).contains("There are no more"));
    }

    #[test]
    fn what_was_asked_for_stays_in_the_form() {
        let search = Search {
            text: "customer-1".into(),
            state: Some(State::Suspended),
            zone: Some("cpe.example.com".into()),
            ends_within: Some(24),
            possible_clone: true,
            after: None,
        };
        let page = rendered(&search, vec![device()], None);
        for words in [
            "value=\"customer-1\"",
            "<option value=\"suspended\" selected>",
            "<option value=\"cpe.example.com\" selected>",
            "<option value=\"24\" selected>",
            "value=\"1\" checked",
        ] {
            assert!(page.contains(words), "{words}");
        }
    }
}
