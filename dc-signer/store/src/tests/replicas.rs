//! Reports of signers about each other.

use super::*;

on_both! {
    a_signer_is_live_as_long_as_it_reports,
    a_clock_that_is_not_believed_leaves_what_was,
    a_process_that_starts_again_and_again_leaves_one_row,
}

fn report(id: u8, clock: Option<u64>) -> Report {
    Report {
        id: [id; 16],
        stopped: false,
        clock: clock.map(at),
        keys: vec![key("one"), key("two")],
        sealing: vec![[id; 16], [7; 16], [8; 16]],
    }
}

async fn a_signer_is_live_as_long_as_it_reports(db: &Database) {
    let (store, other) = (&*db.store, db.other().await);
    let now = dc_pki::clock::now().unwrap();
    store.report(&report(1, Some(NOW)), now).await.unwrap();
    other.report(&report(2, None), now).await.unwrap();
    let replicas = store.replicas(now).await.unwrap();
    let seen: Vec<_> = replicas
        .iter()
        .map(|one| (one.node.as_str(), one.live))
        .collect();
    assert_eq!(seen, [("node-1", true), ("node-2", true)]);
    assert_eq!(replicas[0].keys, [key("one"), key("two")]);
    assert_eq!(replicas[1].sealing, [[2; 16], [7; 16], [8; 16]]);
    // As one of an older version does, which knows nothing of the column.
    db.tamper("UPDATE replicas SET sealing = NULL WHERE node = 'node-1'")
        .await;
    let replicas = store.replicas(now).await.unwrap();
    assert_eq!(replicas[0].sealing, Vec::<[u8; 16]>::new());
    // One is silent, or was seen by a clock that was set back since.
    for seen in ["seen - 181", "seen + 2000"] {
        db.tamper(&format!(
            "UPDATE replicas SET seen = {seen} WHERE node = 'node-2'"
        ))
        .await;
        assert!(!store.replicas(now).await.unwrap()[1].live, "{seen}");
    }
    // One that no signer has written stops nothing, and the signer itself writes its own anew.
    db.tamper("UPDATE replicas SET keys = sealing WHERE node = 'node-2'")
        .await;
    assert_eq!(store.replicas(now).await.unwrap().len(), 1);
    other.report(&report(2, None), now).await.unwrap();
    assert_eq!(store.replicas(now).await.unwrap().len(), 2);
    let stopped = Report {
        stopped: true,
        ..report(1, None)
    };
    store.report(&stopped, now).await.unwrap();
    assert!(!store.replicas(now).await.unwrap()[0].live);
    // After a week nobody asks any more.
    db.tamper("UPDATE replicas SET seen = seen - 700000 WHERE node = 'node-2'")
        .await;
    for (clock, left) in [(None, 2), (Some(NOW), 1)] {
        store.report(&report(1, clock), now).await.unwrap();
        assert_eq!(store.replicas(now).await.unwrap().len(), left);
    }
    store.forget_signers().await.unwrap();
    assert!(store.replicas(now).await.unwrap().is_empty());
    other.close().await;
}

async fn a_process_that_starts_again_and_again_leaves_one_row(db: &Database) {
    let now = dc_pki::clock::now().unwrap();
    for id in 1..5 {
        db.store.report(&report(id, Some(NOW)), now).await.unwrap();
        db.tamper("UPDATE replicas SET seen = seen - 200").await;
    }
    // One that does not believe its clock forgets nobody who did.
    db.store.report(&report(9, None), now).await.unwrap();
    let replicas = db.store.replicas(now).await.unwrap();
    assert_eq!(replicas.len(), 2);
    assert_eq!(
        replicas.iter().filter_map(|one| one.clock).max(),
        Some(at(NOW))
    );
}

async fn a_clock_that_is_not_believed_leaves_what_was(db: &Database) {
    let now = dc_pki::clock::now().unwrap();
    for clock in [Some(NOW), None] {
        db.store.report(&report(1, clock), now).await.unwrap();
        assert_eq!(
            db.store.replicas(now).await.unwrap()[0].clock,
            Some(at(NOW))
        );
    }
    assert_eq!(db.store.audit_head().await.unwrap().seq, 0);
}
