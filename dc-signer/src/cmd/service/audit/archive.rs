//! `dc-signer audit archive`.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_pki::clock;
use dc_store::export::{first_line, record_line};
use dc_store::registry::{Archive, Role};
use dc_store::{Beside, KeptHash, Store};
use indicatif::ProgressBar;
use pki_types::UnixTime;
use serde_json::json;
use tempfile::NamedTempFile;

use super::archived::{self, Archived};
use super::{Known, verified};
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Why};
use crate::cmd::service::print;

/// The part of the log that is archived, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
    #[command(flatten)]
    known: Known,
    #[command(flatten)]
    archived: Archived,
    /// The folder of the archives, a file a week, which is there already
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// How much of the log stays in the database as it is, in whole weeks, and as long as the issuances are in the history
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = humantime::parse_duration)]
    keep: Duration,
    /// Print one JSON object for each file
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting.with_store(needed, why, async |_, store, who| {
            let known = self.known.read()?.all();
            let covered = known.iter().map(dc_evidence::Checkpoint::size).max();
            let beside = Beside {
                checkpoints: known,
                archives: self.archived.or_in(&self.to, store).await?,
            };
            verified(store, beside).await?;
            // Of a run that was stopped.
            self.remove(store).await?;
            let mut files = 0;
            while let Some(last) = self.next(store, covered.unwrap_or_default()).await? {
                let (path, archive) = write(store, &self.to, last).await?;
                let archive = store.archive(&archive, &who.act()?).await?;
                self.remove(store).await?;
                self.show(&path, &archive)?;
                files += 1;
            }
            match files {
                0 if !self.json => {
                    print(&"nothing to archive: what is old enough is, or has no checkpoint yet")
                }
                _ => Ok(()),
            }
        })
    }

    /// The last record of the next week that may be archived.
    async fn next(&self, store: &Store, covered: u64) -> Result<Option<u64>, Error> {
        let base = store.archived_tree().await?.head().seq;
        let Some(first) = store.audit_from(base.saturating_add(1), 1).await?.pop() else {
            return Ok(None);
        };
        let week = first.entry.time.as_secs() / WEEK;
        let before = clock::now()?.as_secs().saturating_sub(self.keep.as_secs());
        let mut end = before / WEEK;
        end = end.min(store.first_kept_week().await?.unwrap_or(end));
        if week >= end {
            return Ok(None);
        }
        let next = Duration::from_secs((week + 1).saturating_mul(WEEK));
        let next = store.record_at(UnixTime::since_unix_epoch(next), first.seq);
        // The end of the log is not old enough.
        let last = next.await?.map(|next| next.saturating_sub(1));
        Ok(last.filter(|last| *last <= covered))
    }

    async fn remove(&self, store: &Store) -> Result<(), Error> {
        while store.remove_archived().await? > 0 {
            // Devices that wait to be recorded come in between.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn show(&self, path: &Path, archive: &Archive) -> Result<(), Error> {
        let Archive {
            first,
            end,
            tree,
            removed,
            kept,
            record,
            ..
        } = archive;
        match self.json {
            true => print(&json!({
                "file": path.display().to_string(), "first": first, "last": end.seq, "head": end.hash.to_string(),
                "root": tree.root().to_string(), "removed": removed, "kept": kept, "record": record,
            })),
            false => print(&format!(
                "records {first} to {} are in {}: {removed} issuances are there alone, {kept} other records are in the database still; record {record} says so, and the root is {}",
                end.seq,
                path.display(),
                tree.root()
            )),
        }
    }
}

/// Writes a part of the log to a file of its own, and what is to be known of it.
async fn write(store: &Store, folder: &Path, last: u64) -> Result<(PathBuf, Archive), Error> {
    let base = store.archived_tree().await?;
    let first = base.head().seq.saturating_add(1);
    let path = archived::path_in(folder, first, last);
    let failed = |source: io::Error| Error::CheckpointFile {
        path: path.clone(),
        source,
    };
    let file = NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(first_line(&base).as_bytes())
        .map_err(failed)?;
    let bar = ProgressBar::new(last.saturating_sub(base.head().seq));
    let mut head = base.head();
    let (mut tree, mut kept) = (base.frontier().clone(), KeptHash::new());
    while head.seq < last {
        let left = u32::try_from(last - head.seq)
            .unwrap_or(u32::MAX)
            .min(AT_ONCE);
        for record in store.audit_from(head.seq.saturating_add(1), left).await? {
            head.follow(&record).map_err(dc_store::Error::from)?;
            tree.push(record.leaf());
            if KeptHash::keeps(&record) {
                kept.follow(&record);
            }
            out.write_all(record_line(&record).as_bytes())
                .map_err(failed)?;
        }
        bar.set_position(head.seq.saturating_sub(base.head().seq));
    }
    bar.finish_and_clear();
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    let (kept, kept_sha256) = kept.end();
    let count = last.saturating_sub(base.head().seq);
    Ok((
        path.clone(),
        Archive {
            first,
            end: head,
            tree,
            removed: count.saturating_sub(kept),
            kept,
            kept_sha256,
            record: 0,
        },
    ))
}

const WEEK: u64 = 7 * 86_400;
const AT_ONCE: u32 = 10_000;
