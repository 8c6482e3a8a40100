//! The requests in progress, over all connections: each may wait for its body, but not many together, and not for long.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::address::Prefix;
use super::crowd::Crowd;
use super::open::Peer;

/// All requests in progress.
#[derive(Debug, Default)]
pub(super) struct Intake(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    next: u64,
    in_progress: HashSet<u64>,
    turn: u64,
    /// Those whose bodies are awaited: of strangers, and of others.
    strangers: Crowd<Waiting>,
    known: Crowd<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    prefix: Prefix,
    peer: Peer,
    over: Arc<Notify>,
}

impl Intake {
    /// One more. When there are too many, one whose body is still awaited is told to go.
    ///
    /// None if there is none such: then this one is too many.
    pub(super) fn enter(
        self: &Arc<Self>,
        prefix: Prefix,
        peer: &Peer,
        most: usize,
    ) -> Option<Ticket> {
        let mut all = self.lock();
        while all.in_progress.len() >= most.max(1) {
            all.evict()?;
        }
        let number = all.next;
        all.next += 1;
        all.in_progress.insert(number);
        let over = Arc::<Notify>::default();
        let waiting = Waiting {
            number,
            prefix,
            peer: peer.clone(),
            over: over.clone(),
        };
        all.strangers.insert(prefix, number, waiting);
        Some(Ticket {
            number,
            prefix,
            over,
            home: self.clone(),
        })
    }

    /// After how many seconds the next one that is too many is to come again: soon, because those who wait for nothing are gone
    /// by then, but not all at once.
    pub(super) fn next_turn(&self) -> u64 {
        let mut all = self.lock();
        let turn = all.turn;
        all.turn = (turn + 1) % TURNS;
        SOON + turn
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn evict(&mut self) -> Option<()> {
        let waiting = loop {
            match self.strangers.oldest_of_fullest() {
                Some(waiting) if waiting.peer.is_stranger() => break waiting,
                // Since it came somebody has said that it is known.
                Some(waiting) => self.known.insert(waiting.prefix, waiting.number, waiting),
                None => break self.known.oldest_of_fullest()?,
            }
        };
        self.in_progress.remove(&waiting.number);
        waiting.over.notify_one();
        Some(())
    }

    fn settle(&mut self, prefix: Prefix, number: u64) {
        self.strangers.remove(prefix, number);
        self.known.remove(prefix, number);
    }
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    prefix: Prefix,
    over: Arc<Notify>,
    home: Arc<Intake>,
}

impl Ticket {
    /// Its body is here, so that it is not told to go any more.
    pub(super) fn arrived(&self) {
        self.home.lock().settle(self.prefix, self.number);
    }

    /// Waits until it has to make room, which most never have to.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut all = self.home.lock();
        all.in_progress.remove(&self.number);
        all.settle(self.prefix, self.number);
    }
}

/// Seconds.
const SOON: u64 = 10;
const TURNS: u64 = 60;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::{Duration, timeout};

    use super::*;

    fn enter(intake: &Arc<Intake>, host: u8, peer: &Peer) -> Option<Ticket> {
        let prefix = IpAddr::from([127, 0, 0, host]).into();
        intake.enter(prefix, peer, 3)
    }

    async fn is_over(ticket: &Ticket) -> bool {
        timeout(Duration::ZERO, ticket.over()).await.is_ok()
    }

    #[tokio::test]
    async fn whoever_waits_for_a_body_makes_room_and_nobody_else() {
        let (intake, peer) = (Arc::default(), Peer::default());
        let [slow, here, flood] = [1, 1, 2].map(|host| enter(&intake, host, &peer).unwrap());
        here.arrived();
        let second = enter(&intake, 2, &peer).unwrap();
        assert!(is_over(&slow).await, "none has more, and it is the oldest");
        second.arrived();
        let third = enter(&intake, 3, &peer).unwrap();
        assert!(is_over(&flood).await);
        third.arrived();
        assert!(enter(&intake, 4, &peer).is_none(), "all are being answered");
        assert!(!is_over(&here).await && !is_over(&third).await);
        drop(here);
        assert!(enter(&intake, 4, &peer).is_some());
    }

    #[tokio::test]
    async fn strangers_make_room_before_those_who_are_known() {
        let (intake, operator, stranger) = (Arc::default(), Peer::default(), Peer::default());
        let load = enter(&intake, 1, &operator).unwrap();
        operator.is_known_here();
        let other = enter(&intake, 2, &stranger).unwrap();
        let busy = enter(&intake, 3, &stranger).unwrap();
        busy.arrived();
        let next = enter(&intake, 4, &stranger).unwrap();
        assert!(is_over(&other).await && !is_over(&load).await);
        next.arrived();
        assert!(enter(&intake, 5, &stranger).is_some());
        assert!(is_over(&load).await);
    }

    #[test]
    fn those_that_ended_are_forgotten() {
        let (intake, peer) = (Arc::<Intake>::default(), Peer::default());
        for host in 0..100 {
            let ticket = enter(&intake, host, &peer).unwrap();
            if host % 2 == 0 {
                ticket.arrived();
            }
        }
        let all = intake.lock();
        assert!(all.in_progress.is_empty());
        assert_eq!((all.strangers.len(), all.known.len()), (0, 0));
    }
}
