//! The subcommands, one a file.

#[cfg(feature = "service")]
mod audit;
#[cfg(feature = "service")]
mod backup;
#[cfg(feature = "service")]
mod check;
#[cfg(feature = "service")]
mod codes;
#[cfg(feature = "service")]
mod confirm;
mod csr;
mod demo;
#[cfg(feature = "service")]
mod devices;
mod init;
mod inspect;
mod issue;
mod left_out;
#[cfg(feature = "service")]
mod migrate;
#[cfg(feature = "service")]
mod operators;
#[cfg(feature = "service")]
mod place;
mod probe;
#[cfg(feature = "service")]
mod restore;
#[cfg(feature = "service")]
mod serve;
#[cfg(feature = "service")]
mod table;
mod verify;
#[cfg(feature = "service")]
mod zones;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use dc_signer::Error;
use rustls::crypto::CryptoProvider;

pub(crate) use left_out::LeftOut;

/// Issues delegated credentials for TLS (RFC 9345), each with a name that only one device has.
#[derive(Debug, Parser)]
#[command(version, after_help = format!("{EXAMPLES}{}", left_out::help()))]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        match self.command {
            #[cfg(feature = "service")]
            Command::Audit(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Backup(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Check(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Codes(args) => args.run(),
            Command::Csr(args) => args.run(),
            Command::Demo(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Devices(args) => args.run(),
            Command::Init(args) => args.run(),
            Command::Inspect(args) => args.run(),
            Command::Issue(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Migrate(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Operators(args) => args.run(),
            Command::Probe(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Restore(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Serve(args) => args.run(),
            Command::Verify(args) => args.run(),
            #[cfg(feature = "service")]
            Command::Zones(args) => args.run(),
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "service")]
    Audit(audit::Args),
    #[cfg(feature = "service")]
    Backup(backup::Args),
    #[cfg(feature = "service")]
    Check(check::Args),
    #[cfg(feature = "service")]
    Codes(codes::Args),
    Csr(csr::Args),
    Demo(demo::Args),
    #[cfg(feature = "service")]
    Devices(devices::Args),
    Init(init::Args),
    Inspect(inspect::Args),
    Issue(issue::Args),
    #[cfg(feature = "service")]
    Migrate(migrate::Args),
    #[cfg(feature = "service")]
    Operators(operators::Args),
    Probe(probe::Args),
    #[cfg(feature = "service")]
    Restore(restore::Args),
    #[cfg(feature = "service")]
    Serve(serve::Args),
    Verify(verify::Args),
    #[cfg(feature = "service")]
    Zones(zones::Args),
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

Exit status: 0 done; 1 refused or failed, with one line that says why; 2 wrong usage.";
