//! `dc-signer backup`: a copy of all that a signer cannot do without.

use std::path::PathBuf;

use dc_signer::{Error, backup, clock, database};

use super::place::Place;
use super::print;

/// Back up the database, the secrets and the delegation keys, while the service works
///
/// Whoever has the backup can issue credentials: keep it like the keys. PostgreSQL has its own tools for the
/// database; the data folder is still yours to copy.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The folder to make
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Leave the delegation keys out: then they must be imported again after a restore
    #[arg(long)]
    without_keys: bool,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_config(async |config| {
            let store = database::open(&config).await?;
            let now = clock::now()?;
            let made = backup::make(&config, &*store, &self.to, !self.without_keys, now).await;
            store.close().await;
            let made = made?;
            print(&format!(
                "{} has the database up to record {} of the audit log at least",
                self.to.display(),
                made.records
            ))
        })
    }
}

const HELP: &str = "\
Example:
  dc-signer backup /var/backups/dc-signer-monday --config /etc/dc-signer/config.toml";
