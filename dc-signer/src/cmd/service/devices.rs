//! `dc-signer devices`: the fleet, from the command line.

use super::error::Error;
use clap::Subcommand;
use dc_store::registry::Change;

mod add;
mod list;
mod replace;
mod several;
mod show;

pub(super) use list::note_read;
use replace::Replace;
use several::{ForGood, Several};

/// Manage devices
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(add::Args),
    /// List devices
    List(list::Args),
    /// Show a device and what happened to it
    Show(show::Args),
    /// Write all devices that fit, one JSON value a line
    Export(list::Export),
    /// Give devices no credentials from now on, and withdraw their names
    Suspend(Several),
    /// Let suspended devices get credentials again
    Resume(Several),
    /// Retire devices for good: nobody ever gets their names
    Retire(ForGood),
    /// Replace a device: another box takes its name over, or another customer the box
    #[command(long_about = replace::ABOUT)]
    Replace(Replace),
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Add(args) => args.run(),
            What::List(args) => args.run(),
            What::Show(args) => args.run(),
            What::Export(args) => args.run(),
            What::Suspend(some) => some.change(&Change::Suspend),
            What::Resume(some) => some.change(&Change::Resume),
            What::Retire(some) => some.retire(),
            What::Replace(replace) => replace.run(),
        }
    }
}

const HELP: &str = "\
Examples:
  dc-signer devices add customer-1 --code --config /etc/dc-signer/config.toml
  dc-signer devices add --file fleet.ndjson --json --config /etc/dc-signer/config.toml > added.ndjson
  dc-signer devices list --expires-within 24h --config /etc/dc-signer/config.toml
  dc-signer devices show customer-1 --config /etc/dc-signer/config.toml
  dc-signer devices suspend customer-1 --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer devices suspend --file stolen.txt --json --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer devices retire customer-1 customer-2 --yes --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer devices replace customer-1 --manufacturer acme --serial SN-7 --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer devices replace customer-1 --new-name --reason NOC-4711 --config /etc/dc-signer/config.toml";
