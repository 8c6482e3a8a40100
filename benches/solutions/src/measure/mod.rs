//! The measurements, the same for all solutions.

pub(crate) mod authority;
pub(crate) mod cost;
pub(crate) mod encounters;
pub(crate) mod interactions;
pub(crate) mod life;
pub(crate) mod names;
pub(crate) mod outage;
