//! The devices: when each comes, what it was told, and what became of its credential.

use std::time::Duration;

use dc_admission::{Left, Whence};
use dc_schedule::{Failure, Life, after_start, pulled_to, try_again_at};

use crate::BEGINNING;
use crate::certificates::{TryAgain, Zones};
use crate::count::{Counter, Told};
use crate::random::{Part, Random};
use crate::scenario::Scenario;
use crate::wheel::Wheel;

/// A device. Moments are seconds since [`BEGINNING`] seconds before the run.
#[derive(Clone, Copy, Debug)]
struct Device {
    expires: u32,
    failures: u8,
    flags: u8,
}

/// It had asked in vain during an outage, and has nothing yet.
const IN_BACKLOG: u8 = 1;
/// Its credential has ended, which was counted.
const HAS_ENDED: u8 = 2;
/// It was lost at least once.
const WAS_LOST: u8 = 4;
/// Its credential is from a certificate whose key was stolen.
const IS_STOLEN: u8 = 8;
/// Its credential ended without power at least once.
const ENDED_OFF: u8 = 16;

/// All devices.
#[derive(Debug)]
pub(crate) struct Fleet<'s> {
    scenario: &'s Scenario,
    devices: Vec<Device>,
    wheel: Wheel,
    random: Random,
    cuts: Vec<(u32, u32, Part)>,
    zones: Zones,
    pub(crate) counter: Counter,
}

impl<'s> Fleet<'s> {
    /// In a steady state.
    pub(crate) fn new(scenario: &'s Scenario, try_again: TryAgain<'_>) -> Self {
        let mut random = Random::new(scenario.seed);
        let zones = Zones::new(scenario, &mut random, try_again);
        let cuts = scenario.power_cuts.iter().enumerate().map(|(number, cut)| {
            let (start, end) = (BEGINNING + cut.start, BEGINNING.saturating_add(cut.end()));
            (
                start,
                end,
                Part::new(cut.share, scenario.seed, POWER + number as u64),
            )
        });
        let mut fleet = Self {
            scenario,
            devices: Vec::with_capacity(usize::try_from(scenario.devices).unwrap_or_default()),
            wheel: Wheel::new(scenario.horizon()),
            random,
            cuts: cuts.collect(),
            zones,
            counter: Counter::new(scenario),
        };
        (0..scenario.devices).for_each(|device| fleet.add(device));
        fleet
    }

    /// Anywhere between two renewals.
    fn add(&mut self, device: u32) {
        let issued = u64::from(BEGINNING - self.scenario.lifetime);
        let life = self.life(issued, issued + u64::from(self.scenario.lifetime));
        let renew_at = life.renew_at(self.random.draw());
        let phase = self.random.draw().between(0, renew_at - issued);
        // Its age is the phase at the beginning.
        let later = u64::from(BEGINNING) - issued - phase;
        self.devices.push(Device {
            expires: seconds(life.expires + later),
            failures: 0,
            flags: 0,
        });
        self.does_something_at(device, renew_at + later);
    }

    fn life(&self, issued: u64, expires: u64) -> Life {
        let window = self.scenario.window_of(issued, seconds(expires - issued));
        Life {
            issued,
            expires,
            window,
        }
    }

    fn does_something_at(&mut self, device: u32, at: u64) {
        self.wheel
            .put(device, seconds(at).saturating_sub(BEGINNING));
    }

    /// Takes those who come in a second, in no order that means anything.
    pub(crate) fn who_comes(&mut self, second: u32, who: &mut Vec<u32>) {
        self.wheel.take(second, who);
        let now = BEGINNING + second;
        let is_dark = self
            .cuts
            .iter()
            .any(|(start, end, _)| (*start..*end).contains(&now));
        if is_dark {
            who.retain(|device| !self.waits_for_power(*device, now));
        }
        // Nothing but this is done with many at once, so that the memory is read once for all of them.
        let flags = who
            .iter()
            .filter_map(|device| self.devices.get(index(*device)));
        std::hint::black_box(flags.fold(0, |all, device| all | device.flags));
    }

