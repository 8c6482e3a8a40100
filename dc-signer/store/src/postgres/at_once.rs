//! A transaction in one message: the lock, whether all is as it was read, what is written, its records, and the end.
//!
//! The server gives records their places and links them, because nobody knows before the lock which record is the last one. Whoever
//! sent them makes the same hashes, and believes nothing that it has not compared.

use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::Error;
use crate::registry::{Head, Record, Sha256};
use crate::shape::Expected;
use crate::sql::{Batch, Kind, Value, corrupt};

use super::literal::inline_batch;
use super::plan::{self, Plan, STALE, stop_unless, why_stopped};
use super::{Postgres, in_time, shape};

/// Records that have no place yet.
pub(crate) struct Chain<'a> {
    pub(crate) records: &'a [Record],
    /// The columns of the log and the values of each record for them; the first is its number among these, the last one is not used.
    pub(crate) rows: Batch,
    /// The columns that are read back.
    pub(crate) columns: &'static str,
}

/// The lock's answer, and the last record as it was read back.
pub(crate) struct Written {
    /// The end of the log before.
    pub(crate) before: Head,
    pub(crate) last: Option<(PgRow, Head)>,
}

/// Nothing was written.
pub(crate) enum Stopped {
    /// Something is not as it was read.
    Stale,
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Postgres {
    /// Writes what was worked out, if all is still as it was read.
    ///
    /// If the log ends before `known`, or with another record at its place, it is stale too.
    pub(crate) async fn write_at_once(
        &self,
        known: Head,
        plans: Vec<Plan>,
        chain: &Chain<'_>,
    ) -> Result<Written, Stopped> {
        let mut message = String::from(LOCK);
        let knows = format!(
            "n > {seq} OR n = {seq} AND hash = '\\x{hash}'",
            seq = known.seq,
            hash = known.hash
        );
        let head = "(SELECT seq AS n, hash FROM audit_head WHERE one = 1) AS c";
        let _ = write!(message, "{};", stop_unless(&knows, STALE, head));
        plan::write(&mut message, plans)?;
        let count = chain.records.len();
        if count > 0 {
            let _ = write!(message, "{};", append(chain)?);
            let columns = chain.columns;
            let _ = write!(
                message,
                "SELECT {columns}, audit_head.seq AS end_seq, audit_head.hash AS end_hash FROM audit_head \
                 JOIN audit ON audit.seq = audit_head.seq WHERE audit_head.one = 1;"
            );
        }
        if let Some(expected) = self.expected.get() {
            message.push_str(&nothing_does_more(expected)?);
        }
        let rows = self.send(message).await?;
        written(rows, count)
    }

    /// A message of several statements is a transaction of its own.
    async fn send(&self, message: String) -> Result<Vec<PgRow>, Stopped> {
        let mut session = self.connect().await?;
        session.in_transaction = true;
        let query = sqlx::raw_sql(AssertSqlSafe(message));
        let server = Arc::clone(&session.server);
        let answer = in_time(&server, query.fetch_all(session.connection()?)).await;
        match answer {
            Err(why) => Err(session.unanswered(why).into()),
            Ok(Err(error)) => {
                // The server has rolled back, if it has said what is wrong.
                session.in_transaction = error.as_database_error().is_none();
                match why_stopped(&error) {
                    Some(why) if why == STALE => Err(Stopped::Stale),
                    _ => Err(session.failed(error).into()),
                }
            }
            Ok(Ok(rows)) => {
                session.in_transaction = false;
                Ok(rows)
            }
        }
    }
}

fn written(rows: Vec<PgRow>, count: usize) -> Result<Written, Stopped> {
    let mut before = None;
    let mut last = None;
    for row in rows {
        if row.try_get::<i64, _>("end_seq").is_ok() {
            let head = head(&row, "end_seq", "end_hash")?;
            last = Some((row, head));
        } else if row.try_get::<i64, _>("lock_seq").is_ok() {
            before = Some(head(&row, "lock_seq", "lock_hash")?);
        }
    }
    let before = before.ok_or_else(|| corrupt("audit_head"))?;
    let last = last.filter(|_| count > 0);
    Ok(Written { before, last })
}

fn head(row: &PgRow, seq: &'static str, hash: &'static str) -> Result<Head, Error> {
    let number: i64 = row.try_get(seq).map_err(|_| corrupt(seq))?;
    let bytes: Vec<u8> = row.try_get(hash).map_err(|_| corrupt(hash))?;
    Ok(Head {
        seq: u64::try_from(number).map_err(|_| corrupt(seq))?,
        hash: Sha256::from_bytes(bytes.try_into().map_err(|_| corrupt(hash))?),
    })
}

/// A statement that puts records at the end of the log, and makes the last one its end.
fn append(chain: &Chain<'_>) -> Result<String, Error> {
    let count = chain.records.len();
    let mut bytes = Vec::new();
    let mut starts = Vec::with_capacity(count);
    let mut ends = Vec::with_capacity(count);
    for record in chain.records {
        let encoded = record.encoded();
        // What stands between its place and the hash of the record before.
        let end = encoded.len() - HASH;
        starts.push((bytes.len() + 1).to_string());
        ends.push((end - PLACE - NUMBER).to_string());
        bytes.extend_from_slice(encoded.get(..PLACE).unwrap_or_default());
        bytes.extend_from_slice(encoded.get(PLACE + NUMBER..end).unwrap_or_default());
    }
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    let names: Vec<&str> = chain.rows.columns.iter().map(|(name, _)| *name).collect();
    let inner: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !["seq", "prev_hash"].contains(name))
        .collect();
    let (into, from) = (inner.join(", "), inner.join(", r."));
    let sql = format!(
        "WITH RECURSIVE parts(bytes, starts, lens) AS (SELECT '\\x{hex}'::bytea, '{{{}}}'::int[], '{{{}}}'::int[]), \
         chain(n, seq, prev, hash) AS (SELECT 0, seq, hash, hash FROM audit_head WHERE one = 1 UNION ALL \
         SELECT n + 1, seq + 1, hash, sha256(substring(bytes FROM starts[n + 1] FOR {PLACE}) || int8send(seq + 1) || \
         substring(bytes FROM starts[n + 1] + {PLACE} FOR lens[n + 1]) || hash) FROM chain, parts WHERE n < {count}), \
         w AS (INSERT INTO audit (seq, prev_hash, {into}) SELECT chain.seq, chain.prev, r.{from} \
         FROM {{rows}} JOIN chain ON chain.n = r.seq RETURNING 1), \
         m AS (UPDATE audit_head SET seq = chain.seq, hash = chain.hash FROM chain WHERE one = 1 AND chain.n = {count} RETURNING 1) {}",
        starts.join(","),
        ends.join(","),
        stop_unless(
            &format!("n = {count} AND moved = 1"),
            "audit",
            "(SELECT (SELECT count(*) FROM w) AS n, (SELECT count(*) FROM m) AS moved) AS c"
        )
    );
    inline_batch(&sql, &chain.rows)
}

/// Behind all that was written: nothing was there that does something else than it was told.
fn nothing_does_more(expected: &Expected) -> Result<String, Error> {
    let row = |name: &String| vec![Value::from(name.as_str())];
    let names = Batch {
        columns: &[("name", Kind::Text)],
        rows: expected.tables.keys().map(row).collect(),
    };
    let found = inline_batch(shape::DOERS, &names)?;
    let asked = format!("(SELECT count(*) AS n FROM ({found}) AS d) AS c");
    Ok(stop_unless("n = 0", "schema", &asked))
}

const LOCK: &str =
    "SELECT seq AS lock_seq, hash AS lock_hash FROM audit_head WHERE one = 1 FOR UPDATE;";
/// Where the place of a record stands in what its hash is made of: behind the form, which is a field, and the length of its own.
const PLACE: usize = 8 + "dc-audit-v1".len() + 8;
const NUMBER: usize = 8;
const HASH: usize = 32;
