//! Seats: each caller has so many connections, and nobody takes those of another.
//!
//! One that asks nothing gives its seat up when its own caller needs one. So a service that was taken over, and holds on to all that
//! it can, keeps neither root nor a caller with another certificate from ending what it does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::caller::{Caller, Who};

/// The seats of all callers.
#[derive(Debug)]
pub(super) struct Seats {
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, Seat>,
}

#[derive(Debug)]
struct Seat {
    who: Who,
    /// It is asking, or being answered.
    is_busy: bool,
    /// Since when it is not, as a number that grows.
    since: u64,
    give_up: Arc<Notify>,
}

/// A seat that is taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Seated {
    seats: Arc<Seats>,
    number: u64,
    give_up: Arc<Notify>,
}

impl Seats {
    /// So many for each of this number of callers as a process has files for.
    pub(super) fn new(callers: usize) -> Self {
        Self {
            each: (MOST / callers.max(1)).clamp(FEWEST, EACH),
            taken: Mutex::default(),
        }
    }

    /// Takes one; the one of this caller that has asked nothing for longest is closed if there is none left. None if all are busy.
    pub(super) fn take(self: &Arc<Self>, caller: Caller) -> Option<Seated> {
        let who = caller.who();
        let mut taken = self.taken();
        let own = |seat: &&Seat| seat.who == who;
        if taken.seats.values().filter(own).count() >= self.each {
            let mut idle: Vec<_> = taken
                .seats
                .iter()
                .filter(|(_, seat)| seat.who == who && !seat.is_busy)
                .map(|(number, seat)| (seat.since, *number))
                .collect();
            idle.sort_unstable();
            let (_, oldest) = idle.first()?;
            let given_up = taken.seats.remove(oldest)?;
            given_up.give_up.notify_one();
        }
        let number = taken.next();
        let give_up = Arc::new(Notify::new());
        let seat = Seat {
            who,
            is_busy: false,
            since: number,
            give_up: give_up.clone(),
        };
        taken.seats.insert(number, seat);
        Some(Seated {
            seats: self.clone(),
            number,
            give_up,
        })
    }

    /// How many each caller has.
    pub(super) const fn each(&self) -> usize {
        self.each
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Seated {
    /// It asks now; false if the seat was given up meanwhile.
    pub(super) fn begin(&self) -> bool {
        let mut taken = self.seats.taken();
        let seat = taken.seats.get_mut(&self.number);
        seat.map(|seat| seat.is_busy = true).is_some()
    }

    /// It was answered.
    pub(super) fn end(&self) {
        let mut taken = self.seats.taken();
        let since = taken.next();
        if let Some(seat) = taken.seats.get_mut(&self.number) {
            (seat.is_busy, seat.since) = (false, since);
        }
    }

    /// Waits until somebody else needs the seat.
    pub(super) async fn given_up(&self) {
        self.give_up.notified().await;
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.number);
    }
}

/// More than the threads of a service that sign at the same time.
const EACH: usize = 64;
const FEWEST: usize = 8;
/// Each is a file descriptor, of which a process has 1024 unless it is given more.
const MOST: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;
    use dc_pki::Sha256;

    const fn user(uid: u32) -> Caller {
        Caller::Process { uid, pid: 1 }
    }

    #[tokio::test]
    async fn each_caller_has_seats_of_its_own_and_idle_ones_are_given_up() {
        let seats = Arc::new(Seats::new(1));
        let address = "[::1]:1".parse().unwrap();
        let remote = |byte| Caller::Remote {
            certificate: Sha256::from_bytes([byte; 32]),
            address,
        };
        let held: Vec<_> = (0..EACH).map(|_| seats.take(user(7)).unwrap()).collect();
        assert!(held.iter().skip(1).all(Seated::begin));
        // The one that asks nothing makes room, and then none does.
        let last = seats.take(user(7)).unwrap();
        held[0].given_up().await;
        assert!(!held[0].begin() && last.begin());
        assert!(seats.take(user(7)).is_none());
        for caller in [user(0), user(8), remote(1), remote(2)] {
            assert!(seats.take(caller).is_some(), "{caller}");
        }
        // Of two that are idle the one that has asked last stays.
        held[2].end();
        held[1].end();
        let _next = seats.take(user(7)).unwrap();
        assert!(!held[2].begin() && held[1].begin());
        drop(last);
        assert!(seats.take(user(7)).is_some());
    }

    #[test]
    fn many_callers_have_fewer_each() {
        assert_eq!(Seats::new(0).each(), EACH);
        assert_eq!(Seats::new(20).each(), 32);
        assert_eq!(Seats::new(1000).each(), FEWEST);
    }
}
