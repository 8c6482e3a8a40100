//! Triggers, rules and views that somebody puts into the database.

use super::*;
use crate::ShapeFault;

on_both! {
    an_operator_may_add_indexes_and_tables,
    an_endless_view_in_the_place_of_a_table_is_refused_and_not_read,
    no_credential_leaves_past_a_trigger,
    triggers_views_and_rules_are_named,
}

fn is_sqlite(db: &Database) -> bool {
    matches!(db.location, Location::File(_))
}

async fn an_operator_may_add_indexes_and_tables(db: &Database) {
    let device = active(&db.store, 1).await;
    db.store.record(issuance(&device, 0)).await.unwrap();
    for sql in [
        "CREATE INDEX mine ON devices (serial, zone)",
        "CREATE UNIQUE INDEX mine_too ON audit (seq, time)",
        "CREATE TABLE notes (id BIGINT PRIMARY KEY, device TEXT, written TEXT DEFAULT 'x')",
        "CREATE VIEW serials AS SELECT serial FROM devices",
        "ALTER TABLE devices ADD COLUMN later BIGINT DEFAULT 7",
    ] {
        db.tamper(sql).await;
    }
    db.store.record(issuance(&device, 1)).await.unwrap();
    db.store.ping(0).await.unwrap();
    let other = db.other().await;
    other.record(issuance(&device, 2)).await.unwrap();
    other.verify_audit().await.unwrap();
    other.close().await;
}

/// A change, how it is undone, and words that name it.
async fn tampers(db: &Database) -> Vec<(String, String, &'static str)> {
    let week = NOW / (7 * 86_400);
    let same = |sql: &str, undo: &str, words: &'static str| {
        let all = |text: &str| text.replace("issues_W", &format!("issues_{week}"));
        (all(sql), all(undo), words)
    };
    let mut all = vec![
        same(
            "ALTER TABLE lost_names RENAME TO lost_names2; CREATE VIEW lost_names AS SELECT * FROM lost_names2",
            "DROP VIEW lost_names; ALTER TABLE lost_names2 RENAME TO lost_names",
            "lost_names is missing, is no table",
        ),
        same(
            "ALTER TABLE issues_W RENAME TO old; CREATE VIEW issues_W AS SELECT * FROM old",
            "DROP VIEW issues_W; ALTER TABLE old RENAME TO issues_W",
            "is no table",
        ),
        same(
            "DROP INDEX slots_active",
            "CREATE UNIQUE INDEX slots_active ON slots (zone) WHERE state = 'active'",
            "index slots_active",
        ),
    ];
    if is_sqlite(db) {
        all.extend([
            same(
                "CREATE TRIGGER t1 BEFORE INSERT ON audit WHEN new.action = 'issue' BEGIN SELECT RAISE(IGNORE); END",
                "DROP TRIGGER t1",
                "audit has the trigger t1",
            ),
            same(
                "CREATE TRIGGER t3 BEFORE INSERT ON issues_W BEGIN SELECT RAISE(IGNORE); END",
                "DROP TRIGGER t3",
                "has the trigger t3",
            ),
        ]);
    } else {
        let function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS \
                        $$ BEGIN RETURN NULL; END $$; ";
        db.tamper(function).await;
        db.tamper("CREATE FUNCTION g() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'")
            .await;
        all.extend([
            same(
                "CREATE TRIGGER t1 BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION f()",
                "DROP TRIGGER t1 ON audit",
                "audit has the trigger t1",
            ),
            same(
                "CREATE RULE r1 AS ON UPDATE TO audit_head DO INSTEAD NOTHING",
                "DROP RULE r1 ON audit_head",
                "DROP RULE r1 ON audit_head",
            ),
            same(
                "ALTER TABLE devices ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE devices DISABLE ROW LEVEL SECURITY",
                "row security",
            ),
            same(
                "ALTER TABLE devices ALTER COLUMN possible_clone SET DEFAULT 1",
                "ALTER TABLE devices ALTER COLUMN possible_clone SET DEFAULT 0",
                "column possible_clone of devices",
            ),
            same(
                "ALTER TABLE replicas ALTER COLUMN stopped SET DEFAULT g()",
                "ALTER TABLE replicas ALTER COLUMN stopped SET DEFAULT 0",
                "calls the function g()",
            ),
            same(
                "ALTER TABLE slots DISABLE TRIGGER ALL",
                "ALTER TABLE slots ENABLE TRIGGER ALL",
                "references of slots",
            ),
            same(
                "ALTER TABLE answers DROP CONSTRAINT answers_pkey",
                "ALTER TABLE answers ADD PRIMARY KEY (device, key)",
                "device,key of answers",
            ),
            same(
                "CREATE TABLE more () INHERITS (operators)",
                "DROP TABLE more",
                "inheritance changes which rows the table operators",
            ),
        ]);
    }
    all
}

