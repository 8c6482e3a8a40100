//! What this program runs in processes of their own, by starting itself once more.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, Subcommand};

use crate::Result;
use crate::clock::Clock;
use crate::rows::delegated;

/// A part that is not for people to call.
#[derive(Debug, Subcommand)]
pub(crate) enum Hidden {
    /// The vendor's signer, which ends with its standard input.
    #[command(hide = true)]
    Signer {
        /// Its configuration.
        config: PathBuf,
    },
}

impl Hidden {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Signer { config } => delegated::serve_signer(&config),
        }
    }
}

/// A command line that is not for people to type.
#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    hidden: Hidden,
}

/// Runs the part that these arguments name.
pub(crate) fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<()> {
    let name = std::ffi::OsString::from(env!("CARGO_PKG_NAME"));
    Line::try_parse_from(std::iter::once(name).chain(arguments))?
        .hidden
        .run()
}

/// This program once more, with these arguments, in virtual time.
///
/// In a test, this program is the test, whose command line is not ours: there [`tests::child`] takes the arguments.
pub(crate) fn again(clock: &Clock, arguments: &[&OsStr]) -> Result<Command> {
    let mut command = clock.command(std::env::current_exe()?);
    if cfg!(test) {
        command.args([
            "hidden::tests::child",
            "--exact",
            "--ignored",
            "--nocapture",
        ]);
        for (place, argument) in arguments.iter().enumerate() {
            command.env(format!("{ARGUMENT}{place}"), argument);
        }
    } else {
        command.args(arguments);
    }
    Ok(command)
}

/// What the environment variables with a child's arguments begin with.
const ARGUMENT: &str = "DC_SOLUTIONS_ARGUMENT_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "it is the child process of other tests"]
    fn child() {
        let arguments: Vec<_> = (0..)
            .map_while(|place| std::env::var_os(format!("{ARGUMENT}{place}")))
            .collect();
        if !arguments.is_empty() {
            run(arguments).unwrap();
        }
    }
}
