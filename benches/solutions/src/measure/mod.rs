//! The measurements, the same for all solutions.

pub(crate) mod authority;
