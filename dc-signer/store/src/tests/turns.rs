//! Turns at signing checkpoints, and the tree that grows from one to the next.

use dc_evidence::verify_consistency;

use super::*;

on_both! {
    a_tree_is_proven_to_go_on,
    one_signer_at_a_time_has_the_turn,
}

async fn one_signer_at_a_time_has_the_turn(db: &Database) {
    let (one, other) = (&*db.store, &*db.other().await);
    assert_eq!(one.turn().await.unwrap(), None);
    let turn = |holder: &str, until, note: Option<&str>| Turn {
        holder: holder.to_owned(),
        until: at(until),
        note: note.map(str::to_owned),
    };
    let taken = one.take_turn("a", at(NOW), at(NOW + 180)).await.unwrap();
    assert_eq!(taken, turn("a", NOW + 180, None));
    // The other one waits until it is over.
    let waits = other.take_turn("b", at(NOW + 10), at(NOW + 190)).await;
    assert_eq!(waits.unwrap(), taken);
    other.keep_note("b", "not b's turn").await.unwrap();
    one.keep_note("a", "the first").await.unwrap();
    let kept = one.take_turn("a", at(NOW + 60), at(NOW + 240)).await;
    assert_eq!(kept.unwrap(), turn("a", NOW + 240, Some("the first")));
    let taken = other.take_turn("b", at(NOW + 240), at(NOW + 420)).await;
    assert_eq!(taken.unwrap(), turn("b", NOW + 420, Some("the first")));
    // A clock that was years ahead keeps nobody waiting for years.
    let far = NOW + 999_999_999;
    other.take_turn("b", at(far), at(far + 180)).await.unwrap();
    let taken = one.take_turn("a", at(NOW + 250), at(NOW + 430)).await;
    assert_eq!(taken.unwrap().holder, "a");
    // One that stops keeps nobody waiting, and gives nobody else's turn back.
    other.give_turn_back("b").await.unwrap();
    let waits = other.take_turn("b", at(NOW + 251), at(NOW + 431)).await;
    assert_eq!(waits.unwrap().holder, "a");
    one.give_turn_back("a").await.unwrap();
    let taken = other.take_turn("b", at(NOW + 251), at(NOW + 431)).await;
    assert_eq!(taken.unwrap().holder, "b");
    // It is nothing that was done to a device or by somebody.
    assert_eq!(one.audit_head().await.unwrap(), Head::EMPTY);
}

async fn a_tree_is_proven_to_go_on(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let mut trees = vec![AuditTree::EMPTY];
    for number in 0..9 {
        store.record(issuance(&device, number)).await.unwrap();
        let last = trees.last().unwrap();
        trees.push(store.grow_audit_tree(last).await.unwrap());
    }
    let last = trees.last().unwrap();
    assert_eq!(last.head().seq, 11);
    for old in &trees {
        for new in trees.iter().filter(|new| new.head().seq >= old.head().seq) {
            let size = new.head().seq;
            let (grown, proof) = store.prove_growth(old, size).await.unwrap();
            assert_eq!(grown, *new);
            let [before, after] = [old, new].map(AuditTree::frontier);
            let roots = (before.root(), after.root());
            verify_consistency((before.size(), &roots.0), (after.size(), &roots.1), &proof)
                .unwrap();
            let stepwise = store.grow_audit_tree_to(old, size).await.unwrap();
            assert_eq!(stepwise, *new);
        }
    }
    db.tamper("UPDATE audit SET node = 'other' WHERE seq = 5")
        .await;
    let proven = store.prove_growth(&trees[3], 11).await.unwrap_err();
    assert!(
        matches!(proven, Error::Rewritten { size: 5, .. }),
        "{proven:?}"
    );
}
