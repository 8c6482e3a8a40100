//! Searching the audit log: a page at a time, each of bounded work.

use std::fmt::Write as _;

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::{Action, DeviceId, Record};
use crate::sql::Value;
use crate::{Error, Store};

use super::{audit, rows};

/// The records that are meant; all that is given has to fit.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditFilter {
    /// Not before this time, by the clock of whoever did it.
    pub since: Option<UnixTime>,
    /// Not after this time.
    pub until: Option<UnixTime>,
    /// One of these actions; any if there are none.
    pub actions: Vec<Action>,
    /// By this actor, such as `operator:alice`.
    pub actor: Option<String>,
    /// About this device, under all names that it has or had.
    pub device: Option<DeviceId>,
    /// About this unique name, or this operator.
    pub name: Option<String>,
    /// In this zone.
    pub zone: Option<String>,
}

/// A part of the records that were found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditPage {
    /// The records, in the order that was asked for.
    pub records: Vec<Record>,
    /// Where to go on, if there may be more; the part may even be empty then, because each looks at a million records at most.
    pub next: Option<u64>,
}

impl Store {
    /// Records that fit, oldest first: those behind a record (0 for all), at most `limit`.
    pub async fn find_records(
        &self,
        filter: &AuditFilter,
        after: u64,
        limit: u32,
    ) -> Result<AuditPage, Error> {
        self.snapshot("find_records", async |session| {
            let end = audit::end(session).await?.seq;
            find(session, filter, Part::After(after), end, limit).await
        })
        .await
    }

    /// The same, newest first: those before a record, or the newest.
    pub async fn find_records_before(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<AuditPage, Error> {
        self.snapshot("find_records", async |session| {
            let end = audit::end(session).await?.seq;
            let before = before.unwrap_or_else(|| end.saturating_add(1));
            find(session, filter, Part::Before(before), end, limit).await
        })
        .await
    }

    /// The first record behind another (0 for all) that is not before a time; none if all are before it.
    ///
    /// Times are what clocks said, so records before it may have later ones.
    pub async fn record_at(&self, time: UnixTime, behind: u64) -> Result<Option<u64>, Error> {
        self.read("record_at", async |session| {
            let sql = "SELECT seq FROM audit WHERE seq > $2 AND time >= $1 ORDER BY seq LIMIT 1";
            let values = vec![time.into(), behind.into()];
            let row = session.fetch_one(sql, values).await?;
            row.map(|row| row.number("seq")).transpose()
        })
        .await
    }
}

#[derive(Clone, Copy)]
enum Part {
    After(u64),
    Before(u64),
}

async fn find(
    session: &mut Session,
    filter: &AuditFilter,
    mut part: Part,
    end: u64,
    limit: u32,
) -> Result<AuditPage, Error> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut page = AuditPage::default();
    for _ in 0..MOST_WINDOWS {
        let (from, to, order) = match part {
            Part::After(seq) if seq >= end => return Ok(page),
            Part::After(seq) => (seq, seq.saturating_add(WINDOW).min(end), "ASC"),
            Part::Before(seq) if seq <= 1 => return Ok(page),
            Part::Before(seq) => (seq.saturating_sub(WINDOW + 1), seq - 1, "DESC"),
        };
        let left = wanted - page.records.len();
        let (sql, values) = query(filter, (from, to), order, left);
        for row in session.fetch(sql, values).await? {
            page.records.push(rows::record(&row)?);
        }
        let last = page.records.last().map(|record| record.seq);
        if page.records.len() >= wanted {
            page.next = last.or(match part {
                Part::After(seq) | Part::Before(seq) => Some(seq),
            });
            return Ok(page);
        }
        part = match part {
            Part::After(_) => Part::After(to),
            Part::Before(_) => Part::Before(from.saturating_add(1)),
        };
    }
    page.next = match part {
        Part::After(seq) => (seq < end).then_some(seq),
        Part::Before(seq) => (seq > 1).then_some(seq),
    };
    Ok(page)
}

/// The statement of a part; all that was asked for goes into parameters only.
fn query(
    filter: &AuditFilter,
    (from, to): (u64, u64),
    order: &'static str,
    limit: usize,
) -> (String, Vec<Value>) {
    let AuditFilter {
        since,
        until,
        actions,
        actor,
        device,
        name,
        zone,
    } = filter;
    let mut values: Vec<Value> = vec![from.into(), to.into()];
    let mut sql = format!(
        "SELECT {} FROM audit WHERE audit.seq > $1 AND audit.seq <= $2",
        rows::RECORD
    );
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        // Writing to a string does not fail.
        let _ = write!(
            sql,
            " AND {}",
            condition.replace('@', &format!("${}", values.len()))
        );
    };
    if let Some(since) = since {
        and("audit.time >= @", (*since).into());
    }
    if let Some(until) = until {
        and("audit.time <= @", (*until).into());
    }
    if let Some(actor) = actor {
        and("audit.actor = @", actor.as_str().into());
    }
    if let Some(device) = device {
        let device = device.as_bytes()[..].into();
        and(
            "audit.name IN (SELECT name FROM names WHERE device = @)",
            device,
        );
    }
    if let Some(name) = name {
        and("audit.name = @", name.as_str().into());
    }
    if let Some(zone) = zone {
        and("audit.zone = @", zone.as_str().into());
    }
    if !actions.is_empty() {
        // They are words of ours.
        let words: Vec<String> = actions.iter().map(|action| format!("'{action}'")).collect();
        let _ = write!(sql, " AND audit.action IN ({})", words.join(", "));
    }
    let _ = write!(sql, " ORDER BY audit.seq {order} LIMIT {limit}");
    (sql, values)
}

/// How many records one statement looks at, at most.
const WINDOW: u64 = 100_000;
const MOST_WINDOWS: usize = 10;
