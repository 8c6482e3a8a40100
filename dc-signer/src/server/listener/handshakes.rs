//! The handshakes in progress: when there are too many the oldest of the address with the most has to go, so that a flood
//! of those that never end locks nobody out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::address::Prefix;
use super::crowd::Crowd;

/// All handshakes in progress.
#[derive(Debug, Default)]
pub(super) struct Handshakes(Mutex<InProgress>);

#[derive(Debug, Default)]
struct InProgress {
    next: u64,
    /// Those of whom nothing was heard yet, each with the bell that tells it to go.
    silent: Crowd<Arc<Notify>>,
    speaking: Crowd<Arc<Notify>>,
}

impl Handshakes {
    /// Lets one more in. Whatever is too many then is told to go.
    ///
    /// Returns how many that were.
    pub(super) fn enter(self: &Arc<Self>, prefix: Prefix, most: usize) -> (Turn, usize) {
        let mut all = self.lock();
        let mut evicted = 0;
        while all.silent.len() + all.speaking.len() >= most.max(1) {
            evicted += all.evict();
        }
        let number = all.next;
        all.next += 1;
        let over = Arc::<Notify>::default();
        all.silent.insert(prefix, number, over.clone());
        let turn = Turn {
            prefix,
            number,
            over,
            home: self.clone(),
        };
        (turn, evicted)
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, InProgress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InProgress {
    /// Takes from the address with the most, and among equals from the larger group: a flood of one kind costs those of
    /// the other kind nothing.
    fn evict(&mut self) -> usize {
        let size = |group: &Crowd<_>| (group.fullest(), group.len());
        let group = match size(&self.silent) > size(&self.speaking) {
            true => &mut self.silent,
            false => &mut self.speaking,
        };
        let oldest = group.oldest_of_fullest();
        oldest.map_or(0, |over| {
            over.notify_one();
            1
        })
    }
}

/// A handshake in progress, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    prefix: Prefix,
    number: u64,
    over: Arc<Notify>,
    home: Arc<Handshakes>,
}

impl Turn {
    /// Something was heard of it.
    pub(super) fn spoke(&self) {
        let mut all = self.home.lock();
        if let Some(over) = all.silent.remove(self.prefix, self.number) {
            all.speaking.insert(self.prefix, self.number, over);
        }
    }

    /// Waits until it has to make room, which most never have to.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.home.lock();
        all.silent.remove(self.prefix, self.number);
        all.speaking.remove(self.prefix, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::time::{Duration, timeout};

    use super::*;

    async fn is_over(turn: &Turn) -> bool {
        timeout(Duration::ZERO, turn.over()).await.is_ok()
    }

    async fn over(turns: &[Turn]) -> Vec<bool> {
        let mut over = Vec::new();
        for turn in turns {
            over.push(is_over(turn).await);
        }
        over
    }

    fn host(number: u8) -> Prefix {
        SocketAddr::from(([127, 0, 0, number], 1)).into()
    }

    fn enter(all: &Arc<Handshakes>, speaks: bool) -> Turn {
        let (turn, _) = all.enter(host(1), 4);
        if speaks {
            turn.spoke();
        }
        turn
    }

    #[tokio::test]
    async fn the_oldest_goes_when_there_are_too_many() {
        for speaks in [false, true] {
            let all = Arc::default();
            let turns: Vec<Turn> = (0..6).map(|_| enter(&all, speaks)).collect();
            let expected = [true, true, false, false, false, false];
            assert_eq!(over(&turns).await, expected, "{speaks}");
        }
    }

    #[tokio::test]
    async fn a_flood_of_silent_ones_leaves_those_alone_that_speak() {
        let all = Arc::default();
        let real = enter(&all, true);
        let _flood: Vec<Turn> = (0..100).map(|_| enter(&all, false)).collect();
        assert!(!is_over(&real).await);
    }

    #[tokio::test]
    async fn a_flood_of_speaking_ones_leaves_those_alone_that_are_about_to() {
        let all = Arc::default();
        let real = enter(&all, false);
        let _flood: Vec<Turn> = (0..100).map(|_| enter(&all, true)).collect();
        assert!(!is_over(&real).await);
    }

    #[tokio::test]
    async fn a_flood_from_one_host_leaves_the_slow_ones_of_others_alone() {
        for speaks in [false, true] {
            let all = Arc::default();
            let slow = enter(&all, speaks);
            let mut flood = Vec::new();
            for _ in 0..100 {
                let (turn, _) = all.enter(host(2), 4);
                turn.spoke();
                flood.push(turn);
            }
            assert!(!is_over(&slow).await, "{speaks}");
        }
    }

    #[test]
    fn those_that_ended_make_room() {
        let all = Arc::<Handshakes>::default();
        for _ in 0..100 {
            let (turn, evicted) = all.enter(host(1), 1);
            turn.spoke();
            assert_eq!(evicted, 0);
        }
    }

    #[test]
    fn a_lower_limit_counts_from_the_next_one_on() {
        let all = Arc::default();
        let _turns: Vec<Turn> = (0..4).map(|_| enter(&all, false)).collect();
        assert_eq!(all.enter(host(1), 2).1, 3);
        assert_eq!(all.enter(host(1), 0).1, 1);
    }
}
