//! Checks of signatures for callers whom nobody knows: off the threads that answer, and few at a time, so that whoever
//! invents certificates and requests keeps nobody else waiting.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Refusal;

/// The checks in progress.
#[derive(Debug)]
pub(super) struct Checks {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Checks {
    /// As many at a time as leave half of the machine to others.
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with((cores / 2).max(1), PATIENCE)
    }

    fn with(turns: usize, patience: Duration) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            patience,
        }
    }

    /// Does it once it is its turn.
    ///
    /// Fails with [`Refusal::Busy`] if its turn does not come soon.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        check: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = timeout(self.patience, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Refusal::Busy);
        };
        let checking = tokio::task::spawn_blocking(move || {
            let checked = check();
            // Not before, even if nobody waits any more.
            drop(turn);
            checked
        });
        checking.await.map_err(|_| Refusal::Busy)
    }
}

/// Well below the time that a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crowd_of_checks_keeps_no_thread_that_answers_and_runs_few_at_a_time() {
        let checks = Arc::new(Checks::with(2, PATIENCE));
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
        let checks = Checks::with(0, Duration::ZERO);
        let refusal = checks.run(|| ()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Busy) && refusal.is_temporary());
    }
}
