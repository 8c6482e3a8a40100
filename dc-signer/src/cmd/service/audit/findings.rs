//! The findings of `audit verify`, for people and for programs.

use dc_pki::time::Span;
use dc_store::{Finding, Findings, StepsBack};
use serde_json::{Value, json};

use crate::cmd::service::error::Error;
use crate::cmd::service::print;

/// Prints one object: the result, and each mismatch with its place.
pub(super) fn json(all: &Findings, result: &Value) -> Result<(), Error> {
    let mut object = result.clone();
    object["mismatches"] = all.first.iter().map(one).collect();
    object["count"] = all.count.into();
    object["open"] = all.open().into();
    object["time_goes_back"] = back_json(all.back);
    print(&object)
}

fn one(finding: &Finding) -> Value {
    let place = &finding.place;
    let known = finding
        .acknowledged
        .as_ref()
        .map(|known| json!({ "record": known.record, "by": known.by, "reason": known.reason }));
    json!({
        "kind": place.kind, "table": place.table, "row": place.row, "column": place.column,
        "record": place.record, "expected": place.expected, "found": place.found,
        "text": finding.error.to_string(), "digest": place.digest().to_string(), "acknowledged": known,
    })
}

/// Where time goes back: how often, and the first place.
pub(super) fn back_json(back: StepsBack) -> Value {
    let first = back
        .first
        .map(|(record, by)| json!({ "record": record, "seconds": by.as_secs() }));
    json!({ "count": back.count, "first": first })
}

/// Says where time goes back; nothing is wrong with the log because of it.
pub(super) fn say_back(back: StepsBack) {
    let Some((record, by)) = back.first else {
        return;
    };
    let more = match back.count.saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} more are like it"),
    };
    eprintln!(
        "note: record {record} says a time {} before the record in front of it{more}: a clock was wrong; nothing is missing or changed because of that",
        Span::new(by)
    );
}

/// Prints each mismatch, and what to do about them.
pub(super) fn show(all: &Findings) -> Result<(), Error> {
    say_back(all.back);
    for finding in &all.first {
        let digest = finding.place.digest();
        match &finding.acknowledged {
            None => print(&format!("{}\n    digest {digest}", finding.error))?,
            Some(known) => print(&format!(
                "acknowledged by {} in record {} ({}): {}",
                known.by, known.record, known.reason, finding.error
            ))?,
        }
    }
    let shown = u64::try_from(all.first.len()).unwrap_or(u64::MAX);
    match all.count.saturating_sub(shown) {
        0 => {}
        left_out => print(&format!(
            "and {left_out} more, which are found once these are mended"
        ))?,
    }
    match all.open() {
        0 => Ok(()),
        open => print(&format!(
            "{open} open: keep a copy of the database first, then do what docs/runbook.md says under 'Audit mismatch'; what may stay is acknowledged with 'dc-signer audit acknowledge DIGEST --reason TEXT'"
        )),
    }
}

/// Fails if anything is open.
pub(super) fn failed(all: &Findings) -> Result<(), Error> {
    let first = all.first.iter().find(|one| one.acknowledged.is_none());
    let first = first
        .or_else(|| all.first.last())
        .map(|one| one.error.clone());
    match (first, all.open()) {
        (_, 0) | (None, _) => Ok(()),
        (Some(first), 1) => Err(first.into()),
        (Some(first), open) => Err(Error::Mismatches {
            first: Box::new(first),
            more: open - 1,
        }),
    }
}