async fn triggers_views_and_rules_are_named(db: &Database) {
    let device = active(&db.store, 1).await;
    db.store.record(issuance(&device, 0)).await.unwrap();
    for (sql, undo, words) in tampers(db).await {
        db.tamper(&sql).await;
        for error in [
            open(&db.location, "node-2").await.unwrap_err(),
            db.store.ping(0).await.unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::SchemaChanged { .. }),
                "{sql}: {error:?}"
            );
            assert!(error.to_string().contains(words), "{sql}: {error}");
        }
        db.tamper(&undo).await;
        db.store.ping(0).await.unwrap();
    }
    db.store.verify_audit().await.unwrap();
}

async fn no_credential_leaves_past_a_trigger(db: &Database) {
    let device = active(&db.store, 1).await;
    db.store.record(issuance(&device, 0)).await.unwrap();
    let (before, week) = (db.store.audit_head().await.unwrap(), NOW / (7 * 86_400));
    let triggers: Vec<(String, String)> = if is_sqlite(db) {
        [
            "INSERT ON audit",
            "UPDATE ON audit_head",
            "UPDATE ON devices",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("INSERT ON issues_{week}")])
        .map(|on| {
            let sql = format!("CREATE TRIGGER t BEFORE {on} BEGIN SELECT RAISE(IGNORE); END");
            (sql, "DROP TRIGGER t".to_owned())
        })
        .collect()
    } else {
        let function = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS \
                        $$ BEGIN RETURN NULL; END $$";
        db.tamper(function).await;
        [
            "INSERT ON audit",
            "UPDATE ON audit_head",
            "UPDATE ON devices",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("INSERT ON issues_{week}")])
        .map(|on| {
            let table = on.split(' ').next_back().unwrap_or_default().to_owned();
            let sql =
                format!("CREATE TRIGGER t BEFORE {on} FOR EACH ROW EXECUTE FUNCTION nothing()");
            (sql, format!("DROP TRIGGER t ON {table}"))
        })
        .collect()
    };
    for (sql, undo) in triggers {
        db.tamper(&sql).await;
        let error = db.store.record(issuance(&device, 1)).await.unwrap_err();
        assert!(
            matches!(&error, Error::SchemaChanged { faults }
            if matches!(&faults[..], [ShapeFault::Trigger { .. }])),
            "{sql}: {error:?}"
        );
        assert!(error.is_temporary());
        db.tamper(&undo).await;
        assert_eq!(db.store.audit_head().await.unwrap(), before, "{sql}");
    }
    db.store.record(issuance(&device, 1)).await.unwrap();
    db.store.verify_audit().await.unwrap();
}

async fn an_endless_view_in_the_place_of_a_table_is_refused_and_not_read(db: &Database) {
    let device = active(&db.store, 1).await;
    db.store.record(issuance(&device, 0)).await.unwrap();
    for table in [
        "lost_names",
        "archives",
        "approvals",
        "replicas",
        "audit_head",
        "devices",
    ] {
        let recursive = "WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) \
                         SELECT i FROM x";
        db.tamper_freely(&format!("ALTER TABLE {table} RENAME TO kept"))
            .await;
        db.tamper(&format!("CREATE VIEW {table} AS {recursive}"))
            .await;
        let error = open(&db.location, "node-2").await.unwrap_err();
        assert!(
            matches!(error, Error::SchemaChanged { .. }),
            "{table}: {error:?}"
        );
        assert!(db.store.ping(0).await.is_err());
        if is_sqlite(db) {
            // A server breaks a statement off by its own time.
            assert!(db.store.withdrawn(&zone(), at(NOW)).await.is_err());
            assert!(db.store.verify_audit().await.is_err());
        }
        db.tamper(&format!("DROP VIEW {table}")).await;
        db.tamper_freely(&format!("ALTER TABLE kept RENAME TO {table}"))
            .await;
    }
    db.store.verify_audit().await.unwrap();
}