    /// True if it has no power: then it does what is due when it has.
    fn waits_for_power(&mut self, device: u32, now: u32) -> bool {
        let Some(back) = self.power_is_back(device, now) else {
            return false;
        };
        let delay = u64::from(self.scenario.start_delay);
        let (back, now) = (u64::from(back), u64::from(now));
        let at = after_start(back, now, delay, self.random.draw());
        self.does_something_at(device, at.max(now + 1));
        true
    }

    /// When a device has power again that has none; none if it has.
    fn power_is_back(&self, device: u32, at: u32) -> Option<u32> {
        let cuts = self.cuts.iter();
        let without =
            cuts.filter(|(start, end, part)| (*start..*end).contains(&at) && part.has(device));
        without.map(|(_, end, _)| *end).max()
    }

    /// How long its credential is valid.
    pub(crate) fn left(&mut self, device: u32, now: Duration) -> Left {
        let now = seconds(now.as_secs());
        self.look(device, now);
        let expires = self
            .devices
            .get(index(device))
            .map_or(0, |device| device.expires);
        match expires.checked_sub(now) {
            None | Some(0) => Left::Ended,
            Some(left) => Left::For(Duration::from_secs(u64::from(left))),
        }
    }

    /// Counts it if its credential has ended.
    fn look(&mut self, device: u32, now: u32) {
        let Some(Device { expires, flags, .. }) = self.devices.get(index(device)).copied() else {
            return;
        };
        if now < expires || flags & HAS_ENDED != 0 {
            return;
        }
        let back = self.power_is_back(device, expires);
        let (flag, count) = match back {
            Some(_) => (ENDED_OFF, &mut self.counter.ended_without_power),
            None => (WAS_LOST, &mut self.counter.lost),
        };
        *count += u32::from(flags & flag == 0);
        if back.is_none() {
            self.counter.loses(expires);
        }
        if let Some(device) = self.devices.get_mut(index(device)) {
            device.flags |= HAS_ENDED | flag;
        }
    }

    /// A device is told something, after which it comes again.
    pub(crate) fn told(&mut self, device: u32, told: Told, now: Duration) {
        let now = seconds(now.as_secs());
        self.look(device, now);
        let failure = match told {
            Told::Served => match self.zones.not_after(device, now) {
                Some(not_after) => return self.issue(device, now, not_after),
                None => Failure::Transient { retry_after: None },
            },
            Told::Reserved { after, .. } => Failure::Reserved { after },
            Told::Reset | Told::Unreachable => Failure::Transient { retry_after: None },
        };
        self.counter.fails(told);
        let draw = self.random.draw();
        let Some(it) = self.devices.get_mut(index(device)) else {
            return;
        };
        it.failures = it.failures.saturating_add(1);
        let in_vain = matches!(told, Told::Unreachable | Told::Served);
        if in_vain && it.flags & IN_BACKLOG == 0 {
            it.flags |= IN_BACKLOG;
            self.counter.backlog += 1;
        }
        let (expires, failures) = (u64::from(it.expires), u32::from(it.failures));
        let at = try_again_at(u64::from(now), Some(expires), failures, failure, draw);
        self.does_something_at(device, at);
    }

    fn issue(&mut self, device: u32, now: u32, not_after: u32) {
        let expires = now.saturating_add(self.scenario.lifetime).min(not_after);
        let life = self.life(u64::from(now), u64::from(expires));
        let at = life.renew_at(self.random.draw());
        let back = self
            .devices
            .get(index(device))
            .and_then(|it| self.power_is_back(device, it.expires));
        if let Some(it) = self.devices.get_mut(index(device)) {
            let ended = back.unwrap_or(it.expires);
            self.counter.issues(now.saturating_sub(ended));
            if it.flags & IN_BACKLOG != 0 {
                self.counter.serves_backlog();
            }
            if it.flags & IS_STOLEN != 0 {
                self.counter.leaves_stolen_key();
            }
            it.expires = expires;
            it.failures = 0;
            it.flags &= !(IN_BACKLOG | HAS_ENDED | IS_STOLEN);
        }
        self.does_something_at(device, at);
    }

