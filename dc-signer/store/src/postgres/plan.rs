//! A transaction that is worked out before it begins, and then goes to the server as one message: so long as that runs, and no
//! longer, others wait.
//!
//! Rows that were read may have changed by then. So all of it is asked again behind the lock, and nothing is written if it has another answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::postgres::PgRow;

use crate::Error;
use crate::sql::{Batch, Value};

use super::error::classify;
use super::gather::{COLUMNS, Gather, hash_of};
use super::literal::{self, fill, inline, inline_batch};

/// The reads and writes of one operation.
pub(crate) struct Plan {
    gather: Arc<Gather>,
    reads: Vec<Read>,
    writes: Vec<String>,
    /// Set if it needs what only the transaction itself can say.
    is_unfit: bool,
}

enum Read {
    /// With the values, and the hash of what was found.
    One(String, Vec<Value>, i128),
    /// A whole statement.
    Rows(String, i128),
}

impl Plan {
    pub(crate) fn new(gather: &Arc<Gather>) -> Self {
        Self {
            gather: Arc::clone(gather),
            reads: Vec::new(),
            writes: Vec::new(),
            is_unfit: false,
        }
    }

    pub(crate) async fn fetch(
        &mut self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>, Error> {
        let (rows, hash) = self.gather.fetch(sql, values.clone()).await?;
        self.reads.push(Read::One(sql.to_owned(), values, hash));
        Ok(rows)
    }

    /// Reads what is another answer each time, and may be.
    pub(crate) async fn fetch_passing(&self, sql: &str) -> Result<Vec<PgRow>, Error> {
        Ok(self.gather.fetch(sql, Vec::new()).await?.0)
    }

    pub(crate) async fn fetch_batch(
        &mut self,
        sql: &str,
        batch: Batch,
    ) -> Result<Vec<PgRow>, Error> {
        let whole = inline_batch(sql, &batch)?;
        let (rows, hash) = self.gather.fetch_batch(sql, batch).await?;
        self.reads.push(Read::Rows(whole, hash));
        Ok(rows)
    }

    pub(crate) fn tell(&mut self, sql: &str, values: &[Value]) -> Result<(), Error> {
        self.writes.push(inline(sql, values)?);
        Ok(())
    }

    /// Writes rows; how many is known if a table is named, and then it is counted.
    pub(crate) fn tell_batch(
        &mut self,
        sql: &str,
        batch: &Batch,
        counted: Option<&'static str>,
    ) -> Result<(), Error> {
        let sql = inline_batch(sql, batch)?;
        self.writes.push(match counted {
            None => sql,
            Some(table) => {
                let ok = format!("n = {}", batch.rows.len());
                let counted = format!("WITH w AS ({sql} RETURNING 1)");
                format!(
                    "{counted} {}",
                    stop_unless(&ok, table, "(SELECT count(*) AS n FROM w) AS c")
                )
            }
        });
        Ok(())
    }

    /// Fails: how many rows a statement writes is not known before the transaction.
    pub(crate) fn unfit<T>(&mut self) -> Result<T, Error> {
        self.is_unfit = true;
        Err(classify(sqlx::Error::WorkerCrashed))
    }

    pub(crate) const fn is_unfit(&self) -> bool {
        self.is_unfit
    }

    /// Forgets what would be written, and not what was read.
    pub(crate) fn write_nothing(&mut self) {
        self.writes.clear();
    }
}

/// Adds the statements of several plans to a message: first, whether all is as it was read.
pub(super) fn write(message: &mut String, plans: Vec<Plan>) -> Result<(), Error> {
    // By statement; those of several plans are often the same.
    let mut read: BTreeMap<String, BTreeMap<String, Vec<Value>>> = BTreeMap::new();
    let mut writes = Vec::new();
    for plan in plans {
        for one in plan.reads {
            match one {
                Read::One(sql, values, hash)
                    if values.is_empty() || values.len() > COLUMNS.len() =>
                {
                    let whole = inline(&sql, &values)?;
                    let _ = write!(message, "{};", still(&whole, hash));
                }
                Read::One(sql, values, hash) => {
                    let mut row = String::from("(");
                    literal::list(&mut row, &values)?;
                    let _ = write!(row, ", ({hash})::numeric)");
                    read.entry(sql).or_default().insert(row, values);
                }
                Read::Rows(whole, hash) => {
                    let _ = write!(message, "{};", still(&whole, hash));
                }
            }
        }
        writes.extend(plan.writes);
    }
    for (sql, rows) in read {
        let count = rows.values().next().map_or(0, Vec::len);
        let rows: Vec<String> = rows.into_keys().collect();
        let _ = write!(message, "{};", all_still(&sql, count, &rows)?);
    }
    for sql in writes {
        message.push_str(&sql);
        message.push(';');
    }
    Ok(())
}

fn still(whole: &str, hash: i128) -> String {
    let asked = format!("(SELECT {} AS n) AS c", hash_of(whole));
    stop_unless(&format!("n = ({hash})::numeric"), STALE, &asked)
}

fn all_still(sql: &str, count: usize, rows: &[String]) -> Result<String, Error> {
    let inner = fill(sql, |out, number| {
        out.push_str("r.");
        out.push_str(COLUMNS.get(number - 1).copied().unwrap_or("h"));
        Ok(())
    })?;
    let names = COLUMNS.get(..count).unwrap_or(&COLUMNS).join(", ");
    let asked = format!(
        "(SELECT count(*) AS n FROM (VALUES {}) AS r({names}, h) WHERE r.h <> {}) AS c",
        rows.join(", "),
        hash_of(&inner)
    );
    Ok(stop_unless("n = 0", STALE, &asked))
}

/// A query that ends the transaction with an error that says `why`, unless a condition over its rows holds.
///
/// The text is made of what a row has, because the server works out what is always the same beforehand.
pub(super) fn stop_unless(condition: &str, why: &str, from: &str) -> String {
    format!(
        "SELECT CASE WHEN {condition} THEN 0 ELSE ('{MARK}{why}:' || n)::int END AS ok FROM {from}"
    )
}

/// The text of [`stop_unless`] in an error of the server, whose own words are in its language.
pub(super) fn why_stopped(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let (_, why) = error.message().split_once(MARK)?;
    let end = why.find(':').unwrap_or(why.len());
    why.get(..end).map(str::to_owned)
}

/// Something is not as it was read any more.
pub(super) const STALE: &str = "stale";
const MARK: &str = "dc-signer stops: ";
