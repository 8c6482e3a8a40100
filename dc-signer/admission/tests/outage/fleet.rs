//! Devices as `dc-agent` has them: their schedule is its own.

use std::time::Duration;

use dc_admission::{Left, Whence};
use dc_protocol::RenewalWindow;
use dc_schedule::{Draw, Failure, Life, try_again_at};

use crate::{LIFE, Outcome, count};

/// The answer to a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Issued,
    /// After so many seconds.
    Reserved(u64),
    /// Perhaps with seconds that all are told.
    Refused(Option<u64>),
    /// The connection was reset.
    Reset,
}

#[derive(Clone, Copy, Debug)]
struct Device {
    expires: u64,
    failures: u32,
    is_lost: bool,
    is_backlog: bool,
}

/// All devices, and what became of them. Moments are seconds; the outage ends at [`START`].
#[derive(Debug)]
pub(crate) struct Fleet {
    devices: Vec<Device>,
    /// When each comes first.
    pub(crate) first: Vec<u64>,
    random: Random,
    backlog: usize,
    ten_minutes: (u64, usize),
    most: usize,
    pub(crate) outcome: Outcome,
}

impl Fleet {
    /// In a steady state until the outage begins, which ends now.
    pub(crate) fn after_outage(count: usize, outage: u64) -> Self {
        let mut fleet = Self {
            devices: Vec::new(),
            first: Vec::new(),
            random: Random(1),
            backlog: 0,
            ten_minutes: (0, 0),
            most: 0,
            outcome: Outcome::default(),
        };
        for _ in 0..count {
            fleet.add(START - outage);
        }
        fleet
    }

    fn add(&mut self, outage: u64) {
        let issued = outage - LIFE;
        let life = life(issued);
        let renew_at = life.renew_at(self.random.draw());
        // Anywhere between two renewals.
        let phase = self.random.draw().between(0, renew_at - issued);
        let earlier = outage - issued - phase;
        let (expires, mut due) = (life.expires + earlier, renew_at + earlier);
        let mut failures = 0;
        while due < START {
            failures += 1;
            let failure = Failure::Transient { retry_after: None };
            due = try_again_at(due, Some(expires), failures, failure, self.random.draw());
        }
        self.backlog += usize::from(failures > 0);
        self.first.push(due);
        self.devices.push(Device {
            expires,
            failures,
            is_lost: false,
            is_backlog: failures > 0,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.devices.len()
    }

    /// How long a device's credential is valid; those that have lost it are counted.
    pub(crate) fn left(&mut self, device: usize, now: u64) -> Left {
        let device = &mut self.devices[device];
        match device.expires.checked_sub(now) {
            Some(left) if left > 0 => Left::For(Duration::from_secs(left)),
            _ => {
                self.outcome.lost += usize::from(!device.is_lost);
                device.is_lost = true;
                Left::Ended
            }
        }
    }

    /// It connects.
    pub(crate) fn comes(&mut self, now: u64) {
        let slot = now / 600;
        match self.ten_minutes {
            (same, ref mut count) if same == slot => *count += 1,
            _ => self.ten_minutes = (slot, 1),
        }
        self.most = self.most.max(self.ten_minutes.1);
    }

    /// When it comes again.
    pub(crate) fn told(&mut self, device: usize, told: Told, now: u64) -> u64 {
        self.left(device, now);
        let draw = self.random.draw();
        match told {
            Told::Reset => self.outcome.reset += 1,
            Told::Issued | Told::Reserved(_) | Told::Refused(_) => self.outcome.requests += 1,
        }
        let it = &mut self.devices[device];
        let failure = match told {
            Told::Issued => {
                self.outcome.issued += 1;
                it.failures = 0;
                let life = life(now);
                it.expires = life.expires;
                if std::mem::take(&mut it.is_backlog) {
                    self.served_backlog(now);
                }
                return life.renew_at(draw);
            }
            Told::Reserved(after) => Failure::Reserved { after },
            Told::Refused(retry_after) => Failure::Transient { retry_after },
            Told::Reset => Failure::Transient { retry_after: None },
        };
        it.failures += 1;
        try_again_at(now, Some(it.expires), it.failures, failure, draw)
    }

    fn served_backlog(&mut self, now: u64) {
        self.backlog -= 1;
        if self.backlog == 0 {
            self.outcome.backlog = (self.outcome.issued, self.outcome.requests);
            self.outcome.over = now - START;
        }
    }

    /// What became of them by then, with so many a second that could be served.
    pub(crate) fn end(mut self, rate: f64, end: u64) -> Outcome {
        for device in 0..self.len() {
            self.left(device, end);
        }
        self.outcome.peak = count(self.most) / (600.0 * rate);
        self.outcome
    }
}

/// As many addresses as devices, and a few hundred networks, some with many of them.
pub(crate) fn whence(device: usize) -> Whence {
    let [.., a, b, c] = u32::try_from(device).unwrap().to_be_bytes();
    std::net::IpAddr::from([10, a, b, c]).into()
}

fn life(issued: u64) -> Life {
    let expires = issued + LIFE;
    Life {
        issued,
        expires,
        window: RenewalWindow::of_life(issued, expires),
    }
}

/// A sequence of numbers that is always the same: SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn draw(&mut self) -> Draw {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Draw(u32::try_from((z ^ (z >> 31)) >> 32).unwrap())
    }
}

pub(crate) const START: u64 = 1_800_000_000;
/// After the life of a credential: who is in vain until then is lost.
pub(crate) const END: u64 = START + LIFE;
