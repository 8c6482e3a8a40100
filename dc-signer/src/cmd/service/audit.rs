//! `dc-signer audit`: whether the audit log is what was written, and what shows that to others.

mod acknowledge;
mod archive;
mod archived;
mod export;
mod findings;
mod list;
mod offline;

use std::path::PathBuf;

use archived::Archived;
use clap::Subcommand;
use dc_evidence::{Checkpoint, Hash, VerifyingKey};
use dc_pki::keys::ProcessFault;
use dc_signer::checkpoints::signed_by_process;
use dc_signer::config::Config;
use dc_store::registry::Head;
use dc_store::{Beside, Findings, Store, Walked};
use indicatif::ProgressBar;
use serde_json::json;

use super::checkpoints::{self, Checkpoints};
use super::error::Error;
use super::place::Place;
use super::print;

/// Check the audit log
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Record that you know of a mismatch and why it may stay: 'verify' shows it from then on, and does not fail for it
    Acknowledge(acknowledge::Args),
    /// Put issuances of old weeks, which have checkpoints, into files, and remove them from the database
    Archive(archive::Args),
    /// Sign for the log as it is, if it is as the checkpoints in a file say, and put the new one behind them
    Checkpoint(New),
    /// Export records, one JSON object a line, so that anybody can check them without the database
    Export(export::Args),
    /// List records, the newest first
    List(list::Args),
    /// Prove that a record is in the log of a checkpoint, to anybody with the log's key: in the form of C2SP tlog-proof
    Prove(Prove),
    /// Walk the whole log: no record was changed, removed or put in between, and the database is as it says
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
struct New {
    #[command(flatten)]
    place: Place,
    /// The key that signs, Ed25519 in PEM (PKCS#8), which is used for nothing else
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The log's name, such as signer.example.com/audit
    #[arg(long)]
    name: String,
    /// The file of checkpoints, where nobody can change it who can change the database
    #[arg(long, value_name = "FILE")]
    append: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Prove {
    #[command(flatten)]
    place: Place,
    /// The record's number, from 1 on
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    record: u64,
    #[command(flatten)]
    known: Known,
}

#[derive(Debug, clap::Args)]
struct Known {
    /// A file of checkpoints
    #[arg(
        long,
        visible_alias = "checkpoint",
        value_name = "FILE",
        requires = "log_key"
    )]
    checkpoints: Option<PathBuf>,
    /// The key that they are signed with, as 'audit checkpoint' prints it: name+id+key
    #[arg(long, value_name = "KEY", requires = "checkpoints")]
    log_key: Option<VerifyingKey>,
}

impl Known {
    fn read(&self) -> Result<Checkpoints, Error> {
        match (&self.checkpoints, &self.log_key) {
            (Some(path), Some(key)) => match Checkpoints::read(path, key)? {
                // It would confirm nothing, and a place that was emptied is no proof.
                none if none.all().is_empty() => Err(Error::NoCheckpoint { path: path.clone() }),
                some => Ok(some),
            },
            _ => Ok(Checkpoints::default()),
        }
    }
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    what: Log,
    #[command(flatten)]
    known: Known,
    #[command(flatten)]
    archived: Archived,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The log in a database, or exports of it.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Log {
    /// The configuration of the service, which says where the database is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check exports instead, in their order: the records alone, without a database
    #[arg(long, value_name = "FILE", num_args = 1..)]
    export: Vec<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Acknowledge(args) => args.run(),
            What::Archive(args) => args.run(),
            What::Checkpoint(args) => args.run(),
            What::Export(args) => args.run(),
            What::List(args) => args.run(),
            What::Prove(args) => args.run(),
            What::Verify(args) => args.run(),
        }
    }
}

impl New {
    fn run(self) -> Result<(), Error> {
        self.place.with_store(async |store| {
            let key = checkpoints::signing_key(&self.key, &self.name)?;
            let new = checkpoints::append(store, &self.append, &key).await?;
            let (size, key) = (new.size(), key.verifying_key());
            print(&format!("{size} records; the key to verify with is\n{key}"))
        })
    }
}

impl Prove {
    fn run(self) -> Result<(), Error> {
        self.place.with_store(async |store| {
            let (seq, size) = (self.record, 0);
            let known = self.known.read()?;
            let (checkpoint, note) = known
                .with(seq)
                .ok_or(dc_store::Error::NotInCheckpoint { seq, size })?;
            let proven = store.prove_record(seq, checkpoint, note).await?;
            print(&proven.to_string().trim_end())
        })
    }
}

impl Verify {
    fn run(self) -> Result<(), Error> {
        let Self {
            what,
            known,
            archived,
            json,
        } = self;
        let Some(config) = what.config else {
            return offline::run(&what.export, known.read()?.all(), json);
        };
        Place { config }.with_config_and_store(async |config, store| {
            let process = signed_by_process(config).await;
            let mut beside = Beside {
                checkpoints: known.read()?.all(),
                archives: archived.files(),
            };
            // What takes long is not the primary's work, if there is a replica with all of it.
            let store = store.pages().await;
            let scope = Scope::of(store, &beside).await?;
            let last = of_process(config, process.as_ref());
            beside.checkpoints.extend(last);
            let all = looked_through(store, beside).await?;
            let (open, head) = (all.open(), all.head);
            if json {
                findings::json(&all, &json!({
                    "records": head.seq, "head": head.hash.to_string(), "checkpoints": scope.compared,
                    "archived": scope.archived, "proved_from": scope.unproved.saturating_add(1),
                    "checkpoints_of_archives": scope.within,
                    "signing_process": process.as_ref().map(|said| match said {
                        Ok(last) => json!({ "records": last.map(|(size, _)| size) }),
                        Err(fault) => json!({ "failure": fault.to_string() }),
                    }),
                }))?;
            } else {
                findings::show(&all)?;
                if let Some(said) = &process {
                    print(&of_process_in_words(said))?;
                }
                if open == 0 {
                    scope.show(head)?;
                }
            }
            findings::failed(&all)?;
            archived.check(scope.archived)
        })
    }
}

