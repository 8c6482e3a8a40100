//! After a newer log was put behind a restored backup, each row is still as the last record says that was done here.

use super::forge::{append, entry, wrong};
use super::*;

on_both! {
    a_forged_record_of_a_newer_log_hides_nothing,
    acts_behind_a_newer_log_are_compared,
    nobody_comes_back_whom_a_newer_log_keeps_out,
    rows_from_before_a_newer_log_are_compared,
}

/// A backup of a database that has everything, and what was done since in the lost one; brought up to its log.
async fn restored(db: &Database, since: impl AsyncFnOnce(&Store)) -> Database {
    let backup = match db.location {
        Location::File(_) => Database::sqlite().await,
        Location::Postgres(_) => Database::postgres().await.unwrap(),
    };
    for store in [&*db.store, &*backup.store] {
        everything(store).await;
    }
    since(&db.store).await;
    let log = db.store.audit_from(1, 999).await.unwrap();
    backup.store.replay(&log, &by(NOW + 900)).await.unwrap();
    assert_eq!(
        wrong(&backup.store, Beside::default()).await,
        [""; 0],
        "restored"
    );
    backup
}

fn operator(name: &str, role: Role) -> Operator {
    let token = Access::Token(key(&format!("token of {name}")));
    Operator::new(name.parse().unwrap(), role, token, None)
}

/// Acts of each kind that a newer log does not bring back.
async fn much(store: &Store) {
    let after = |seconds: u64| by(NOW + 600 + seconds);
    active(store, 9).await;
    let other = NewZone {
        zone: ZoneName::parse("other.example.com").unwrap(),
        forms: Forms::Named,
        roles: Roles::Server,
    };
    let new = NewDelegation {
        zone: zone(),
        certificate_sha256: key("third"),
        not_before: at(NOW),
        not_after: at(NOW + 80 * 86_400),
    };
    store.import_delegation(&new, &after(1)).await.unwrap();
    let active = DelegationState::Active;
    let moved = store.move_delegation(&zone(), 2, active, &after(2)).await;
    moved.unwrap();
    let forms = store.set_forms(&zone(), Forms::Rfc9345, &after(3)).await;
    forms.unwrap();
    store.add_zone(&other, &after(4)).await.unwrap();
    let new = operator("newcomer", Role::Viewer);
    store.put_operator(&new, &after(5)).await.unwrap();
    let next = (Access::Token(key("token 3")), None);
    let alice = "alice".parse().unwrap();
    let renewed = store
        .renew_operator(&alice, next, at(NOW + 700), &after(6))
        .await;
    renewed.unwrap();
    let before = vec![secret(1, Some(NOW + 60)), secret(2, None)];
    let rotated = SecretChange {
        after: vec![
            before[0].clone(),
            secret(2, Some(NOW + 700)),
            secret(3, None),
        ],
        before,
        delegations: Vec::new(),
        without: Vec::new(),
        records: vec![(Action::RotateSecret, Some(secret(3, None)))],
    };
    store.change_secrets(&rotated, &after(7)).await.unwrap();
    store.break_glass(&after(8)).await.unwrap();
    change(store, 1, Change::Retire, NOW + 610).await;
}

async fn rows_from_before_a_newer_log_are_compared(db: &Database) {
    let backup = restored(db, much).await;
    let ways = [
        ("operators", "role = 'admin' WHERE name = 'alice'", "alice"),
        ("operators", "disabled = 1 WHERE name = 'carl'", "carl"),
        ("zones", "forms = 'rfc9345'", "the zone cpe.example.com"),
        ("slots", "state = 'draining' WHERE number = 1", "slots 1 of"),
        ("slots", "state = 'gone' WHERE number = 2", "slots 2 of"),
        ("slots", "number = 3 WHERE number = 2", "slots 3 of"),
        ("shared_secrets", "until = NULL", "codes version 1"),
        ("shared_secrets", "version = 3 WHERE version = 2", "codes"),
        ("approvals", "state = 'refused'", "approvals"),
        ("break_glass", "time = 3", "break_glass"),
        ("retired", "count = 0", "retired tester"),
    ];
    for (table, change, words) in ways {
        backup
            .tamper(&format!("CREATE TABLE saved AS SELECT * FROM {table}"))
            .await;
        backup
            .tamper_freely(&format!("UPDATE {table} SET {change}"))
            .await;
        let found = wrong(&backup.store, Beside::default()).await;
        assert!(
            found.iter().any(|one| one.contains(words)),
            "{table} {change}: {found:?}"
        );
        backup
            .tamper_freely(&format!(
                "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM saved; DROP TABLE saved"
            ))
            .await;
        let found = wrong(&backup.store, Beside::default()).await;
        assert_eq!(found, [""; 0], "{table}: not as it was");
    }
    let put = [
        (
            "INSERT INTO operators (name, role, token_sha256, disabled) SELECT 'newcomer', role, hash, 0 \
             FROM operators, audit_head WHERE name = 'alice'",
            "the operator newcomer",
        ),
        (
            "INSERT INTO zones (zone, forms, roles) SELECT 'other.example.com', forms, roles FROM zones",
            "the zone other.example.com",
        ),
        (
            "DELETE FROM operators WHERE name = 'carl'",
            "the operator carl",
        ),
        ("DELETE FROM slots WHERE number = 2", "slot 2 of"),
        ("DELETE FROM break_glass", "act without a credential"),
        ("DELETE FROM approvals", "approval"),
    ];
    for (sql, words) in put {
        backup.tamper_freely(sql).await;
        let found = wrong(&backup.store, Beside::default()).await;
        assert!(
            found.iter().any(|one| one.contains(words)),
            "{sql}: {found:?}"
        );
    }
    backup.end().await;
}

