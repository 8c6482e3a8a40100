//! Table 1 of the Home Servers draft, executed: eight ways to give a home server an identity, and newer ones.

mod acme;
mod ca;
mod clients;
mod clock;
mod dns;
mod hidden;
mod http;
mod leaf;
mod ledger;
mod machine;
mod measure;
mod place;
mod public_ca;
mod report;
mod rows;
mod run;
mod server;
mod service;
mod setup;
mod solution;
mod table;
mod vendor;
mod world;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, ValueEnum as _};

use crate::hidden::Hidden;
use crate::measure::Measure;
use crate::rows::{ROWS, Row};
use crate::run::Plan;

/// What went wrong, in words: it is shown in the cell that could not be measured.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Runs the ways to give a home server an identity, measures them, and prints the tables.
///
/// Ends with 0 if everything was measured, 1 if something was not or differs from the draft without a written reason, 2 for
/// wrong usage.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Args {
    /// Only this solution; may be given several times [default: all]
    #[arg(long, value_name = "ROW", value_parser = row)]
    row: Vec<Row>,
    /// Only this measurement; may be given several times [default: all]
    #[arg(long, value_name = "WHAT")]
    measure: Vec<Measure>,
    /// How long certificates of public CAs live: 47 days from March 2029, 100 from March 2027, 200 today
    #[arg(long, value_name = "DAYS", default_value_t = 47, value_parser = clap::value_parser!(u64).range(2..=398))]
    certificate_days: u64,
    /// Print everything that was found out, as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the tables as Markdown
    #[arg(long)]
    markdown: bool,
    #[command(subcommand)]
    hidden: Option<Hidden>,
}

fn row(id: &str) -> std::result::Result<Row, String> {
    let found = ROWS.iter().find(|row| row.id == id);
    found.copied().ok_or_else(|| {
        let all: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        format!("there is no such row; there are {}", all.join(", "))
    })
}

fn main() -> ExitCode {
    match execute(Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(args: Args) -> Result<ExitCode> {
    if let Some(hidden) = args.hidden {
        hidden.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = Plan {
        rows: or_all(&args.row, ROWS),
        measures: or_all(&args.measure, Measure::value_variants()),
        certificate_days: args.certificate_days,
    };
    let folder = place::folder()?;
    let report = run::run(&plan, folder.path())?;
    print!("{}", table::write(&report, args.json, args.markdown)?);
    let complaints = table::complaints(&report);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Ok(match complaints.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn or_all<T: Copy>(some: &[T], all: &[T]) -> Vec<T> {
    if some.is_empty() { all } else { some }.to_vec()
}
