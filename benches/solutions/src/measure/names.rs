//! What the name says about its owner, and where it can be read.

use serde::Serialize;

use crate::Result;
use crate::ledger::Phase;
use crate::rows::Row;
use crate::world::World;

/// The names of a small fleet.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Names {
    /// A device's, as clients ask for it.
    pub(crate) example: String,
    pub(crate) devices: usize,
    /// How many of the devices' names are in what CAs signed, where anybody can read them: certificate transparency.
    pub(crate) published: usize,
    /// What is in there instead, if anything.
    pub(crate) instead: Vec<String>,
}

/// Enrols a few devices, and looks for their names in the CA's records.
pub(crate) fn measure(row: &Row, world: &World) -> Result<Names> {
    let mut solution = row.make(world)?;
    world.ledger.enter(Phase::Fleet);
    solution.found()?;
    world.ledger.enter(Phase::FirstIssue);
    let mut names = Vec::new();
    for device in 0..DEVICES {
        names.push(solution.enrol(device)?.name);
    }
    let published = solution.published();
    let mut instead: Vec<String> = published.clone();
    instead.retain(|name| !names.contains(name));
    instead.sort();
    instead.dedup();
    Ok(Names {
        example: names.first().cloned().unwrap_or_default(),
        devices: DEVICES,
        published: names.iter().filter(|name| published.contains(name)).count(),
        instead,
    })
}

const DEVICES: usize = 2;
