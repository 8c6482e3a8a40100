//! The part of a credential's life in which its device renews.

/// From when until when a device renews, in seconds since 1970.
///
/// The signer names [`of_life`](Self::of_life) in its answer; the device falls back to the same when an answer names
/// one that is not [`fits`](Self::fits).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RenewalWindow {
    /// The first moment.
    pub from: u64,
    /// The last moment.
    pub until: u64,
}

impl RenewalWindow {
    /// From 40 % to 55 % of a life: late enough to be cheap, early enough for days of outage, and wide enough to
    /// spread a crowd.
    #[must_use]
    pub fn of_life(issued: u64, expires: u64) -> Self {
        Self {
            from: percent(issued, expires, 40),
            until: percent(issued, expires, 55),
        }
    }

    /// A window may be meant for this life: it is not backwards, nor in its first twentieth or last tenth, as a mistake
    /// would be.
    #[must_use]
    pub fn fits(&self, issued: u64, expires: u64) -> bool {
        let Self { from, until } = *self;
        percent(issued, expires, 5) <= from
            && from <= until
            && until <= percent(issued, expires, 90)
    }
}

fn percent(issued: u64, expires: u64, percent: u64) -> u64 {
    let life = u128::from(expires.saturating_sub(issued));
    let part = life * u128::from(percent) / 100;
    issued.saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn devices_renew_between_two_and_three_fifths_of_a_life() {
        let hour = 3600;
        let issued = 1_800_000_000;
        let window = RenewalWindow::of_life(issued, issued + 100 * hour);
        let (from, until) = (issued + 40 * hour, issued + 55 * hour);
        assert_eq!(window, RenewalWindow { from, until });
    }

    #[test]
    fn no_life_has_no_window() {
        let window = RenewalWindow::of_life(9, 9);
        assert_eq!(window, RenewalWindow { from: 9, until: 9 });
        assert_eq!(RenewalWindow::of_life(9, 3), window);
    }

    #[test]
    fn a_window_that_cannot_be_meant_fits_no_life() {
        for (from, until) in [(500, 400), (0, 500), (49, 500), (500, 901), (2000, 3000)] {
            assert!(
                !RenewalWindow { from, until }.fits(0, 1000),
                "{from} {until}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_device_believes_the_window_that_a_signer_names(issued: u64, expires: u64) {
            let window = RenewalWindow::of_life(issued, expires);
            prop_assert!(window.fits(issued, expires));
            prop_assert!(issued <= window.from && window.until <= issued.max(expires));
        }
    }
}
