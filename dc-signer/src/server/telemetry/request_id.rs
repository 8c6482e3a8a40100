//! Request ids: they tie an answer to the lines of the log.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// One request: eight hexadecimal digits for the process, then a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestId {
    process: u32,
    number: u64,
}

impl RequestId {
    /// The next one.
    #[must_use]
    pub fn next() -> Self {
        Self {
            process: *PROCESS.get_or_init(random),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, number } = self;
        write!(f, "{process:08x}-{number}")
    }
}

/// Without random numbers, which then stop the service elsewhere, ids are unique in one process only.
fn random() -> u32 {
    dc_pki::random().map_or(0, u32::from_be_bytes)
}

static PROCESS: OnceLock<u32> = OnceLock::new();
static NEXT: AtomicU64 = AtomicU64::new(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let (one, two) = (RequestId::next(), RequestId::next());
        assert_ne!(one.to_string(), two.to_string());
        assert_eq!(one.to_string().split('-').next().unwrap().len(), 8);
    }
}
