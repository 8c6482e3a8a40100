//! `dc-signer restore`: back from a backup, with nobody let back in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use dc_signer::backup::{self, Restored};
use dc_signer::human::Moment;
use dc_signer::{Error, database};
use pki_types::UnixTime;

use super::place::{Place, act};
use super::print;

/// Put a backup in the place of the database; the service has to be stopped
///
/// Devices that were suspended or retired after the backup stay so, as far as the audit log of the replaced database
/// can be read. That database is kept beside the restored one.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The folder of the backup
    #[arg(value_name = "DIR", required_unless_present = "check")]
    from: Option<PathBuf>,
    /// Only check the database that is there, as after a restore by other tools
    #[arg(long, conflicts_with = "from")]
    check: bool,
    /// Do not read the database that is there, because it cannot be read: devices that were suspended or retired after the
    /// backup get credentials again
    #[arg(long, conflicts_with = "check")]
    lose_newer: bool,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_config(async |config| match &self.from {
            Some(from) => {
                let by = act()?;
                let restored = backup::restore(&config, from, self.lose_newer, &by).await?;
                print(&Shown(restored))
            }
            None => {
                let store = database::open(&config).await?;
                let checked = store.check().await;
                store.close().await;
                print(&format!(
                    "the database is whole, and so is its audit log of {} records",
                    checked?.seq
                ))
            }
        })
    }
}

struct Shown(Restored);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Restored {
            made,
            head,
            newer,
            changed,
            moved_to,
        } = &self.0;
        let made = Moment(UnixTime::since_unix_epoch(Duration::from_secs(*made)));
        writeln!(f, "restored the backup of {made}")?;
        match newer {
            Some(newer) => writeln!(
                f,
                "the replaced database had {newer} newer records: {changed} devices were suspended, resumed or retired again"
            )?,
            None => writeln!(
                f,
                "no newer records were read: devices that were suspended or retired since may get credentials again, so do that anew"
            )?,
        }
        if let Some(moved_to) = moved_to {
            writeln!(f, "the replaced database is {}", moved_to.display())?;
        }
        write!(f, "the audit log has {} records", head.seq)
    }
}

const HELP: &str = "\
Examples:
  dc-signer restore /var/backups/dc-signer-monday --config /etc/dc-signer/config.toml
  dc-signer restore --check --config /etc/dc-signer/config.toml";
