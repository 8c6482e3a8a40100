//! The subcommands, one a file.

mod csr;
mod demo;
mod error;
mod init;
mod inspect;
mod issue;
mod keys;
mod left_out;
mod passphrase;
mod place;
mod probe;
mod role;
#[cfg_attr(not(feature = "service"), path = "no_service.rs")]
mod service;
mod table;
mod verify;

use std::fmt;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use rustls::crypto::CryptoProvider;

pub(crate) use error::Error;
pub(crate) use left_out::LeftOut;

/// Issues delegated credentials for TLS (RFC 9345), each with a name that only one device has.
#[derive(Debug, Parser)]
#[command(version, after_help = format!("{EXAMPLES}{}", left_out::help()))]
// By their names, wherever they are defined.
#[command(mut_subcommands = |command: clap::Command| command.display_order(0))]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn std::error::Error>> {
        match self.command {
            Command::Csr(args) => args.run()?,
            Command::Demo(args) => args.run()?,
            Command::Init(args) => args.run()?,
            Command::Inspect(args) => args.run()?,
            Command::Issue(args) => args.run()?,
            Command::Keys(command) => command.run()?,
            Command::Probe(args) => {
                args.check_usage()?;
                args.run()?;
            }
            Command::Service(command) => return Ok(command.run()?),
            Command::Verify(args) => args.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Csr(csr::Args),
    Demo(demo::Args),
    Init(init::Args),
    Inspect(inspect::Args),
    Issue(issue::Args),
    Keys(keys::Args),
    Probe(probe::Args),
    #[command(flatten)]
    Service(service::Command),
    Verify(verify::Args),
}

/// The cryptography of every command.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Shows a result; unlike `println!` it does not panic when nobody reads it. Whoever reads no further, as `head` and `grep -q`, has
/// what they wanted: then the exit status is that of the rest.
fn print(result: &impl fmt::Display) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|source| Error::Output { source }),
    }
}

fn warn<W: fmt::Display>(warnings: &[W]) {
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

Exit status: 0 done; 1 refused or failed, with one line that says why; 2 wrong usage; 3 asked for, and waiting for a second
operator; of 'plan', devices are lost.";
