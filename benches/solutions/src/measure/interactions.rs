//! A year of a small fleet: who is asked how often, and how long a device goes on without asking.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::life::{Life, What};
use crate::Result;
use crate::ledger::{Act, Party, Phase};
use crate::rows::Row;
use crate::world::World;

/// What a device and year needs, and what the fleet needs whatever its size.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Interactions {
    pub(crate) counts: Vec<Count>,
    pub(crate) alone: Alone,
}

/// How often a party is asked, or signs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) party: Party,
    pub(crate) phase: Phase,
    pub(crate) act: Act,
    /// For one device: of renewals, a year's; of first issue and replacement, once.
    pub(crate) per_device: f64,
    /// For the whole fleet and a year, however many devices it has.
    pub(crate) per_fleet: f64,
}

/// How long a device goes on when nobody can be reached any more, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Alone {
    /// Right after a renewal; for ever if none.
    pub(crate) at_most: Option<u64>,
    /// When the next renewal was due; for ever if none.
    pub(crate) at_least: Option<u64>,
}

impl Interactions {
    /// Whether a renewal takes somebody outside the home.
    pub(crate) fn renews_outside(&self) -> bool {
        let acts = [Act::Request, Act::Signature];
        [Party::PublicCa, Party::Vendor].into_iter().any(|party| {
            acts.iter()
                .any(|act| self.total(party, *act, &[Phase::Renewal], 1.0) > 0.0)
        })
    }

    /// Whether the home's own CA signs renewals.
    pub(crate) fn renews_at_home(&self) -> bool {
        self.total(Party::Home, Act::Signature, &[Phase::Renewal], 1.0) > 0.0
    }

    /// What a year of so many devices comes to in these phases.
    pub(crate) fn total(&self, party: Party, act: Act, phases: &[Phase], devices: f64) -> f64 {
        let counts = self.counts.iter();
        let asked = counts
            .filter(|count| count.party == party && count.act == act)
            .filter(|count| phases.contains(&count.phase));
        let numbers = asked.map(|count| count.per_fleet + count.per_device * devices);
        // The sum of nothing would be less than nothing: -0.
        numbers.fold(0.0, |sum, number| sum + number)
    }
}

/// Runs two fleets of different size through a year. What happens in a device's life is the device's; what the fleet
/// needs is the fleet's, and each device's as far as it is more with more devices.
pub(crate) fn measure(row: &Row, world: &World) -> Result<Interactions> {
    let [small, large] = FLEETS;
    let (few, _) = year(row, &world.apart("few")?, small)?;
    let (more, alone) = year(row, &world.apart("more")?, large)?;
    let keys: BTreeSet<_> = few.keys().chain(more.keys()).copied().collect();
    let counts = keys.into_iter().map(|(party, phase, act)| {
        let of = |counts: &Counts| {
            counts
                .get(&(party, phase, act))
                .copied()
                .unwrap_or_default() as f64
        };
        let (per_device, per_fleet) = match phase {
            Phase::Fleet => {
                let each = (of(&more) - of(&few)) / (large - small) as f64;
                (each, of(&few) - each * small as f64)
            }
            _ => ((of(&few) + of(&more)) / (small + large) as f64, 0.0),
        };
        Count {
            party,
            phase,
            act,
            per_device,
            per_fleet,
        }
    });
    Ok(Interactions {
        counts: counts.collect(),
        alone,
    })
}

/// A year, at whose end every device is replaced once.
fn year(row: &Row, world: &World, devices: usize) -> Result<(Counts, Alone)> {
    let mut life = Life::begin(row, world, devices)?;
    let end = world.now() + YEAR;
    let mut alone = Alone::default();
    let first = life.device(0);
    alone.at_most = first.identity.ends.map(|ends| ends - first.since);
    alone.at_least = alone.at_most;
    while let Some(event) = life.next().filter(|event| event.at < end) {
        if let What::Renewal(device) = event.what {
            let ends = life.device(device).identity.ends;
            let left = ends.map(|ends| ends.saturating_sub(event.at));
            alone.at_least = shorter(alone.at_least, left);
        }
        life.let_happen(event)?;
        if let What::Renewal(device) = event.what {
            let renewed = life.device(device);
            let lives = renewed.identity.ends.map(|ends| ends - renewed.since);
            alone.at_most = longer(alone.at_most, lives);
        }
    }
    world.clock.advance_to(end)?;
    for device in 0..devices {
        life.replace(device)?;
    }
    Ok((world.ledger.all(), alone))
}

/// Of two times, of which none is for ever.
fn shorter(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

fn longer(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.max(other?))
}

type Counts = BTreeMap<(Party, Phase, Act), u64>;

const FLEETS: [usize; 2] = [1, 3];
pub(crate) const YEAR: u64 = 365 * 24 * 3600;
