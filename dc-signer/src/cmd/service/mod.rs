//! The commands of the service, which the feature `service` brings.

mod approvals;
mod audit;
mod backup;
mod certificate;
mod check;
mod checkpoints;
mod codes;
mod confirm;
mod credential;
mod devices;
mod error;
mod keyd;
mod migrate;
mod operators;
mod place;
mod plan;
mod rest;
mod restore;
mod secrets;
mod selection;
mod serve;
mod zones;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use dc_store::owner::{self, Account};

use error::Error;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Approvals(approvals::Args),
    Audit(audit::Args),
    Backup(backup::Args),
    Certificate(certificate::Args),
    Check(check::Args),
    Codes(codes::Args),
    Devices(devices::Args),
    Keyd(keyd::Args),
    Migrate(migrate::Args),
    Operators(operators::Args),
    Plan(plan::Args),
    Restore(restore::Args),
    Secrets(secrets::Args),
    Serve(serve::Args),
    Zones(zones::Args),
}

impl Command {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match self.act() {
            Err(Error::Waits) => Ok(ExitCode::from(WAITS)),
            Err(Error::Loses) => Ok(ExitCode::from(LOSES)),
            done => done.map(|()| ExitCode::SUCCESS),
        }
    }

    fn act(self) -> Result<(), Error> {
        match self {
            Self::Approvals(args) => args.run(),
            Self::Audit(args) => args.run(),
            Self::Backup(args) => args.run(),
            Self::Certificate(args) => args.run(),
            Self::Check(args) => args.run(),
            Self::Codes(args) => args.run(),
            Self::Devices(args) => args.run(),
            Self::Keyd(args) => args.run(),
            Self::Migrate(args) => args.run(),
            Self::Operators(args) => args.run(),
            Self::Plan(args) => args.run(),
            Self::Restore(args) => args.run(),
            Self::Secrets(args) => args.run(),
            Self::Serve(args) => args.run(),
            Self::Zones(args) => args.run(),
        }
    }
}

/// Lets root write into a folder as its owner.
pub(super) fn work_as_owner(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    if Account::me().is_root() {
        owner::work_as_owner(folder)?;
    }
    Ok(())
}

/// Shows a result; unlike `println!` it does not panic when nobody reads it.
fn print(result: &impl std::fmt::Display) -> Result<(), Error> {
    Ok(super::print(result)?)
}

/// Asked for, and not done before a second operator agrees.
const WAITS: u8 = 3;
/// A simulation loses devices.
const LOSES: u8 = 3;
