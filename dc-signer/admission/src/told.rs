//! The times that devices which were sent away were told to come at, at this service or another of the same devices.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The time of each device, as long as it counts.
#[derive(Debug, Default)]
pub(crate) struct Told {
    times: HashMap<u64, Promise>,
    /// The same devices, by when that does not count any more.
    forget: BTreeMap<Duration, Vec<u64>>,
}

/// The time of a device, in few bytes.
#[derive(Clone, Copy, Debug)]
struct Promise {
    seconds: u64,
    nanos: u32,
    /// It has a place in the book here.
    is_own: bool,
    /// The device was served before its time.
    is_needless: bool,
}

impl Promise {
    fn new(at: Duration, is_own: bool) -> Self {
        Self {
            seconds: at.as_secs(),
            nanos: at.subsec_nanos(),
            is_own,
            is_needless: false,
        }
    }

    fn at(&self) -> Duration {
        Duration::new(self.seconds, self.nanos)
    }
}

impl Told {
    /// Another service has told a device to come at a time: the latest counts.
    pub(crate) fn hear(&mut self, device: u64, at: Duration, now: Duration) {
        self.forget(now);
        if self.times.get(&device).is_none_or(|known| known.at() < at) {
            self.insert(device, Promise::new(at, false), now);
        }
    }

    /// True if the time that a device was told has come.
    pub(crate) fn is_expected(&self, device: u64, now: Duration) -> bool {
        let told = self.times.get(&device);
        told.is_some_and(|told| told.at() <= now.saturating_add(EARLY))
    }

    /// The time that a device was told and that is still to come: whoever comes before is told the same again. True if it was served
    /// meanwhile, so that its place in the book waits for it again.
    pub(crate) fn still_to_come(&mut self, device: u64, now: Duration) -> Option<(Duration, bool)> {
        self.forget(now);
        let told = self.times.get_mut(&device)?;
        (told.at() > now.saturating_add(EARLY))
            .then(|| (told.at(), std::mem::take(&mut told.is_needless)))
    }

    /// It is told to come at a time that it has a place for in the book.
    pub(crate) fn remember(&mut self, device: u64, at: Duration, now: Duration) {
        self.insert(device, Promise::new(at, true), now);
    }

    fn insert(&mut self, device: u64, promise: Promise, now: Duration) {
        if self.times.len() >= MOST {
            return;
        }
        let at = promise.at();
        self.times.insert(device, promise);
        // A tenth of the wait later is what a cautious client makes of it.
        let grace = (at.saturating_sub(now) / 8).max(LEAST_GRACE);
        let until = Duration::from_secs(at.saturating_add(grace).as_secs());
        self.forget.entry(until).or_default().push(device);
    }

    /// It is served, so that its time has done its part. Returns the time of the place in the book that nobody waits for now.
    pub(crate) fn served(&mut self, device: u64) -> Option<Duration> {
        let told = self.times.remove(&device)?;
        (told.is_own && !told.is_needless).then(|| told.at())
    }

    /// The same for one that may come for another thing right behind it: a time that is still to come stays the only one it has.
    pub(crate) fn served_in_time(&mut self, device: u64, now: Duration) -> Option<Duration> {
        if self.is_expected(device, now) {
            return self.served(device);
        }
        let told = self.times.get_mut(&device)?;
        let was_needless = std::mem::replace(&mut told.is_needless, true);
        (told.is_own && !was_needless).then(|| told.at())
    }

    fn forget(&mut self, now: Duration) {
        while let Some(entry) = self
            .forget
            .first_entry()
            .filter(|entry| *entry.key() <= now)
        {
            for device in entry.remove() {
                // It may have been told another time since.
                if self.times.get(&device).is_some_and(|told| told.at() < now) {
                    self.times.remove(&device);
                }
            }
        }
    }
}

/// Clocks are not the same to the second.
const EARLY: Duration = Duration::from_secs(1);
const LEAST_GRACE: Duration = Duration::from_secs(120);
/// About 60 MB. Those beyond are given a time that nobody remembers.
const MOST: usize = 1_000_000;
