//! The measurements, the same for all solutions.
