//! The plan of a delegation certificate's life, from its length alone: so all signers have the same.

use std::time::Duration;

use dc_core::MAX_VALIDITY;
use dc_store::registry::ZoneDelegation;

/// The phases of a certificate's life, each from the one before.
///
/// The next certificate is ordered early enough that a CA may be away for [`outage`](Self::outage), the next one soaks, and it
/// becomes active before nothing may be issued from this one. Of certificates of 47 days and more a CA may be away for 14 days.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// From notBefore to notAfter.
    pub life: Duration,
    /// From notBefore until the next one is ordered.
    pub order_after: Duration,
    /// The time after that over which orders are spread, and in which tries may fail.
    pub slack: Duration,
    /// How long the CA may be away then.
    pub outage: Duration,
    /// How long a certificate soaks from its notBefore on.
    pub soak: Duration,
    /// At the end: nothing is issued from it any more.
    pub min_left: Duration,
}

impl Plan {
    /// Of a certificate with this life, whose next is ordered after `percent` of it, or earlier if what is left would not do.
    #[must_use]
    pub fn of(life: Duration, percent: u32) -> Self {
        let (soak, min_left) = (
            ZoneDelegation::soak_of(life),
            ZoneDelegation::min_left_of(life),
        );
        let (outage, slack) = (OUTAGE.min(life * 3 / 10), SLACK.min(life / 50));
        let latest = life.saturating_sub(min_left + soak + outage + slack);
        Self {
            life,
            order_after: (life / 100 * percent).min(latest),
            slack,
            outage,
            soak,
            min_left,
        }
    }

    /// From notBefore until the next one has to be ordered at the latest, if the CA may be away for [`outage`](Self::outage)
    /// from then on.
    #[must_use]
    pub fn latest_order(&self) -> Duration {
        let reserve = self.min_left + self.soak + self.outage + self.slack;
        self.life.saturating_sub(reserve)
    }

    /// How long a credential lives at least that is issued from this certificate, if nothing goes wrong: until the next one is
    /// active.
    #[must_use]
    pub fn credentials(&self) -> Duration {
        let used = self.order_after + self.slack + self.soak;
        MAX_VALIDITY.min(self.life.saturating_sub(used))
    }

    /// The lifetime that credentials are to have, if it is more than they get from this certificate at times.
    #[must_use]
    pub fn shortens(&self, lifetime: Duration) -> Option<Duration> {
        let gets = self.credentials();
        (gets < lifetime).then_some(gets)
    }
}

/// The longest outage of a CA that loses no device.
const OUTAGE: Duration = Duration::from_secs(14 * 86_400);
const SLACK: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 24 * HOUR)
    }

    fn hours(time: Duration) -> u64 {
        time.as_secs() / HOUR
    }

    #[test]
    fn each_length_of_life_has_its_plan() {
        // Days of life; hours until the order, of outage, soak and rest; of credentials.
        for (life, expected) in [
            (398, [262 * 24 + 16, 14 * 24, 48, 8 * 24, 7 * 24]),
            (100, [66 * 24, 14 * 24, 48, 8 * 24, 7 * 24]),
            (90, [59 * 24 + 9, 14 * 24, 48, 8 * 24, 7 * 24]),
            (47, [22 * 24 + 1, 14 * 24, 48, 8 * 24, 7 * 24]),
            (7, [51, 50, 21, 42, 92]),
        ] {
            let plan = Plan::of(days(life), 66);
            let found = [
                plan.order_after,
                plan.outage,
                plan.soak,
                plan.min_left,
                plan.credentials(),
            ];
            assert_eq!(found.map(hours), expected, "{life}");
        }
    }

    #[test]
    fn credentials_of_a_week_s_certificate_are_shorter_than_wanted() {
        let plan = Plan::of(days(7), 66);
        let wanted = dc_core::DEFAULT_LIFETIME;
        assert_eq!(plan.shortens(wanted).map(hours), Some(92));
        assert_eq!(Plan::of(days(47), 66).shortens(wanted), None);
    }

    proptest! {
        /// However long it lives and whatever is set, the CA may be away after the order, and there is time to soak.
        #[test]
        fn what_is_ordered_is_there_in_time(life in 3600u64..(400 * 86_400), percent in 1u32..100) {
            let plan = Plan::of(Duration::from_secs(life), percent);
            let late = plan.order_after + plan.slack + plan.outage + plan.soak;
            prop_assert!(late + plan.min_left <= plan.life + Duration::from_secs(1));
            prop_assert!(plan.order_after >= plan.life * percent.min(30) / 101, "not at once");
            prop_assert!(plan.credentials() >= plan.life / 4 || plan.credentials() == MAX_VALIDITY);
        }
    }
}
