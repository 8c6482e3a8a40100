//! The connections that are open: how many, how many of one address, and who has to go when there are too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::address::Prefix;
use super::crowd::Crowd;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: Mutex<All>,
    ended: Notify,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// From everywhere.
    pub(super) all: usize,
    /// From one address.
    pub(super) of_one: usize,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    open: HashMap<u64, Seat>,
    of_one: HashMap<Prefix, usize>,
    /// Those without a request in progress, by how long they have been so: of whom nobody knows, and of whom somebody does.
    strangers: Crowd<u64>,
    known: Crowd<u64>,
}

#[derive(Debug)]
struct Seat {
    prefix: Prefix,
    /// Its number in one of the two crowds.
    idle: Option<u64>,
    over: Arc<Notify>,
}

/// Whether there was room.
pub(super) enum Entered {
    /// There is a place, for which so many had to go.
    In(Open, usize),
    /// Its address has all that one may have, and all of them are busy.
    TooMany,
}

impl Connections {
    /// Lets one more in. Whoever has no request in progress makes room for it, if that is needed; if everybody has one,
    /// it waits. Only one task may wait.
    pub(super) async fn enter(self: &Arc<Self>, from: Prefix, most: impl Fn() -> Most) -> Entered {
        loop {
            if let Some(entered) = self.try_enter(from, most()) {
                return entered;
            }
            // A reload may raise the limit meanwhile, and rings no bell.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.ended.notified()).await;
        }
    }

    /// None if it has to wait.
    fn try_enter(self: &Arc<Self>, prefix: Prefix, most: Most) -> Option<Entered> {
        let mut all = self.lock();
        let mut evicted = 0;
        while all
            .of_one
            .get(&prefix)
            .is_some_and(|n| *n >= most.of_one.max(1))
        {
            match all.evict_of(prefix) {
                true => evicted += 1,
                false => return Some(Entered::TooMany),
            }
        }
        while all.open.len() >= most.all.max(1) {
            match all.evict() {
                true => evicted += 1,
                false => return None,
            }
        }
        let number = all.number();
        let over = Arc::<Notify>::default();
        let seat = Seat {
            prefix,
            idle: None,
            over: over.clone(),
        };
        all.open.insert(number, seat);
        *all.of_one.entry(prefix).or_default() += 1;
        let open = Open {
            number,
            over,
            known: Arc::default(),
            home: self.clone(),
        };
        Some(Entered::In(open, evicted))
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Strangers go first, from wherever most of them are.
    fn evict(&mut self) -> bool {
        let number = self.strangers.oldest_of_fullest();
        let number = number.or_else(|| self.known.oldest_of_fullest());
        number.is_some_and(|number| self.send_away(number))
    }

    /// The same of one address alone.
    fn evict_of(&mut self, prefix: Prefix) -> bool {
        let number = self.strangers.oldest_of(prefix);
        let number = number.or_else(|| self.known.oldest_of(prefix));
        number.is_some_and(|number| self.send_away(number))
    }

    fn send_away(&mut self, number: u64) -> bool {
        let gone = self.leave(number);
        gone.is_some_and(|seat| {
            seat.over.notify_one();
            true
        })
    }

    fn leave(&mut self, number: u64) -> Option<Seat> {
        let seat = self.open.remove(&number)?;
        self.rise(&seat);
        if let Some(count) = self.of_one.get_mut(&seat.prefix) {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&seat.prefix);
            }
        }
        Some(seat)
    }

    fn rise(&mut self, seat: &Seat) {
        if let Some(idle) = seat.idle {
            self.strangers.remove(seat.prefix, idle);
            self.known.remove(seat.prefix, idle);
        }
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    number: u64,
    over: Arc<Notify>,
    known: Arc<AtomicBool>,
    home: Arc<Connections>,
}

impl Open {
    /// It has no request in progress from now on, so that it may be sent away.
    pub(super) fn idle(&self) {
        let mut all = self.home.lock();
        let idle = all.number();
        let known = self.known.load(Ordering::Relaxed);
        let All {
            open,
            strangers,
            known: others,
            ..
        } = &mut *all;
        // It may have been sent away already.
        let Some(seat) = open.get_mut(&self.number) else {
            return;
        };
        if seat.idle.is_none() {
            seat.idle = Some(idle);
            let crowd = if known { others } else { strangers };
            crowd.insert(seat.prefix, idle, self.number);
        }
        drop(all);
        // Whoever waits for a place may have this one.
        self.home.ended.notify_one();
    }

    /// It has a request in progress from now on.
    pub(super) fn busy(&self) {
        let mut all = self.home.lock();
        let Some(mut seat) = all.open.remove(&self.number) else {
            return;
        };
        all.rise(&seat);
        seat.idle = None;
        all.open.insert(self.number, seat);
    }

    /// Waits until it has to make room, which most never have to.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }

