//! Counts over the whole fleet, and removing what has had its time.

use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::State;
use crate::sql::{int, seconds};
use crate::{Error, Fleet, Retention, Store, Tidied};

use super::issues;
use super::shared::Shared;
use super::work::Work;

impl Store {
    /// Counts over all devices. Reads much of the database: ask once a minute, not for each request.
    pub async fn fleet(&self, now: UnixTime) -> Result<Fleet, Error> {
        self.snapshot("fleet", async |session| count(session, now).await)
            .await
    }

    /// Adds to the numbers of refused requests, each by its reason.
    pub async fn count_refused(&self, refused: &[(&str, u64)], now: UnixTime) -> Result<(), Error> {
        self.write("count_refused", async |work| {
            count_refused(work, refused, now).await
        })
        .await
    }

    /// Removes what has had its time: answers, codes, and whole partitions of issue rows.
    pub async fn tidy(&self, now: UnixTime, retention: &Retention) -> Result<Tidied, Error> {
        let tidied = async {
            self.shared.check_seen()?;
            tidy(&self.shared, now, retention).await
        };
        self.timed("tidy", tidied).await
    }
}

async fn count(session: &mut Session, now: UnixTime) -> Result<Fleet, Error> {
    let mut fleet = Fleet::default();
    let [first, second, third, fourth] = Fleet::WITHIN;
    let mut values = vec![now.into()];
    values.extend([first, second, third, fourth].map(|span| later(now, span).into()));
    for row in session.fetch(STATES, values).await? {
        let zone = fleet.zones.entry(row.text("zone")?).or_default();
        let state: State = row.parse("state")?;
        zone.states.insert(state, row.number("devices")?);
        if state == State::Active {
            zone.expired = row.number("ended")?;
            zone.expiring = [
                row.number("first")?,
                row.number("second")?,
                row.number("third")?,
                row.number("fourth")?,
            ];
        }
    }
    for row in session.fetch(CLONES, Vec::new()).await? {
        let zone = fleet.zones.entry(row.text("zone")?).or_default();
        zone.possible_clones = row.number("devices")?;
    }
    let since = hour(now) - 23;
    for row in session.fetch(REFUSED, vec![since.into()]).await? {
        fleet
            .refused
            .insert(row.text("reason")?, row.number("requests")?);
    }
    Ok(fleet)
}

/// Everything is in one index.
const STATES: &str = "SELECT zone, state, COUNT(*) AS devices, \
    COUNT(CASE WHEN expires <= $1 THEN 1 END) AS ended, \
    COUNT(CASE WHEN expires > $1 AND expires <= $2 THEN 1 END) AS first, \
    COUNT(CASE WHEN expires > $1 AND expires <= $3 THEN 1 END) AS second, \
    COUNT(CASE WHEN expires > $1 AND expires <= $4 THEN 1 END) AS third, \
    COUNT(CASE WHEN expires > $1 AND expires <= $5 THEN 1 END) AS fourth \
    FROM devices GROUP BY state, zone";
const CLONES: &str =
    "SELECT zone, COUNT(*) AS devices FROM devices WHERE possible_clone = 1 GROUP BY zone";
const REFUSED: &str = "SELECT reason, CAST(SUM(requests) AS BIGINT) AS requests FROM refused \
    WHERE hour >= $1 GROUP BY reason";

fn later(now: UnixTime, span: Duration) -> i64 {
    seconds(now).saturating_add(int(span.as_secs()))
}

fn hour(now: UnixTime) -> i64 {
    seconds(now) / 3600
}

async fn count_refused(
    work: &mut Work,
    refused: &[(&str, u64)],
    now: UnixTime,
) -> Result<(), Error> {
    for (reason, requests) in refused {
        let sql = "INSERT INTO refused (hour, reason, requests) VALUES ($1, $2, $3) \
                   ON CONFLICT (hour, reason) \
                   DO UPDATE SET requests = refused.requests + excluded.requests";
        let values = vec![hour(now).into(), (*reason).into(), (*requests).into()];
        work.session.execute(sql, values).await?;
    }
    Ok(())
}

/// Removes what has had its time, in transactions so short that nobody waits for long.
async fn tidy(shared: &Shared, now: UnixTime, retention: &Retention) -> Result<Tidied, Error> {
    let mut tidied = Tidied::default();
    loop {
        let some = shared.write_to_any(async |work| some_answers(work, now).await);
        match some.await? {
            0 => break,
            removed => tidied.answers += removed,
        }
    }
    let rest = shared.write_to_any(async |work| the_rest(work, now, retention).await);
    let (codes, partitions) = rest.await?;
    Ok(Tidied {
        codes,
        partitions,
        ..tidied
    })
}

async fn some_answers(work: &mut Work, now: UnixTime) -> Result<u64, Error> {
    let sql = "DELETE FROM answers WHERE (device, key) IN \
               (SELECT device, key FROM answers WHERE expires <= $1 LIMIT 2000)";
    work.session.execute(sql, vec![now.into()]).await
}

async fn the_rest(
    work: &mut Work,
    now: UnixTime,
    retention: &Retention,
) -> Result<(u64, u64), Error> {
    let before = |span: Duration| seconds(now).saturating_sub(int(span.as_secs()));
    let sql = "DELETE FROM codes WHERE expires <= $1";
    let codes = work.session.execute(sql, vec![before(CODES).into()]);
    let codes = codes.await?;
    let sql = "DELETE FROM refused WHERE hour < $1";
    let hour = before(retention.refused) / 3600;
    work.session.execute(sql, vec![hour.into()]).await?;
    let kept = retention.issues.as_secs();
    let end = Duration::from_secs(now.as_secs().saturating_sub(kept));
    let partitions = issues::drop_before(work, UnixTime::since_unix_epoch(end)).await?;
    Ok((codes, partitions))
}

/// How long a code that is too old can still be told from one that never was.
const CODES: Duration = Duration::from_secs(30 * 86_400);
