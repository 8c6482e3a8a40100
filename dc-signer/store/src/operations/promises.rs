//! The times that signers keep for devices which they could not serve, told to the others: a device comes to any of them.

use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::Sha256;
use crate::sql::{Batch, Kind, Value, int};
use crate::{Error, Promised, Store};

use super::limits::number;
use super::replicas::reference;

impl Store {
    /// Adds the times that are kept for devices, by enrolment key and after how long, and says those that any signer has added since the
    /// exchange of this number.
    ///
    /// It is not in the audit log, and waits for nobody who writes there.
    pub async fn exchange_promises(
        &self,
        given: &[(Sha256, Duration)],
        since: i64,
        now: UnixTime,
    ) -> Result<Promised, Error> {
        let exchanging = async {
            match given {
                [] => {
                    let mut session = self.shared.database.read().await?;
                    let number = number(&mut session, "SELECT number FROM promises_exchanges");
                    let number = number.await?;
                    if number == since {
                        // Nobody has told anything.
                        let after = Vec::new();
                        return Ok(Promised { number, after });
                    }
                    let reference = reference(&mut session, now).await?;
                    found(&mut session, since, number, reference).await
                }
                given => {
                    let writing =
                        async |session: &mut Session| write(session, given, since, now).await;
                    self.shared.in_transaction(writing).await
                }
            }
        };
        self.timed("exchange_promises", exchanging).await
    }
}

async fn write(
    session: &mut Session,
    given: &[(Sha256, Duration)],
    since: i64,
    now: UnixTime,
) -> Result<Promised, Error> {
    // Whoever is next waits for this row, so that numbers are committed in their order.
    let sql = "UPDATE promises_exchanges SET number = number + 1 WHERE one = 1 RETURNING number";
    let number = number(session, sql).await?;
    let reference = reference(session, now).await?;
    let found = found(session, since, number, reference).await?;
    if number % TIDY_EACH == 0 {
        let sql = "DELETE FROM promises WHERE at < $1";
        let over = reference.saturating_sub(OVER);
        session.execute(sql, vec![over.into()]).await?;
    }
    let row = |(key, after): &(Sha256, Duration)| {
        let key: Value = (&key.as_bytes()[..]).into();
        let at = reference.saturating_add(int(after.as_secs()));
        vec![key, at.into(), number.into()]
    };
    let batch = Batch {
        columns: &[
            ("key", Kind::Blob),
            ("time", Kind::Int),
            ("number", Kind::Int),
        ],
        rows: given.iter().map(row).collect(),
    };
    let sql = "INSERT INTO promises (key, at, exchange) \
               SELECT r.key, r.time, r.number FROM {rows} WHERE true \
               ON CONFLICT (key) DO UPDATE SET at = excluded.at, exchange = excluded.exchange";
    session.execute_batch(sql, batch).await?;
    Ok(found)
}

/// The times that were told since an exchange, with the number of this one.
async fn found(
    session: &mut Session,
    since: i64,
    number: i64,
    reference: i64,
) -> Result<Promised, Error> {
    let sql = "SELECT key, at FROM promises WHERE exchange > $1 AND at > $2 ORDER BY at LIMIT $3";
    let values = vec![since.into(), reference.into(), MOST.into()];
    let rows = session.fetch(sql, values).await?;
    let one = |row: &Row| {
        let at: i64 = row.number("at")?;
        let after = u64::try_from(at.saturating_sub(reference)).unwrap_or(0);
        let key = Sha256::from_bytes(row.bytes("key")?);
        Ok((key, Duration::from_secs(after)))
    };
    Ok(Promised {
        number,
        after: rows.iter().map(one).collect::<Result<_, Error>>()?,
    })
}

/// Exchanges between two times at which what is over is removed.
const TIDY_EACH: i64 = 100;
/// So many seconds after its time nobody asks for one any more.
const OVER: i64 = 86_400;
/// As many as a signer remembers.
const MOST: i64 = 1_000_000;
