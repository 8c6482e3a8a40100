//! Table 1 of the Home Servers draft, executed: eight ways to give a home server an identity, and newer ones.

mod acme;
mod ca;
mod clients;
mod clock;
mod dns;
mod leaf;
mod ledger;
mod measure;
mod public_ca;
mod rows;
mod server;
mod setup;
mod solution;
mod table;
mod vendor;
mod world;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What went wrong, in words: it is shown in the cell that could not be measured.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Gives a home server an identity in every way there is, and says what each costs
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What this program runs itself as
    #[command(hide = true)]
    Serve(server::Serve),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Some(Command::Serve(serve)) => server::run(&serve),
        None => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dc-solutions: {error}");
            ExitCode::FAILURE
        }
    }
}
