//! `dc-signer secrets`: what all signers of a database share, and the key that seals it.

mod make_key;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use dc_pki::sealing::{Sealed, Which};
use dc_pki::time::Moment;
use dc_signer::authority::secrets::{self, Exported, Rotation, Secured};
use dc_signer::config::Config;
use dc_store::Store;
use dc_store::registry::{Purpose, Role, SharedDelegation, SharedSecret};
use serde_json::{Value, json};

use super::confirm::confirm;
use super::error::Error;
use super::place::{Acting, Actor, Place, Why};
use super::print;
use crate::cmd::table::Table;

/// Manage the secrets that all signers of a database share
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show which secrets and delegation keys the database has, and what they are sealed with; never a secret itself
    Show(Show),
    /// Seal the secrets and delegation keys of this signer's data folder into the database, and remove those files
    Seal(Seal),
    /// Make a new version of a secret; all signers take it some seconds later
    Rotate(Rotate),
    /// Go back to the version of a secret before the newest one, which gets a new number
    TakeBack(TakeBack),
    /// Make a key-encryption key in a token (PKCS#11), which it cannot leave, or put one there
    MakeKey(make_key::Args),
    /// Seal everything with the next key-encryption key ([secrets] next_key)
    Reseal(Reseal),
    /// Write the secrets and delegation keys as they are into a new folder: whoever has it is the signer
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    place: Place,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Seal {
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
    /// Leave the files where they are
    #[arg(long)]
    keep_files: bool,
}

#[derive(Debug, clap::Args)]
struct Rotate {
    /// codes, lists or names
    secret: Purpose,
    /// The one before counts no more, because it was stolen: open codes have to be made again, and clients have to be told the new key
    /// of lists. For names it changes nothing
    #[arg(long)]
    at_once: bool,
    /// The time in which lists are signed with both keys
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration, conflicts_with = "at_once")]
    overlap: Duration,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct TakeBack {
    /// codes, lists or names
    secret: Purpose,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct Reseal {
    /// Seal with [secrets] key instead, which takes it back
    #[arg(long)]
    back: bool,
    /// Do it although signers that run have not got the key: until they have, they go on with what they have opened, are not ready, and
    /// do not start again
    #[arg(long)]
    leave_signers_out: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// The folder to make
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Remove them from the database then: every signer needs the folder's contents in its data folder before it starts again
    #[arg(long)]
    back_out: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Show(args) => args.run(),
            What::Seal(args) => args.run(),
            What::Rotate(args) => args.run(),
            What::TakeBack(args) => args.run(),
            What::MakeKey(args) => args.run(),
            What::Reseal(args) => args.run(),
            What::Export(args) => args.run(),
        }
    }
}

/// Runs what an admin does with the configuration and its database, and without the signer's secrets, which may be what is wrong.
fn as_admin(
    acting: &Acting,
    why: &Why,
    work: impl AsyncFnOnce(&Config, &Store, &Actor) -> Result<(), Error>,
) -> Result<(), Error> {
    acting.with_store(Role::Admin, Some(&why.reason), work)
}

impl Show {
    fn run(self) -> Result<(), Error> {
        self.place.with_store(async |store| {
            let (secrets, delegations) =
                (store.secrets().await?, store.shared_delegations().await?);
            match self.json {
                true => secrets
                    .iter()
                    .map(secret_json)
                    .chain(delegations.iter().map(delegation_json))
                    .try_for_each(|line| print(&line)),
                false => print(&table(&secrets, &delegations)),
            }
        })
    }
}

impl Seal {
    fn run(self) -> Result<(), Error> {
        as_admin(&self.acting, &self.why, async |config, store, who| {
            let sealed = secrets::seal(config, store, self.keep_files, &who.act()?).await?;
            print(&Shown(sealed))
        })
    }
}

impl Rotate {
    fn run(self) -> Result<(), Error> {
        let rotation = match self.at_once {
            true => Rotation::AtOnce,
            false => Rotation::Overlap(self.overlap),
        };
        as_admin(&self.acting, &self.why, async |config, store, who| {
            let new = secrets::rotate(config, store, self.secret, rotation, &who.act()?).await?;
            let before = store.secrets().await?;
            let before = before
                .iter()
                .find(|row| row.purpose == new.purpose && row.version + 1 == new.version);
            let until = before.and_then(|row| row.until).map(Moment);
            print(&format!(
                "the secret {} has version {} now; {}",
                new.purpose,
                new.version,
                match (self.secret, until) {
                    (_, Some(until)) => format!("the one before counts until {until}"),
                    (_, None) => "names that were made with the one before stay".to_owned(),
                }
            ))
        })
    }
}

impl TakeBack {
    fn run(self) -> Result<(), Error> {
        as_admin(&self.acting, &self.why, async |config, store, who| {
            let new = secrets::take_back(config, store, self.secret, &who.act()?).await?;
            print(&format!(
                "the secret {} is what it was before, as version {}",
                new.purpose, new.version
            ))
        })
    }
}

