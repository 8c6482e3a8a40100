#![doc = include_str!("../README.md")]

mod certificates;
mod cost;
mod count;
mod error;
mod fleet;
mod outcome;
mod random;
mod scenario;
mod simulation;
mod site;
mod wheel;

pub use certificates::TryAgain;
pub use cost::{Cost, Exposure, WrongClient};
pub use error::Error;
pub use outcome::{Counts, Outcome, StolenKey, Trouble};
pub use scenario::{Capacity, Certificates, Checked, Of, Outage, PowerCut, Scenario};
pub use simulation::simulate;

/// The first second of a run, in the time of the schedule and of the admission: what devices hold then was issued before it.
pub(crate) const BEGINNING: u32 = 100_000_000;
