//! The steps that make the tables, in order: `migrations/KIND/VERSION_what_for.sql`, the same ones for each kind of database.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// For SQLite.
pub(super) fn sqlite() -> Migrator {
    migrator(NAMES, SQLITE)
}

/// For PostgreSQL.
pub(super) fn postgres() -> Migrator {
    migrator(NAMES, POSTGRES)
}

// sqlx's own macro for it brings all of sqlx into the compiler, which is built a second time for that.
fn migrator(names: &[&'static str], statements: &[&'static str]) -> Migrator {
    let migrations = names.iter().zip(statements).filter_map(|(name, sql)| {
        let (version, purpose) = name.split_once('_')?;
        Some(Migration::new(
            version.parse().ok()?,
            Cow::Owned(purpose.replace('_', " ")),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            false,
        ))
    });
    Migrator::with_migrations(migrations.collect())
}

macro_rules! migrations {
    ($($name:literal)*) => {
        const NAMES: &[&str] = &[$($name),*];
        const SQLITE: &[&str] = &[$(include_str!(concat!("migrations/sqlite/", $name, ".sql"))),*];
        const POSTGRES: &[&str] = &[$(include_str!(concat!("migrations/postgres/", $name, ".sql"))),*];
    };
}

migrations! {
    "0001_registry"
    "0002_replicas"
    "0003_one_name"
    "0004_lost_names"
    "0005_forms_until"
    "0006_roles"
    "0007_audit_detail"
    "0008_evidence"
    "0009_renewals"
    "0010_shared_secrets"
    "0011_who"
    "0012_decided_by_the_log"
    "0015_sealing"
    "0017_retired_by_the_log"
    "0018_four_eyes"
    "0022_lists_after_an_older_copy"
    "0024_shared_limits"
    "0025_ends_by_the_log"
    "0026_addresses"
    "0027_promises"
    "0028_search"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_is_a_step_and_has_a_version_of_its_own() {
        for (folder, migrator) in [("sqlite", sqlite()), ("postgres", postgres())] {
            let path = format!("{}/src/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<_> = fs::read_dir(path)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let steps: Vec<_> = migrator
                .iter()
                .map(|step| {
                    let purpose = step.description.replace(' ', "_");
                    format!("{:04}_{purpose}.sql", step.version)
                })
                .collect();
            assert_eq!(steps, files);
            let versions: Vec<_> = migrator.iter().map(|step| step.version).collect();
            assert!(versions.is_sorted_by(|one, next| one < next));
        }
    }

    // Databases remember the description and the sum, as sqlx's macro made them.
    #[test]
    fn a_step_is_known_by_its_words_and_the_sum_of_its_file() {
        for (folder, migrator) in [("sqlite", sqlite()), ("postgres", postgres())] {
            let steps = &migrator.migrations;
            assert_eq!(steps[2].description, "one name");
            for (name, step) in NAMES.iter().zip(steps.iter()) {
                let path = format!(
                    "{}/src/migrations/{folder}/{name}.sql",
                    env!("CARGO_MANIFEST_DIR")
                );
                let sum = ring::digest::digest(&ring::digest::SHA384, &fs::read(path).unwrap());
                assert_eq!(step.checksum[..], *sum.as_ref(), "{name}");
            }
        }
    }
}
