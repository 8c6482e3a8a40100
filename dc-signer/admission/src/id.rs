//! The numbers of those who come.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The number of somebody who has come, which nobody else gets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id(pub(crate) u64);

/// Those who have come. Nobody chooses a number, so that no hash is needed whose places cannot be guessed.
pub type ById<T> = HashMap<Id, T, BuildHasherDefault<Spread>>;

/// The hash of a number.
#[derive(Debug, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
