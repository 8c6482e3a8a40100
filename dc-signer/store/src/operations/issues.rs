//! Issue rows: what each device got, in one table a week.
//!
//! Deleting millions of rows one by one takes longer than writing them did; a table is dropped at
//! once.

use std::collections::BTreeMap;
use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::DeviceId;
use crate::shape::issue_table;
use crate::sql::{Batch, Kind, Value, seconds};
use crate::{Error, History, Issuance, Issue, Store};

use super::rows;
use super::work::Work;

impl Store {
    /// The history of a device: its credentials and changes, newest first, at most `limit` of each.
    pub async fn history(&self, device: DeviceId, limit: u32) -> Result<History, Error> {
        self.snapshot("history", async |session| {
            history(session, device, limit).await
        })
        .await
    }
}

/// A week, counted from 1970.
pub(super) const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The week that a time is in; one that no database can hold is in the last that it can.
pub(super) fn week(time: UnixTime) -> u64 {
    seconds(time).unsigned_abs() / WEEK.as_secs()
}

pub(super) async fn insert(session: &mut Session, issuances: &[&Issuance]) -> Result<(), Error> {
    let mut weeks: BTreeMap<u64, Vec<Vec<Value>>> = BTreeMap::new();
    for issuance in issuances {
        let week = week(issuance.issued);
        weeks.entry(week).or_default().extend(table_rows(issuance));
    }
    for (week, rows) in weeks {
        ensure(session, week).await?;
        let sql = format!(
            "INSERT INTO issues_{week} (device, name, credential_sha256, spki_sha256, \
             delegation_sha256, issued, expires) SELECT device, name, credential_sha256, \
             spki_sha256, delegation_sha256, issued, expires FROM {{rows}}"
        );
        let columns = COLUMNS;
        let batch = Batch { columns, rows };
        session.write_all("issues", &sql, batch).await?;
    }
    Ok(())
}

const COLUMNS: &[(&str, Kind)] = &[
    ("device", Kind::Blob),
    ("name", Kind::Text),
    ("credential_sha256", Kind::Blob),
    ("spki_sha256", Kind::Blob),
    ("delegation_sha256", Kind::Blob),
    ("issued", Kind::Int),
    ("expires", Kind::Int),
];

fn table_rows(issuance: &Issuance) -> impl Iterator<Item = Vec<Value>> {
    let own = issuance.credentials.iter();
    let own = own.map(|credential| (credential, &issuance.spki_sha256));
    let client = issuance.client.iter().flat_map(|client| {
        let all = client.credentials.iter();
        all.map(|credential| (credential, &client.spki_sha256))
    });
    own.chain(client).map(|(credential, spki)| {
        vec![
            issuance.device.as_bytes()[..].into(),
            issuance.name.as_str().into(),
            credential.into(),
            spki.into(),
            (&issuance.delegation_sha256).into(),
            issuance.issued.into(),
            issuance.expires.into(),
        ]
    })
}

/// Makes the week's table if it is the week's first issuance.
async fn ensure(session: &mut Session, week: u64) -> Result<(), Error> {
    let sql = "SELECT week FROM issue_weeks WHERE week = $1";
    if session.fetch_one(sql, vec![week.into()]).await?.is_some() {
        return Ok(());
    }
    let table = issue_table(&week.to_string(), session.blob_type());
    let index = format!("CREATE INDEX issues_{week}_device ON issues_{week} (device, issued)");
    let sql = "INSERT INTO issue_weeks (week) VALUES ($1)";
    session.tell(table, Vec::new()).await?;
    session.tell(index, Vec::new()).await?;
    session.tell(sql, vec![week.into()]).await
}

/// The audit records of a device, newest first.
pub(super) async fn history(
    session: &mut Session,
    device: DeviceId,
    limit: u32,
) -> Result<History, Error> {
    let sql = format!(
        "SELECT {} FROM names JOIN audit ON audit.name = names.name \
         WHERE names.device = $1 AND audit.action <> 'issue' \
         AND audit.action <> 'issue-client' ORDER BY audit.seq DESC LIMIT $2",
        rows::RECORD
    );
    let values = vec![device.as_bytes()[..].into(), limit.into()];
    let acts = session.fetch(sql, values).await?;
    Ok(History {
        issues: of(session, device, limit).await?,
        acts: acts.iter().map(rows::record).collect::<Result<_, _>>()?,
    })
}

async fn of(session: &mut Session, device: DeviceId, limit: u32) -> Result<Vec<Issue>, Error> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut issues = Vec::new();
    let mut weeks = weeks(session, "SELECT week FROM issue_weeks ORDER BY week DESC").await?;
    weeks.truncate(MOST_WEEKS);
    for week in weeks {
        let sql = format!(
            "SELECT {} FROM issues_{week} WHERE device = $1 ORDER BY issued DESC LIMIT $2",
            rows::ISSUE
        );
        let values = vec![device.as_bytes()[..].into(), limit.into()];
        for row in session.fetch(sql, values).await? {
            issues.push(rows::issue(&row)?);
        }
        if issues.len() >= wanted {
            break;
        }
    }
    issues.truncate(wanted);
    Ok(issues)
}

/// A clock that jumped may have left a few more.
const MOST_WEEKS: usize = 60;

/// The weeks that a statement selects.
pub(super) async fn weeks(session: &mut Session, sql: &'static str) -> Result<Vec<u64>, Error> {
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(|row| row.number("week")).collect()
}

/// The weeks in which credentials may have been issued that are valid: a clock that jumped may have left one more.
pub(super) async fn latest(session: &mut Session) -> Result<Vec<u64>, Error> {
    weeks(
        session,
        "SELECT week FROM issue_weeks ORDER BY week DESC LIMIT 3",
    )
    .await
}

/// Drops the weeks that ended before a time.
pub(super) async fn drop_before(work: &mut Work, end: UnixTime) -> Result<u64, Error> {
    let session = &mut work.session;
    let mut dropped = 0;
    for week in weeks(session, "SELECT week FROM issue_weeks ORDER BY week").await? {
        if (week + 1).saturating_mul(WEEK.as_secs()) > end.as_secs() {
            break;
        }
        session
            .execute(format!("DROP TABLE issues_{week}"), Vec::new())
            .await?;
        let sql = "DELETE FROM issue_weeks WHERE week = $1";
        session.execute(sql, vec![week.into()]).await?;
        dropped += 1;
    }
    Ok(dropped)
}
