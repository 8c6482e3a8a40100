//! What a CA of today answers to what the solutions need of it.

use serde::Serialize;

use crate::Result;
use crate::world::World;

/// A request to an unmodified CA, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    /// The rows that need it.
    pub(crate) rows: Vec<&'static str>,
    pub(crate) asked: String,
    pub(crate) answered: String,
    pub(crate) needs: Needs,
}

/// What the CA has to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Needs {
    /// It does it already.
    Nothing,
    /// Its configuration, by so many lines, as was tried.
    Configuration(usize),
    /// Its program, or what it sells: it has no way to do it.
    Program,
}

/// Asks.
pub(crate) fn measure(world: &World) -> Result<Vec<Answer>> {
    let _ = world;
    Err("to be written".into())
}
