//! Lines of an export, and what they stand for.

use std::borrow::Cow;
use std::time::Duration;

use dc_evidence::{Frontier, Hash};
use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::AuditTree;
use crate::registry::{Entry, Head, Record, Sha256};

#[derive(Deserialize, Serialize)]
struct First<'a> {
    log: Cow<'a, str>,
    version: u32,
    after: After<'a>,
}

#[derive(Deserialize, Serialize)]
struct After<'a> {
    seq: u64,
    hash: Cow<'a, str>,
    tree: Vec<String>,
}

/// The first line of an export of what is behind this tree, with its line end.
#[must_use]
pub fn first_line(after: &AuditTree) -> String {
    let roots = after.frontier().roots().iter();
    let first = First {
        log: LOG.into(),
        version: VERSION,
        after: After {
            seq: after.head().seq,
            hash: after.head().hash.to_string().into(),
            tree: roots.map(ToString::to_string).collect(),
        },
    };
    line(&first)
}

pub(super) fn read_first(line: &str) -> Option<AuditTree> {
    let First {
        log,
        version,
        after,
    } = serde_json::from_str(line).ok()?;
    if log != LOG || version != VERSION {
        return None;
    }
    let roots = after.tree.iter().map(|root| Hash::parse(root));
    let tree = Frontier::from_roots(after.seq, roots.collect::<Option<_>>()?).ok()?;
    let head = Head {
        seq: after.seq,
        hash: after.hash.parse().ok()?,
    };
    // Nothing is before the first.
    if head.seq == 0 && head != Head::EMPTY {
        return None;
    }
    AuditTree::new(head, tree).ok()
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    seq: u64,
    time: u64,
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spki_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential_sha256: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    zone: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail_sha256: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    scope: Option<Cow<'a, str>>,
    prev_hash: String,
}

/// A record as a line, with its line end.
#[must_use]
pub fn record_line(record: &Record) -> String {
    let Record {
        seq,
        entry,
        prev_hash,
    } = record;
    let hex = |hash: &Option<Sha256>| hash.map(|hash| hash.to_string());
    line(&Line {
        seq: *seq,
        time: entry.time.as_secs(),
        node: entry.node.as_str().into(),
        actor: entry.actor.as_str().into(),
        action: entry.action.as_str().into(),
        name: entry.name.as_deref().map(Cow::from),
        spki_sha256: hex(&entry.spki_sha256),
        credential_sha256: hex(&entry.credential_sha256),
        zone: entry.zone.as_deref().map(Cow::from),
        expires: entry.expires.map(|time| time.as_secs()),
        detail_sha256: hex(&entry.detail_sha256),
        reason: entry.reason.as_deref().map(Cow::from),
        scope: entry.scope.as_deref().map(Cow::from),
        prev_hash: prev_hash.to_string(),
    })
}

/// Reads a line; fails with what is wrong with it.
pub(super) fn read_record(line: &str) -> Result<Record, String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let hash = |text: String| text.parse::<Sha256>().map_err(|error| error.to_string());
    let maybe = |text: Option<String>| text.map(hash).transpose();
    let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let action = line.action.parse();
    Ok(Record {
        seq: line.seq,
        entry: Entry {
            time: time(line.time),
            node: line.node.into_owned(),
            actor: line.actor.into_owned(),
            action: action.map_err(|error: crate::registry::Error| error.to_string())?,
            name: line.name.map(Cow::into_owned),
            spki_sha256: maybe(line.spki_sha256)?,
            credential_sha256: maybe(line.credential_sha256)?,
            zone: line.zone.map(Cow::into_owned),
            expires: line.expires.map(time),
            detail_sha256: maybe(line.detail_sha256)?,
            reason: line.reason.map(Cow::into_owned),
            scope: line.scope.map(Cow::into_owned),
        },
        prev_hash: hash(line.prev_hash)?,
    })
}

fn line(value: &impl Serialize) -> String {
    // Numbers and texts are JSON.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

const LOG: &str = "dc-audit";
const VERSION: u32 = 1;
