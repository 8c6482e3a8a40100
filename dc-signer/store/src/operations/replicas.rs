//! The signers that work on one database: a row for each process, which it writes again and again.

use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::Sha256;
use crate::sql::{Value, corrupt, int, seconds};
use crate::{Error, Replica, Report, ServerClock, Store};

use super::asked::Reporting;

impl Store {
    /// The time of the database's own clock; none if it has no other than this machine's.
    pub async fn clock(&self) -> Result<Option<ServerClock>, Error> {
        self.read("clock", async |session| clock(session).await)
            .await
    }

    /// Says that a signer works on this database, and with which keys. It is not in the audit log.
    pub async fn report(&self, report: &Report, now: UnixTime) -> Result<(), Error> {
        let node = &self.shared.signer.node;
        let reporting = Reporting { node, report, now };
        self.timed("report", self.shared.write_job(&reporting))
            .await
    }

    /// Forgets the signers that have reported: a database that was put back has those of its day, and none of them works now.
    pub async fn forget_signers(&self) -> Result<(), Error> {
        let forgotten = self.shared.write_to_any(async |work| {
            let sql = "DELETE FROM replicas";
            work.session.execute(sql, Vec::new()).await?;
            Ok(())
        });
        self.timed("forget-signers", forgotten).await
    }

    /// The signers that have reported in the last week, by node.
    pub async fn replicas(&self, now: UnixTime) -> Result<Vec<Replica>, Error> {
        self.read("replicas", async |session| all(session, now).await)
            .await
    }
}

pub(super) async fn write(
    session: &mut Session,
    node: &str,
    report: &Report,
    now: UnixTime,
) -> Result<(), Error> {
    let seen = reference(session, now).await?;
    let sql = "INSERT INTO replicas (id, node, seen, stopped, clock, keys, format, sealing) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET \
               seen = excluded.seen, stopped = excluded.stopped, \
               clock = COALESCE(excluded.clock, replicas.clock), keys = excluded.keys, \
               format = excluded.format, sealing = excluded.sealing";
    let keys: Vec<u8> = report.keys.iter().flat_map(|key| *key.as_bytes()).collect();
    let sealing = report.sealing.concat();
    let values = vec![
        report.id[..].into(),
        node.into(),
        seen.into(),
        i64::from(report.stopped).into(),
        report.clock.into(),
        keys[..].into(),
        FORMAT.into(),
        sealing[..].into(),
    ];
    session.tell(sql, values).await?;
    match report.clock {
        Some(_) => forget(session, node, report, seen).await,
        // Who does not know what time it is forgets nobody.
        None => Ok(()),
    }
}

async fn forget(
    session: &mut Session,
    node: &str,
    report: &Report,
    seen: i64,
) -> Result<(), Error> {
    let before = |time: Duration| Value::from(seen.saturating_sub(int(time.as_secs())));
    // Nobody asks any more about a process that is gone for so long.
    let sql = "DELETE FROM replicas WHERE seen < $1";
    session.tell(sql, vec![before(Replica::KEPT)]).await?;
    // This one's memory is fresher than that of those which ran before it.
    let sql = "DELETE FROM replicas WHERE node = $1 AND id <> $2 AND (stopped = 1 OR seen < $3)";
    let values = vec![node.into(), report.id[..].into(), before(Replica::SILENT)];
    session.tell(sql, values).await
}

/// True if a signer works here that cannot read records of a form.
pub(super) async fn has_older(
    session: &mut Session,
    format: i64,
    now: UnixTime,
) -> Result<bool, Error> {
    let reference = reference(session, now).await?;
    let silent = int(Replica::SILENT.as_secs());
    let sql = "SELECT id FROM replicas WHERE stopped = 0 AND format < $1 \
               AND seen BETWEEN $2 AND $3 LIMIT 1";
    let values = vec![
        format.into(),
        reference.saturating_sub(silent).into(),
        reference.saturating_add(silent).into(),
    ];
    Ok(session.fetch_one(sql, values).await?.is_some())
}

/// The form of records with details, reasons, scopes, and what takes two operators.
pub(super) const DETAILS: i64 = 4;
/// The same with an address behind a scope that decides something.
pub(super) const ADDRESSES: i64 = 5;
/// The form that this version reads.
const FORMAT: i64 = ADDRESSES;

async fn all(session: &mut Session, now: UnixTime) -> Result<Vec<Replica>, Error> {
    let reference = reference(session, now).await?;
    let sql =
        "SELECT id, node, seen, stopped, clock, keys, sealing FROM replicas ORDER BY node, id";
    let rows = session.fetch(sql, Vec::new()).await?;
    // A row that cannot be read is no signer's, or is written anew within a minute.
    let read = rows.iter().map(|row| replica(row, reference));
    Ok(read.filter_map(Result::ok).collect())
}

fn replica(row: &Row, reference: i64) -> Result<Replica, Error> {
    let seen: i64 = row.number("seen")?;
    let keys = row.blob("keys")?;
    let (keys, rest) = keys.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(corrupt("keys"));
    }
    let sealing = row.maybe_blob("sealing")?.unwrap_or_default();
    let (sealing, rest) = sealing.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(corrupt("sealing"));
    }
    Ok(Replica {
        id: row.bytes("id")?,
        node: row.text("node")?,
        seen: UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seen).unwrap_or(0))),
        // One that is seen in the future was seen by a clock that has been set since.
        live: !row.flag("stopped")? && seen.abs_diff(reference) <= Replica::SILENT.as_secs(),
        clock: row.maybe_time("clock")?,
        keys: keys.iter().copied().map(Sha256::from_bytes).collect(),
        sealing: sealing.to_vec(),
    })
}

/// By which clock signers are seen: the server's, which all of them share, or this machine's, on which all of them are.
pub(super) async fn reference(session: &mut Session, now: UnixTime) -> Result<i64, Error> {
    let server = clock(session).await?;
    Ok(server.map_or_else(|| seconds(now), |server| int(server.time.as_secs())))
}

async fn clock(session: &mut Session) -> Result<Option<ServerClock>, Error> {
    let Some(sql) = session.clock_query() else {
        return Ok(None);
    };
    let row = session.fetch_passing(sql).await?;
    let read = |row: Row| {
        Ok(ServerClock {
            time: Duration::from_micros(row.number("clock")?),
            here: row.flag("here")?,
        })
    };
    row.map(read).transpose()
}
