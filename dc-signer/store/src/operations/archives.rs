//! Parts of the audit log whose issuances are in a file, and not in the database any more.
//!
//! Of such a part stay here: its other records, the hash of its last record, the right edge of the Merkle tree up to there,
//! and a `tidy` record behind it that commits to all of that. So whoever deletes or changes anything else is found as before.

use dc_evidence::{Frontier, Hash};
use ring::digest::{Context, SHA256};

use crate::connection::{Row, Session};
use crate::registry::{Action, Archive, Head, Mismatch, Record, Sha256};
use crate::sql::corrupt;
use crate::{Act, AuditTree, Error, Store};

use super::work::Work;
use super::{issues, replicas, rows};

impl Store {
    /// The parts of the log whose issuances are in files, in order.
    pub async fn archives(&self) -> Result<Vec<Archive>, Error> {
        self.read("archives", async |session| all(session).await)
            .await
    }

    /// The tree over all records that are in such parts.
    pub async fn archived_tree(&self) -> Result<AuditTree, Error> {
        self.read("archived_tree", async |session| base(session).await)
            .await
    }

    /// The week that issuances are kept from in their own tables, counted from 1970: earlier ones may be archived; none if there
    /// are no such tables.
    pub async fn first_kept_week(&self) -> Result<Option<u64>, Error> {
        self.read("first_kept_week", async |session| {
            let sql = "SELECT week FROM issue_weeks ORDER BY week LIMIT 1";
            Ok(issues::weeks(session, sql).await?.first().copied())
        })
        .await
    }

    /// Records that a part of the log is in a file, which is safely written. Its issuances are removed by
    /// [`Self::remove_archived`].
    ///
    /// Fails with [`Error::Archived`] if it does not begin where the last such part ends, and with [`Error::OlderSigner`] as long as a
    /// signer works on the database that would not know what to make of it.
    pub async fn archive(&self, archive: &Archive, by: &Act) -> Result<Archive, Error> {
        self.write("archive", async |work| insert(work, archive, by).await)
            .await
    }

    /// Removes issuances that are in files, at most some thousands; says how many, 0 when all are gone.
    pub async fn remove_archived(&self) -> Result<u64, Error> {
        self.write("remove_archived", async |work| {
            remove(&mut work.session).await
        })
        .await
    }
}

pub(super) async fn all(session: &mut Session) -> Result<Vec<Archive>, Error> {
    let sql = "SELECT first, last, hash, tree, removed, kept, kept_sha256, record FROM archives \
               ORDER BY first";
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Archive, Error> {
    let tree = row.blob("tree")?;
    let (roots, rest) = tree.as_chunks::<32>();
    let last = row.number("last")?;
    let roots = roots.iter().copied().map(Hash::from_bytes).collect();
    let tree = Frontier::from_roots(last, roots).ok();
    Ok(Archive {
        first: row.number("first")?,
        end: Head {
            seq: last,
            hash: row.hash("hash")?,
        },
        tree: tree
            .filter(|_| rest.is_empty())
            .ok_or_else(|| corrupt("tree"))?,
        removed: row.number("removed")?,
        kept: row.number("kept")?,
        kept_sha256: row.hash("kept_sha256")?,
        record: row.number("record")?,
    })
}

/// The tree over all that is archived.
pub(super) async fn base(session: &mut Session) -> Result<AuditTree, Error> {
    match all(session).await?.pop() {
        Some(last) => AuditTree::new(last.end, last.tree),
        None => Ok(AuditTree::EMPTY),
    }
}

/// True if a record may be missing here because it is in a file.
pub(super) async fn covers(session: &mut Session, seq: u64) -> Result<bool, Error> {
    Ok(base(session).await?.head().seq >= seq)
}

async fn insert(work: &mut Work, archive: &Archive, by: &Act) -> Result<Archive, Error> {
    if replicas::has_older(&mut work.session, replicas::DETAILS, by.at).await? {
        return Err(Error::OlderSigner);
    }
    let last = base(&mut work.session).await?.head().seq;
    if archive.first != last.saturating_add(1) || !is_there(work, archive.end).await? {
        return Err(Error::Archived { last });
    }
    let mut entry = work.entry(Action::Tidy, by);
    entry.detail_sha256 = Some(archive.commitment());
    let record = work.log(entry);
    let tree: Vec<u8> = archive
        .tree
        .roots()
        .iter()
        .flat_map(|root| *root.as_bytes())
        .collect();
    let sql = "INSERT INTO archives (first, last, hash, tree, removed, kept, kept_sha256, record) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = vec![
        archive.first.into(),
        archive.end.seq.into(),
        (&archive.end.hash).into(),
        tree[..].into(),
        archive.removed.into(),
        archive.kept.into(),
        (&archive.kept_sha256).into(),
        record.into(),
    ];
    work.session.execute(sql, values).await?;
    Ok(Archive {
        record,
        ..archive.clone()
    })
}