    /// For the requests of the connection.
    pub(super) fn peer(&self) -> Peer {
        Peer(self.known.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.home.lock().leave(self.number);
        self.home.ended.notify_one();
    }
}

/// Whoever is at the other end of a connection: a stranger, until somebody says that they are known.
#[derive(Clone, Debug, Default)]
pub struct Peer(Arc<AtomicBool>);

impl Peer {
    /// Says that they are a device or an operator who is known here: strangers make room for them.
    pub fn is_known_here(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has said so.
    pub(super) fn is_stranger(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::AtomicUsize;

    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn host(number: u8) -> Prefix {
        SocketAddr::from(([127, 0, 0, number], 1)).into()
    }

    fn most(all: usize, of_one: usize) -> Most {
        Most { all, of_one }
    }

    fn enter(connections: &Arc<Connections>, from: u8, most: Most) -> Open {
        match connections.try_enter(host(from), most) {
            Some(Entered::In(open, _)) => open,
            Some(Entered::TooMany) => panic!("too many of one"),
            None => panic!("full"),
        }
    }

    async fn is_over(open: &Open) -> bool {
        timeout(Duration::ZERO, open.over()).await.is_ok()
    }

    #[tokio::test]
    async fn one_too_many_waits_until_another_ends_or_has_nothing_to_do() {
        for ends in [true, false] {
            let connections = Arc::<Connections>::default();
            let first = enter(&connections, 1, most(1, 9));
            let one = || most(1, 9);
            assert!(
                timeout(SHORT, connections.enter(host(2), one))
                    .await
                    .is_err()
            );
            let later = tokio::spawn(async move {
                tokio::time::sleep(SHORT).await;
                first.idle();
                (!ends).then_some(first)
            });
            let second = connections.enter(host(2), one).await;
            assert!(matches!(second, Entered::In(..)));
            if let Some(first) = later.await.unwrap() {
                assert!(is_over(&first).await);
            }
        }
    }

    #[tokio::test]
    async fn a_higher_limit_is_noticed_by_who_waits_already() {
        let connections = Arc::<Connections>::default();
        let _first = enter(&connections, 1, most(1, 9));
        let all = AtomicUsize::new(1);
        let limit = || most(all.load(Ordering::Relaxed), 9);
        let (_second, ()) = tokio::join!(connections.enter(host(2), limit), async {
            tokio::time::sleep(SHORT).await;
            all.store(2, Ordering::Relaxed);
        });
    }

    #[tokio::test]
    async fn the_oldest_idle_stranger_of_the_fullest_address_makes_room() {
        let connections = Arc::<Connections>::default();
        let slow = enter(&connections, 1, most(4, 9));
        let flood: Vec<Open> = (0..3).map(|_| enter(&connections, 2, most(4, 9))).collect();
        for open in [&slow, &flood[1], &flood[0]] {
            open.idle();
        }
        let _new = enter(&connections, 3, most(4, 9));
        assert!(is_over(&flood[1]).await, "it has been idle for longest");
        for open in [&slow, &flood[0], &flood[2]] {
            assert!(!is_over(open).await);
        }
    }

    #[tokio::test]
    async fn strangers_make_room_before_those_who_are_known() {
        let connections = Arc::<Connections>::default();
        let device = enter(&connections, 1, most(2, 9));
        device.peer().is_known_here();
        device.idle();
        let stranger = enter(&connections, 2, most(2, 9));
        stranger.idle();
        let third = enter(&connections, 3, most(2, 9));
        assert!(is_over(&stranger).await && !is_over(&device).await);
        // And if there is nobody else, those who are known.
        let _fourth = enter(&connections, 4, most(2, 9));
        assert!(is_over(&device).await && !is_over(&third).await);
    }

    #[tokio::test]
    async fn one_address_has_so_many_and_its_own_make_room() {
        let connections = Arc::<Connections>::default();
        let other = enter(&connections, 2, most(9, 2));
        other.idle();
        let [first, second] = [1, 1].map(|from| enter(&connections, from, most(9, 2)));
        let refused = connections.try_enter(host(1), most(9, 2));
        assert!(matches!(refused, Some(Entered::TooMany)));
        second.idle();
        let _third = enter(&connections, 1, most(9, 2));
        assert!(is_over(&second).await && !is_over(&first).await && !is_over(&other).await);
    }

    #[test]
    fn whoever_has_gone_is_forgotten() {
        let connections = Arc::<Connections>::default();
        for _ in 0..100 {
            let open = enter(&connections, 1, most(1, 1));
            open.idle();
            let next = enter(&connections, 1, most(1, 1));
            // It was sent away: nothing that it does counts.
            open.busy();
            open.idle();
            next.busy();
            next.idle();
        }
        let all = connections.lock();
        assert!(all.open.is_empty() && all.of_one.is_empty());
        assert_eq!((all.strangers.len(), all.known.len()), (0, 0));
    }
}
