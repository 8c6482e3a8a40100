//! The renewal of delegation certificates: a row for each zone, which one process at a time may write.

use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{Action, Sha256};
use crate::sql::int;
use crate::{Act, Error, Holder, Noted, Renewal, Store};
use dc_pki::names::ZoneName;

use super::replicas::reference;
use super::rows;
use super::work::Work;

impl Store {
    /// The renewals of all zones that have one, by zone.
    pub async fn renewals(&self) -> Result<Vec<Renewal>, Error> {
        self.read("renewals", async |session| {
            let sql = format!("SELECT {COLUMNS} FROM renewals ORDER BY zone");
            let rows = session.fetch(sql, Vec::new()).await?;
            rows.iter().map(renewal).collect()
        })
        .await
    }

    /// Lets one process renew a zone's certificate for a time, or for longer if it does already; none if another one does.
    ///
    /// By the clock of the database's server if it has one: so no signer with a wrong clock takes over.
    pub async fn hold_renewal(
        &self,
        zone: &ZoneName,
        id: [u8; 16],
        time: Duration,
        now: UnixTime,
    ) -> Result<Option<Renewal>, Error> {
        self.write("hold_renewal", async |work| {
            hold(work, &self.shared.signer.node, zone, id, time, now).await
        })
        .await
    }

    /// Writes what the process that holds a renewal has done, with an audit record, and holds it no longer if it is to be free.
    ///
    /// False, and then nothing was written, if another process has taken over. The time is that of `by`.
    pub async fn note_renewal(
        &self,
        renewal: &Renewal,
        id: [u8; 16],
        free: bool,
        noted: Option<Noted>,
        by: &Act,
    ) -> Result<bool, Error> {
        self.write("note_renewal", async |work| {
            note(work, renewal, id, free, noted, by).await
        })
        .await
    }
}

async fn hold(
    work: &mut Work,
    node: &str,
    zone: &ZoneName,
    id: [u8; 16],
    time: Duration,
    now: UnixTime,
) -> Result<Option<Renewal>, Error> {
    let session = &mut work.session;
    let now = reference(session, now).await?;
    let until = now.saturating_add(int(time.as_secs()));
    let name = zone.to_string();
    // One that was removed meanwhile gets none any more.
    let sql = "INSERT INTO renewals (zone) SELECT zone FROM zones WHERE zone = $1 \
               ON CONFLICT (zone) DO NOTHING";
    session.execute(sql, vec![name.as_str().into()]).await?;
    // One that is held until long after now was held by a clock that has been set since.
    let sql = "UPDATE renewals SET holder = $2, holder_node = $3, held_until = $4 WHERE zone = $1 \
               AND (holder IS NULL OR holder = $2 OR held_until <= $5 OR held_until > $6)";
    let values = vec![
        name.as_str().into(),
        id[..].into(),
        node.into(),
        until.into(),
        now.into(),
        now.saturating_add(int(LONGEST_HOLD.as_secs())).into(),
    ];
    match session.execute(sql, values).await? {
        0 => Ok(None),
        _ => load(session, zone).await,
    }
}

async fn load(session: &mut Session, zone: &ZoneName) -> Result<Option<Renewal>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM renewals WHERE zone = $1");
    let row = session.fetch_one(sql, vec![zone.to_string().as_str().into()]);
    row.await?.as_ref().map(renewal).transpose()
}

async fn note(
    work: &mut Work,
    renewal: &Renewal,
    id: [u8; 16],
    free: bool,
    noted: Option<Noted>,
    by: &Act,
) -> Result<bool, Error> {
    let now = reference(&mut work.session, by.at).await?;
    let sql = "UPDATE renewals SET certificate_sha256 = $3, order_at = $4, ask_at = $5, try_at = $6, \
               attempts = $7, failing_since = $8, tried = $9, error = $10, \
               holder = CASE WHEN $11 = 1 THEN NULL ELSE holder END \
               WHERE zone = $1 AND holder = $2 AND held_until > $12";
    let values = vec![
        renewal.zone.to_string().as_str().into(),
        id[..].into(),
        renewal.certificate_sha256.as_ref().into(),
        renewal.order_at.into(),
        renewal.ask_at.into(),
        renewal.try_at.into(),
        renewal.attempts.into(),
        renewal.failing_since.into(),
        renewal.tried.into(),
        renewal.error.as_deref().into(),
        i64::from(free).into(),
        now.into(),
    ];
    if work.session.execute(sql, values).await? == 0 {
        return Ok(false);
    }
    if let Some(noted) = noted {
        log(work, renewal, noted, by);
    }
    Ok(true)
}

fn log(work: &mut Work, renewal: &Renewal, noted: Noted, by: &Act) {
    let action = match noted {
        Noted::Ordered => Action::OrderDelegation,
        Noted::Failed => Action::FailOrder,
    };
    let mut entry = work.entry(action, by);
    entry.zone = Some(renewal.zone.to_string());
    entry.credential_sha256 = renewal.certificate_sha256;
    let reason = renewal.error.as_ref().filter(|_| noted == Noted::Failed);
    entry.detail_sha256 = reason.map(|reason| Sha256::of(reason.as_bytes()));
    work.log(entry);
}

fn renewal(row: &Row) -> Result<Renewal, Error> {
    Ok(Renewal {
        zone: rows::zone(row, "zone")?,
        certificate_sha256: row.maybe_hash("certificate_sha256")?,
        order_at: row.time("order_at")?,
        ask_at: row.maybe_time("ask_at")?,
        try_at: row.maybe_time("try_at")?,
        attempts: row.number("attempts")?,
        failing_since: row.maybe_time("failing_since")?,
        tried: row.maybe_time("tried")?,
        error: row.maybe_text("error")?,
        holder: match row.maybe_blob("holder")? {
            None => None,
            Some(_) => Some(Holder {
                id: row.bytes("holder")?,
                node: row.text("holder_node")?,
                until: row.time("held_until")?,
            }),
        },
    })
}

/// Longer than anybody holds one.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

const COLUMNS: &str = "zone, certificate_sha256, order_at, ask_at, try_at, attempts, failing_since, \
                       tried, error, holder, holder_node, held_until";
