//! The tables: what was measured, beside what the draft says.

mod draft;
mod grid;
mod reasons;
mod requirements;
mod sections;
mod settle;
mod words;

pub(crate) use grid::{Format, render};
pub(crate) use sections::{OUTAGES, sections, without_reason};
