//! `dc-signer restore`: back from a backup, with nobody let back in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use dc_pki::clock;
use dc_pki::time::Moment;
use dc_signer::authority::backup::{self, By, Restored};
use dc_signer::authority::database;
use dc_signer::config::Config;
use dc_store::registry::Reason;
use dc_store::{BroughtUp, Location};
use pki_types::UnixTime;

use super::confirm::confirm;
use super::error::Error;
use super::place::Acting;
use super::print;

/// Put a backup in the place of the database; the service has to be stopped
///
/// Devices that were suspended or retired after the backup stay so, as far as the audit log of the replaced database
/// can be read. That database is kept beside the restored one. PostgreSQL brings its database back with its own tools,
/// such as pg_restore: then this brings back what belongs to it, and checks that it is not older than the backup.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
    /// Do not read the database that is there, because it cannot be read or is gone: devices that were suspended or retired
    /// after the backup get credentials again, and those that have not enrolled wait for 7 days. With PostgreSQL: what its
    /// tools have brought back is an older copy, and nothing newer is known
    #[arg(long, requires = "from")]
    lose_newer: bool,
    /// Do not ask before '--accept-older'
    #[arg(long, requires = "accept_older")]
    yes: bool,
    /// The reason or a ticket, for the audit log; not for '--check'
    #[arg(long, value_name = "TEXT", required_unless_present = "check")]
    reason: Option<Reason>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    from: Option<PathBuf>,
    /// Only check the database that is there, as after a restore by other tools: that it is whole, and no older copy than
    /// this machine has worked with
    #[arg(long)]
    check: bool,
    /// Bring the database that is there up to the audit log of another one, whose copy it is: a file of SQLite, or the URL
    /// of a database of PostgreSQL
    #[arg(long, value_name = "DATABASE")]
    newer_log: Option<Location>,
    /// Go on with the database that is there although it is an older copy: devices that were suspended or retired since
    /// get credentials again, and so do boxes that were replaced since, for the name that another box has by now, until they
    /// are suspended or replaced anew. The audit log has who said so
    #[arg(long)]
    accept_older: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let claim = self.acting.credential.claim()?;
        let by = By {
            claim: &claim,
            reason: self.reason.as_ref(),
            now: clock::now()?,
        };
        self.acting
            .place
            .with_config(async |config| match &self.what {
                What {
                    from: Some(from), ..
                } => {
                    let restored = backup::restore(&config, from, self.lose_newer, &by).await?;
                    print(&Shown(restored))
                }
                What {
                    newer_log: Some(newer),
                    ..
                } => {
                    let (head, brought) = backup::bring_up(&config, newer, &by).await?;
                    print(&format!(
                        "the audit log has {} records now: {}",
                        head.seq,
                        Brought(&brought)
                    ))
                }
                What {
                    accept_older: true, ..
                } => {
                    backup::look_for_older(&config).await?;
                    confirm(
                        &format!("This goes on with an older copy: {UNKNOWN}."),
                        self.yes,
                    )?;
                    let head = backup::accept_older(&config, &by).await?;
                    print(&format!(
                        "accepted, as record {} of the audit log says: {UNKNOWN}",
                        head.seq
                    ))
                }
                _ => check(&config).await,
            })
    }
}

async fn check(config: &Config) -> Result<(), Error> {
    let (store, _in_use) = database::open(config).await?;
    let checked = async {
        let head = store.check().await?;
        store.is_newest().await?;
        Ok::<_, dc_store::Error>(head)
    };
    let checked = checked.await;
    store.close().await;
    print(&format!(
        "the database is whole, and so is its audit log of {} records",
        checked?.seq
    ))
}

struct Shown(Restored);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Restored {
            made,
            head,
            newer,
            brought,
            moved_to,
            database,
            accepted,
        } = &self.0;
        let made = Moment(UnixTime::since_unix_epoch(Duration::from_secs(*made)));
        writeln!(f, "restored the backup of {made}")?;
        if !database {
            write!(
                f,
                "the secrets and keys are there; the database has all that it had then, and {} records since",
                newer.unwrap_or_default()
            )?;
            return match accepted {
                true => write!(f, "; it is taken for an older copy: {UNKNOWN}"),
                false => Ok(()),
            };
        }
        match newer {
            Some(newer) => writeln!(
                f,
                "the replaced database had {newer} newer records: {}",
                Brought(brought)
            )?,
            None => writeln!(
                f,
                "no newer records were read: {UNKNOWN}; devices that were added since are lost: what they hold is valid for up to 7 days, so add no other box under the same id before"
            )?,
        }
        if let Some(moved_to) = moved_to {
            writeln!(f, "the replaced database is {}", moved_to.display())?;
        }
        write!(f, "the audit log has {} records", head.seq)
    }
}

/// The changes that a newer log brought, in words.
struct Brought<'a>(&'a BroughtUp);

impl fmt::Display for Brought<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BroughtUp {
            changed,
            lost,
            operators,
            slots,
        } = self.0;
        write!(
            f,
            "{changed} devices were suspended, resumed or retired again"
        )?;
        if !operators.is_empty() {
            write!(
                f,
                "\n{} operators were disabled or changed since and are disabled now: {}; give those who may act again a new credential with 'dc-signer operators add'",
                operators.len(),
                operators.join(", ")
            )?;
        }
        if !slots.is_empty() {
            write!(
                f,
                "\n{} were ended since by somebody, and have ended again: import the next certificate with 'dc-signer zones rollover ZONE --import DIR'",
                slots.join(", ")
            )?;
        }
        if lost.is_empty() {
            return Ok(());
        }
        let some = lost.iter().take(NAMED).map(String::as_str);
        let some = some.collect::<Vec<_>>().join(", ");
        write!(
            f,
            "\n{} devices were added since and are lost: {some}",
            lost.len()
        )?;
        match lost.len().saturating_sub(NAMED) {
            0 => {}
            more => write!(f, " and {more} more")?,
        }
        f.write_str(
            "; add them again: a box that then enrols waits until what was issued for its name is over",
        )
    }
}

/// How many names a line has.
const NAMED: usize = 10;

/// The consequences when nobody knows what was done since the copy.
const UNKNOWN: &str = "devices that were suspended or retired since may get credentials again, so do that anew; \
    boxes that were replaced since get credentials again too, beside the new ones: suspend those devices before the service starts; \
    operators who were disabled since may act again, so disable them anew: an export of the newer log, or 'dc-signer audit list' on it, names them; \
    devices that have not enrolled here wait for 7 days, because they may have enrolled since";

const HELP: &str = "\
Examples:
  dc-signer restore /var/backups/dc-signer-monday --reason \"disk of signer-1 lost\" --config /etc/dc-signer/config.toml
  dc-signer restore --check --config /etc/dc-signer/config.toml
  dc-signer restore --newer-log postgres://signer@localhost/signer_before --reason \"disk of signer-1 lost\" --config /etc/dc-signer/config.toml";
