//! Which version the tables have, and bringing them to this program's.

use sqlx::migrate::Migrator;

use super::Error;
use super::connection::Database;

/// The versions of a database's tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schema {
    /// The version of the database; 0 if there are no tables yet.
    pub found: i64,
    /// The version that this program needs.
    pub needed: i64,
}

/// Looks at the versions.
///
/// Fails with [`Error::SchemaUnknown`] if the database has a migration that this program does not
/// know, or knows otherwise.
pub(super) async fn look(database: &Database) -> Result<Schema, Error> {
    let known: Vec<(i64, Vec<u8>)> = database
        .migrator()
        .iter()
        .map(|migration| (migration.version, migration.checksum.to_vec()))
        .collect();
    let needed = newest(database.migrator());
    let mut found = 0;
    for migration in applied(database).await? {
        found = migration.0;
        if !known.contains(&migration) {
            return Err(Error::SchemaUnknown {
                found,
                known: needed,
            });
        }
    }
    Ok(Schema { found, needed })
}

/// The version that this program needs.
pub(super) fn newest(migrator: &Migrator) -> i64 {
    let versions = migrator.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

/// The migrations that a database has seen, the last one last.
async fn applied(database: &Database) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    let mut session = database.read().await?;
    let is_migrated = session.is_migrated_query();
    if session.fetch_one(is_migrated, Vec::new()).await?.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter()
        .map(|row| Ok((row.number("version")?, row.blob("checksum")?)))
        .collect()
}

/// Fails with [`Error::SchemaTooOld`] and [`Error::SchemaUnknown`] if this program cannot work with
/// the tables.
pub(super) async fn check(database: &Database) -> Result<(), Error> {
    let Schema { found, needed } = look(database).await?;
    match found == needed {
        true => Ok(()),
        false => Err(Error::SchemaTooOld { found, needed }),
    }
}

/// Brings the tables to what this program needs; says which they had.
pub(super) async fn migrate(database: &Database) -> Result<Schema, Error> {
    let before = look(database).await?;
    if before.found != before.needed {
        database.migrate().await?;
    }
    Ok(before)
}
