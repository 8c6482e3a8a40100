#![doc = include_str!("../README.md")]

mod admission;
mod book;
mod decision;
mod enrolments;
mod id;
mod operators;
mod pace;
mod queue;
mod renewals;
mod tally;
mod told;
mod whence;

pub use admission::Admission;
pub use decision::{AdmissionLimits, Asks, Decision, Later};
pub use id::{ById, Id};
pub use queue::{Notice, Queue, QueueLimits, Why};
pub use renewals::Left;
pub use whence::Whence;
