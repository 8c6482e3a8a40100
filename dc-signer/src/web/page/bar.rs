//! Bars, drawn as SVG: the pages' policy allows no style in an element, and widths are data.

use maud::{Markup, html};

/// One part of a stacked bar.
pub(super) struct Part {
    /// The part of the whole.
    pub(super) amount: u64,
    /// The class that colours it.
    pub(super) class: &'static str,
}

/// Parts beside each other that fill the bar. Each that is not zero can be seen.
pub(super) fn stacked(label: &str, parts: &[Part]) -> Markup {
    let mut left = 0;
    html! {
        svg.bar viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (part, width) in parts.iter().zip(widths(parts)) {
                @if width > 0 {
                    rect.(part.class) x=(left) y="0" width=(width) height="20" {}
                }
                @let () = left += width;
            }
        }
    }
}

/// The widths of the parts, of 1000 in all, or of none if all are zero.
fn widths(parts: &[Part]) -> Vec<u64> {
    let total: u128 = parts.iter().map(|part| u128::from(part.amount)).sum();
    let mut widths: Vec<u64> = parts.iter().map(|part| share(part.amount, total)).collect();
    let used: u64 = widths.iter().sum();
    // What rounding and the least width took or left is the widest part's, which shows it least.
    if let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > 0) {
        *widest = (*widest + WHOLE).saturating_sub(used);
    }
    widths
}

fn share(amount: u64, total: u128) -> u64 {
    if amount == 0 {
        return 0;
    }
    let width = u128::from(amount) * u128::from(WHOLE) / total.max(1);
    u64::try_from(width).unwrap_or(WHOLE).max(LEAST)
}

/// A bar of which so much is filled, for the row of a table, where the number stands beside it.
pub(super) fn filled(amount: u64, of: u64, class: &'static str) -> Markup {
    html! {
        svg.bar.thin viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" {
            rect.(class) x="0" y="0" width=(share(amount, of.into()).min(WHOLE)) height="20" {}
        }
    }
}

const WHOLE: u64 = 1000;
/// Thin, but to be seen.
const LEAST: u64 = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(amounts: &[u64]) -> Vec<Part> {
        let part = |amount| Part {
            amount,
            class: "fine",
        };
        amounts.iter().copied().map(part).collect()
    }

    proptest! {
        #[test]
        fn parts_fill_the_bar_and_none_that_is_not_zero_is_lost(amounts in prop::collection::vec(any::<u64>(), 0..8)) {
            let widths = widths(&parts(&amounts));
            let any = amounts.iter().any(|amount| *amount > 0);
            prop_assert_eq!(widths.iter().sum::<u64>(), if any { WHOLE } else { 0 });
            for (amount, width) in amounts.iter().zip(&widths) {
                prop_assert_eq!(*amount > 0, *width > 0);
            }
        }

        #[test]
        fn a_filled_bar_is_never_wider_than_the_whole(amount: u64, of: u64) {
            let bar = filled(amount, of, "fine").into_string();
            let width = bar.split("width=\"").nth(1).unwrap().split('"').next().unwrap();
            prop_assert!(width.parse::<u64>().unwrap() <= WHOLE);
        }
    }

    #[test]
    fn three_of_a_million_can_be_seen() {
        assert_eq!(widths(&parts(&[3, 999_997])), [6, 994]);
        assert_eq!(widths(&parts(&[0, 0])), [0, 0]);
        assert_eq!(widths(&parts(&[1, 1, 2])), [250, 250, 500]);
    }
}
