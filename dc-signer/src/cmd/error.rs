//! Errors of commands that every build has.

use std::io;
use std::path::PathBuf;

/// A command's failure, in one line that names the thing and the next step.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An identity folder has nothing that a client could present.
    #[error(
        "{}: no client can present this: {source}; 'dc-signer issue --role client' makes such a folder, and the device adds its key.pem",
        .folder.display()
    )]
    ClientIdentity {
        /// The folder.
        folder: PathBuf,
        /// The fault.
        source: dc_rustls::Error,
    },
    /// The demo could not be set up.
    #[error("the demo cannot {step}: {source}")]
    Demo {
        /// The step that failed.
        step: &'static str,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something in the demo did not come out as expected.
    #[error(
        "{failed} rows of the demo did not come out as expected: please report them with the output of 'dc-signer demo --json'"
    )]
    DemoFailed {
        /// The number of rows of its table that did not.
        failed: usize,
    },
    /// A file was not looked into, or a request not made.
    #[error(transparent)]
    Inspect(#[from] dc_inspect::Error),
    /// The result cannot be shown; what was written stays.
    #[error("standard output failed: {source}; what belongs in files is written")]
    Output {
        /// The reason.
        source: io::Error,
    },
    /// A file, a key, a certificate or a credential is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// A server was not probed.
    #[error(transparent)]
    Probe(#[from] dc_inspect::probe::Error),
    /// A server refused a probe, and there may be a reason.
    #[error("{source}; {hint}")]
    ProbeRefused {
        /// The refusal.
        source: Box<dc_inspect::probe::Error>,
        /// The possible reason, and what to look at.
        hint: String,
    },
    /// Of what was looked at, a peer would refuse something, or it could not be read.
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
