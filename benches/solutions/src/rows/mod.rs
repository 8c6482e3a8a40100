//! The solutions, a file each.

use serde::Serialize;

use crate::Result;
use crate::clients::Client;
use crate::solution::Solution;
use crate::world::World;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// As `--row` takes it.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) group: Group,
    make: fn(&World) -> Result<Box<dyn Solution>>,
    /// The client that knows the solution, where no unmodified one does.
    own_client: fn() -> Option<Box<dyn Client>>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Group {
    /// One of the draft's.
    Draft,
    /// A variant of the row above, for comparison.
    Variant,
    /// Proposed later, in the IETF's SETTLE working group.
    Newer,
}

impl Row {
    /// The solution, in this world, with nothing founded.
    pub(crate) fn make(&self, world: &World) -> Result<Box<dyn Solution>> {
        (self.make)(world)
    }

    /// Whether the tables that come from reading have this row; a variant is judged with the row that it belongs to.
    pub(crate) fn is_judged(&self) -> bool {
        self.group != Group::Variant
    }

    /// The client that knows the solution, where no unmodified one does.
    pub(crate) fn own_client(&self) -> Option<Box<dyn Client>> {
        (self.own_client)()
    }
}

/// All, in the table's order.
pub(crate) const ROWS: &[Row] = &[];
