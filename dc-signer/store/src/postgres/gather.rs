//! Reads of several operations that are worked out at the same time: those with the same statement are one.
//!
//! With each row comes a hash of it, so that it can be asked later whether it is still the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::sync::{Notify, oneshot};

use crate::Error;
use crate::sql::{Batch, Kind, Value, corrupt};

use super::error::classify;
use super::literal::fill;
use super::{Postgres, PostgresSession};

/// The rows of a read, and a number that is another one if they are.
pub(super) type Answer = (Vec<PgRow>, i128);

/// Takes reads until they are answered together.
#[derive(Default)]
pub(crate) struct Gather {
    waiting: Mutex<Vec<Waiting>>,
    some: Notify,
}

struct Waiting {
    sql: String,
    what: What,
    done: oneshot::Sender<Result<Answer, Error>>,
}

enum What {
    Values(Vec<Value>),
    Rows(Batch),
}

impl Gather {
    pub(super) async fn fetch(&self, sql: &str, values: Vec<Value>) -> Result<Answer, Error> {
        self.ask(sql, What::Values(values)).await
    }

    pub(super) async fn fetch_batch(&self, sql: &str, batch: Batch) -> Result<Answer, Error> {
        self.ask(sql, What::Rows(batch)).await
    }

    async fn ask(&self, sql: &str, what: What) -> Result<Answer, Error> {
        let (done, answered) = oneshot::channel();
        let sql = sql.to_owned();
        self.lock().push(Waiting { sql, what, done });
        self.some.notify_one();
        let gone = |_| classify(sqlx::Error::PoolClosed);
        answered.await.map_err(gone)?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        // Nothing that can panic is done while it is locked.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers reads as long as `work` goes on, which makes them: whenever all of it waits, all that it waits for is asked at once.
    pub(crate) async fn serve<T>(&self, database: &Postgres, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.some.notified() => {}
            }
            let waiting = std::mem::take(&mut *self.lock());
            self.answer(database, waiting).await;
        }
    }

    async fn answer(&self, database: &Postgres, waiting: Vec<Waiting>) {
        let mut groups: BTreeMap<String, Vec<(Vec<Value>, _)>> = BTreeMap::new();
        let mut batches = Vec::new();
        for Waiting { sql, what, done } in waiting {
            match what {
                What::Values(values) => groups.entry(sql).or_default().push((values, done)),
                What::Rows(batch) => batches.push((sql, batch, done)),
            }
        }
        let groups = join_all(groups.into_iter().map(async |(sql, asked)| {
            let (values, waiting): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
            let answers = fetch_each(database, &sql, values).await;
            for (done, answer) in waiting.into_iter().zip(answers) {
                // Whoever asked may have hung up.
                let _ = done.send(answer);
            }
        }));
        let batches = join_all(batches.into_iter().map(async |(sql, batch, done)| {
            let _ = done.send(fetch_rows(database, &sql, batch).await);
        }));
        tokio::join!(groups, batches);
    }
}

async fn fetch_rows(database: &Postgres, sql: &str, batch: Batch) -> Result<Answer, Error> {
    let mut session = database.read().await?;
    hashed(session.fetch_batch(&with_hash(sql), batch).await?)
}

/// An answer for each, in their order.
async fn fetch_each(
    database: &Postgres,
    sql: &str,
    values: Vec<Vec<Value>>,
) -> Vec<Result<Answer, Error>> {
    let together = async {
        let mut session = database.read().await?;
        if values.len() > 1 {
            return fetch_all(&mut session, sql, &values).await;
        }
        let mut answers = Vec::new();
        for values in &values {
            let rows = session.fetch(with_hash(sql), values.clone()).await?;
            answers.push(hashed(rows)?);
        }
        Ok(answers)
    };
    match together.await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) => values.iter().map(|_| Err(error.clone())).collect(),
    }
}

/// Runs a statement for each of the values, as one.
async fn fetch_all(
    session: &mut PostgresSession,
    sql: &str,
    values: &[Vec<Value>],
) -> Result<Vec<Answer>, Error> {
    let kinds = values.first().map(Vec::as_slice).unwrap_or_default();
    let columns: Vec<(&'static str, Kind)> = std::iter::once(("n", Kind::Int))
        .chain(COLUMNS.iter().copied().zip(kinds.iter().map(Value::kind)))
        .collect();
    let inner = fill(sql, |out, number| {
        out.push_str("r.");
        out.push_str(COLUMNS.get(number - 1).copied().unwrap_or("n"));
        Ok(())
    })?;
    let sql = format!(
        "SELECT r.n AS {NUMBER}, q.* FROM {{rows}} CROSS JOIN LATERAL (SELECT row_number() OVER () \
         AS {ORDER}, i.*, hashtextextended(i::text, 0) AS {HASH} FROM ({inner}) AS i) AS q \
         ORDER BY r.n, q.{ORDER}"
    );
    let numbered = (0_i64..).zip(values).map(|(number, values)| {
        let mut row = vec![Value::from(number)];
        row.extend(values.iter().cloned());
        row
    });
    let rows = numbered.collect();
    let found = session.fetch_rows(&sql, &columns, rows).await?;
    let mut answers: Vec<Vec<PgRow>> = values.iter().map(|_| Vec::new()).collect();
    for row in found {
        let number: i64 = row.try_get(NUMBER).map_err(|_| corrupt(NUMBER))?;
        let answer = usize::try_from(number)
            .ok()
            .and_then(|n| answers.get_mut(n));
        answer.ok_or_else(|| corrupt(NUMBER))?.push(row);
    }
    answers.into_iter().map(hashed).collect()
}

fn with_hash(sql: &str) -> String {
    format!("SELECT i.*, hashtextextended(i::text, 0) AS {HASH} FROM ({sql}) AS i")
}

/// The order of rows makes no difference.
fn hashed(rows: Vec<PgRow>) -> Result<Answer, Error> {
    let mut sum: i128 = 0;
    for row in &rows {
        let hash: i64 = row.try_get(HASH).map_err(|_| corrupt(HASH))?;
        sum += i128::from(hash);
    }
    Ok((rows, sum))
}

/// A query for what [`hashed`] says of the rows of a statement.
pub(super) fn hash_of(sql: &str) -> String {
    format!("COALESCE((SELECT SUM(hashtextextended(i::text, 0)) FROM ({sql}) AS i), 0)")
}

/// For as many parameters as any statement has.
pub(super) const COLUMNS: [&str; 8] = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"];
const NUMBER: &str = "dc_number";
const ORDER: &str = "dc_order";
const HASH: &str = "dc_hash";
