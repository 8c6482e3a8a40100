//! The end of what other threads do meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets this when it is dropped: threads that go on until then end also when the one that they are there for has failed. Without it
/// a scope waits for them for ever.
#[derive(Debug)]
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
