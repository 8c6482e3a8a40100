//! The certificates of the zones over the whole run, as a CA gives them that is away at times.

use dc_schedule::Draw;

use crate::BEGINNING;
use crate::random::Random;
use crate::scenario::{Of, Scenario};

/// After so many seconds an order is tried again that has failed so many times.
pub type TryAgain<'a> = &'a dyn Fn(u32, Draw) -> u32;

/// The certificates of all zones.
#[derive(Debug)]
pub(crate) struct Zones {
    zones: Vec<Zone>,
    /// Orders that a CA was asked for in the run, and those of them that it did not answer.
    pub(crate) orders: (u32, u32),
}

#[derive(Debug, Default)]
struct Zone {
    /// In the order in which they become active.
    certificates: Vec<Certificate>,
    /// The one that was active last.
    at: usize,
}

/// A certificate; moments as in the fleet.
#[derive(Clone, Copy, Debug)]
struct Certificate {
    from: u32,
    /// Until when credentials are issued from it.
    until: u32,
    not_after: u32,
}

impl Zones {
    /// In a steady state at the beginning, each zone at another point of its certificate's life.
    pub(crate) fn new(scenario: &Scenario, random: &mut Random, try_again: TryAgain<'_>) -> Self {
        let mut orders = (0, 0);
        let zones = (0..scenario.certificates.zones)
            .map(|_| Zone::new(scenario, random, try_again, &mut orders))
            .collect();
        Self { zones, orders }
    }

    /// The end of the certificate that a device gets a credential under; none if nothing can be issued in its zone.
    pub(crate) fn not_after(&mut self, device: u32, now: u32) -> Option<u32> {
        let count = u32::try_from(self.zones.len()).unwrap_or(u32::MAX);
        let zone = usize::try_from(device % count.max(1)).ok()?;
        self.zones.get_mut(zone)?.not_after(now)
    }
}

impl Zone {
    fn new(
        scenario: &Scenario,
        random: &mut Random,
        try_again: TryAgain<'_>,
        orders: &mut (u32, u32),
    ) -> Self {
        let plan = &scenario.certificates;
        let end = BEGINNING + scenario.span;
        let ages = (
            u64::from(plan.soak),
            u64::from(plan.order_after + plan.soak),
        );
        let age = seconds(random.draw().between(ages.0, ages.1));
        let mut zone = Self::default();
        let (mut begins, mut from) = (BEGINNING.saturating_sub(age), 0);
        while begins < end {
            let until = begins.saturating_add(plan.life - plan.min_left);
            zone.certificates.push(Certificate {
                from,
                until,
                not_after: begins.saturating_add(plan.life),
            });
            let spread = seconds(random.draw().between(0, u64::from(plan.spread / 2)));
            let mut order = begins + plan.order_after + spread;
            let (mut failures, in_run) = (0, |order: u32| (BEGINNING..end).contains(&order));
            while scenario.ca_is_away(order.saturating_sub(BEGINNING)) && in_run(order) {
                failures += 1;
                order = order.saturating_add(try_again(failures, random.draw()).max(1));
            }
            orders.0 += failures + u32::from(in_run(order));
            orders.1 += failures;
            // Without need it soaks; with need it is used at once.
            from = (order + plan.soak).min(until.max(order));
            begins = order;
        }
        zone
    }

    fn not_after(&mut self, now: u32) -> Option<u32> {
        while self
            .certificates
            .get(self.at + 1)
            .is_some_and(|next| next.from <= now)
        {
            self.at += 1;
        }
        let active = self.certificates.get(self.at)?;
        (now <= active.until).then_some(active.not_after)
    }
}

impl Scenario {
    fn ca_is_away(&self, second: u32) -> bool {
        self.outages.iter().any(|outage| {
            matches!(outage.of, Of::Ca) && (outage.start..outage.end()).contains(&second)
        })
    }
}

fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
