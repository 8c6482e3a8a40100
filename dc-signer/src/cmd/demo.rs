//! `dc-signer demo`: the whole life of credentials in one process: a vendor, devices, servers, clients and attackers, with
//! real TLS connections over loopback sockets.

mod client;
mod cloud;
mod fleet;
mod forge;
mod reason;
mod row;
mod scenarios;
mod server;

use std::fmt;
use std::time::{Duration, Instant};

use dc_pki::clock;
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::table::Table;
use super::{Error, print};
use row::Row;

/// Show the whole life of a credential with real TLS connections, attacks included
///
/// Makes a vendor and several devices in a temporary folder, serves their credentials on loopback
/// sockets, and connects to them as clients do. Then devices come to a cloud service, as clients with
/// credentials of their own. Leaves nothing behind.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Print the table as a JSON array of {scenario, expected, got, ok}
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let begin = Instant::now();
        let rows = try_everything(clock::now()?)?;
        let failed = rows.iter().filter(|row| !row.ok).count();
        match self.json {
            true => print(&to_json(&rows))?,
            false => print(&Tried {
                rows: &rows,
                time: begin.elapsed(),
            })?,
        }
        match failed {
            0 => Ok(()),
            failed => Err(Error::DemoFailed { failed }),
        }
    }
}

/// Tries everything, with a vendor and devices in a temporary folder, which is gone afterwards.
///
/// Fails with [`Error::Demo`] and as the parts of this crate do, if it cannot be set up; an error in a connection is an
/// outcome.
fn try_everything(now: UnixTime) -> Result<Vec<Row>, Error> {
    scenarios::all(&fleet::Fleet::found(now)?)
}

/// Names the step of the set-up that an error of another crate stopped.
fn cannot<E>(step: &'static str) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| Error::Demo {
        step,
        source: source.into(),
    }
}

fn to_json(rows: &[Row]) -> Value {
    let object = |row: &Row| {
        json!({
            "scenario": row.scenario,
            "expected": row.expected,
            "got": row.got,
            "ok": row.ok,
        })
    };
    rows.iter().map(object).collect()
}

/// The rows for people; the outcome of an attempt is last, because reasons are long.
struct Tried<'a> {
    rows: &'a [Row],
    time: Duration,
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = |mark: &str, scenario| format!("{mark:5} {scenario}");
        let mut table = Table::new([&marked("", "tried"), "expected", "got"]);
        for row in self.rows {
            let mark = if row.ok { "ok" } else { "WRONG" };
            table.row([
                marked(mark, row.scenario),
                row.expected.clone(),
                row.got.clone(),
            ]);
        }
        let ok = self.rows.iter().filter(|row| row.ok).count();
        let seconds = self.time.as_secs_f32();
        write!(
            f,
            "{table}\n{ok} of {} as expected, in {seconds:.1} s",
            self.rows.len()
        )
    }
}

const HELP: &str = "\
A row whose device is an evil twin and which says 'accepted' is no mistake: a client without unique
names cannot tell two devices of one vendor apart, which is why there are unique names.

Exit status: 0 if every row came out as expected, else 1.";
