//! The requests in progress on a connection, and how long there have been none: frames alone keep HTTP/2 open for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::open::{Open, State};

/// The requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    count: watch::Sender<Count>,
    leaving: watch::Sender<bool>,
    open: Arc<Open>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    awaiting: usize,
    answering: usize,
}

impl Count {
    fn all(self) -> usize {
        self.awaiting + self.answering
    }

    fn state(self) -> State {
        match (self.awaiting, self.answering) {
            (0, 0) => State::Idle,
            (_, 0) => State::Awaiting,
            _ => State::Busy,
        }
    }

    fn of(&mut self, phase: Phase) -> Option<&mut usize> {
        match phase {
            Phase::Awaiting => Some(&mut self.awaiting),
            Phase::Answering => Some(&mut self.answering),
            Phase::Over => None,
        }
    }
}

/// The progress of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Its body is not all here.
    Awaiting,
    /// It is being answered, and its client takes the answer.
    Answering,
    /// Nothing is done for it any more.
    Over,
}

impl Requests {
    /// None yet.
    pub(super) fn of(open: Arc<Open>) -> Self {
        open.does(State::Idle);
        Self {
            count: watch::Sender::default(),
            leaving: watch::Sender::default(),
            open,
        }
    }

    /// One more is in progress until the result is dropped.
    pub(super) fn begin(&self, phase: Phase) -> InProgress {
        let one = One {
            requests: self.clone(),
            phase: Mutex::new(Phase::Over),
        };
        let one = InProgress(Arc::new(one));
        one.0.go_to(phase);
        one
    }

    /// There is at least one.
    pub(super) fn are_in_progress(&self) -> bool {
        self.count.borrow().all() > 0
    }

    /// Waits until there has been none for so long.
    pub(super) async fn quiet_for(&self, limit: Duration) {
        let mut seen = self.count.subscribe();
        // It fails only when nobody can begin any more, and then it is quiet.
        while seen.wait_for(|count| count.all() == 0).await.is_ok() {
            // One that began and ended meanwhile is a change too.
            if tokio::time::timeout(limit, seen.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Tells those whose bodies are awaited that others need the room.
    pub(super) fn send_away(&self) {
        self.leaving.send_replace(true);
    }
}

/// A request in progress.
#[derive(Clone, Debug)]
pub(super) struct InProgress(Arc<One>);

#[derive(Debug)]
struct One {
    requests: Requests,
    phase: Mutex<Phase>,
}

impl InProgress {
    /// Its body is here.
    pub(super) fn arrived(&self) {
        if *self.0.phase() == Phase::Awaiting {
            self.0.go_to(Phase::Answering);
        }
    }

    /// It is over, whatever is left of it.
    pub(super) fn end(&self) {
        self.0.go_to(Phase::Over);
    }

    /// Waits until it has to make room, which most never have to.
    pub(super) async fn over(&self) {
        let mut leaving = self.0.requests.leaving.subscribe();
        let told = leaving.wait_for(|leaving| *leaving).await.is_ok();
        if !told || *self.0.phase() != Phase::Awaiting {
            std::future::pending::<()>().await;
        }
    }

    /// It is being answered, whether or not its body is here.
    pub(super) fn answer(&self) {
        self.0.go_to(Phase::Answering);
    }
}

impl One {
    fn go_to(&self, phase: Phase) {
        let Requests { count, open, .. } = &self.requests;
        if *self.phase() == phase {
            return;
        }
        // All is changed in one step: the count is locked meanwhile.
        count.send_modify(|count| {
            let before = count.state();
            let from = std::mem::replace(&mut *self.phase(), phase);
            count.of(from).into_iter().for_each(|count| *count -= 1);
            count.of(phase).into_iter().for_each(|count| *count += 1);
            if count.state() != before {
                open.does(count.state());
            }
        });
    }

    /// Nothing that can panic is done while it is locked.
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.go_to(Phase::Over);
    }
}

#[cfg(test)]
pub(super) const SHORT: Duration = Duration::from_millis(100);

#[cfg(test)]
impl Requests {
    /// Those of a connection that nobody else has anything to do with.
    pub(super) async fn none_yet() -> Self {
        use super::open::{Connections, Entered, Most};
        let most = || Most { all: 1, of_one: 1 };
        let from = std::net::IpAddr::from([127, 0, 0, 1]).into();
        match Arc::<Connections>::default().enter(from, most).await {
            Entered::In(open, _) => Self::of(open.into()),
            Entered::TooMany => panic!("there is no other"),
        }
    }

    /// There is none for a while.
    pub(super) async fn is_quiet(&self) -> bool {
        let quiet = tokio::time::timeout(3 * SHORT, self.quiet_for(SHORT));
        quiet.await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn it_is_quiet_once_no_request_is_in_progress() {
        let requests = Requests::none_yet().await;
        let one = requests.begin(Phase::Answering);
        assert!(!requests.is_quiet().await);
        drop(one);
        assert!(requests.is_quiet().await);
    }

    #[tokio::test]
    async fn requests_that_are_answered_at_once_are_requests() {
        let requests = Requests::none_yet().await;
        let busy = async {
            loop {
                sleep(SHORT / 4).await;
                drop(requests.begin(Phase::Answering));
            }
        };
        tokio::select! {
            () = requests.quiet_for(10 * SHORT) => panic!("it was not quiet"),
            () = busy => {}
            () = sleep(15 * SHORT) => {}
        }
    }
}
