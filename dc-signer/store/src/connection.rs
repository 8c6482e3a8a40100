//! The database and its connections, whichever of the two kinds it is.
//!
//! The statements are the same for both; SQLite and PostgreSQL answer the few calls that run them.

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use pki_types::UnixTime;
use sqlx::Row as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::Error;
use super::postgres::{Plan, Postgres, PostgresSession};
use super::sql::{Batch, Value, corrupt};
use super::sqlite::{Sqlite, SqliteSession};
use crate::registry::{LAST, Sha256};

/// A database that sessions can be opened on.
#[derive(Debug)]
pub(super) enum Database {
    Postgres(Box<Postgres>),
    Sqlite(Box<Sqlite>),
}

impl Database {
    /// A transaction that is alone in writing, from the start.
    pub(super) async fn write(&self) -> Result<Session, Error> {
        Ok(match self {
            Self::Postgres(database) => Session::Postgres(database.write().await?),
            Self::Sqlite(database) => Session::Sqlite(database.write().await?),
        })
    }

    /// A connection to read from, each statement for itself.
    pub(super) async fn read(&self) -> Result<Session, Error> {
        Ok(match self {
            Self::Postgres(database) => Session::Postgres(database.read().await?),
            Self::Sqlite(database) => Session::Sqlite(database.read().await?),
        })
    }

    /// A connection for a short read: there may be only one, for which the next waits.
    pub(super) async fn look(&self) -> Result<Session, Error> {
        Ok(match self {
            Self::Postgres(database) => Session::Postgres(database.read().await?),
            Self::Sqlite(database) => Session::Sqlite(database.look().await?),
        })
    }

    /// A transaction whose statements all see the database as it is now.
    pub(super) async fn snapshot(&self) -> Result<Session, Error> {
        Ok(match self {
            Self::Postgres(database) => Session::Postgres(database.snapshot().await?),
            Self::Sqlite(database) => Session::Sqlite(database.snapshot().await?),
        })
    }

    /// Checks that nothing else is there beside rows than the migrations make, now and at each use from now on.
    ///
    /// Fails with [`Error::SchemaChanged`].
    pub(super) async fn watch(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(database) => database.watch().await,
            Self::Sqlite(database) => database.watch().await,
        }
    }

    /// How many transactions are worked out at the same time: a server may be far away, and a file has one writer.
    pub(super) const fn flights(&self) -> usize {
        match self {
            Self::Postgres(_) => 2,
            Self::Sqlite(_) => 1,
        }
    }

    /// The migrations that this version knows.
    pub(super) fn migrator(&self) -> &'static Migrator {
        match self {
            Self::Postgres(_) => &super::postgres::MIGRATOR,
            Self::Sqlite(_) => &super::sqlite::MIGRATOR,
        }
    }

    /// Applies the migrations that are missing.
    pub(super) async fn migrate(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(database) => database.migrate().await,
            Self::Sqlite(database) => database.migrate().await,
        }
    }

    /// Writes a consistent copy to a new file.
    ///
    /// Fails with [`Error::BackupElsewhere`] on PostgreSQL.
    pub(super) async fn back_up(&self, to: &Path) -> Result<(), Error> {
        match self {
            Self::Postgres(_) => Err(Error::BackupElsewhere),
            Self::Sqlite(database) => database.back_up(to).await,
        }
    }

    /// Reads everything and checks how it is laid out.
    pub(super) async fn check_pages(&self) -> Result<(), Error> {
        match self {
            // The server does so itself, if its data folder was made with checksums.
            Self::Postgres(_) => Ok(()),
            Self::Sqlite(database) => database.check_pages().await,
        }
    }

    /// Closes all connections when they are idle.
    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(database) => database.close().await,
            Self::Sqlite(database) => database.close().await,
        }
    }
}

/// A connection on which statements run, or a transaction.
pub(super) enum Session {
    /// None yet: what is written is kept for a transaction that takes one message.
    Plan(Box<Plan>),
    Postgres(PostgresSession),
    Sqlite(SqliteSession),
}

