//! How long signatures take: a key that is on another machine may be slow, and nobody else would notice.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Whom keys tell how long each of their signatures took; nobody, until it is said whom.
#[derive(Clone, Default)]
pub struct Timing(Arc<OnceLock<Listener>>);

type Listener = Box<dyn Fn(Duration) + Send + Sync>;

impl Timing {
    /// Tells this one from now on; whoever was named first stays.
    pub fn tell(&self, listener: impl Fn(Duration) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(listener));
    }

    /// Does a piece of work, and tells how long it took.
    pub(super) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(listener) = self.0.get() else {
            return work();
        };
        let began = Instant::now();
        let done = work();
        listener(began.elapsed());
        done
    }
}

impl fmt::Debug for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(listener) = self;
        let told = listener.get().is_some();
        f.debug_struct("Timing").field("told", &told).finish()
    }
}
