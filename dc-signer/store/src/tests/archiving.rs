//! Parts of the log that are archived: what is left is verified, proven and grown as before, and whoever deletes more is found.

use dc_evidence::{Checkpoint, Frontier, SigningKey};

use super::*;
use crate::registry::{Action, Archive, Mismatch};

on_both! {
    a_log_without_its_archived_issuances_is_as_it_was,
    nothing_is_archived_while_an_older_signer_works,
    rows_that_no_tidy_record_covers_are_missed,
    what_was_kept_of_an_archive_is_compared,
}

/// After so many weeks nothing is kept of the first.
pub(super) const LATER: u64 = NOW + 40 * 86_400;

/// Issuances and acts, and then only the log has the issuances.
pub(super) async fn old_acts(store: &Store) -> Device {
    let device = active(store, 1).await;
    for number in 0..9 {
        store.record(issuance(&device, number)).await.unwrap();
        if number == 4 {
            for change in [Change::Suspend, Change::Resume] {
                let by = by(NOW + 9);
                let changed = store.change_device(device.id, &change, &by);
                changed.await.unwrap();
            }
        }
    }
    let month = Duration::from_secs(30 * 86_400);
    let retention = Retention {
        issues: month,
        refused: month,
    };
    store.tidy(at(LATER), &retention).await.unwrap();
    store.record(issuance(&device, 40 * 86_400)).await.unwrap();
    device
}

/// The part of the log up to a record.
pub(super) async fn part(store: &Store, last: u64) -> Archive {
    let base = store.archived_tree().await.unwrap();
    let first = base.head().seq + 1;
    let (mut head, mut tree) = (base.head(), base.frontier().clone());
    let (mut kept, mut removed) = (KeptHash::new(), 0);
    for record in store.audit_from(first, 99).await.unwrap() {
        if record.seq > last {
            break;
        }
        head.follow(&record).unwrap();
        tree.push(record.leaf());
        match KeptHash::keeps(&record) {
            true => kept.follow(&record),
            false => removed += 1,
        }
    }
    let (kept, kept_sha256) = kept.end();
    Archive {
        first,
        end: head,
        tree,
        removed,
        kept,
        kept_sha256,
        record: 0,
    }
}

pub(super) async fn archive(store: &Store, last: u64) -> Archive {
    let part = part(store, last).await;
    let archived = store.archive(&part, &by(LATER)).await.unwrap();
    store.verify_audit().await.unwrap();
    assert_eq!(store.remove_archived().await.unwrap(), part.removed);
    assert_eq!(store.remove_archived().await.unwrap(), 0);
    archived
}

pub(super) fn key_of_log() -> SigningKey {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06];
    der.extend([0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]);
    der.extend([5; 32]);
    SigningKey::from_pkcs8("log", &der).unwrap()
}

async fn count(store: &Store) -> usize {
    store.audit_from(1, 999).await.unwrap().len()
}

async fn a_log_without_its_archived_issuances_is_as_it_was(db: &Database) {
    let store = &*db.store;
    let device = old_acts(store).await;
    let key = key_of_log();
    let mut trees: Vec<Frontier> = vec![Frontier::new()];
    for record in store.audit_from(1, 99).await.unwrap() {
        let mut tree = trees.last().unwrap().clone();
        tree.push(record.leaf());
        trees.push(tree);
    }
    let signed = |size: usize| Checkpoint::of(&trees[size], &key);
    let (before, all) = (store.audit_head().await.unwrap().seq, count(store).await);
    assert_eq!((before, all), (14, 14));
    let weeks = store.first_kept_week().await.unwrap();
    assert_eq!(weeks, Some(LATER / 604_800));
    // Two parts, one behind the other.
    let archives = [archive(store, 6).await, archive(store, 13).await];
    assert_eq!(store.archives().await.unwrap(), archives);
    assert_eq!(archives.map(|archive| archive.removed), [4, 5]);
    assert_eq!(count(store).await, 14 - 9 + 2);
    for size in [0, 3, 6, 11, 13, 14] {
        let checkpoint = signed(size);
        let verified = store.verify_audit_with(vec![checkpoint], &|_| ()).await;
        assert_eq!(verified.unwrap().seq, 16, "{size}");
    }
    // A checkpoint at the end of a part, or behind it, would find another log.
    for size in [6, 13, 14] {
        let mut other = trees[size - 1].clone();
        other.push(trees[1].root());
        let other = Checkpoint::of(&other, &key);
        let verified = store.verify_audit_with(vec![other], &|_| ()).await;
        assert!(
            matches!(verified, Err(Error::Rewritten { .. })),
            "{verified:?}"
        );
    }
    // The tree goes on, from nothing and from where it was.
    let grown = store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap();
    let head = store.audit_from(14, 1).await.unwrap()[0].clone();
    let mut last = archives_end(store).await;
    last.follow(&head).unwrap();
    let kept = AuditTree::new(last, trees[14].clone()).unwrap();
    assert_eq!(store.grow_audit_tree(&kept).await.unwrap(), grown);
    let early = AuditTree::new(
        Head {
            seq: 0,
            ..Head::EMPTY
        },
        Frontier::new(),
    )
    .unwrap();
    let too_early = store.grow_audit_tree_to(&early, 5).await;
    assert!(
        matches!(too_early, Err(Error::Archived { last: 13 })),
        "{too_early:?}"
    );
    // Records behind it are proven, those in it with the files alone.
    let checkpoint = Checkpoint::of(grown.frontier(), &key);
    let note = checkpoint.sign(&key).unwrap();
    for seq in 14..=16 {
        let proven = store.prove_record(seq, &checkpoint, &note).await.unwrap();
        let record = store.audit_from(seq, 1).await.unwrap().remove(0);
        proven
            .verify(&record.encoded(), key.verifying_key())
            .unwrap();
    }
    let proven = store.prove_record(3, &checkpoint, &note).await;
    assert!(
        matches!(proven, Err(Error::Archived { last: 13 })),
        "{proven:?}"
    );
    // What else is in the log is found as before.
    assert_eq!(store.history(device.id, 9).await.unwrap().acts.len(), 3);
    store.record(issuance(&device, 41 * 86_400)).await.unwrap();
    store.verify_audit().await.unwrap();
}

