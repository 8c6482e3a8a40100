//! Work that keeps a thread: signing, which waits for a machine where the key is in one, and checks of signatures and paths for
//! callers whom nobody knows. It is done off the threads that answer, and so much at a time, so that nobody else is kept waiting.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Error;

/// Work of one sort in progress.
#[derive(Debug)]
pub(super) struct Blocking {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Blocking {
    /// Checks for callers whom nobody knows: as many at a time as leave half of the machine to others.
    pub(super) fn checks() -> Self {
        Self::with((cores() / 2).max(1), PATIENCE)
    }

    /// Signatures: some more at a time than there are cores, because a key in hardware is waited for.
    pub(super) fn signatures() -> Self {
        Self::with((2 * cores()).max(FEWEST_SIGNATURES), PATIENCE)
    }

    /// One at a time.
    pub(super) fn one() -> Self {
        Self::with(1, PATIENCE)
    }

    fn with(turns: usize, patience: Duration) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            patience,
        }
    }

    /// Does it once it is its turn.
    ///
    /// Fails with [`Error::Busy`] if its turn does not come soon.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = timeout(self.patience, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Error::Busy);
        };
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            // Not before, even if nobody waits any more.
            drop(turn);
            done
        });
        working.await.map_err(|_| Error::Busy)
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

const FEWEST_SIGNATURES: usize = 8;
/// Well below the time that a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crowd_of_checks_keeps_no_thread_that_answers_and_runs_few_at_a_time() {
        let checks = Arc::new(Blocking::with(2, PATIENCE));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let crowd: Vec<_> = (0..20)
            .map(|_| {
                let (checks, running, most) = (checks.clone(), running.clone(), most.clone());
                tokio::spawn(async move {
                    let check = move || {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(50));
                        running.fetch_sub(1, Ordering::SeqCst);
                    };
                    checks.run(check).await.unwrap();
                })
            })
            .collect();
        // Meanwhile whoever answers is not kept: had the checks run on these two threads, this would take half a second.
        let began = Instant::now();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert!(began.elapsed() < Duration::from_millis(400), "{began:?}");
        for one in crowd {
            one.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_told_to_come_again() {
        let checks = Blocking::with(0, Duration::ZERO);
        let refusal = checks.run(|| ()).await.unwrap_err();
        assert!(matches!(refusal, Error::Busy) && refusal.is_temporary());
    }
}
