//! The life of a small fleet in virtual time, event by event.

use crate::Result;
use crate::ledger::Phase;
use crate::rows::Row;
use crate::solution::{Identity, Solution};
use crate::world::World;

/// A fleet, and what its devices have.
pub(crate) struct Life {
    pub(crate) solution: Box<dyn Solution>,
    pub(crate) world: World,
    devices: Vec<Device>,
    /// When what the fleet needs is tried again after it failed.
    fleet_again: Option<u64>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// In Unix seconds.
    pub(crate) at: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The vendor's own certificate is due.
    Fleet,
    /// This device's identity is.
    Renewal(usize),
    /// This device asks somebody for news.
    News(usize),
}

/// A device and what it serves with.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) identity: Identity,
    /// When it got that.
    pub(crate) since: u64,
    /// When it tries again after it failed.
    again: Option<u64>,
}

impl Life {
    /// Founds the fleet, and enrols so many devices.
    pub(crate) fn begin(row: &Row, world: &World, devices: usize) -> Result<Self> {
        let mut solution = row.make(world)?;
        world.ledger.enter(Phase::Fleet);
        solution.found()?;
        let mut life = Self {
            solution,
            world: world.clone(),
            devices: Vec::new(),
            fleet_again: None,
        };
        world.ledger.enter(Phase::FirstIssue);
        for device in 0..devices {
            let identity = life.solution.enrol(device)?;
            let since = world.now();
            life.devices.push(Device {
                identity,
                since,
                again: None,
            });
        }
        Ok(life)
    }

    pub(crate) fn device(&self, device: usize) -> &Device {
        &self.devices[device]
    }

    /// What happens next, if anything ever does.
    pub(crate) fn next(&self) -> Option<Event> {
        let renewals = self.devices.iter().enumerate().filter_map(|(device, of)| {
            let at = self.solution.due(device)?;
            let what = What::Renewal(device);
            Some(Event {
                at: of.again.map_or(at, |again| at.max(again)),
                what,
            })
        });
        let fleet = self.solution.fleet_due().map(|at| Event {
            at: self.fleet_again.map_or(at, |again| at.max(again)),
            what: What::Fleet,
        });
        let news = (0..self.devices.len()).filter_map(|device| {
            let at = self.solution.news_due(device)?;
            let what = What::News(device);
            Some(Event { at, what })
        });
        let events = renewals.chain(fleet).chain(news);
        events.min_by_key(|event| event.at)
    }

    /// Lets time pass until this, and lets it happen. What fails is tried again some hours later, unless the solution
    /// itself says that it is due even later.
    pub(crate) fn let_happen(&mut self, event: Event) -> Result<()> {
        self.world.clock.advance_to(event.at)?;
        let again = self.world.now() + RETRY;
        match event.what {
            What::Fleet => {
                self.world.ledger.enter(Phase::Fleet);
                self.fleet_again = Some(again);
                self.solution.renew_fleet()?;
                self.fleet_again = None;
            }
            What::Renewal(device) => {
                self.world.ledger.enter(Phase::Renewal);
                self.devices[device].again = Some(again);
                let identity = self.solution.renew(device)?;
                self.has(device, identity);
            }
            What::News(device) => {
                self.world.ledger.enter(Phase::News);
                self.solution.ask_for_news(device)?;
            }
        }
        Ok(())
    }

    /// The user puts another device in its place.
    pub(crate) fn replace(&mut self, device: usize) -> Result<()> {
        self.world.ledger.enter(Phase::Replacement);
        let identity = self.solution.replace(device)?;
        self.has(device, identity);
        Ok(())
    }

    fn has(&mut self, device: usize, identity: Identity) {
        let since = self.world.now();
        self.devices[device] = Device {
            identity,
            since,
            again: None,
        };
    }
}

/// How long nobody asks again after a failure.
const RETRY: u64 = 3 * 3600;