/// True if the log has this record.
async fn is_there(work: &mut Work, end: Head) -> Result<bool, Error> {
    let sql = format!("SELECT {} FROM audit WHERE seq = $1", rows::RECORD);
    let found = work.session.fetch_one(sql, vec![end.seq.into()]).await?;
    let found = found.as_ref().map(rows::record).transpose()?;
    Ok(found.is_some_and(|record| record.hash() == end.hash))
}

async fn remove(session: &mut Session) -> Result<u64, Error> {
    let last = base(session).await?.head().seq;
    // Few at once: others wait to write.
    let sql = "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq <= $1 \
               AND action IN ('issue', 'issue-client') ORDER BY seq LIMIT 5000)";
    session.execute(sql, vec![last.into()]).await
}

/// The records that stay here of a part, one batch after the other, for a walk through the log.
pub(super) struct KeptWalk {
    archive: Archive,
    after: u64,
    hash: KeptHash,
}

impl KeptWalk {
    pub(super) fn new(archive: &Archive) -> Self {
        Self {
            archive: archive.clone(),
            after: archive.first.saturating_sub(1),
            hash: KeptHash::new(),
        }
    }

    /// The next records; none when the part is over.
    pub(super) async fn next(&mut self, session: &mut Session) -> Result<Vec<Record>, Error> {
        let sql = format!(
            "SELECT {} FROM audit WHERE seq > $1 AND seq <= $2 \
             AND action NOT IN ('issue', 'issue-client') ORDER BY seq LIMIT {}",
            rows::RECORD,
            AT_ONCE
        );
        let values = vec![self.after.into(), self.archive.end.seq.into()];
        let rows = session.fetch(sql, values).await?;
        let records: Vec<Record> = rows.iter().map(rows::record).collect::<Result<_, _>>()?;
        records.iter().for_each(|record| self.hash.follow(record));
        self.after = records.last().map_or(self.after, |last| last.seq);
        Ok(records)
    }

    /// Checks that the part was as its `tidy` record is to say.
    pub(super) fn end(self) -> Result<(), Error> {
        let (kept, kept_sha256) = self.hash.end();
        let Archive {
            first,
            end,
            removed,
            ..
        } = self.archive;
        let count = (end.seq + 1).checked_sub(first);
        let is_it = (kept, kept_sha256) == (self.archive.kept, self.archive.kept_sha256)
            && removed.checked_add(kept) == count;
        match is_it {
            true => Ok(()),
            false => {
                let last = end.seq;
                Err(Mismatch::Archive { first, last }.into())
            }
        }
    }
}

/// A hash over the records of a part that stay in the database.
#[derive(Clone)]
pub struct KeptHash {
    context: Context,
    count: u64,
}

impl KeptHash {
    /// Of no records.
    #[must_use]
    pub fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            count: 0,
        }
    }

    /// True if a record stays when its part is archived.
    #[must_use]
    pub fn keeps(record: &Record) -> bool {
        !matches!(record.entry.action, Action::Issue | Action::IssueClient)
    }

    /// Adds a record that stays.
    pub fn follow(&mut self, record: &Record) {
        self.context.update(record.hash().as_bytes());
        self.count += 1;
    }

    /// How many there are, and SHA-256 over their hashes, one behind the other.
    #[must_use]
    pub fn end(self) -> (u64, Sha256) {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.context.finish().as_ref());
        (self.count, Sha256::from_bytes(hash))
    }
}

impl Default for KeptHash {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for KeptHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptHash")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// How many records are in memory at once.
const AT_ONCE: u32 = 10_000;