async fn archives_end(store: &Store) -> Head {
    store.archived_tree().await.unwrap().head()
}

async fn rows_that_no_tidy_record_covers_are_missed(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let longer = part(store, 13).await;
    archive(store, 6).await;
    db.tamper("DELETE FROM audit WHERE seq = 11").await;
    let missed = store.verify_audit().await.unwrap_err();
    let sequence = registry::Error::AuditSequence {
        expected: 11,
        found: 12,
    };
    assert!(
        matches!(&missed, Error::Refused { source } if *source == sequence),
        "{missed:?}"
    );
    // All issuances deleted, and the part that is archived made longer, with all that is right for it: but no record says so.
    db.tamper("DELETE FROM audit WHERE action = 'issue' AND seq <= 13")
        .await;
    let roots = longer.tree.roots().iter();
    let tree: Vec<u8> = roots.flat_map(|root| *root.as_bytes()).collect();
    db.tamper(&format!(
        "UPDATE archives SET last = 13, hash = {}, tree = {}, removed = {}, kept = {}, kept_sha256 = {}",
        db.blob(longer.end.hash.as_bytes()),
        db.blob(&tree),
        longer.removed,
        longer.kept,
        db.blob(longer.kept_sha256.as_bytes()),
    ))
    .await;
    let missed = store.verify_audit().await.unwrap_err();
    let (first, last) = (1, 13);
    let expected = Mismatch::Archive { first, last };
    assert!(
        matches!(&missed, Error::NotAsAudited { source } if *source == expected),
        "{missed:?}"
    );
    // Without what is said of archives the log begins with a gap.
    db.tamper("DELETE FROM archives").await;
    let missed = store.verify_audit().await.unwrap_err();
    assert!(matches!(missed, Error::Refused { .. }), "{missed:?}");
}

async fn what_was_kept_of_an_archive_is_compared(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let archived = archive(store, 13).await;
    let (first, last) = (1, 13);
    for (sql, back) in [
        (
            "UPDATE audit SET node = 'eve' WHERE seq = 2",
            "UPDATE audit SET node = 'node-1' WHERE seq = 2",
        ),
        (
            "UPDATE archives SET kept = 5",
            "UPDATE archives SET kept = 4",
        ),
        (
            "UPDATE archives SET record = 14",
            "UPDATE archives SET record = 15",
        ),
        (
            "UPDATE archives SET first = 2",
            "UPDATE archives SET first = 1",
        ),
    ] {
        db.tamper(sql).await;
        let found = store.verify_audit().await.unwrap_err();
        let is_it = |source: &Mismatch| matches!(source, Mismatch::Archive { last: 13, .. });
        assert!(
            matches!(&found, Error::NotAsAudited { source } if is_it(source)),
            "{sql}: {found:?}"
        );
        db.tamper(back).await;
        store.verify_audit().await.unwrap();
    }
    // A part of it whose end is another one breaks the chain behind it.
    let hash = db.blob(archived.kept_sha256.as_bytes());
    db.tamper(&format!("UPDATE archives SET hash = {hash}"))
        .await;
    store.verify_audit().await.unwrap_err();
    let right = db.blob(archived.end.hash.as_bytes());
    db.tamper(&format!("UPDATE archives SET hash = {right}"))
        .await;
    // Acts are never removed.
    db.tamper("DELETE FROM audit WHERE seq = 2").await;
    let found = store.verify_audit().await.unwrap_err();
    let source = Mismatch::Archive { first, last };
    assert!(
        matches!(&found, Error::NotAsAudited { source: found } if *found == source),
        "{found:?}"
    );
}

async fn nothing_is_archived_while_an_older_signer_works(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let report = Report {
        id: [1; 16],
        stopped: false,
        clock: None,
        keys: Vec::new(),
        sealing: Vec::new(),
    };
    let now = dc_pki::clock::now().unwrap();
    store.report(&report, now).await.unwrap();
    db.tamper("UPDATE replicas SET format = 1").await;
    let part = part(store, 6).await;
    let by = Act { at: now, ..by(NOW) };
    let refused = store.archive(&part, &by).await.unwrap_err();
    assert!(matches!(refused, Error::OlderSigner), "{refused}");
    store.report(&report, now).await.unwrap();
    store.archive(&part, &by).await.unwrap();
    // It is archived once.
    let again = store.archive(&part, &by).await.unwrap_err();
    assert!(matches!(again, Error::Archived { last: 6 }), "{again}");
    let tidied = store.audit_from(15, 1).await.unwrap().remove(0).entry;
    assert_eq!(
        (tidied.action, tidied.detail_sha256),
        (Action::Tidy, Some(part.commitment()))
    );
}
