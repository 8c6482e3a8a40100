//! `dc-signer certificate`: delegation certificates from the CAs of the configuration.

mod order;
mod status;

use clap::Subcommand;

use super::error::Error;

/// Order delegation certificates from a CA
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Order(order::Args),
    Status(status::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Order(args) => args.run(),
            What::Status(args) => args.run(),
        }
    }
}

const HELP: &str = "\
The CA of a zone is in the configuration, as [[acme]] or [[order_command]]: 'dc-signer zones rollover --import' is the way for
certificates that a person fetches. The CA has to put DelegationUsage (1.3.6.1.4.1.44363.44) into the certificate, which public
CAs do for customers that have it agreed; and a CAA record of the zone, if there is one, has to allow the CA.

Examples:
  dc-signer certificate order --zone cpe.example.com --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer certificate status --config /etc/dc-signer/config.toml";
