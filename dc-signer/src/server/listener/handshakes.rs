//! The handshakes in progress, and those who wait for theirs: fair turns, so that neither a flood of those that never end nor one of honest
//! devices locks anybody out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dc_admission::{Id, Notice, Queue, QueueLimits, Whence, Why};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::address::Prefix;
use super::crowd::Crowd;
use crate::server::telemetry::{Metrics, Shed};

/// All of them.
#[derive(Debug)]
pub(super) struct Handshakes {
    all: Mutex<All>,
    /// Somebody has come or gone, so that the time to look again may be another one.
    changed: Notify,
    began: Instant,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    /// Those of whom nothing was heard yet, each with what tells it to go. They cost a connection and nothing else.
    silent: Crowd<watch::Sender<Stage>>,
    queue: Queue,
    stages: HashMap<Id, watch::Sender<Stage>>,
    /// Those that were told last; they are the same for all.
    limits: Option<QueueLimits>,
    /// Somebody looks when it is time.
    is_watched: bool,
}

/// The progress of a connection that wants to shake hands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Waiting,
    Begun,
    SentAway,
}

impl Handshakes {
    /// Nobody is there.
    pub(super) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            all: Mutex::default(),
            changed: Notify::new(),
            began: Instant::now(),
            metrics,
        })
    }

    /// One more, of which nothing was heard yet. When there are too many such the oldest of the address with the most has to go.
    pub(super) fn enter(
        self: &Arc<Self>,
        prefix: Prefix,
        whence: Whence,
        limits: QueueLimits,
    ) -> Turn {
        let mut all = self.lock();
        while all.silent.len() >= limits.waiting.max(1) {
            if let Some(stage) = all.silent.oldest_of_fullest() {
                stage.send_replace(Stage::SentAway);
                self.metrics.shed(Shed::Handshakes);
            }
        }
        let number = all.next;
        all.next += 1;
        let (stage, told) = watch::channel(Stage::Waiting);
        all.silent.insert(prefix, number, stage);
        Turn {
            prefix,
            whence,
            number,
            told,
            limits,
            queued: Mutex::default(),
            home: self.clone(),
        }
    }

    fn spoke(self: &Arc<Self>, turn: &Turn) {
        let mut all = self.lock();
        let Some(stage) = all.silent.remove(turn.prefix, turn.number) else {
            return;
        };
        all.limits = Some(turn.limits);
        let mut notices = Vec::new();
        let now = self.began.elapsed();
        let id = all
            .queue
            .arrive(turn.whence, now, &turn.limits, &mut notices);
        all.stages.insert(id, stage);
        *turn.queued.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        self.tell(&all, &notices);
        self.watch(&mut all);
    }

    fn leave(&self, turn: &Turn) {
        let mut all = self.lock();
        all.silent.remove(turn.prefix, turn.number);
        let queued = *turn.queued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = queued {
            let mut notices = Vec::new();
            let now = self.began.elapsed();
            all.queue.leave(id, now, &turn.limits, &mut notices);
            all.stages.remove(&id);
            self.tell(&all, &notices);
        }
    }

    fn tell(&self, all: &All, notices: &[Notice]) {
        for notice in notices {
            let (id, stage) = match notice {
                Notice::Begin(id) => (id, Stage::Begun),
                Notice::Go(id, why) => {
                    self.metrics.shed(match why {
                        Why::NoRoom => Shed::Handshakes,
                        Why::Share => Shed::HandshakeShare,
                        Why::Waited => Shed::HandshakeWait,
                    });
                    (id, Stage::SentAway)
                }
            };
            if let Some(sender) = all.stages.get(id) {
                sender.send_replace(stage);
            }
        }
        self.metrics.set_waiting_handshakes(all.queue.waiting());
        self.changed.notify_one();
    }

    /// Has somebody look when it is time, as long as somebody waits.
    fn watch(self: &Arc<Self>, all: &mut All) {
        if all.queue.waiting() == 0 || std::mem::replace(&mut all.is_watched, true) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(at) = this.look() {
                tokio::select! {
                    () = sleep_until(at) => {}
                    () = this.changed.notified() => {}
                }
            }
        });
    }

    /// Looks, and says when to look again; never if nobody waits.
    fn look(&self) -> Option<Instant> {
        let mut all = self.lock();
        let limits = all.limits?;
        let mut notices = Vec::new();
        let now = self.began.elapsed();
        all.queue.look(now, &limits, &mut notices);
        let again = all.queue.look_again_at(now, &limits);
        if !notices.is_empty() {
            self.tell(&all, &notices);
        }
        all.is_watched = again.is_some();
        Some(self.began + again?)
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's handshake, from before its first byte until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    prefix: Prefix,
    whence: Whence,
    number: u64,
    told: watch::Receiver<Stage>,
    limits: QueueLimits,
    queued: Mutex<Option<Id>>,
    home: Arc<Handshakes>,
}

