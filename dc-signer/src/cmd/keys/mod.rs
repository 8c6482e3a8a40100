//! `dc-signer keys`: delegation keys, in tokens and encrypted files.

mod generate;
mod import;
mod list;
mod made;
mod used;

use clap::Subcommand;

use super::Error;

/// Make delegation keys in tokens (PKCS#11) or encrypted files, put keys into tokens, and list them
///
/// A token is named by its pkcs11: URI (RFC 7512), which has the module's path, and may say where the PIN is (pin-source).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Args),
    Import(Box<import::Args>),
    List(list::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Generate(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::List(args) => args.run(),
        }
    }
}