    /// All devices are asked to renew: each hears of it when it asks next, and then spreads it.
    pub(crate) fn pull(&mut self, second: u32) {
        let Scenario { poll, spread, .. } = *self.scenario;
        let now = BEGINNING + second;
        for (due, device) in self.wheel.take_all() {
            self.pull_one(device, now, BEGINNING + due, poll, spread);
        }
        let count = self.devices.len();
        for device in &mut self.devices {
            device.flags |= IS_STOLEN;
        }
        self.counter
            .key_is_stolen(second, u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn pull_one(&mut self, device: u32, now: u32, due: u32, poll: u32, spread: u32) {
        let Some(it) = self.devices.get(index(device)).copied() else {
            return;
        };
        // Anywhere between two questions.
        let hears = self.random.draw().between(0, u64::from(poll)) + u64::from(now);
        let (spread, expires) = (u64::from(spread), u64::from(it.expires));
        let pulled = pulled_to(hears, spread, expires, self.random.draw());
        // Who has been told a time keeps to it.
        let at = match it.failures {
            0 => pulled.min(u64::from(due)),
            _ => u64::from(due),
        };
        self.does_something_at(device, at.max(u64::from(now)));
    }

    /// How many devices wait for something after the run: all of them.
    pub(crate) fn waiting(&self) -> u32 {
        let later = self.wheel.count_from(self.scenario.span);
        u32::try_from(later).unwrap_or(u32::MAX)
    }

    /// Looks at each device for the last time, and says what they have left.
    pub(crate) fn end(&mut self) -> [u32; 3] {
        let end = BEGINNING + self.scenario.span;
        (0..self.scenario.devices).for_each(|device| {
            self.look(device, end);
            self.still_without(device, end);
        });
        let mut left: Vec<u32> = self
            .devices
            .iter()
            .map(|it| it.expires.saturating_sub(end))
            .collect();
        left.sort_unstable();
        let at =
            |part: usize| left.get((left.len() * part / 100).min(left.len().saturating_sub(1)));
        [50, 99, 100].map(|part| at(part).copied().unwrap_or_default())
    }

    fn still_without(&mut self, device: u32, end: u32) {
        let Some(it) = self.devices.get(index(device)).copied() else {
            return;
        };
        if it.expires < end {
            let ended = self.power_is_back(device, it.expires).unwrap_or(it.expires);
            self.counter.without += u64::from(end.saturating_sub(ended));
        }
    }

    /// Devices that come in so many seconds because their power is back.
    pub(crate) fn start_with_power(&mut self, number: usize) -> Vec<u32> {
        let Some((_, _, part)) = self.cuts.get(number).copied() else {
            return Vec::new();
        };
        let delay = u64::from(self.scenario.start_delay);
        let devices = (0..self.scenario.devices).filter(|device| part.has(*device));
        devices
            .map(|_| seconds(self.random.draw().between(0, delay)))
            .collect()
    }

    pub(crate) fn scenario(&self) -> &'s Scenario {
        self.scenario
    }

    pub(crate) fn draw(&mut self) -> dc_schedule::Draw {
        self.random.draw()
    }

    pub(crate) fn orders(&self) -> (u32, u32) {
        self.zones.orders
    }

    /// As many addresses as devices, and some of each network.
    pub(crate) fn whence(device: u32) -> Whence {
        std::net::IpAddr::from(device.wrapping_add(10 << 24).to_be_bytes()).into()
    }
}

fn index(device: u32) -> usize {
    usize::try_from(device).unwrap_or(usize::MAX)
}

fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Parts of the devices by power cut; those by outage have smaller numbers.
const POWER: u64 = 1 << 32;
