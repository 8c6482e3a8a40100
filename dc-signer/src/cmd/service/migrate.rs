//! `dc-signer migrate`: the tables of the database.

use dc_signer::authority::database;
use dc_signer::store::{self, InUse, Schema};

use super::error::Error;
use super::place::Place;
use super::print;

/// Bring the database's tables to what this version needs
///
/// Back up first. An older version refuses a database with newer tables.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Only look: exit status 1 if there is something to do
    #[arg(long)]
    check: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_config(async |config| {
            database::check_unseen(&config)?;
            let Schema { found, needed } = store::look(&config.database).await?;
            if found == needed {
                return print(&format!("the database has version {needed}, as it should"));
            }
            if self.check {
                return Err(store::Error::SchemaTooOld { found, needed }.into());
            }
            let _in_use = InUse::briefly(&config.database)?;
            store::migrate(&config.database).await?;
            print(&format!(
                "the database had version {found}, and has {needed} now"
            ))
        })
    }
}

const HELP: &str = "\
Examples:
  dc-signer migrate --check --config /etc/dc-signer/config.toml
  dc-signer migrate --config /etc/dc-signer/config.toml";
