//! Comparing what was issued and done with the state in which the log has the device then.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Certain, Life, Record};
use crate::sql::{Batch, Kind};

use super::findings::Found;
use super::rows;

/// Goes through some records, which follow on each other, with what was done to their names before.
pub(super) async fn check(
    session: &mut Session,
    records: &[Record],
    certain: Certain,
    found: &mut Found,
) -> Result<(), Error> {
    let Some(first) = records.first().map(|record| record.seq) else {
        return Ok(());
    };
    let names: BTreeSet<&str> = records.iter().filter_map(of_device).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut lives = before(session, &names, first, certain).await?;
    let mut records = records.iter().peekable();
    while let Some(record) = records.next() {
        let Some(life) = of_device(record).and_then(|name| lives.get_mut(name)) else {
            continue;
        };
        let next = records.peek();
        let is_renamed = next
            .is_some_and(|next| next.seq == record.seq + 1 && next.entry.action == Action::NewName);
        if let Some(wrong) = life.follow(record, is_renamed, certain) {
            found.add(wrong);
        }
    }
    Ok(())
}

/// The name of a device, if a record is about one.
fn of_device(record: &Record) -> Option<&str> {
    let entry = &record.entry;
    let is_issued = matches!(entry.action, Action::Issue | Action::IssueClient);
    let is_about_one = entry.action.device_change().is_some()
        || matches!(entry.action, Action::NewCode | Action::TakeName);
    entry.name.as_deref().filter(|_| is_issued || is_about_one)
}

/// By their names, devices as they were before a record.
async fn before<'a>(
    session: &mut Session,
    names: &BTreeSet<&'a str>,
    first: u64,
    certain: Certain,
) -> Result<BTreeMap<&'a str, Life>, Error> {
    let mut lives: BTreeMap<&str, Life> =
        names.iter().map(|name| (*name, Life::default())).collect();
    let batch = Batch {
        columns: &[("wanted", Kind::Text), ("bound", Kind::Int)],
        rows: names
            .iter()
            .map(|name| vec![(*name).into(), first.into()])
            .collect(),
    };
    let sql = format!(
        "SELECT {} FROM {{rows}} CROSS JOIN audit WHERE audit.name = r.wanted \
         AND audit.action <> 'issue' AND audit.action IN ({ACTS}) AND audit.seq < r.bound \
         ORDER BY audit.seq",
        rows::RECORD
    );
    let rows = session.fetch_batch(&sql, batch).await?;
    let acts: Vec<Record> = rows.iter().map(rows::record).collect::<Result<_, _>>()?;
    let renamed = renamed(session, &acts).await?;
    for act in &acts {
        if let Some(life) = of_device(act).and_then(|name| lives.get_mut(name)) {
            // What is wrong with them was said before.
            life.follow(act, renamed.contains(&act.seq), certain);
        }
    }
    Ok(lives)
}

/// Those replacements with which a device got another name, which the record behind it says.
async fn renamed(session: &mut Session, acts: &[Record]) -> Result<BTreeSet<u64>, Error> {
    let replaced = acts.iter();
    let replaced = replaced.filter(|act| act.entry.action == Action::Replace);
    let batch = Batch {
        columns: &[("replaced", Kind::Int), ("behind", Kind::Int)],
        rows: replaced
            .map(|act| vec![act.seq.into(), act.seq.saturating_add(1).into()])
            .collect(),
    };
    if batch.rows.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "SELECT r.replaced FROM {rows} CROSS JOIN audit \
               WHERE audit.seq = r.behind AND audit.action = 'new-name'";
    let rows = session.fetch_batch(sql, batch).await?;
    rows.iter().map(|row| row.number("replaced")).collect()
}

/// The acts that change the state of a device, its keys or its codes.
const ACTS: &str = "'add', 'enrol', 'finish-switch', 'replace', 'switch-key', 'suspend', 'resume', \
    'retire', 'new-name', 'take-name', 'new-code'";