impl Session {
    pub(super) async fn fetch(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        match self {
            Self::Plan(plan) => plan.fetch(&sql.into(), values).await.map(Row::of_postgres),
            Self::Postgres(session) => session.fetch(sql, values).await.map(Row::of_postgres),
            Self::Sqlite(session) => session.fetch(sql, values).await.map(Row::of_sqlite),
        }
    }

    /// The first row, if there is one.
    pub(super) async fn fetch_one(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.fetch(sql, values).await?.into_iter().next())
    }

    /// The first row of what has another answer each time, such as a clock.
    pub(super) async fn fetch_passing(&mut self, sql: &'static str) -> Result<Option<Row>, Error> {
        match self {
            Self::Plan(plan) => Ok(plan.fetch_passing(sql).await?.pop().map(Row::Postgres)),
            _ => self.fetch_one(sql, Vec::new()).await,
        }
    }

    /// Writes; nobody needs to know how many rows.
    pub(super) async fn tell(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<(), Error> {
        match self {
            Self::Plan(plan) => plan.tell(&sql.into(), &values),
            _ => self.execute(sql, values).await.map(|_| ()),
        }
    }

    /// The same for rows.
    pub(super) async fn tell_batch(&mut self, sql: &str, batch: Batch) -> Result<(), Error> {
        match self {
            Self::Plan(plan) => plan.tell_batch(sql, &batch, None),
            _ => self.execute_batch(sql, batch).await.map(|_| ()),
        }
    }

    /// Writes as many rows of a table as there are in the batch.
    ///
    /// Fails with [`Error::NotWritten`] if there are more or fewer.
    pub(super) async fn write_all(
        &mut self,
        table: &'static str,
        sql: &str,
        batch: Batch,
    ) -> Result<(), Error> {
        if let Self::Plan(plan) = self {
            return plan.tell_batch(sql, &batch, Some(table));
        }
        let expected = u64::try_from(batch.rows.len()).unwrap_or(u64::MAX);
        match self.execute_batch(sql, batch).await? {
            written if written == expected => Ok(()),
            written => Err(Error::NotWritten {
                table,
                expected,
                written,
            }),
        }
    }

    /// Fails if what follows would not read what was written before it: it is done again in a transaction.
    pub(super) fn read_own_writes(&mut self) -> Result<(), Error> {
        match self {
            Self::Plan(plan) => plan.unfit(),
            Self::Postgres(_) | Self::Sqlite(_) => Ok(()),
        }
    }

    /// Says how many rows were written.
    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<u64, Error> {
        match self {
            Self::Plan(plan) => plan.unfit(),
            Self::Postgres(session) => session.execute(sql, values).await,
            Self::Sqlite(session) => session.execute(sql, values).await,
        }
    }

    pub(super) async fn fetch_batch(&mut self, sql: &str, batch: Batch) -> Result<Vec<Row>, Error> {
        match self {
            Self::Plan(plan) => plan.fetch_batch(sql, batch).await.map(Row::of_postgres),
            Self::Postgres(session) => session.fetch_batch(sql, batch).await.map(Row::of_postgres),
            Self::Sqlite(session) => session.fetch_batch(sql, batch).await.map(Row::of_sqlite),
        }
    }

    pub(super) async fn execute_batch(&mut self, sql: &str, batch: Batch) -> Result<u64, Error> {
        match self {
            Self::Plan(plan) => plan.unfit(),
            Self::Postgres(session) => session.execute_batch(sql, batch).await,
            Self::Sqlite(session) => session.execute_batch(sql, batch).await,
        }
    }

    /// Checks, behind all that a transaction writes, that nothing else was there than the migrations make.
    ///
    /// Fails with [`Error::SchemaChanged`].
    pub(super) async fn check_written(&mut self) -> Result<(), Error> {
        match self {
            Self::Postgres(session) => session.check_written().await,
            // It is looked at where it is written, or was when all others were locked out.
            Self::Plan(_) | Self::Sqlite(_) => Ok(()),
        }
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Plan(_) => Ok(()),
            Self::Postgres(session) => session.commit().await,
            Self::Sqlite(session) => session.commit().await,
        }
    }

    pub(super) async fn roll_back(self) {
        match self {
            Self::Plan(_) => {}
            Self::Postgres(session) => session.roll_back().await,
            Self::Sqlite(session) => session.roll_back().await,
        }
    }

    /// A query for the server's clock, in microseconds since 1970, and whether it is this machine's, if there is a server.
    pub(super) const fn clock_query(&self) -> Option<&'static str> {
        match self {
            Self::Plan(_) | Self::Postgres(_) => Some(PostgresSession::CLOCK),
            Self::Sqlite(_) => None,
        }
    }

    /// The type of a column of bytes.
    pub(super) const fn blob_type(&self) -> &'static str {
        match self {
            Self::Plan(_) | Self::Postgres(_) => PostgresSession::BLOB,
            Self::Sqlite(_) => SqliteSession::BLOB,
        }
    }

    /// Appended to a select of rows that are to be locked.
    pub(super) const fn for_update(&self) -> &'static str {
        match self {
            Self::Plan(_) | Self::Postgres(_) => PostgresSession::FOR_UPDATE,
            Self::Sqlite(_) => SqliteSession::FOR_UPDATE,
        }
    }

    /// A query that has a row if there is a table of migrations.
    pub(super) const fn is_migrated_query(&self) -> &'static str {
        match self {
            Self::Plan(_) | Self::Postgres(_) => PostgresSession::IS_MIGRATED,
            Self::Sqlite(_) => SqliteSession::IS_MIGRATED,
        }
    }
}