async fn nobody_comes_back_whom_a_newer_log_keeps_out(db: &Database) {
    let backup = restored(db, async |store: &Store| {
        let alice = "alice".parse().unwrap();
        store
            .disable_operator(&alice, &by(NOW + 600))
            .await
            .unwrap();
        let carl = operator("carl", Role::Admin);
        store.put_operator(&carl, &by(NOW + 601)).await.unwrap();
    })
    .await;
    let all = backup.store.operators().await.unwrap();
    assert!(all.iter().all(|operator| operator.disabled));
    for (name, change) in [
        ("alice", "disabled = 0"),
        ("carl", "disabled = 0"),
        ("carl", "role = 'viewer'"),
    ] {
        backup
            .tamper("CREATE TABLE saved AS SELECT * FROM operators")
            .await;
        backup
            .tamper(&format!(
                "UPDATE operators SET {change} WHERE name = '{name}'"
            ))
            .await;
        let found = wrong(&backup.store, Beside::default()).await;
        assert_eq!(found.len(), 1, "{name} {change}: {found:?}");
        assert!(found[0].contains(&format!("operator {name}")), "{found:?}");
        backup
            .tamper("DELETE FROM operators; INSERT INTO operators SELECT * FROM saved; DROP TABLE saved")
            .await;
    }
    backup.end().await;
}

async fn acts_behind_a_newer_log_are_compared(db: &Database) {
    let backup = restored(db, much).await;
    let store = &*backup.store;
    let alice = operator("alice", Role::Operator);
    store.put_operator(&alice, &by(NOW + 901)).await.unwrap();
    let named = store.set_forms(&zone(), Forms::Named, &by(NOW + 902)).await;
    named.unwrap();
    let new = NewDelegation {
        zone: zone(),
        certificate_sha256: key("third"),
        not_before: at(NOW),
        not_after: at(NOW + 80 * 86_400),
    };
    store.import_delegation(&new, &by(NOW + 903)).await.unwrap();
    let before = vec![secret(1, Some(NOW + 60)), secret(2, None)];
    let rotated = SecretChange {
        after: vec![
            before[0].clone(),
            secret(2, Some(NOW + 990)),
            secret(3, None),
        ],
        before,
        delegations: Vec::new(),
        without: Vec::new(),
        records: vec![(Action::RotateSecret, Some(secret(3, None)))],
    };
    store.change_secrets(&rotated, &by(NOW)).await.unwrap();
    assert_eq!(wrong(store, Beside::default()).await, [""; 0]);
    assert!(store.secret_behind_log().await.unwrap().is_none());
    for (sql, words) in [
        ("UPDATE operators SET role = 'admin'", "alice"),
        ("UPDATE zones SET forms = 'both'", "cpe.example.com"),
        ("UPDATE slots SET since = 3 WHERE number = 3", "slots 3 of"),
        ("DELETE FROM shared_secrets WHERE version = 3", "codes"),
    ] {
        backup.tamper_freely(sql).await;
        let found = wrong(store, Beside::default()).await;
        assert!(
            found.iter().any(|one| one.contains(words)),
            "{sql}: {found:?}"
        );
    }
    assert!(store.secret_behind_log().await.unwrap().is_some());
    backup.end().await;
}

async fn a_forged_record_of_a_newer_log_hides_nothing(db: &Database) {
    let backup = restored(db, much).await;
    everything_is_named_behind_a_forged_record(&backup).await;
    backup.end().await;
    // Also where none was ever brought up.
    everything_is_named_behind_a_forged_record(db).await;
}

async fn everything_is_named_behind_a_forged_record(db: &Database) {
    let seq = append(db, entry(Action::Replay, "operator:alice", NOW + 950)).await;
    db.tamper_freely("UPDATE operators SET role = 'admin'")
        .await;
    let found = wrong(&db.store, Beside::default()).await;
    let words = format!("record {seq} of the audit log (replay) has no hash");
    assert!(found.iter().any(|one| one.contains(&words)), "{found:?}");
}
