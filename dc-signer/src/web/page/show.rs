//! Times, numbers and hashes, as people read them.

use dc_core::UniqueName;
use maud::{Markup, html};
use pki_types::UnixTime;

use crate::authority::Fleet;
use dc_pki::names::ZoneName;
use dc_pki::text::Foreign;
use dc_pki::time::{Moment, Span};
use dc_store::registry::{Sha256, State};

/// A moment in UTC, without the letters that machines want.
pub(super) fn moment(at: UnixTime) -> Markup {
    let machine = Moment(at).to_string();
    let people = machine.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(machine) { (people) } }
}

/// The distance of a moment from now.
pub(super) fn distance(at: UnixTime, now: UnixTime) -> String {
    match at > now {
        true => format!("in {}", Span::about(now, at)),
        false => format!("{} ago", Span::about(at, now)),
    }
}

/// A moment, and how far it is from now.
pub(super) fn when(at: UnixTime, now: UnixTime) -> Markup {
    html! { (moment(at)) " " span.far { "(" (distance(at, now)) ")" } }
}

/// A number in groups of three digits.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 device`, `2 devices`.
pub(super) fn devices(count: u64) -> String {
    match count {
        1 => "1 device".to_owned(),
        count => format!("{} devices", number(count)),
    }
}

/// Text that a stranger wrote, so that it turns nothing around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (Foreign(text).to_string()) } }
}

/// All of a hash, to be copied.
pub(super) fn hash(sha256: &Sha256) -> Markup {
    html! { code.hash { (sha256.to_string()) } }
}

/// Enough of a hash to find it again; all of it for who points at it.
pub(super) fn short_hash(sha256: &Sha256) -> Markup {
    let text = sha256.to_string();
    let start: String = text.chars().take(12).collect();
    html! { code.short title=(text) { (start) "…" } }
}

/// A unique name, which may be broken behind its first label.
pub(super) fn name(name: &UniqueName<'_>) -> Markup {
    let (label, zone) = name.as_str().split_at(name.as_str().find('.').unwrap_or(0));
    html! { code.name { (label) wbr; (zone) } }
}

/// A zone, which may be broken behind its dots.
pub(super) fn zone(zone: &ZoneName) -> Markup {
    html! { span.name { @for part in zone.to_string().split_inclusive('.') { (part) wbr; } } }
}

/// A device's state, told by its word as well as its colour.
pub(super) fn state(state: State) -> Markup {
    html! { span.state.(state.as_str()) { (state.as_str()) } }
}

/// The urgency of a credential's end, as a class of the style.
pub(super) fn urgency(expires: UnixTime, now: UnixTime) -> &'static str {
    let [urgent, _, _, soon] = Fleet::WITHIN.map(|within| within.as_secs());
    match expires.as_secs().saturating_sub(now.as_secs()) {
        0 => "ended",
        left if left <= urgent => "urgent",
        left if left <= soon => "soon",
        _ => "fine",
    }
}

/// Percent-encoded, for the value of a query's parameter.
pub(in crate::web) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;

    #[test]
    fn numbers_have_groups_of_three() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (100_000_000, "100,000,000"),
        ] {
            assert_eq!(number(count), text);
        }
        assert_eq!(devices(1), "1 device");
        assert_eq!(devices(0), "0 devices");
    }

    #[test]
    fn a_moment_is_read_by_people_and_by_programs() {
        assert_eq!(
            moment(at(1_767_225_600)).into_string(),
            "<time datetime=\"2026-01-01T00:00:00Z\">2026-01-01 00:00:00 UTC</time>"
        );
        assert_eq!(distance(at(100), at(40)), "in 1 min");
        assert_eq!(distance(at(40), at(100)), "1 min ago");
    }

    #[test]
    fn it_gets_more_pressing_as_the_end_comes_nearer() {
        let hours = |hours: u64| urgency(at(1000 + hours * 3600), at(1000));
        assert_eq!(
            [49, 48, 7, 6, 0].map(hours),
            ["fine", "soon", "soon", "urgent", "ended"]
        );
        assert_eq!(urgency(at(0), at(1000)), "ended");
    }

    #[test]
    fn what_is_encoded_has_nothing_that_means_something_in_a_url() {
        assert_eq!(
            encoded("a b&c=\"<%>\"+/?#"),
            "a%20b%26c%3D%22%3C%25%3E%22%2B%2F%3F%23"
        );
        assert_eq!(encoded("d-1.cpe_~"), "d-1.cpe_~");
    }
}
