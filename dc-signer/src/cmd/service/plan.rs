//! `dc-signer plan`: what a fleet will do, simulated before it happens.

mod given;
mod report;
mod svg;
mod text;

use std::path::PathBuf;

use dc_plan::simulate;
use dc_signer::config::{PLAN_SAMPLE, PlanConfig};
use indicatif::{ProgressBar, ProgressStyle};

use super::check::one_by_one;
use super::error::Error;
use super::print;
use given::Given;
use report::Report;

/// Simulate a fleet and its signer: what an outage, a power cut or a theft will do, before it happens
///
/// Each device is there, with the schedule of dc-agent, at a signer that admits requests as 'dc-signer serve' does. Reads no database,
/// asks nobody, changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP, after_long_help = HELP)]
pub(crate) struct Args {
    /// The fleet, and what goes wrong; '--sample' prints such a file with every key. Without it, a million devices for 30 days
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Draw plots into this folder, which is made
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Print the sample file, which documents every key, and simulate nothing
    #[arg(long, exclusive = true)]
    sample: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        if self.sample {
            return print(&PLAN_SAMPLE.trim_end());
        }
        let config = match &self.config {
            Some(path) => PlanConfig::load(path).map_err(one_by_one)?,
            None => PlanConfig::default(),
        };
        let config = self.given.over(config);
        let checked = given::scenario(&config).checked()?;
        let bar = bar(checked.scenario().span);
        let outcome = simulate(&checked, &given::ca_tries_again, &mut |second| {
            bar.set_position(u64::from(second));
        });
        bar.finish_and_clear();
        let report = Report::new(&config, checked.scenario(), &outcome);
        if let Some(folder) = &self.svg {
            svg::write(folder, &report)?;
        }
        match self.json {
            true => print(&serde_json::json!(report))?,
            false => print(&text::Text(&report))?,
        }
        match report.fleet.lost {
            0 => Ok(()),
            _ => Err(Error::Loses),
        }
    }
}

/// On standard error, if that is a terminal.
fn bar(span: u32) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(span));
    match ProgressStyle::with_template("{bar:40} {percent} %, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

const HELP: &str = "\
Exit status: 0 nobody is lost; 1 it cannot be simulated, with one line that says why; 2 wrong usage; 3 devices are lost: their
credential ends while they have power. docs/plan.md says how to read what it prints.

Examples:
  dc-signer plan --devices 10000000 --outage signer,5d,72h
  dc-signer plan --devices 1000000 --sites 2 --outage site,5d,12h,1 --json
  dc-signer plan --sample > plan.toml
  dc-signer plan --config plan.toml --svg plots";
