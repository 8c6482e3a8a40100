//! How often devices came lately: what signers tell each other, so that a limit is one for all of them and outlives them.

use std::time::Duration;

use pki_types::UnixTime;

use super::replicas::reference;
use crate::connection::{Row, Session};
use crate::registry::Sha256;
use crate::sql::{Batch, Kind, Value, int};
use crate::{Error, LimitsUsed, Store};

impl Store {
    /// Adds so many uses of each of these keys, of which each lasts for a period; and what any signer has added since the exchange of
    /// this number, without what does not matter any more.
    ///
    /// It is not in the audit log, and waits for nobody who writes there. The time is that of the database server, if there is one: by
    /// the wrong clock of one signer devices would wait for days at all of them.
    pub async fn exchange_limits(
        &self,
        used: &[(Sha256, u32)],
        period: Duration,
        since: i64,
        now: UnixTime,
    ) -> Result<LimitsUsed, Error> {
        let exchanging = async {
            let mut session = self.shared.database.read().await?;
            let now = reference(&mut session, now).await?;
            drop(session);
            let now = now.saturating_mul(1000);
            self.exchange_limits_at(used, period, since, now).await
        };
        self.timed("exchange_limits", exchanging).await
    }

    /// The same at a time, in milliseconds since 1970.
    pub(crate) async fn exchange_limits_at(
        &self,
        used: &[(Sha256, u32)],
        period: Duration,
        since: i64,
        now: i64,
    ) -> Result<LimitsUsed, Error> {
        match used {
            [] => self.look(since, now).await,
            used => self.add(used, milliseconds(period), since, now).await,
        }
    }

    async fn look(&self, since: i64, now: i64) -> Result<LimitsUsed, Error> {
        let mut session = self.shared.database.read().await?;
        let number = number(&mut session, "SELECT number FROM limits_exchanges").await?;
        found(&mut session, since, number, now).await
    }

    async fn add(
        &self,
        used: &[(Sha256, u32)],
        period: i64,
        since: i64,
        now: i64,
    ) -> Result<LimitsUsed, Error> {
        let writing = async |session: &mut Session| write(session, used, period, since, now).await;
        self.shared.in_transaction(writing).await
    }
}

async fn write(
    session: &mut Session,
    used: &[(Sha256, u32)],
    period: i64,
    since: i64,
    now: i64,
) -> Result<LimitsUsed, Error> {
    // Whoever is next waits for this row, so that numbers are committed in their order.
    let sql = "UPDATE limits_exchanges SET number = number + 1 WHERE one = 1 RETURNING number";
    let number = number(session, sql).await?;
    if number % TIDY_EACH == 0 {
        let sql = "DELETE FROM limits_used WHERE full_at <= $1";
        session.execute(sql, vec![now.into()]).await?;
    }
    let rows = used.iter().map(|(key, times)| {
        let lasts = period.saturating_mul(i64::from(*times));
        let key: Value = (&key.as_bytes()[..]).into();
        vec![key, lasts.into(), now.into(), number.into()]
    });
    let batch = Batch {
        columns: &[
            ("key", Kind::Blob),
            ("lasts", Kind::Int),
            ("now", Kind::Int),
            ("number", Kind::Int),
        ],
        rows: rows.collect(),
    };
    let sql = "INSERT INTO limits_used (key, full_at, exchange) \
               SELECT r.key, r.now + r.lasts, r.number FROM {rows} WHERE true \
               ON CONFLICT (key) DO UPDATE SET exchange = excluded.exchange, \
               full_at = excluded.full_at + CASE WHEN limits_used.full_at > $NOW \
               THEN limits_used.full_at - $NOW ELSE 0 END";
    let sql = sql.replace("$NOW", &now.to_string());
    session.execute_batch(&sql, batch).await?;
    found(session, since, number, now).await
}

/// The number of an exchange, as a statement says it.
pub(super) async fn number(session: &mut Session, sql: &'static str) -> Result<i64, Error> {
    let row = session.fetch_one(sql, Vec::new()).await?;
    row.map_or(Ok(0), |row| row.number("number"))
}

async fn found(
    session: &mut Session,
    since: i64,
    number: i64,
    now: i64,
) -> Result<LimitsUsed, Error> {
    let sql = "SELECT key, full_at FROM limits_used WHERE exchange > $1 AND full_at > $2 \
               ORDER BY full_at DESC LIMIT $3";
    let values = vec![since.into(), now.into(), MOST.into()];
    let rows = session.fetch(sql, values).await?;
    let one = |row: &Row| {
        let full_at: i64 = row.number("full_at")?;
        let lasts = u64::try_from(full_at.saturating_sub(now)).unwrap_or(0);
        let key = Sha256::from_bytes(row.bytes("key")?);
        Ok((key, Duration::from_millis(lasts)))
    };
    Ok(LimitsUsed {
        number,
        lasts: rows.iter().map(one).collect::<Result<_, Error>>()?,
    })
}

fn milliseconds(time: Duration) -> i64 {
    int(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Exchanges between two times at which what does not matter any more is removed.
const TIDY_EACH: i64 = 100;
/// Keys that one answer has at most: a signer that has just started takes those that have come most often.
const MOST: i64 = 1_000_000;
