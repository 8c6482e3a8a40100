//! A fleet in virtual time: each device has the schedule of the real agent, and nothing else of it.

use dc_agent::schedule::{self, Draw, Life};
use dc_protocol::RenewalWindow;

/// How an operator answers, and how the signer is configured for it; in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// The interval at which devices ask, from long before.
    pub(super) poll: u64,
    /// The time from the rollover until renewals are pulled; none if they are not.
    pub(super) pulled: Option<u64>,
    /// The time over which devices spread them.
    pub(super) spread: u64,
}

/// The life of a credential as a signer really gave it, from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) expires: u64,
    pub(super) renew_from: u64,
    pub(super) renew_until: u64,
}

/// The seconds from the rollover until each of so many devices has a credential from after it, in their order.
pub(super) fn moved(devices: u64, answer: Answer, life: Lifetime) -> Vec<u64> {
    let mut moved: Vec<u64> = (0..devices)
        .map(|seed| Device::new(seed, answer, life).moves())
        .collect();
    moved.sort_unstable();
    moved
}

/// The most of them in one minute.
pub(super) fn busiest_minute(moved: &[u64]) -> usize {
    let from = |first: usize| {
        moved[first..]
            .iter()
            .take_while(|at| **at < moved[first] + 60)
            .count()
    };
    (0..moved.len()).map(from).max().unwrap_or_default()
}

struct Device {
    draws: Draws,
    answer: Answer,
    life: Lifetime,
    issued: u64,
    renew_at: u64,
    poll_at: u64,
    pulled_to: Option<u64>,
}

impl Device {
    /// In the middle of one of its lives, two weeks before the rollover.
    fn new(seed: u64, answer: Answer, life: Lifetime) -> Self {
        let start = ROLLOVER - 14 * 86_400;
        let mut draws = Draws(seed);
        let issued = draws.next().between(start - life.renew_from, start);
        let poll_at = draws.next().between(start, start + answer.poll);
        let mut device = Self {
            draws,
            answer,
            life,
            issued,
            renew_at: 0,
            poll_at,
            pulled_to: None,
        };
        device.renewed(issued);
        device
    }

    fn moves(mut self) -> u64 {
        loop {
            let due = self
                .pulled_to
                .map_or(self.renew_at, |at| at.min(self.renew_at));
            if due <= self.poll_at {
                self.renewed(due);
                if due >= ROLLOVER {
                    return due - ROLLOVER;
                }
            } else {
                self.polled(self.poll_at);
            }
        }
    }

    fn renewed(&mut self, now: u64) {
        let Lifetime {
            expires,
            renew_from,
            renew_until,
        } = self.life;
        let life = Life {
            issued: now,
            expires: now + expires,
            window: RenewalWindow {
                from: now + renew_from,
                until: now + renew_until,
            },
        };
        self.issued = now;
        self.renew_at = life.renew_at(self.draws.next());
        self.pulled_to = None;
    }

    fn polled(&mut self, now: u64) {
        let pulled = self.answer.pulled.map(|after| ROLLOVER + after);
        if pulled.is_some_and(|pulled| now >= pulled && self.issued < pulled)
            && self.pulled_to.is_none()
        {
            let (draw, expires) = (self.draws.next(), self.issued + self.life.expires);
            self.pulled_to = Some(schedule::pulled_to(now, self.answer.spread, expires, draw));
        }
        self.poll_at = schedule::poll_again_at(now, Some(self.answer.poll), self.draws.next());
    }
}

/// Numbers without a pattern that are the same each time: SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> Draw {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Draw(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap())
    }
}

const ROLLOVER: u64 = 1_800_000_000;
