//! `dc-signer demo`: all of it, before your eyes.

use std::fmt;
use std::time::{Duration, Instant};

use dc_pki::clock;
use dc_signer::Error;
use dc_signer::demo::{self, Row};
use serde_json::{Value, json};

use super::print;

/// Show the whole life of a credential with real TLS connections, attacks included
///
/// Makes a vendor and several devices in a temporary folder, serves their credentials on loopback
/// sockets, and connects to them as clients do. Leaves nothing behind.
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
        let rows = demo::run(clock::now()?)?;
        let failed = rows.iter().filter(|row| !row.ok).count();
        match self.json {
            true => print(&to_json(&rows))?,
            false => print(&Table {
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

/// The rows for people; what came of an attempt is last, because reasons are long.
struct Table<'a> {
    rows: &'a [Row],
    time: Duration,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: fn(&Row) -> &str| {
            let widths = self.rows.iter().map(|row| column(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let (first, second) = (width(|row| row.scenario), width(|row| &row.expected));
        writeln!(f, "      {:first$}  {:second$}  got", "tried", "expected")?;
        for row in self.rows {
            let mark = if row.ok { "ok" } else { "WRONG" };
            let Row {
                scenario,
                expected,
                got,
                ..
            } = row;
            writeln!(f, "{mark:5} {scenario:first$}  {expected:second$}  {got}")?;
        }
        let ok = self.rows.iter().filter(|row| row.ok).count();
        let seconds = self.time.as_secs_f32();
        write!(
            f,
            "{ok} of {} as expected, in {seconds:.1} s",
            self.rows.len()
        )
    }
}

const HELP: &str = "\
A row whose device is an evil twin and which says 'accepted' is no mistake: a client without unique
names cannot tell two devices of one vendor apart, which is why there are unique names.

Exit status: 0 if every row came out as expected, else 1.";
