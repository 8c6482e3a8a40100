//! Walking the part of a log that is archived: with the files of the archives from its first record, or else what is left of it here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::connection::Session;
use crate::registry::{Archive, Head, Mismatch, Record};
use crate::{AuditTree, Error, ExportFiles};

use super::archives::{self, KeptHash, KeptWalk};
use super::derived::Derived;
use super::findings::Found;
use super::rows;
use super::witnessed::{Progress, Walked, Witnessed};

/// A walk through the log, to which all parts of it write.
pub(super) struct Walk<'a> {
    pub(super) derived: Derived,
    pub(super) witnessed: Witnessed,
    pub(super) found: Found,
    pub(super) progress: Progress<'a>,
    /// The end of the log.
    pub(super) end: Head,
}

/// Walks what is left here of the parts that are archived, which proves nothing of them; says where they end.
pub(super) async fn without_files(
    session: &mut Session,
    walk: &mut Walk<'_>,
) -> Result<Head, Error> {
    let mut head = Head::EMPTY;
    for archive in archives::all(session).await? {
        walk.derived.is_partial();
        let mut kept = KeptWalk::new(&archive);
        loop {
            let records = kept.next(session).await?;
            if records.is_empty() {
                break;
            }
            walk.derived
                .follow(session, &records, &mut walk.found)
                .await?;
            records.iter().for_each(|record| walk.found.note(record));
        }
        walk.found.check(kept.end());
        walk.derived.archived(&archive, head.seq, &mut walk.found);
        head = archive.end;
        walk.witnessed.skip(&archive.tree, &mut walk.found);
    }
    Ok(head)
}

/// Walks the log in the files of its archives, from its first record: each record that is here too has to be the same, and each part
/// that is archived as the files have it. Says where they end.
///
/// Fails with [`Error::ArchiveFile`] if a file cannot be read or is not the next part of one log, and with [`Error::ArchivesEnd`] if
/// there are more parts than files.
pub(super) async fn with_files(
    session: &mut Session,
    walk: &mut Walk<'_>,
    files: Vec<PathBuf>,
) -> Result<Head, Error> {
    let parts = archives::all(session).await?;
    let last = parts.last().map_or(0, |part| part.end.seq);
    let mut parts = parts.into_iter().peekable();
    let mut files = ExportFiles::new(files);
    let (mut tree, mut part) = (AuditTree::EMPTY, Part::default());
    loop {
        let records = files.next(&tree, AT_ONCE)?;
        let Some(end) = records.last().map(|record| record.seq) else {
            break;
        };
        compare(session, &records, last, &mut walk.found).await?;
        for record in &records {
            let before = tree.head().seq;
            tree.follow(record).map_err(|error| files.wrong(error))?;
            part.follow(record, before);
            walk.witnessed.follow(record, &mut walk.found);
            walk.found.note(record);
            if let Some(row) = parts.next_if(|next| next.end.seq == record.seq) {
                walk.derived.archived(&row, part.before, &mut walk.found);
                part.end(&row, &tree, &mut walk.found);
                part = Part::default();
            }
        }
        walk.derived
            .follow(session, &records, &mut walk.found)
            .await?;
        (walk.progress)(Walked {
            records: end,
            of: walk.end.seq,
        });
    }
    match tree.head() {
        head if head.seq < last => Err(Error::ArchivesEnd {
            found: head.seq,
            last,
        }),
        head => Ok(head),
    }
}

/// Compares records of the files with those that are here: only issuances of parts that are archived may be missing.
async fn compare(
    session: &mut Session,
    records: &[Record],
    archived: u64,
    found: &mut Found,
) -> Result<(), Error> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(());
    };
    let sql = format!(
        "SELECT {} FROM audit WHERE seq >= $1 AND seq <= $2",
        rows::RECORD
    );
    let values = vec![first.seq.into(), last.seq.into()];
    let mut here = BTreeMap::new();
    for row in session.fetch(sql, values).await? {
        let record = rows::record(&row)?;
        here.insert(record.seq, record);
    }
    for record in records {
        let may_be_missing = record.seq <= archived && !KeptHash::keeps(record);
        let is_as_it_was = match here.get(&record.seq) {
            Some(found) => found == record,
            None => may_be_missing,
        };
        if !is_as_it_was {
            found.add(Mismatch::NotAsArchived { seq: record.seq });
        }
    }
    Ok(())
}

/// A part of the log as the files have it.
#[derive(Default)]
struct Part {
    before: u64,
    records: u64,
    kept: KeptHash,
}

impl Part {
    fn follow(&mut self, record: &Record, before: u64) {
        if self.records == 0 {
            self.before = before;
        }
        self.records += 1;
        if KeptHash::keeps(record) {
            self.kept.follow(record);
        }
    }

    /// Compares it with what the database says of it, which its `tidy` record has to confirm.
    fn end(self, row: &Archive, tree: &AuditTree, found: &mut Found) {
        let (kept, kept_sha256) = self.kept.end();
        let said = Archive {
            first: self.before.saturating_add(1),
            end: tree.head(),
            tree: tree.frontier().clone(),
            removed: self.records.saturating_sub(kept),
            kept,
            kept_sha256,
            record: row.record,
        };
        if said != *row {
            let (first, last) = (row.first, row.end.seq);
            found.add(Mismatch::Archive { first, last });
        }
    }
}

/// How many records are in memory at once.
const AT_ONCE: usize = 10_000;
