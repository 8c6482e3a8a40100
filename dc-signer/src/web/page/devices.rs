//! The search, and the devices that it found.

use maud::{Markup, html};
use pki_types::UnixTime;

use super::layout::{Place, Who, page};
use super::show::{devices, distance, encoded, name, number, state, urgency};
use crate::authority::Listed;
use dc_store::registry::{self, Device, ExternalId, State, Zone};

/// A search.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Search {
    /// The text, as it was typed; of an activation code the public part.
    pub(in crate::web) text: String,
    /// The state.
    pub(in crate::web) state: Option<State>,
    /// The zone, as it was asked for.
    pub(in crate::web) zone: Option<String>,
    /// When the credential ends.
    pub(in crate::web) ends: Option<Ends>,
    /// Only suspected clones.
    pub(in crate::web) possible_clone: bool,
    /// Behind which device the page begins.
    pub(in crate::web) after: Option<ExternalId>,
    /// Before which device the page ends.
    pub(in crate::web) before: Option<ExternalId>,
}

/// When a credential ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::web) enum Ends {
    /// It has ended.
    Ended,
    /// It has not, and does within so many hours.
    Within(u32),
    /// There is none.
    HoldsNone,
}

impl Ends {
    /// All to choose from.
    const ALL: [Self; 7] = [
        Self::Ended,
        Self::Within(6),
        Self::Within(12),
        Self::Within(24),
        Self::Within(48),
        Self::Within(168),
        Self::HoldsNone,
    ];

    /// The one that an address has.
    pub(in crate::web) fn of(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::HoldsNone),
            "0" => Some(Self::Ended),
            hours => hours.parse().ok().map(Self::Within),
        }
    }

    /// As an address has it.
    fn word(self) -> String {
        match self {
            Self::Ended => "0".to_owned(),
            Self::Within(hours) => hours.to_string(),
            Self::HoldsNone => "none".to_owned(),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Ended => "has ended".to_owned(),
            Self::Within(168) => "ends within 7 days".to_owned(),
            Self::Within(hours) => format!("ends within {hours} h"),
            Self::HoldsNone => "never enrolled".to_owned(),
        }
    }
}