impl Turn {
    /// Something was heard of it: from now on it waits for its turn.
    pub(super) fn spoke(&self) {
        self.home.spoke(self);
    }

    /// Waits until its turn has come, and says whether it has: else it was sent away.
    pub(super) async fn begun(&self) -> bool {
        let mut told = self.told.clone();
        let stage = told.wait_for(|stage| *stage != Stage::Waiting).await;
        stage.is_ok_and(|stage| *stage == Stage::Begun)
    }

    /// Waits until it has to go, which most never have to.
    pub(super) async fn over(&self) {
        let mut told = self.told.clone();
        let over = told.wait_for(|stage| *stage == Stage::SentAway);
        if over.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.home.leave(self);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::time::{Duration, timeout};

    use super::*;

    const LIMITS: QueueLimits = QueueLimits {
        inside: 4,
        waiting: 4,
        patience: Duration::from_secs(10),
        grace: Duration::from_secs(1),
    };

    fn all() -> Arc<Handshakes> {
        Handshakes::new(Metrics::new())
    }

    fn enter(all: &Arc<Handshakes>, host: u8, speaks: bool) -> Turn {
        let address = SocketAddr::from(([127, 0, 0, host], 1));
        let turn = all.enter(address.ip().into(), address.ip().into(), LIMITS);
        if speaks {
            turn.spoke();
        }
        turn
    }

    async fn has_begun(turn: &Turn) -> bool {
        timeout(Duration::ZERO, turn.begun()).await == Ok(true)
    }

    async fn is_over(turn: &Turn) -> bool {
        timeout(Duration::ZERO, turn.over()).await.is_ok()
    }

    #[tokio::test]
    async fn those_beyond_wait_and_begin_when_others_are_done() {
        let all = all();
        let mut turns: Vec<Turn> = (0..6).map(|_| enter(&all, 1, true)).collect();
        assert!(has_begun(&turns[3]).await && !has_begun(&turns[4]).await);
        drop(turns.remove(0));
        assert!(has_begun(&turns[3]).await && !has_begun(&turns[4]).await);
        assert!(!is_over(&turns[4]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_gets_the_place_of_a_host_with_many_after_a_second() {
        let all = all();
        let flood: Vec<Turn> = (0..8).map(|_| enter(&all, 1, true)).collect();
        let other = enter(&all, 2, true);
        assert!(!has_begun(&other).await && is_over(&flood[7]).await);
        assert!(other.begun().await);
        assert!(is_over(&flood[0]).await && !is_over(&other).await);
        assert_eq!(all.began.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_longer_than_is_of_use() {
        let all = all();
        let _slow: Vec<Turn> = (1..5).map(|host| enter(&all, host, true)).collect();
        let late = enter(&all, 5, true);
        assert!(!late.begun().await);
        assert_eq!(all.began.elapsed().as_secs(), 10);
        assert!(!all.lock().is_watched);
    }

    #[tokio::test]
    async fn a_flood_of_silent_ones_leaves_those_alone_that_speak() {
        let all = all();
        let real = enter(&all, 1, true);
        let flood: Vec<Turn> = (0..100).map(|_| enter(&all, 1, false)).collect();
        assert!(has_begun(&real).await && !is_over(&real).await);
        assert!(is_over(&flood[95]).await && !is_over(&flood[96]).await);
    }

    #[tokio::test]
    async fn a_flood_of_speaking_ones_leaves_those_alone_that_are_about_to() {
        let all = all();
        let real = enter(&all, 1, false);
        let _flood: Vec<Turn> = (0..100).map(|_| enter(&all, 1, true)).collect();
        assert!(!is_over(&real).await);
    }

    #[tokio::test]
    async fn those_that_ended_are_forgotten() {
        let all = all();
        for number in 0..100 {
            enter(&all, 1, number % 2 == 0);
        }
        let all = all.lock();
        assert_eq!((all.silent.len(), all.stages.len()), (0, 0));
        assert_eq!((all.queue.waiting(), all.queue.inside()), (0, 0));
    }
}
