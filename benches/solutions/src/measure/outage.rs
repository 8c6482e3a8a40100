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

/// Lets the party be away from the moment at which something first fails without it, for so long, and then a week for
/// recovery. Until that moment nobody has noticed: the outage may as well have begun there.
pub(crate) fn measure(row: &Row, world: &World, party: Party, days: u64) -> Result<Outage> {
    let mut life = Life::begin(row, world, 1)?;
    let born = world.now();
    life.solution.reach(party, false)?;
    let Some((begin, what)) = first_failure(&mut life)? else {
        return Ok(Outage {
            party,
            days,
            down: 0,
            share: 0.0,
            needed: false,
        });
    };
    let left = { life.device(0).identity.ends }.map_or(u64::MAX, |ends| ends.saturating_sub(begin));
    // Until then nobody has missed the party: what it did last was to give the device its first identity.
    let period = begin.saturating_sub(born).max(1);
    let down = down(&mut life, party, begin, begin + days * DAY)?;
    let share = match (down, what) {
        (0, _) => 0.0,
        // One certificate for all: they have the same fate.
        (_, What::Fleet) => 1.0,
        _ => ((days * DAY).saturating_sub(left) as f64 / period as f64).min(1.0),
    };
    Ok(Outage {
        party,
        days,
        down,
        share,
        needed: true,
    })
}

/// What fails first, and when; nothing if nothing does for years.
fn first_failure(life: &mut Life) -> Result<Option<(u64, What)>> {
    let end = life.world.now() + PATIENCE;
    while let Some(event) = life.next().filter(|event| event.at < end) {
        if life.let_happen(event).is_err() {
            return Ok(Some((life.world.now(), event.what)));
        }
    }
    Ok(None)
}

/// How long the device has nothing valid from `begin` on, if the party is back at `end`.
fn down(life: &mut Life, party: Party, begin: u64, end: u64) -> Result<u64> {
    let (mut down, mut back, mut seen) = (0, false, begin);
    while let Some(event) = life.next().filter(|event| event.at < end + RECOVERY) {
        if !back && event.at >= end {
            life.world.clock.advance_to(end)?;
            life.solution.reach(party, true)?;
            back = true;
        }
        let valid_until = life.device(0).identity.ends.unwrap_or(u64::MAX);
        let happened = life.let_happen(event);
        let now = life.world.now();
        down += now.saturating_sub(valid_until.max(seen));
        seen = now;
        if let (Err(error), true) = (happened, back) {
            return Err(error);
        }
    }
    Ok(down)
}

const DAY: u64 = 24 * 3600;
const RECOVERY: u64 = 7 * DAY;
/// What is not needed within two years is as good as never needed.
const PATIENCE: u64 = 730 * DAY;
