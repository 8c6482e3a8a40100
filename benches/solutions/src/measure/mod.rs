//! The measurements, the same for all solutions.

pub(crate) mod encounters;
pub(crate) mod interactions;
pub(crate) mod life;
pub(crate) mod outage;
