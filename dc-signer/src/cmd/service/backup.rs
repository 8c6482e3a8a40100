//! `dc-signer backup`: a copy of all that a signer cannot do without.

use std::path::PathBuf;

use dc_pki::clock;
use dc_signer::authority::backup::{self, SealedIn};
use dc_signer::authority::{claim, database};
use dc_store::Store;
use dc_store::registry::Action;
use pki_types::UnixTime;

use super::error::Error;
use super::place::Place;
use super::print;

/// Back up the database, the secrets, the delegation keys and the accounts at CAs, while the service works
///
/// Whoever has the backup can issue credentials: keep it like the keys. PostgreSQL has its own tools for the
/// database, such as pg_dump: use them right after this, and what comes back is compared with what the backup says of it.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The folder to make
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Leave the delegation keys and the accounts at CAs out: after a restore the keys must be imported again, and accounts be
    /// registered anew, for which a CA may want to give a new external account
    #[arg(long)]
    without_keys: bool,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_config(async |config| {
            let (store, _in_use) = database::open(&config).await?;
            let now = clock::now()?;
            // Before anything is copied, and so in the copy too; nothing is copied to what is there.
            if !matches!(self.to.try_exists(), Ok(true)) {
                note(&store, now).await;
            }
            let made = backup::make(&config, &store, &self.to, !self.without_keys, now).await;
            store.close().await;
            let made = made?;
            let left_out = match self.without_keys {
                true => backup::accounts(&config.data)?.len(),
                false => 0,
            };
            if left_out > 0 {
                eprintln!(
                    "note: {left_out} accounts at CAs are not in it: after a restore orders begin with new ones, so have the key of an external account ready that the CA takes"
                );
            }
            let (to, records) = (self.to.display(), made.records);
            let SealedIn {
                secrets,
                delegations,
            } = made.sealed;
            if !made.sealed.is_nothing() {
                eprintln!(
                    "note: the database has {secrets} secrets and {delegations} delegation keys in it, sealed: a copy of it has them too, and is worth nothing without the key-encryption key, so keep that elsewhere"
                );
            }
            print(&match made.database {
                true => format!(
                    "{to} has the database up to record {records} of the audit log at least"
                ),
                false => format!(
                    "{to} has the secrets and keys, but not the database, which has {records} records in its audit log: make a copy of it now with pg_dump"
                ),
            })
        })
    }
}

async fn note(store: &Store, now: UnixTime) {
    let by = claim::at_the_machine(now);
    let noted = store.note_read(Action::Export, "backup".to_owned(), &by);
    if let Err(error) = noted.await {
        eprintln!("warning: this backup is not in the audit log: {error}");
    }
}

const HELP: &str = "\
Example:
  dc-signer backup /var/backups/dc-signer-monday --config /etc/dc-signer/config.toml
  pg_dump --format=custom --file=/var/backups/dc-signer-monday/database signer   # with PostgreSQL";
