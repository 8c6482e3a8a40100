//! Opening, migrating, backing up.

use super::*;

on_both! {
    a_backup_is_a_database_of_its_own,
    a_database_of_a_newer_version_is_refused,
    a_database_that_was_changed_by_another_program_is_refused,
    a_database_without_tables_must_be_migrated,
    a_newer_version_may_add_columns_while_this_one_runs,
    devices_of_the_first_version_hold_their_names,
    migrating_again_changes_nothing,
    no_error_or_debug_output_has_the_password,
    only_a_server_has_a_clock_of_its_own,
    ping_says_whether_it_works,
    two_processes_write_one_after_the_other,
    what_was_never_written_is_an_error,
}

async fn a_database_without_tables_must_be_migrated(db: &Database) {
    let empty = match db.location {
        Location::File(_) => Location::File(db.folder.path().join("empty.db")),
        Location::Postgres(_) => testing::postgres().await.unwrap(),
    };
    let needed = look(&db.location).await.unwrap().needed;
    let error = open(&empty, "node").await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::SchemaTooOld { found: 0, needed: found } if found == needed
        ),
        "{error:?}"
    );
    let schema = Schema { found: 0, needed };
    assert_eq!(look(&empty).await.unwrap(), schema);
    assert_eq!(migrate(&empty).await.unwrap(), schema);
    open(&empty, "node").await.unwrap().close().await;
}

async fn a_newer_version_may_add_columns_while_this_one_runs(db: &Database) {
    let store = &*db.store;
    let tables = [
        "devices",
        "names",
        "codes",
        "zones",
        "slots",
        "operators",
        "answers",
        "audit",
        "issue_weeks",
    ];
    let device = active(store, 1).await;
    use_everything(store, &device, 0).await;
    for table in tables {
        db.tamper(&format!("ALTER TABLE {table} ADD COLUMN later BIGINT"))
            .await;
    }
    use_everything(store, &device, 1).await;
}

async fn use_everything(store: &Store, device: &Device, number: u64) {
    store.record(issuance(device, number)).await.unwrap();
    let key = issuance(device, number).idempotency.unwrap().key;
    store
        .find_answer(device.id, &key, at(NOW))
        .await
        .unwrap()
        .unwrap();
    let page = Page {
        limit: 9,
        ..Page::default()
    };
    store.list_devices(&Filter::default(), &page).await.unwrap();
    store
        .find_device(&Find::Name(device.name.clone()))
        .await
        .unwrap();
    store.history(device.id, 9).await.unwrap();
    store.find_code(CodeId::from_bytes([1; 6])).await.unwrap();
    store.zones().await.unwrap();
    store.withdrawn(&zone(), at(NOW)).await.unwrap();
    store.fleet(at(NOW)).await.unwrap();
    store.operators().await.unwrap();
    store.verify_audit().await.unwrap();
    store.tidy(at(NOW), &Retention::default()).await.unwrap();
    store.ping(0).await.unwrap();
    let new = new_device(50 + u32::try_from(number).unwrap());
    store.add_devices(&[new], &by(NOW)).await.unwrap();
}

async fn migrating_again_changes_nothing(db: &Database) {
    active(&db.store, 1).await;
    let needed = look(&db.location).await.unwrap().needed;
    let schema = Schema {
        found: needed,
        needed,
    };
    assert_eq!(migrate(&db.location).await.unwrap(), schema);
    assert_eq!(look(&db.location).await.unwrap(), schema);
    assert_eq!(db.store.verify_audit().await.unwrap().seq, 2);
}

