//! `dc-signer audit export`.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use dc_store::export::{ExportReader, LogCheck, first_line, record_line};
use dc_store::{AuditTree, Store};
use indicatif::ProgressBar;
use pki_types::UnixTime;

use super::list::time;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Place, for_file};

/// Which records, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// From this record on
    #[arg(long, value_name = "RECORD", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// Up to this record
    #[arg(long, value_name = "RECORD")]
    to: Option<u64>,
    /// From the first record on that is not before this time, such as 2027-01-31T00:00:00Z, or so long ago, such as 7d
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "from")]
    since: Option<UnixTime>,
    /// Up to the last record before the first one that is not before this time
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "to")]
    until: Option<UnixTime>,
    /// To this file, which must not be there yet; else to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on with the file where its last whole line ends, if it is there
    #[arg(long, requires = "out", conflicts_with_all = ["from", "since"])]
    resume: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_store(async |store| {
            let store = store.pages().await;
            let end = self.end(store).await?;
            // As many programs have it.
            let out = self.out.as_ref().filter(|path| *path != Path::new("-"));
            let Some(path) = out else {
                let tree = self.begin(store, end).await?;
                let mut out = io::BufWriter::new(io::stdout().lock());
                out.write_all(first_line(&tree).as_bytes())
                    .map_err(failed)?;
                write(store, tree, end, &mut out, &shown()).await?;
                return out.flush().map_err(failed);
            };
            let invoker = for_file(path)?;
            let there = path.exists();
            drop(invoker);
            let (file, tree) = match self.resume && there {
                true => resume(path)?,
                false if there => return Err(Error::ExportExists { path: path.clone() }),
                false => {
                    // Nothing is left behind of what cannot begin.
                    let tree = self.begin(store, end).await?;
                    let _invoker = for_file(path)?;
                    let mut file = File::create_new(path).map_err(failed_at(path))?;
                    file.write_all(first_line(&tree).as_bytes())
                        .map_err(failed_at(path))?;
                    (file, tree)
                }
            };
            let mut out = io::BufWriter::with_capacity(1 << 20, file);
            write(store, tree, end, &mut out, &shown()).await?;
            let file = out
                .into_inner()
                .map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed_at(path))
        })
    }

    /// The last record that is wanted.
    async fn end(&self, store: &Store) -> Result<u64, Error> {
        let end = store.audit_head().await?.seq;
        let until = match self.until {
            Some(time) => store
                .record_at(time, 0)
                .await?
                .map(|seq| seq.saturating_sub(1)),
            None => self.to,
        };
        Ok(until.unwrap_or(end).min(end))
    }

    /// Reads the log before the first record that is wanted.
    async fn begin(&self, store: &Store, end: u64) -> Result<AuditTree, Error> {
        let first = match self.since {
            Some(time) => store
                .record_at(time, 0)
                .await?
                .unwrap_or_else(|| end.saturating_add(1)),
            None => self.from,
        };
        let before = first.saturating_sub(1);
        let mut tree = match store.archived_tree().await? {
            archived if archived.head().seq <= before => archived,
            archived => {
                let last = archived.head().seq;
                return Err(dc_store::Error::Archived { last }.into());
            }
        };
        while tree.head().seq < before {
            let size = tree.head().seq;
            let next = size.saturating_add(PART).min(before);
            tree = store.grow_audit_tree_to(&tree, next).await?;
            if tree.head().seq == size {
                break;
            }
        }
        Ok(tree)
    }
}

/// Writes the records behind a tree, each of which must follow the one before.
async fn write(
    store: &Store,
    tree: AuditTree,
    end: u64,
    out: &mut impl Write,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let mut head = tree.head();
    bar.set_length(end.saturating_sub(head.seq));
    while head.seq < end {
        let left = u32::try_from(end - head.seq).unwrap_or(u32::MAX);
        let records = store.audit_from(head.seq.saturating_add(1), left.min(AT_ONCE));
        let records = records.await?;
        if records.is_empty() {
            let (size, found) = (end, head.seq);
            return Err(dc_store::Error::Cut { size, found }.into());
        }
        for record in &records {
            head.follow(record).map_err(dc_store::Error::from)?;
            out.write_all(record_line(record).as_bytes())
                .map_err(failed)?;
        }
        bar.inc(u64::try_from(records.len()).unwrap_or_default());
    }
    bar.finish_and_clear();
    Ok(())
}

/// Checks what is in a file, cuts off a last line that broke off, and says where the log goes on.
fn resume(path: &Path) -> Result<(File, AuditTree), Error> {
    let wrong = |source| Error::Export {
        path: path.into(),
        source: Box::new(source),
    };
    let invoker = for_file(path)?;
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(failed_at(path))?;
    drop(invoker);
    let mut reader = ExportReader::new(BufReader::with_capacity(1 << 20, &file)).map_err(wrong)?;
    let mut check = LogCheck::new(Vec::new());
    check.begin(reader.after()).map_err(wrong)?;
    while let Some(record) = reader.next_record().map_err(wrong)? {
        check.follow(&record).map_err(wrong)?;
    }
    let bytes = reader.bytes();
    file.set_len(bytes).map_err(failed_at(path))?;
    let mut file = file;
    io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(failed_at(path))?;
    Ok((file, check.tree().clone()))
}

/// A bar for somebody who watches.
fn shown() -> ProgressBar {
    match io::stderr().is_terminal() {
        true => ProgressBar::new(0),
        false => ProgressBar::hidden(),
    }
}

fn failed(source: io::Error) -> Error {
    crate::cmd::Error::Output { source }.into()
}

fn failed_at(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::CheckpointFile {
        path: path.clone(),
        source,
    }
}

const AT_ONCE: u32 = 10_000;
const PART: u64 = 100_000;
