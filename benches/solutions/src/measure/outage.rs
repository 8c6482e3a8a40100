//! A party that cannot be reached for days, from the worst moment on: when something was due.

use serde::Serialize;

use super::life::{Life, What};
use crate::Result;
use crate::ledger::Party;
use crate::rows::Row;
use crate::world::World;

/// What an outage does to the device that it hits worst, and to how much of the fleet it does anything.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outage {
    pub(crate) party: Party,
    pub(crate) days: u64,
    /// How long that device has no valid identity, in seconds.
    pub(crate) down: u64,
    /// Of a fleet whose renewals are spread evenly: which share has none at some time, from 0 to 1.
    pub(crate) share: f64,
    /// Whether the device needs the party at all.
    pub(crate) needed: bool,
}

/// Lets the party be away so long, and then a week for recovery.
pub(crate) fn measure(row: &Row, world: &World, party: Party, days: u64) -> Result<Outage> {
    let mut life = Life::begin(row, world, 1)?;
    let none = Outage {
        party,
        days,
        down: 0,
        share: 0.0,
        needed: false,
    };
    let Some(begin) = worst_moment(&mut life, party)? else {
        return Ok(none);
    };
    let Timing { left, period } = Timing::of(&life, begin);
    life.solution.reach(party, false)?;
    let end = begin + days * DAY;
    let mut needed = false;
    let mut down = 0;
    let mut back = false;
    let mut seen = begin;
    while let Some(event) = life.next() {
        if !back && event.at >= end {
            world.clock.advance_to(end)?;
            life.solution.reach(party, true)?;
            back = true;
        }
        if event.at > end + RECOVERY {
            break;
        }
        let valid_until = life.device(0).identity.ends.unwrap_or(u64::MAX);
        let happened = life.let_happen(event);
        let now = world.now();
        down += now.saturating_sub(valid_until.max(seen));
        seen = now;
        match happened {
            Err(error) if back => return Err(error),
            Err(_) => needed = true,
            Ok(()) => {}
        }
    }
    let share = match down {
        0 => 0.0,
        // One certificate for all: they have the same fate.
        _ if life.solution.fleet_due().is_some() && party == Party::PublicCa => 1.0,
        _ => ((days * DAY).saturating_sub(left) as f64 / period as f64).min(1.0),
    };
    Ok(Outage {
        down,
        share,
        needed,
        ..none
    })
}

/// How long the device has left at a renewal, and how far apart renewals are.
struct Timing {
    left: u64,
    period: u64,
}

impl Timing {
    fn of(life: &Life, renewal: u64) -> Self {
        let device = life.device(0);
        let ends = device.identity.ends.unwrap_or(u64::MAX);
        Self {
            left: ends.saturating_sub(renewal),
            period: renewal.saturating_sub(device.since).max(1),
        }
    }
}

/// When something is due that this party may be asked for, not the first time but the second, when the fleet runs as it
/// always does. Time has passed until then.
fn worst_moment(life: &mut Life, party: Party) -> Result<Option<u64>> {
    let of_fleet = party == Party::PublicCa && life.solution.fleet_due().is_some();
    let wanted = |what: What| match what {
        What::Fleet => of_fleet,
        What::Renewal(_) => !of_fleet,
        What::News(_) => false,
    };
    let mut seen = 0;
    let start = life.world.now();
    while let Some(event) = life.next() {
        if event.at > start + PATIENCE {
            break;
        }
        if wanted(event.what) {
            seen += 1;
            if seen == 2 {
                life.world.clock.advance_to(event.at)?;
                return Ok(Some(event.at));
            }
        }
        life.let_happen(event)?;
    }
    Ok(None)
}

const DAY: u64 = 24 * 3600;
const RECOVERY: u64 = 7 * DAY;
/// What is not due twice within two years is as good as never due.
const PATIENCE: u64 = 730 * DAY;
