//! A signer of the version before, which works on while the tables are brought up to this one.
//!
//! What a program says to a PostgreSQL server in a day's work is on file for each version of the tables
//! (`upgrade/conversations`): so the version before is here without its program.

mod conversation;
mod day;
mod shape;

use std::collections::BTreeSet;
use std::path::PathBuf;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use super::*;
use crate::postgres::MIGRATOR;
use crate::testing::{Own, postgres};
use conversation::{Said, say};

/// The versions of the tables, the first one first.
fn versions() -> Vec<i64> {
    let versions = MIGRATOR.iter().map(|migration| migration.version);
    versions.collect()
}

/// Brings a database up to a version.
async fn bring_to(url: &str, version: i64) {
    let some = MIGRATOR.iter().filter(|one| one.version <= version);
    let migrator = Migrator::with_migrations(some.cloned().collect());
    let mut connection = PgConnection::connect(url).await.unwrap();
    migrator.run(&mut connection).await.unwrap();
}

/// A database of a version, and its URL; none if tests with PostgreSQL are left out.
async fn database(version: i64) -> Option<(Location, String)> {
    let location = postgres().await?;
    let Location::Postgres(url) = &location else {
        panic!("PostgreSQL's is a URL");
    };
    let url = url.to_string();
    bring_to(&url, version).await;
    Some((location, url))
}

fn file(version: i64) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/upgrade");
    PathBuf::from(format!("{folder}/conversations/{version:04}.ndjson"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_version_says_to_the_server_is_on_file() {
    if !apparatus::have(apparatus::Part::Postgres) {
        return;
    }
    let said = conversation::listen(Own::start(), day::work).await;
    let version = *versions().last().unwrap();
    let path = file(version);
    if std::env::var_os("UPDATE_CONVERSATION").is_some() {
        conversation::write(&path, &said);
    }
    let kept = conversation::read(&path);
    let forms = |said: &[Said]| said.iter().map(Said::form).collect::<BTreeSet<_>>();
    let (kept, said) = (forms(&kept), forms(&said));
    let new: Vec<_> = said.difference(&kept).collect();
    let gone: Vec<_> = kept.difference(&said).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "{} does not have what is said to the server now: run this test with UPDATE_CONVERSATION=1, and commit it\nnew: {new:#?}\ngone: {gone:#?}",
        path.display()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_version_before_says_gets_its_answers_while_the_tables_are_brought_up() {
    let all = versions();
    let [.., before, now] = all[..] else {
        panic!("there is more than one version");
    };
    let kept = conversation::read(&file(before));
    assert!(kept.len() > 300, "{}", kept.len());
    let Some((_, url)) = database(before).await else {
        return;
    };
    let alone = say(&url, &kept, (usize::MAX, async || ())).await;
    for part in [1, 2, 3] {
        let (location, url) = database(before).await.unwrap();
        let at = kept.len() * part / 4;
        let bring = async || bring_to(&url, now).await;
        let beside = say(&url, &kept, (at, bring)).await;
        for ((said, alone), beside) in kept.iter().zip(&alone).zip(&beside) {
            match said.looks_at_indexes() {
                // Whoever looks lets those alone that it does not know.
                true => assert!(beside.0 >= alone.0, "{said:?}: {beside:?}"),
                false => assert_eq!(beside, alone, "{said:?}"),
            }
        }
        // This version goes on from there.
        let store = open(&location, "node-2").await.unwrap();
        store.verify_audit().await.unwrap();
        day::afterwards(&store).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_only_adds() {
    let all = versions();
    let Some((_, url)) = database(all[0]).await else {
        return;
    };
    let mut before = shape::look(&url).await;
    for version in &all[1..] {
        bring_to(&url, *version).await;
        let after = shape::look(&url).await;
        let faults = before.faults_of(&after);
        assert!(faults.is_empty(), "{version}: {faults:#?}");
        before = after;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_break_the_version_before_is_found() {
    let newest = *versions().last().unwrap();
    for (sql, fault) in [
        ("ALTER TABLE zones DROP COLUMN roles", "roles of zones"),
        (
            "ALTER TABLE zones RENAME COLUMN roles TO ends",
            "roles of zones",
        ),
        ("DROP TABLE retired", "retired"),
        (
            "ALTER TABLE refused ALTER COLUMN requests TYPE TEXT",
            "requests of refused",
        ),
        (
            "ALTER TABLE names ALTER COLUMN withdrawn SET NOT NULL",
            "withdrawn of names",
        ),
        (
            "ALTER TABLE names ADD COLUMN later BIGINT NOT NULL",
            "later of names",
        ),
        ("CREATE UNIQUE INDEX one ON names (device)", "names"),
        (
            "ALTER TABLE codes ADD CONSTRAINT few CHECK (tries < 5)",
            "few of codes",
        ),
    ] {
        let Some((_, url)) = database(newest).await else {
            return;
        };
        let before = shape::look(&url).await;
        conversation::tell(&url, sql).await;
        let faults = before.faults_of(&shape::look(&url).await);
        assert!(
            faults.iter().any(|found| found.contains(fault)),
            "{sql}: {faults:?}"
        );
    }
    // What a migration may do.
    let Some((_, url)) = database(newest).await else {
        return;
    };
    let before = shape::look(&url).await;
    for sql in [
        "ALTER TABLE names ADD COLUMN later BIGINT",
        "ALTER TABLE names ADD COLUMN last BIGINT NOT NULL DEFAULT 0",
        "CREATE UNIQUE INDEX by_later ON names (later)",
        "CREATE INDEX by_given ON names (given)",
        "CREATE TABLE things (one BIGINT NOT NULL PRIMARY KEY)",
    ] {
        conversation::tell(&url, sql).await;
    }
    let faults = before.faults_of(&shape::look(&url).await);
    assert!(faults.is_empty(), "{faults:?}");
}