/// How much of a log is compared with how many checkpoints.
struct Scope {
    archived: u64,
    /// The last record of which nothing is proved.
    unproved: u64,
    compared: usize,
    /// Checkpoints of places in archives that were not given.
    within: usize,
}

impl Scope {
    async fn of(store: &Store, beside: &Beside) -> Result<Self, Error> {
        let archived = store.archived_tree().await?.head().seq;
        let unproved = match beside.archives.is_empty() {
            true => archived,
            false => 0,
        };
        let known = &beside.checkpoints;
        let can = |checkpoint: &&Checkpoint| checkpoint.size() >= unproved;
        let compared = known.iter().filter(can).count();
        Ok(Self {
            archived,
            unproved,
            compared,
            within: known.len() - compared,
        })
    }

    fn show(&self, head: Head) -> Result<(), Error> {
        let Self {
            unproved,
            compared,
            within,
            ..
        } = self;
        let checkpoints = match compared {
            0 => String::new(),
            _ => format!(", as {compared} checkpoints say"),
        };
        let (seq, hash) = (head.seq, head.hash);
        match unproved {
            0 => print(&format!(
                "{seq} records, none missing or changed{checkpoints}; the last one's hash is\n{hash}"
            )),
            _ => print(&format!(
                "records {} to {seq}, none missing or changed{checkpoints}; the last one's hash is\n{hash}\nnothing is proved of the records up to {unproved}, which are in archives that were not given, and {within} checkpoints are of places in those",
                unproved.saturating_add(1)
            )),
        }
    }
}

/// The state of the log that a signing process has signed for last: as good as a checkpoint, from whoever has its key.
fn of_process(config: &Config, said: Option<&Said>) -> Option<Checkpoint> {
    let (size, root) = said?.as_ref().ok()?.as_ref()?;
    let name = &config.checkpoints.as_ref()?.name;
    Some(Checkpoint::of_root(name, *size, *root))
}

fn of_process_in_words(said: &Said) -> String {
    match said {
        Ok(Some((size, _))) => {
            format!("the signing process has signed for {size} records, which was compared too")
        }
        Ok(None) => "the signing process has signed for no record yet".to_owned(),
        Err(fault) => {
            format!("not compared with what the signing process has signed for: {fault}")
        }
    }
}

/// The records that a signing process has signed for last, or why it does not say.
type Said = Result<Option<(u64, Hash)>, ProcessFault>;

/// Walks the log beside its checkpoints and archives, with a bar; fails for the first thing that is wrong with it.
async fn verified(store: &Store, beside: Beside) -> Result<Head, Error> {
    let all = looked_through(store, beside).await?;
    findings::failed(&all)?;
    Ok(all.head)
}

/// The same, and goes on to the end.
async fn looked_through(store: &Store, beside: Beside) -> Result<Findings, Error> {
    let bar = ProgressBar::new(0);
    let walked = |walked: Walked| {
        bar.set_length(walked.of);
        bar.set_position(walked.records);
    };
    let found = store.find_mismatches_beside(beside, &walked).await;
    bar.finish_and_clear();
    let mut found = found?;
    // Where an index leaves rows out, the service does not find what the log has.
    match store.check_pages().await {
        Err(error @ dc_store::Error::BadPages { .. }) => found.add(error),
        checked => checked?,
    }
    // What signers on this machine have seen of the log is in a file of theirs.
    if let Err(error) = store.is_newest().await {
        found.add(error);
    }
    Ok(found)
}

const HELP: &str = "\
Whoever has the database can write a whole new log, but no checkpoint of it: make them often, by a timer, and keep
them and their key where only the timer can write. The more there are, the closer 'verify' names the place.

'verify' ends with 0 if all is as the log says, or what is not was acknowledged; with 1 if something is not as the log says,
which it lists (--json: 'mismatches', each with kind, table, row, column, record, expected, found and digest), or if it could
not look. The runbook has what to do, under 'Audit mismatch'.

Example:
  openssl genpkey -algorithm ed25519 -out audit.pem
  dc-signer audit checkpoint --config config.toml --key audit.pem --name signer.example.com/audit --append checkpoints
  dc-signer audit verify --config config.toml --checkpoints checkpoints --log-key KEY
  dc-signer audit verify --config config.toml --checkpoints checkpoints --log-key KEY --archives /mnt/archive/audit-*.ndjson
  dc-signer audit export --config config.toml --out audit.ndjson
  dc-signer audit verify --export audit.ndjson --checkpoints checkpoints --log-key KEY
  dc-signer audit list --config config.toml --action change-operator --since 30d";
