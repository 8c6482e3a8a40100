//! SQLite: a file beside the signer. One connection writes, others read.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection, Executor, Transaction};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::Error;
use super::sql::{Batch, Value};

mod batch;
mod error;
mod file;

use error::classify;
pub(crate) use file::{check_permissions, create, is_there, not_opened};

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("src/migrations/sqlite");

/// A database file.
pub(super) struct Sqlite {
    path: PathBuf,
    options: SqliteConnectOptions,
    reading: SqliteConnectOptions,
    readers: SqlitePool,
    /// For lookups; empty before the first.
    looker: Arc<Mutex<Option<SqliteConnection>>>,
    /// Empty while nobody has written, and after a write that failed: SQLite may then have rolled
    /// back by itself or not, and only a new connection is sure to be in no transaction.
    writer: Arc<Mutex<Option<SqliteConnection>>>,
}

impl Sqlite {
    /// Opens a file that exists.
    pub(super) fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // Each commit is on the disk before anybody gets an answer.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("cache_size", "-65536")
            // A page that is written again before the log is copied back is copied once.
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "67108864")
            // What a statement sets aside is small: no file for it.
            .pragma("temp_store", "memory")
            .disable_statement_logging();
        let reading = options
            .clone()
            .pragma("query_only", "on")
            // Each commit empties it.
            .pragma("cache_size", "-2048");
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            // A thread of this process is there or it is not.
            .test_before_acquire(false)
            .connect_lazy_with(reading.clone());
        Self {
            path: path.into(),
            options,
            reading,
            readers,
            looker: Arc::default(),
            writer: Arc::default(),
        }
    }

    /// A connection of its own.
    async fn connect(&self) -> Result<SqliteConnection, Error> {
        self.options.connect().await.map_err(classify)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sqlite({})", self.path.display())
    }
}

impl Sqlite {
    pub(super) async fn write(&self) -> Result<SqliteSession, Error> {
        let mut home = Arc::clone(&self.writer).lock_owned().await;
        let mut connection = match home.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // The command line writes to the same file: whoever begins has the only lock there is.
        let begun = connection.execute("BEGIN IMMEDIATE").await;
        begun.map_err(classify)?;
        Ok(SqliteSession::Write { home, connection })
    }

    pub(super) async fn read(&self) -> Result<SqliteSession, Error> {
        let connection = self.readers.acquire().await.map_err(classify)?;
        Ok(SqliteSession::Read(connection))
    }

    /// The pool asks a connection that comes back whether it still works, which costs as much as a lookup.
    pub(super) async fn look(&self) -> Result<SqliteSession, Error> {
        let mut home = Arc::clone(&self.looker).lock_owned().await;
        let connection = match home.take() {
            Some(connection) => connection,
            None => self.reading.connect().await.map_err(classify)?,
        };
        let lent = OwnedMutexGuard::map(home, |home| home.insert(connection));
        Ok(SqliteSession::Look(lent))
    }

    pub(super) async fn snapshot(&self) -> Result<SqliteSession, Error> {
        let transaction = self.readers.begin().await.map_err(classify)?;
        Ok(SqliteSession::Snapshot(transaction))
    }

    pub(super) async fn migrate(&self) -> Result<(), Error> {
        let options = SqlitePoolOptions::new().max_connections(1);
        let pool = options.connect_lazy_with(self.options.clone());
        let done = MIGRATOR.run(&pool).await;
        pool.close().await;
        done.map_err(|error| classify(error.into()))
    }

    pub(super) async fn back_up(&self, to: &Path) -> Result<(), Error> {
        file::back_up(self.connect().await?, to).await
    }

    pub(super) async fn check_pages(&self) -> Result<(), Error> {
        file::check_pages(self.connect().await?).await
    }

    pub(super) async fn close(&self) {
        for home in [&self.looker, &self.writer] {
            if let Some(connection) = home.lock().await.take() {
                // What is committed is on the disk, whether closing works or not.
                let _ = connection.close().await;
            }
        }
        self.readers.close().await;
    }
}

/// A connection to the file.
pub(super) enum SqliteSession {
    Look(OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>),
    Read(PoolConnection<sqlx::Sqlite>),
    Snapshot(Transaction<'static, sqlx::Sqlite>),
    Write {
        home: OwnedMutexGuard<Option<SqliteConnection>>,
        connection: SqliteConnection,
    },
}

impl SqliteSession {
    fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Look(connection) => connection,
            Self::Read(connection) => connection,
            Self::Snapshot(transaction) => transaction,
            Self::Write { connection, .. } => connection,
        }
    }

    /// Ends a transaction that writes; the connection is used again only if that worked.
    async fn end(self, how: &'static str) -> Result<(), Error> {
        match self {
            Self::Look(_) | Self::Read(_) => Ok(()),
            Self::Snapshot(transaction) => transaction.rollback().await.map_err(classify),
            Self::Write {
                mut home,
                mut connection,
            } => {
                connection.execute(how).await.map_err(classify)?;
                *home = Some(connection);
                Ok(())
            }
        }
    }
}

impl SqliteSession {
    pub(super) const BLOB: &'static str = "BLOB";

    pub(super) const IS_MIGRATED: &'static str =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";

    /// A transaction that writes has locked everything.
    pub(super) const FOR_UPDATE: &'static str = "";

    pub(super) async fn fetch(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<Vec<SqliteRow>, Error> {
        let arguments = arguments(values)?;
        sqlx::query_with(AssertSqlSafe(sql.into()), arguments)
            .fetch_all(self.connection())
            .await
            .map_err(classify)
    }

    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<u64, Error> {
        let arguments = arguments(values)?;
        sqlx::query_with(AssertSqlSafe(sql.into()), arguments)
            .execute(self.connection())
            .await
            .map(|done| done.rows_affected())
            .map_err(classify)
    }

    pub(super) async fn fetch_batch(
        &mut self,
        sql: &str,
        batch: Batch,
    ) -> Result<Vec<SqliteRow>, Error> {
        let mut found = Vec::new();
        for (sql, values) in batch::expand(sql, batch) {
            found.extend(self.fetch(sql, values).await?);
        }
        Ok(found)
    }

    pub(super) async fn execute_batch(&mut self, sql: &str, batch: Batch) -> Result<u64, Error> {
        let mut written = 0;
        for (sql, values) in batch::expand(sql, batch) {
            written += self.execute(sql, values).await?;
        }
        Ok(written)
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        self.end("COMMIT").await
    }

    pub(super) async fn roll_back(self) {
        // If it fails, the connection is dropped, which does the same.
        let _ = self.end("ROLLBACK").await;
    }
}

fn arguments(values: Vec<Value>) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Value::Blob(blob) => Arguments::add(&mut arguments, blob),
            Value::Int(int) => Arguments::add(&mut arguments, int),
            Value::Text(text) => Arguments::add(&mut arguments, text),
        };
        added.map_err(|error| classify(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

/// How long to wait for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
