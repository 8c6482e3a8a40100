//! The tables: what was measured, beside what the draft says.

mod draft;
mod grid;
mod requirements;
mod sections;
mod words;

pub(crate) use grid::{Format, render};
pub(crate) use sections::sections;
