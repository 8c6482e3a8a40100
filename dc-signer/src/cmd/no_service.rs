//! The commands of the service in a build without it: none.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {}

impl Command {
    pub(super) fn run(self) -> Result<ExitCode, Infallible> {
        match self {}
    }
}

/// Root writes as root in this build.
pub(super) fn work_as_owner(_: &Path) -> Result<(), Infallible> {
    Ok(())
}