/// Where a page of the list is.
#[derive(Clone, Copy)]
enum At<'a> {
    After(&'a ExternalId),
    Before(&'a ExternalId),
    First,
}

impl Search {
    /// The search, as the part of an address behind `?`.
    fn query(&self) -> String {
        let ends = self.ends.map(Ends::word);
        let values = [
            ("q", Some(self.text.as_str())),
            ("state", self.state.map(State::as_str)),
            ("zone", self.zone.as_deref()),
            ("ends", ends.as_deref()),
            ("clone", self.possible_clone.then_some("1")),
        ];
        let values: Vec<String> = values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.filter(|value| !value.is_empty())?)))
            .map(|(key, value)| format!("{key}={}", encoded(value)))
            .collect();
        values.join("&")
    }

    /// The address of its first page.
    pub(in crate::web) fn first_page(&self) -> String {
        self.address(At::First)
    }

    /// The address of a page of it.
    fn address(&self, at: At<'_>) -> String {
        let (key, id) = match at {
            At::First => return format!("/devices?{}", self.query()),
            At::After(id) => ("after", id),
            At::Before(id) => ("before", id),
        };
        let query = self.query();
        let and = if query.is_empty() { "" } else { "&" };
        format!("/devices?{query}{and}{key}={}", encoded(id.as_str()))
    }

    /// The address of the file with all of it.
    fn export(&self, format: &str) -> String {
        let query = self.query();
        let and = if query.is_empty() { "" } else { "&" };
        format!("/devices/export?{query}{and}format={format}")
    }

    /// True if not only the text says whom to find.
    pub(in crate::web) fn is_filtered(&self) -> bool {
        let Self {
            text: _,
            state,
            zone,
            ends,
            possible_clone,
            after: _,
            before: _,
        } = self;
        state.is_some() || zone.is_some() || ends.is_some() || *possible_clone
    }

    fn is_on_a_page(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

/// The data of the page.
pub(in crate::web) struct DevicesPage<'a> {
    /// A search.
    pub(in crate::web) search: &'a Search,
    /// The reason why it is none.
    pub(in crate::web) fault: Option<String>,
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
            @if self.fault.is_none() {
                (self.crowded())
                @if self.listed.devices.is_empty() { (self.nothing()) } @else { (self.found()) }
            }
        };
        page("Devices", who, Place::Devices, main)
    }

    fn form(&self) -> Markup {
        let search = self.search;
        html! {
            form.card.filters action="/devices" role="search" {
                div.grow {
                    label for="q" { "Find a device" }
                    @if let Some(fault) = &self.fault {
                        p #q-fault.notice.severe role="alert" { (fault) }
                    }
                    input #q type="search" name="q" value=(search.text) maxlength=(registry::Search::MAX_LEN) autocomplete="off"
                        autocapitalize="none" spellcheck="false" aria-invalid=[self.fault.is_some().then_some("true")]
                        aria-describedby=(if self.fault.is_some() { "q-fault q-help" } else { "q-help" });
                    p #q-help.small {
                        "The start of an external id or a unique name, in capitals or small letters. Or a serial number, a device id, the SHA-256 of a key or "
                        "credential (8 digits or more), or the first two groups of an activation code."
                    }
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
                @for ends in Ends::ALL {
                    option value=(ends.word()) selected[self.search.ends == Some(ends)] { (ends.text()) }
                }
                @if let Some(other) = self.search.ends.filter(|ends| !Ends::ALL.contains(ends)) {
                    option value=(other.word()) selected { (other.text()) }
                }
            }
        }
    }

    /// Says that devices are left out, and what to do.
    fn crowded(&self) -> Markup {
        html! {
            @for way in &self.listed.crowded {
                p.notice.mild role="status" {
                    "More " (way.words()) " begin with " strong { (self.search.text) } " than are looked at here, and these are left out: type more of it."
                }
            }
        }
    }

    fn nothing(&self) -> Markup {
        let search = self.search;
        html! {
            div.empty role="status" {
                @if search.is_on_a_page() { p { "There are no more." } (self.pages()) }
                @else if search.text.is_empty() && !search.is_filtered() {
                    "There are no devices yet. Add some with " code { "dc-signer devices add DEVICE --config FILE" } "."
                } @else if search.text.is_empty() {
                    "No device fits these filters."
                } @else {
                    (self.not_found())
                }
            }
        }
    }

    /// Says in which ways it was looked for, and what else to try.
    fn not_found(&self) -> Markup {
        let search = self.search;
        let all = Search {
            text: search.text.clone(),
            ..Search::default()
        };
        html! {
            p { "No device fits " strong { bdi { (search.text) } } @if search.is_filtered() { " and the filters" } "." }
            p {
                "Looked for: external ids and unique names that begin so, now or before; and for a serial number, a device id, the SHA-256 of an enrolment "
                "key or of a latest credential, and an activation code that is this."
            }
            ul {
                @if search.is_filtered() { li { a href=(all.address(At::First)) { "Look for it without the filters" } "." } }
                li { "Leave letters out at its end: what is in the middle of an id or name is not found." }
                li { "Of a device's credentials only the latest is looked at." }
            }
        }
    }

    fn found(&self) -> Markup {
        html! {
            section #found.card aria-label="Devices that fit" {
                table.list role="table" {
                    caption { (self.counted()) ", by external id" }
                    // On a telephone the style makes a card of each row, and browsers forget then that it is a table.
                    thead role="rowgroup" {
                        tr role="row" {
                            th scope="col" role="columnheader" { "External id" }
                            th scope="col" role="columnheader" { "State" }
                            th.rare scope="col" role="columnheader" { "Name" }
                            th scope="col" role="columnheader" { "Credential" }
                        }
                    }
                    tbody role="rowgroup" {
                        @for device in &self.listed.devices { (self.row(device)) }
                    }
                }
                div.below {
                    (self.pages())
                    p.export { "All of these as a file: " a href=(self.search.export("csv")) { "CSV" } " " a href=(self.search.export("ndjson")) { "JSON lines" } }
                }
            }
        }
    }

    /// How many are shown, and of how many.
    fn counted(&self) -> String {
        let shown = u64::try_from(self.listed.devices.len()).unwrap_or(u64::MAX);
        match self.listed.count {
            Some(count) if count.more => {
                format!("{} of more than {}", devices(shown), number(count.devices))
            }
            Some(count) if count.devices > shown => {
                format!("{} of {}", devices(shown), number(count.devices))
            }
            _ => devices(shown),
        }
    }

    fn row(&self, device: &Device) -> Markup {
        html! {
            tr role="row" {
                th scope="row" role="rowheader" {
                    a.id href={ "/devices/" (device.id.to_string()) } { (device.external_id.as_str()) }
                    div.also { (name(&device.name)) }
                }
                td role="cell" {
                    (state(device.state))
                    @if device.possible_clone { " " span.state.clone { "possible clone" } }
                }
                td.rare role="cell" { (name(&device.name)) }
                td role="cell" {
                    @match &device.credential {
                        Some(held) if held.expires <= self.now => span.ended { "ended " (distance(held.expires, self.now)) },
                        Some(held) => span.(urgency(held.expires, self.now)) { "ends " (distance(held.expires, self.now)) },
                        None => span.far { "holds none" },
                    }
                }
            }
        }
    }

    fn pages(&self) -> Markup {
        let Listed { next, previous, .. } = self.listed;
        html! {
            @if self.search.is_on_a_page() || next.is_some() {
                nav.pages aria-label="Pages of the list" {
                    @if self.search.is_on_a_page() {
                        a.button href=(self.search.address(At::First)) { "First page" }
                    }
                    @if let Some(previous) = previous {
                        a.button rel="prev" href=(self.search.address(At::Before(previous))) { "Previous page" }
                    }
                    @if let Some(next) = next {
                        a.button rel="next" href=(self.search.address(At::After(next))) { "Next page" }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Counted;
    use crate::testing::registry::at;
    use crate::web::page::testing::{NOW, device, who, zone};
    use dc_store::registry::{Crowd, Role};

    fn rendered(search: &Search, devices: Vec<Device>, next: Option<&str>) -> String {
        let listed = Listed {
            devices,
            next: next.map(|next| next.parse().unwrap()),
            ..Listed::default()
        };
        shown(search, &listed, None)
    }

    fn shown(search: &Search, listed: &Listed, fault: Option<&str>) -> String {
        let page = DevicesPage {
            search,
            fault: fault.map(str::to_owned),
            listed,
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
            ends: Some(Ends::Ended),
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
        assert!(rendered(&search, vec![], None).contains("No device fits these filters"));
        search.text = "<b>".into();
        let page = rendered(&search, vec![], None);
        for words in [
            "<bdi>&lt;b&gt;</bdi>",
            "and the filters",
            "/devices?q=%3Cb%3E\"",
            "Looked for",
        ] {
            assert!(page.contains(words), "{words}");
        }
        search.after = Some("z".parse().unwrap());
        assert!(rendered(&search, vec![], None).contains("There are no more"));
    }

    #[test]
    fn the_count_is_what_was_counted() {
        for (counted, more, words) in [
            (1, false, "1 device, by"),
            (321, false, "1 device of 321, by"),
            (1000, true, "1 device of more than 1,000, by"),
        ] {
            let listed = Listed {
                devices: vec![device()],
                count: Some(Counted {
                    devices: counted,
                    more,
                }),
                ..Listed::default()
            };
            let page = shown(&Search::default(), &listed, None);
            assert!(page.contains(words), "{words}");
        }
    }

    #[test]
    fn what_is_left_out_and_what_is_no_search_is_said_at_the_field() {
        let listed = Listed {
            crowded: [Crowd::Names].into(),
            ..Listed::default()
        };
        let search = Search {
            text: "a".into(),
            ..Search::default()
        };
        let page = shown(&search, &listed, None);
        assert!(page.contains("More unique names begin with <strong>a</strong>"));
        assert!(!page.contains("aria-invalid"));
        let page = shown(&search, &listed, Some("<no>"));
        assert!(page.contains("aria-invalid=\"true\" aria-describedby=\"q-fault q-help\""));
        assert!(
            page.contains("id=\"q-fault\" role=\"alert\">&lt;no&gt;")
                || page.contains("role=\"alert\">&lt;no&gt;")
        );
    }

    #[test]
    fn a_file_and_the_page_before_are_of_the_same_search() {
        let search = Search {
            state: Some(State::Active),
            ends: Some(Ends::HoldsNone),
            before: Some("z".parse().unwrap()),
            ..Search::default()
        };
        let listed = Listed {
            devices: vec![device()],
            previous: Some("a b".parse().unwrap()),
            ..Listed::default()
        };
        let page = shown(&search, &listed, None);
        let same = "state=active&amp;ends=none";
        assert!(page.contains(&format!("/devices/export?{same}&amp;format=csv\"")));
        assert!(page.contains(&format!(
            "rel=\"prev\" href=\"/devices?{same}&amp;before=a%20b\""
        )));
        assert!(page.contains("<option value=\"none\" selected>"));
    }

    #[test]
    fn what_was_asked_for_stays_in_the_form() {
        let search = Search {
            text: "customer-1".into(),
            state: Some(State::Suspended),
            zone: Some("cpe.example.com".into()),
            ends: Some(Ends::Within(24)),
            possible_clone: true,
            ..Search::default()
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
