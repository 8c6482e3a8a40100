//! The subcommands, one a file.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "service")]
mod check;
mod csr;
#[cfg(feature = "demo")]
mod demo;
mod init;
mod inspect;
mod issue;
#[cfg(feature = "service")]
mod operators;
#[cfg(feature = "tools")]
mod probe;
mod verify;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use dc_signer::{Error, Warning};
use rustls::crypto::CryptoProvider;

/// Issues delegated credentials for TLS (RFC 9345), each with a name that only one device has.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        match self.command {
            #[cfg(feature = "agent")]
            Command::Agent(args) => return args.run(),
            #[cfg(feature = "service")]
            Command::Check(args) => args.run(),
            Command::Csr(args) => args.run(),
            #[cfg(feature = "demo")]
            Command::Demo(args) => args.run(),
            Command::Init(args) => args.run(),
            Command::Inspect(args) => args.run(),
            Command::Issue(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Operators(args) => args.run(),
            #[cfg(feature = "tools")]
            Command::Probe(args) => args.run(),
            Command::Verify(args) => args.run(),
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "agent")]
    Agent(agent::Args),
    #[cfg(feature = "service")]
    Check(check::Args),
    Csr(csr::Args),
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    Init(init::Args),
    Inspect(inspect::Args),
    Issue(issue::Args),
    #[cfg(feature = "service")]
    Operators(operators::Args),
    #[cfg(feature = "tools")]
    Probe(probe::Args),
    Verify(verify::Args),
}

/// The cryptography of every command.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Shows a result; unlike `println!` it does not panic when nobody reads it.
fn print(result: &impl fmt::Display) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{result}")
        .and_then(|()| out.flush())
        .map_err(|source| Error::Output { source })
}

fn warn(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

const EXAMPLES: &str = "\
Examples, from nothing to a device's identity:
  dc-signer init vendor --zone cpe.example.com
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out device.key
  openssl req -new -key device.key -subj / -out device.csr
  dc-signer issue --delegation vendor --csr device.csr --out device

Exit status: 0 done; 1 refused or failed, with one line that says why; 2 wrong usage.";
