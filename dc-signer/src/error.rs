//! The errors of the signer's programs: each names the thing and what to do about it, in one line.

use std::io;
use std::path::PathBuf;

#[cfg(feature = "service")]
mod from;

/// Why a command or the service did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration file says something that cannot be done.
    #[cfg(feature = "service")]
    #[error("{}", Problems(.path, .problems))]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// All that is wrong in it, at least one thing.
        problems: Vec<crate::config::Problem>,
    },
    /// What to log cannot be understood.
    #[cfg(feature = "service")]
    #[error(
        "{filter:?} says nothing about what to log: {source}: use a level such as info, or one for each part, as in info,sqlx=warn"
    )]
    BadLogFilter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
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
    /// The service cannot be reached at an address.
    #[cfg(feature = "service")]
    #[error(
        "cannot listen at {address}: {source}: see what else does with 'ss -ltnp', or change listen.address"
    )]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Something in this process logs already.
    #[cfg(feature = "service")]
    #[error("something in this process logs already: start it once only")]
    LogStarted,
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
    /// A server did not get as far as a handshake.
    #[error("{target}: {source}")]
    NoHandshake {
        /// The server.
        target: crate::probe::Target,
        /// Why.
        source: crate::probe::Failure,
    },
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
        source: crate::owner::Error,
    },
    /// A file, a key, a certificate or a credential is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The client that should probe a server could not be made.
    #[error("cannot make a TLS client: {source}")]
    ProbeNotMade {
        /// Why.
        source: dc_rustls::Error,
    },
    /// A request to a CA could not be made.
    #[error("cannot make a certificate signing request: {source}")]
    RequestNotMade {
        /// Why.
        source: rcgen::Error,
    },
    /// The process cannot have the threads that the service needs.
    #[cfg(feature = "service")]
    #[error("cannot start threads: {source}")]
    Runtime {
        /// Why.
        source: io::Error,
    },
    /// The service's own certificate is one that signs credentials.
    #[cfg(feature = "service")]
    #[error(
        "{} may delegate, and a key that signs credentials must never serve TLS: get another certificate for the service",
        .path.display()
    )]
    ServesWithDelegation {
        /// The file with the certificate.
        path: PathBuf,
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
        source: crate::store::Error,
    },
    /// The TLS stack cannot do what the configuration asks for.
    #[cfg(feature = "service")]
    #[error("TLS cannot be set up as configured: {source}")]
    Tls {
        /// Why.
        source: rustls::Error,
    },
    /// A file holds nothing that is known here.
    #[error(
        "{} is no certificate, credential, request or key that can be recognised, in PEM or bare: check that it is the right file, and whole",
        .path.display()
    )]
    UnknownFile {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds nothing that is known here.
    #[error(
        "{} has no chain.pem, credential.pem, key.pem, request.csr or root.pem: name the files themselves",
        .path.display()
    )]
    UnknownFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There is no connection to a server.
    #[error("no connection to {target}: {source}")]
    Unreachable {
        /// The server.
        target: crate::probe::Target,
        /// Why.
        source: io::Error,
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

/// The first problem of a configuration, and where to see the others: errors are one line.
#[cfg(feature = "service")]
struct Problems<'a>(&'a std::path::Path, &'a [crate::config::Problem]);

#[cfg(feature = "service")]
impl std::fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(path, problems) = self;
        write!(f, "{}, ", path.display())?;
        if let Some(first) = problems.first() {
            write!(f, "{first}")?;
        }
        match problems.len() {
            0 | 1 => Ok(()),
            count => write!(
                f,
                "; and {} more: see all with 'dc-signer check --config {}'",
                count - 1,
                path.display()
            ),
        }
    }
}
