//! Counts while the run goes on.

use crate::BEGINNING;
use crate::outcome::{Counts, Outcome, StolenKey, Trouble};
use crate::scenario::Scenario;

/// The answer to a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// Here it is, unless its zone cannot issue.
    Served,
    /// After so many seconds, which may be too late.
    Reserved { after: u64, is_too_late: bool },
    /// The connection was reset.
    Reset,
    /// Nobody could be reached.
    Unreachable,
}

/// The counts so far.
#[derive(Debug)]
pub(crate) struct Counter {
    total: Counts,
    parts: Vec<Counts>,
    part: u32,
    second: u32,
    issued_now: u32,
    came_now: u32,
    most_issued: u32,
    most_came: u32,
    /// Devices that have asked in vain and have nothing yet.
    pub(crate) backlog: u32,
    pub(crate) lost: u32,
    pub(crate) ended_without_power: u32,
    pub(crate) without: u64,
    troubles: Vec<Watched>,
    stolen: Vec<Stolen>,
}

/// A trouble that is over, and what was counted at its end.
#[derive(Debug)]
struct Watched {
    trouble: Trouble,
    before: Counts,
    ten_minutes: (u32, u32),
}

/// A key that was stolen, and how many devices have not left its certificate.
#[derive(Debug)]
struct Stolen {
    key: StolenKey,
    all: u32,
    still: u32,
}

impl Counter {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let part = (scenario.span / PARTS).next_multiple_of(600).max(600);
        let parts = usize::try_from(scenario.span.div_ceil(part)).unwrap_or_default();
        Self {
            total: Counts::default(),
            parts: vec![Counts::default(); parts],
            part,
            second: 0,
            issued_now: 0,
            came_now: 0,
            most_issued: 0,
            most_came: 0,
            backlog: 0,
            lost: 0,
            ended_without_power: 0,
            without: 0,
            troubles: Vec::new(),
            stolen: Vec::new(),
        }
    }

    fn add(&mut self, change: impl Fn(&mut Counts)) {
        self.add_at(self.second, change);
    }

    fn add_at(&mut self, second: u32, change: impl Fn(&mut Counts)) {
        change(&mut self.total);
        let place = usize::try_from(second / self.part).unwrap_or(usize::MAX);
        let place = place.min(self.parts.len().saturating_sub(1));
        if let Some(part) = self.parts.get_mut(place) {
            change(part);
        }
    }

    /// So many come to the sites.
    pub(crate) fn come(&mut self, count: u32) {
        self.came_now += count;
    }

    pub(crate) fn asks(&mut self, count: u32) {
        self.add(|counts| counts.questions += u64::from(count));
    }

    pub(crate) fn fails(&mut self, told: Told) {
        self.add(|counts| match told {
            Told::Served => {
                counts.requests += 1;
                counts.zone_not_ready += 1;
            }
            Told::Reserved { is_too_late, .. } => {
                counts.requests += 1;
                counts.put_off += 1;
                counts.too_late += u64::from(is_too_late);
            }
            Told::Reset => counts.reset += 1,
            Told::Unreachable => counts.unreachable += 1,
        });
    }

    /// A credential, for a device that was without one for so long.
    pub(crate) fn issues(&mut self, without: u32) {
        self.issued_now += 1;
        self.without += u64::from(without);
        self.add(|counts| {
            counts.requests += 1;
            counts.issued += 1;
        });
    }

    /// A device that had power has lost its credential.
    pub(crate) fn loses(&mut self, expired: u32) {
        self.add_at(expired.saturating_sub(BEGINNING), |counts| counts.lost += 1);
    }

    pub(crate) fn serves_backlog(&mut self) {
        self.backlog -= 1;
        if self.backlog > 0 {
            return;
        }
        for watched in self
            .troubles
            .iter_mut()
            .filter(|watched| watched.trouble.served.is_none())
        {
            watched.trouble.served = Some(self.second);
            watched.trouble.counts = self.total.since(&watched.before);
        }
    }

    /// A trouble is over.
    pub(crate) fn is_over(&mut self, number: usize, end: u32) {
        let trouble = Trouble {
            number,
            end,
            backlog: self.backlog,
            served: (self.backlog == 0).then_some(end),
            counts: Counts::default(),
            after: Counts::default(),
            most_issued: 0,
            most_came: 0,
        };
        let (before, ten_minutes) = (self.total, (0, 0));
        self.troubles.push(Watched {
            trouble,
            before,
            ten_minutes,
        });
    }

    pub(crate) fn key_is_stolen(&mut self, found: u32, all: u32) {
        let key = StolenKey {
            found,
            left_after: [None; 3],
        };
        self.stolen.push(Stolen {
            key,
            all,
            still: all,
        });
    }

    /// A device has a credential from another certificate now; only the theft that was found last is followed.
    pub(crate) fn leaves_stolen_key(&mut self) {
        let Some(Stolen { key, all, still }) = self.stolen.last_mut() else {
            return;
        };
        *still = still.saturating_sub(1);
        let most = [*all / 2, *all / 100, 0];
        for (left_after, most) in key.left_after.iter_mut().zip(most) {
            if *still <= most && left_after.is_none() {
                *left_after = Some(self.second.saturating_sub(key.found));
            }
        }
    }

    /// A second is over.
    pub(crate) fn next_second(&mut self) {
        let (issued, came) = (
            std::mem::take(&mut self.issued_now),
            std::mem::take(&mut self.came_now),
        );
        self.most_issued = self.most_issued.max(issued);
        self.most_came = self.most_came.max(came);
        for Watched {
            trouble,
            ten_minutes,
            ..
        } in &mut self.troubles
        {
            let slot = self.second.saturating_sub(trouble.end) / 600;
            *ten_minutes = match *ten_minutes {
                (same, count) if same == slot => (same, count + came),
                _ => (slot, came),
            };
            trouble.most_came = trouble.most_came.max(ten_minutes.1);
            if trouble.served.is_none_or(|served| served >= self.second) {
                trouble.most_issued = trouble.most_issued.max(issued);
            }
        }
        self.second += 1;
    }

    /// Everything that was counted.
    pub(crate) fn outcome(self) -> Outcome {
        let total = self.total;
        let troubles = self.troubles.into_iter().map(|watched| {
            let after = total.since(&watched.before);
            let counts = match watched.trouble.served {
                Some(_) => watched.trouble.counts,
                None => after,
            };
            Trouble {
                counts,
                after,
                ..watched.trouble
            }
        });
        Outcome {
            total,
            parts: self.parts,
            part: self.part,
            lost: self.lost,
            ended_without_power: self.ended_without_power,
            without: self.without,
            most_issued: self.most_issued,
            most_came: self.most_came,
            troubles: troubles.collect(),
            stolen_keys: self.stolen.into_iter().map(|stolen| stolen.key).collect(),
            ..Outcome::default()
        }
    }
}

/// A run has about so many parts.
const PARTS: u32 = 720;
