//! The rest: devices of many that something was not done to.

use dc_protocol::{Kind, Problem};
use serde_json::json;

use super::error::Error;
use super::print;
use crate::cmd::table::Table;

/// The devices that it was not done to.
pub(super) struct Rest {
    of: usize,
    failed: Vec<(String, Error)>,
}

impl Rest {
    pub(super) fn of(of: usize) -> Self {
        let failed = Vec::new();
        Self { of, failed }
    }

    /// Keeps what failed for the end. If nothing can be done for the others either, or there are none, it fails with it.
    pub(super) fn keep<T>(
        &mut self,
        device: &str,
        done: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if self.of == 1 || !is_about_one(&error) => Err(error),
            Err(error) => {
                self.failed.push((device.to_owned(), error));
                Ok(None)
            }
        }
    }

    /// Lists it.
    pub(super) fn end(self, json: bool) -> Result<(), Error> {
        let refused = self.failed.len();
        if refused == 0 {
            return Ok(());
        }
        let mut table = Table::new(["NOT DONE", "WHY"]);
        for (device, error) in self.failed {
            match json {
                true => print(&json!({"device": device, "problem": problem(&error)}))?,
                false => table.row([device, error.to_string()]),
            }
        }
        if !json {
            eprintln!("{table}");
        }
        Err(Error::SomeRefused {
            refused,
            of: self.of,
        })
    }
}

/// True if the others may fare better.
fn is_about_one(error: &Error) -> bool {
    error.refusal().is_some() || error.is_of_setup()
}

fn problem(error: &Error) -> Problem {
    let is_unknown = error.refusal() == Some(&dc_signer::registry::Error::UnknownDevice);
    let kind = match is_unknown {
        true => Kind::NotFound,
        false => Kind::Conflict,
    };
    Problem::new(kind, error.to_string())
}
