//! Records that somebody with the database's password puts at the end of the log, with all hashes as they should be.

use super::*;
use crate::registry::Entry;

/// An entry that is about nothing yet.
pub(in crate::tests) fn entry(action: Action, actor: &str, time: u64) -> Entry {
    Entry {
        time: at(time),
        node: "signer".to_owned(),
        actor: actor.to_owned(),
        action,
        name: None,
        spki_sha256: None,
        credential_sha256: None,
        zone: None,
        expires: None,
        detail_sha256: None,
        reason: Some("setting up".to_owned()),
        scope: None,
    }
}

/// Puts it at the end of the log; says where that is.
pub(in crate::tests) async fn append(db: &Database, entry: Entry) -> u64 {
    let mut head = db.store.audit_head().await.unwrap();
    let record = head.append(entry);
    let entry = &record.entry;
    let text = |text: &Option<String>| match text {
        Some(text) => format!("'{text}'"),
        None => "NULL".to_owned(),
    };
    let hash = |hash: &Option<Sha256>| match hash {
        Some(hash) => db.blob(hash.as_bytes()),
        None => "NULL".to_owned(),
    };
    let expires = entry.expires.map(|time| time.as_secs().to_string());
    db.tamper(&format!(
        "INSERT INTO audit (seq, time, node, actor, action, name, spki_sha256, credential_sha256, zone, expires, \
         detail_sha256, reason, scope, prev_hash) VALUES ({}, {}, '{}', '{}', '{}', {}, {}, {}, {}, {}, {}, {}, {}, {}); \
         UPDATE audit_head SET seq = {}, hash = {}",
        record.seq,
        entry.time.as_secs(),
        entry.node,
        entry.actor,
        entry.action,
        text(&entry.name),
        hash(&entry.spki_sha256),
        hash(&entry.credential_sha256),
        text(&entry.zone),
        expires.unwrap_or_else(|| "NULL".to_owned()),
        hash(&entry.detail_sha256),
        text(&entry.reason),
        text(&entry.scope),
        db.blob(record.prev_hash.as_bytes()),
        head.seq,
        db.blob(head.hash.as_bytes()),
    ))
    .await;
    record.seq
}

/// What is wrong, in words.
pub(super) async fn wrong(store: &Store, beside: Beside) -> Vec<String> {
    let found = store.find_mismatches_beside(beside, &|_| ()).await.unwrap();
    found.first.iter().map(text_of).collect()
}