async fn a_database_of_a_newer_version_is_refused(db: &Database) {
    let needed = look(&db.location).await.unwrap().needed;
    db.tamper(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    for error in [
        open(&db.location, "node").await.unwrap_err(),
        migrate(&db.location).await.unwrap_err(),
        look(&db.location).await.unwrap_err(),
    ] {
        assert!(
            matches!(
                error,
                Error::SchemaUnknown { found: 99, known } if known == needed
            ),
            "{error:?}"
        );
    }
}

async fn a_database_that_was_changed_by_another_program_is_refused(db: &Database) {
    let zero = match db.location {
        Location::File(_) => "zeroblob(48)",
        Location::Postgres(_) => "'\\x00'::bytea",
    };
    db.tamper(&format!("UPDATE _sqlx_migrations SET checksum = {zero}"))
        .await;
    let error = open(&db.location, "node").await.unwrap_err();
    assert!(
        matches!(error, Error::SchemaUnknown { found: 1, .. }),
        "{error:?}"
    );
}

async fn a_backup_is_a_database_of_its_own(db: &Database) {
    use std::os::unix::fs::PermissionsExt;
    let device = active(&db.store, 1).await;
    let copy = db.folder.path().join("backup.db");
    let backed_up = db.store.backup(&copy).await;
    if let Location::Postgres(_) = db.location {
        let error = backed_up.unwrap_err();
        assert!(matches!(error, Error::BackupElsewhere));
        assert!(error.to_string().contains("pg_dump"));
        return;
    }
    backed_up.unwrap();
    for path in [copy.clone(), db.folder.path().join("signer.db-wal")] {
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    db.store
        .change_device(device.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    let restored = open(&Location::File(copy.clone()), "node-2").await.unwrap();
    assert_eq!(restored.check().await.unwrap().seq, 2);
    assert_eq!(by_id(&restored, device.id).await, device);
    let error = db.store.backup(&copy).await.unwrap_err();
    assert!(matches!(error, Error::BackupExists { path } if path == copy));
    let nowhere = db.folder.path().join("missing").join("backup.db");
    let error = db.store.backup(&nowhere).await.unwrap_err();
    assert!(matches!(error, Error::CannotWrite { .. }), "{error:?}");
}

async fn two_processes_write_one_after_the_other(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let writing = db.write_for(Duration::from_millis(300)).await;
    store.record(issuance(&device, 0)).await.unwrap();
    writing.await.unwrap();
    let writing = db.write_for(Duration::from_millis(300)).await;
    store
        .change_device(device.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    writing.await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().seq, 4);
}

async fn what_was_never_written_is_an_error(db: &Database) {
    let device = active(&db.store, 1).await;
    db.tamper("UPDATE devices SET epoch = -1").await;
    let error = db
        .store
        .find_device(&Find::Id(device.id))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Corrupt { place: "epoch" }),
        "{error:?}"
    );
    db.tamper("UPDATE devices SET epoch = 0, state = 'lost'")
        .await;
    let error = db.store.record(issuance(&device, 0)).await.unwrap_err();
    assert!(
        matches!(error, Error::Corrupt { place: "state" }),
        "{error:?}"
    );
    assert_eq!(db.store.audit_head().await.unwrap().seq, 2);
}

async fn only_a_server_has_a_clock_of_its_own(db: &Database) {
    let there = db.store.clock().await.unwrap();
    let here = dc_pki::clock::precise().unwrap();
    match &db.location {
        Location::File(_) => assert_eq!(there, None),
        // Of this machine, but in this test only.
        Location::Postgres(_) => {
            let there = there.unwrap();
            assert!(
                there.here,
                "tests reach their server by a socket of this machine"
            );
            assert!(here.abs_diff(there.time) < Duration::from_secs(5));
        }
    }
}

async fn ping_says_whether_it_works(db: &Database) {
    db.store.ping(0).await.unwrap();
    let head = db.store.audit_head().await.unwrap();
    db.tamper("DROP TABLE audit_head").await;
    assert!(db.store.ping(0).await.is_err());
    assert_eq!(head, Head::EMPTY);
}

async fn no_error_or_debug_output_has_the_password(db: &Database) {
    let mut shown = format!("{:?} {:?}", db.location, db.store);
    if let Location::Postgres(_) = db.location {
        // A port that nobody listens on: it was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = format!("postgres://user:hunter2@127.0.0.1:{port}/nothing");
        let secret: Location = url.parse().unwrap();
        let error = open(&secret, "node").await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        shown += &format!("{secret:?} {error} {error:?}");
        let error = open(&"postgres://user:hunter2@:x/".parse().unwrap(), "node")
            .await
            .unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

async fn devices_of_the_first_version_hold_their_names(db: &Database) {
    let store = &*db.store;
    let [kept, replaced, new] = [
        active(store, 1).await,
        active(store, 2).await,
        active(store, 3).await,
    ];
    for device in [&kept, &replaced] {
        store.record(issuance(device, 0)).await.unwrap();
    }
    // As they were before.
    for column in ["held_until", "free_from", "stays_withdrawn", "shown_sha256"] {
        let sql = format!("ALTER TABLE devices DROP COLUMN {column}");
        db.tamper(&sql).await;
    }
    for table in ["lost_names", "shared_delegations", "shared_secrets"] {
        db.tamper(&format!("DROP TABLE {table}")).await;
    }
    for column in ["other_forms_until", "roles"] {
        let sql = format!("ALTER TABLE zones DROP COLUMN {column}");
        db.tamper(&sql).await;
    }
    for column in ["detail_sha256", "reason", "scope"] {
        let sql = format!("ALTER TABLE audit DROP COLUMN {column}");
        db.tamper(&sql).await;
    }
    for index in [
        "audit_accepted",
        "audit_approval",
        "audit_approvals",
        "audit_break_glass",
        "audit_imports",
        "audit_new_name",
        "audit_retired",
        "audit_root",
        "audit_slots",
        "devices_credential",
        "devices_rare",
        "operators_previous_key",
        "operators_previous_token",
    ] {
        db.tamper(&format!("DROP INDEX {index}")).await;
    }
    if let Location::Postgres(_) = db.location {
        db.tamper("DROP INDEX names_search").await;
    }
    let previous = ["token_sha256", "key_sha256", "expires"].map(|end| format!("previous_{end}"));
    for column in previous.iter().map(String::as_str).chain(["expires"]) {
        let sql = format!("ALTER TABLE operators DROP COLUMN {column}");
        db.tamper(&sql).await;
    }
    for table in [
        "approvals",
        "retired",
        "break_glass",
        "limits_used",
        "limits_exchanges",
        "promises",
        "promises_exchanges",
    ] {
        db.tamper(&format!("DROP TABLE {table}")).await;
    }
    for column in ["format", "sealing"] {
        let sql = format!("ALTER TABLE replicas DROP COLUMN {column}");
        db.tamper(&sql).await;
    }
    for table in ["checkpoints", "archives", "renewals"] {
        db.tamper(&format!("DROP TABLE {table}")).await;
    }
    db.tamper("DELETE FROM _sqlx_migrations WHERE version >= 3")
        .await;
    db.tamper("UPDATE devices SET state = 'preregistered', enrolment_key = NULL WHERE external_id = 'customer-0002'")
        .await;
    migrate(&db.location).await.unwrap();
    let store = &*db.other().await;
    let week = NOW + 7 * 86_400;
    let kept = by_id(store, kept.id).await;
    assert_eq!(
        (kept.hold.until, kept.hold.free_from),
        (Some(at(week)), None)
    );
    assert!(kept.credential.is_some());
    let replaced = by_id(store, replaced.id).await;
    assert_eq!(replaced.waits_until(at(week)), Some(at(week + 1)));
    assert_eq!(replaced.credential, None);
    assert_eq!(by_id(store, new.id).await, new);
    store.close().await;
}
