//! How many connections are open, and waiting for one to end when there are too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Counts the connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: AtomicUsize,
    ended: Notify,
}

impl Connections {
    /// Waits until fewer than `most()` are open. Only one task may wait.
    pub(super) async fn enter(self: &Arc<Self>, most: impl Fn() -> usize) -> Open {
        while self.open.load(Ordering::Acquire) >= most() {
            // A reload may raise the limit meanwhile, and rings no bell.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.ended.notified()).await;
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        Open(self.clone())
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn one_too_many_waits_until_another_ends() {
        let connections = Arc::<Connections>::default();
        let first = connections.enter(|| 1).await;
        assert!(timeout(SHORT, connections.enter(|| 1)).await.is_err());
        let later = tokio::spawn(async move {
            tokio::time::sleep(SHORT).await;
            drop(first);
        });
        let _second = connections.enter(|| 1).await;
        later.await.unwrap();
    }

    #[tokio::test]
    async fn a_higher_limit_is_noticed_by_who_waits_already() {
        let connections = Arc::<Connections>::default();
        let _first = connections.enter(|| 1).await;
        let most = AtomicUsize::new(1);
        let (_second, ()) =
            tokio::join!(connections.enter(|| most.load(Ordering::Relaxed)), async {
                tokio::time::sleep(SHORT).await;
                most.store(2, Ordering::Relaxed);
            });
    }
}