/// A row of a result. Everything but the first three methods says [`Error::Corrupt`] with the column
/// if it holds something else than was written.
pub(super) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Row {
    fn of_postgres(rows: Vec<PgRow>) -> Vec<Self> {
        rows.into_iter().map(Self::Postgres).collect()
    }

    fn of_sqlite(rows: Vec<SqliteRow>) -> Vec<Self> {
        rows.into_iter().map(Self::Sqlite).collect()
    }

    pub(super) fn maybe_blob(&self, column: &'static str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        }
        .map_err(|_| corrupt(column))
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, Error> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        }
        .map_err(|_| corrupt(column))
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, Error> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        }
        .map_err(|_| corrupt(column))
    }

    pub(super) fn blob(&self, column: &'static str) -> Result<Vec<u8>, Error> {
        self.maybe_blob(column)?.ok_or_else(|| corrupt(column))
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, Error> {
        self.maybe_text(column)?.ok_or_else(|| corrupt(column))
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, Error> {
        let number = self.maybe_int(column)?.ok_or_else(|| corrupt(column))?;
        T::try_from(number).map_err(|_| corrupt(column))
    }

    pub(super) fn bytes<const N: usize>(&self, column: &'static str) -> Result<[u8; N], Error> {
        self.blob(column)?.try_into().map_err(|_| corrupt(column))
    }

    pub(super) fn hash(&self, column: &'static str) -> Result<Sha256, Error> {
        self.bytes(column).map(Sha256::from_bytes)
    }

    pub(super) fn maybe_hash(&self, column: &'static str) -> Result<Option<Sha256>, Error> {
        let Some(blob) = self.maybe_blob(column)? else {
            return Ok(None);
        };
        let bytes = blob.try_into().map_err(|_| corrupt(column))?;
        Ok(Some(Sha256::from_bytes(bytes)))
    }

    pub(super) fn time(&self, column: &'static str) -> Result<UnixTime, Error> {
        self.maybe_time(column)?.ok_or_else(|| corrupt(column))
    }

    pub(super) fn maybe_time(&self, column: &'static str) -> Result<Option<UnixTime>, Error> {
        let Some(seconds) = self.maybe_int(column)? else {
            return Ok(None);
        };
        let seconds = u64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= LAST.as_secs());
        let seconds = seconds.ok_or_else(|| self.out_of_range(column))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Ok(Some(time))
    }

    /// Times are added to and multiplied by whoever reads them.
    fn out_of_range(&self, column: &'static str) -> Error {
        let value = self.maybe_int(column).ok().flatten().unwrap_or_default();
        Error::OutOfRange { column, value }
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<bool, Error> {
        self.number::<i64>(column).map(|number| number != 0)
    }

    pub(super) fn parse<T: FromStr>(&self, column: &'static str) -> Result<T, Error> {
        self.text(column)?.parse().map_err(|_| corrupt(column))
    }
}
