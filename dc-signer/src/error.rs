//! The errors of the signer's programs: each names the thing and what to do about it, in one line.

use std::io;
use std::path::PathBuf;

#[cfg(feature = "service")]
mod from;

/// Why a command or the service did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no configuration.
    #[cfg(feature = "service")]
    #[error("{source}")]
    Config {
        /// Why not.
        source: crate::config::Error,
    },
    /// The demo could not be set up.
    #[error("the demo cannot {step}: {source}")]
    Demo {
        /// What it could not do.
        step: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something in the demo did not come out as expected.
    #[error(
        "{failed} rows of the demo did not come out as expected: please report them with the output of 'dc-signer demo --json'"
    )]
    DemoFailed {
        /// How many rows of its table.
        failed: usize,
    },
    /// The signer cannot work as it is set up.
    #[cfg(feature = "service")]
    #[error("{source}")]
    Authority {
        /// Why.
        source: crate::authority::SetupError,
    },
    /// A folder is no backup, or not a whole one.
    #[cfg(feature = "service")]
    #[error("{} is no whole backup: give a folder that 'dc-signer backup' made", .folder.display())]
    NoBackup {
        /// The folder.
        folder: PathBuf,
    },
    /// A list of devices has none in it.
    #[cfg(feature = "service")]
    #[error("{} names no device: write one a line, by its external id, its id or its name", .path.display())]
    NoDevices {
        /// The file.
        path: PathBuf,
    },
    /// A file was not looked into, a server not probed, or a request not made.
    #[error(transparent)]
    Inspect(#[from] dc_inspect::Error),
    /// What cannot be undone was not done, because nobody said that it is meant.
    #[cfg(feature = "service")]
    #[error("{}", not_confirmed(*.asked))]
    NotConfirmed {
        /// Whether somebody was asked.
        asked: bool,
    },
    /// The signer did not do what it was asked.
    #[cfg(feature = "service")]
    #[error("{source}")]
    NotDone {
        /// Why.
        source: Box<crate::authority::Error>,
    },
    /// The result cannot be shown; what was written stays.
    #[error("standard output failed: {source}; what belongs in files is written")]
    Output {
        /// Why.
        source: io::Error,
    },
    /// A command cannot work for the user whose folder it is.
    #[cfg(feature = "service")]
    #[error("{source}")]
    Owner {
        /// Why not.
        source: dc_store::owner::Error,
    },
    /// A file, a key, a certificate or a credential is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The process cannot have the threads that the service needs.
    #[cfg(feature = "service")]
    #[error("cannot start threads: {source}")]
    Runtime {
        /// Why.
        source: io::Error,
    },
    /// The server cannot work.
    #[cfg(feature = "service")]
    #[error("{source}")]
    Server {
        /// Why not.
        source: crate::server::Error,
    },
    /// The process cannot be told to stop.
    #[cfg(feature = "service")]
    #[error("cannot listen for signals: {source}")]
    Signals {
        /// Why.
        source: io::Error,
    },
    /// Some devices of many were refused.
    #[cfg(feature = "service")]
    #[error("{refused} of {of} devices were refused: correct these, and give them again")]
    SomeRefused {
        /// How many.
        refused: usize,
        /// Of how many.
        of: usize,
    },
    /// The database does not do what it should.
    #[cfg(feature = "service")]
    #[error("{source}")]
    Store {
        /// Why.
        source: dc_store::Error,
    },
    /// Of what was looked at, a client would refuse something, or it could not be read.
    #[error("{}", would_be_refused(*.refused, *.of))]
    WouldBeRefused {
        /// How much of it.
        refused: usize,
        /// How much was looked at.
        of: usize,
    },
}

fn would_be_refused(refused: usize, of: usize) -> String {
    match (refused, of) {
        (1, 1) => "it would be refused or cannot be read".to_owned(),
        (refused, of) => format!("{refused} of {of} would be refused or cannot be read"),
    }
}

#[cfg(feature = "service")]
const fn not_confirmed(asked: bool) -> &'static str {
    match asked {
        true => "nothing was changed, because it was not confirmed",
        false => {
            "nothing was changed: this wants to be confirmed, and there is no terminal to ask at: add --yes if it is meant"
        }
    }
}