impl Reseal {
    fn run(self) -> Result<(), Error> {
        let which = match self.back {
            true => Which::Current,
            false => Which::Next,
        };
        as_admin(&self.acting, &self.why, async |config, store, who| {
            let (by, leave_out) = (who.act()?, self.leave_signers_out);
            let (secrets, delegations) =
                secrets::reseal(config, store, which, leave_out, &by).await?;
            print(&format!(
                "{secrets} secrets and {delegations} delegation keys are sealed with the {} key-encryption key now",
                match which {
                    Which::Current => "present",
                    Which::Next => "next",
                }
            ))
        })
    }
}

impl Export {
    fn run(self) -> Result<(), Error> {
        as_admin(&self.acting, &self.why, async |config, store, who| {
            let question = "This writes the secrets and delegation keys as they are: whoever reads them can be this signer. \
                The audit log has who did it.";
            confirm(question, self.yes)?;
            let exported =
                secrets::export(config, store, &self.to, self.back_out, &who.act()?).await?;
            let Exported {
                secrets,
                delegations,
            } = exported;
            print(&format!(
                "{secrets} secrets and {delegations} delegation certificates are in {}, as they belong into a data folder{}",
                self.to.display(),
                match self.back_out {
                    true =>
                        "; the database has them no more: copy the folder's contents into the data folder of every signer, then remove the folder",
                    false => ": remove the folder as soon as it is not needed",
                }
            ))
        })
    }
}

struct Shown(Secured);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Secured {
            secrets,
            delegations,
            removed,
        } = &self.0;
        write!(
            f,
            "{secrets} secrets and {delegations} delegation certificates were sealed into the database"
        )?;
        for path in removed {
            write!(f, "\nremoved {}", path.display())?;
        }
        Ok(())
    }
}

/// The id of the key-encryption key of something.
fn key(sealed: Option<&[u8]>) -> Option<String> {
    let sealed = sealed?;
    Some(
        Sealed::parse(sealed)
            .map_or_else(|error| error.to_string(), |sealed| sealed.key().to_string()),
    )
}

/// The same with the kind of key.
fn key_and_kind(sealed: Option<&[u8]>) -> Option<String> {
    let kind = sealed.and_then(kind);
    key(sealed).map(|key| match kind {
        Some(kind) => format!("{key}, {kind}"),
        None => key,
    })
}

/// The word for the kind of key that something is sealed with.
fn kind(sealed: &[u8]) -> Option<&'static str> {
    Some(Sealed::parse(sealed).ok()?.kind().as_str())
}

fn table(secrets: &[SharedSecret], delegations: &[SharedDelegation]) -> Table<5> {
    let mut table = Table::new(["SECRET", "VERSION", "SINCE", "ENDS", "SEALED WITH"]);
    let folder = "not sealed: in the data folders".to_owned();
    for row in secrets {
        let ends = row
            .until
            .map_or_else(|| "-".to_owned(), |until| Moment(until).to_string());
        table.row([
            row.purpose.to_string(),
            row.version.to_string(),
            Moment(row.since).to_string(),
            ends,
            key_and_kind(row.sealed.as_deref()).unwrap_or_else(|| folder.clone()),
        ]);
    }
    for one in delegations {
        let sha256 = one.certificate_sha256.to_string();
        let brief: String = sha256.chars().take(16).collect();
        let dash = || "-".to_owned();
        let sealed = key_and_kind(one.sealed.as_deref());
        // What is sealed may be the place alone.
        let sealed = match (&one.location, sealed) {
            (Some(place), Some(sealed)) => format!("{sealed}: the place {}", place.trim()),
            (Some(place), None) => format!("not sealed: the place {}", place.trim()),
            (None, sealed) => sealed.unwrap_or_default(),
        };
        table.row([
            format!("delegation {brief}"),
            dash(),
            dash(),
            dash(),
            sealed,
        ]);
    }
    table
}

fn secret_json(row: &SharedSecret) -> Value {
    json!({
        "secret": row.purpose.as_str(),
        "version": row.version,
        "fingerprint": row.fingerprint.to_string(),
        "since": row.since.as_secs(),
        "until": row.until.map(|until| until.as_secs()),
        "sealed_with": key(row.sealed.as_deref()),
        "sealed_by": row.sealed.as_deref().and_then(kind),
    })
}

fn delegation_json(one: &SharedDelegation) -> Value {
    json!({
        "certificate_sha256": one.certificate_sha256.to_string(),
        "location": one.location,
        "sealed_with": key(one.sealed.as_deref()),
        "sealed_by": one.sealed.as_deref().and_then(kind),
    })
}

const HELP: &str = "\
Another signer of the same database needs the configuration and the key-encryption key ([secrets] key), nothing else.

Examples:
  (umask 077; openssl rand -hex 32 > /etc/dc-signer/secrets.key)   # give it to the service's user; keep a copy elsewhere
  dc-signer secrets seal --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer secrets rotate lists --overlap 30d --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer secrets show --config /etc/dc-signer/config.toml";
