//! SQLite: a file beside the signer. One connection writes, others read.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
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
use super::migrations;
use super::sql::{Batch, Value};

mod batch;
mod error;
mod file;
mod shape;

use error::classify;
pub(crate) use file::{check_permissions, create, is_there, not_opened};
pub(crate) use shape::expected;

pub(super) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(migrations::sqlite);

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
    watch: Arc<Watch>,
}

/// A look at what is in the file beside rows, and the end of all that is done with it.
#[derive(Debug, Default)]
struct Watch {
    /// From when on nothing is done with a file in which something else is than the migrations make.
    is_on: AtomicBool,
    /// The number that SQLite counts up with each change of a table, a view or a trigger, at the last look; none before it.
    looked_at: AtomicI64,
    /// A statement that never ends must not keep the process.
    ends: AtomicBool,
}

impl Watch {
    /// A connection of its own may see what the others do not yet.
    fn look_again(&self) {
        self.looked_at.store(NEVER, Ordering::Relaxed);
    }

    /// Fails with [`Error::SchemaChanged`].
    async fn look(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        if !self.is_on.load(Ordering::Relaxed) {
            return Ok(());
        }
        let version = sqlx::query_scalar::<_, i64>("PRAGMA schema_version");
        let version = version
            .fetch_one(&mut *connection)
            .await
            .map_err(classify)?;
        if self.looked_at.load(Ordering::Relaxed) == version {
            return Ok(());
        }
        let faults = shape::boxed(shape::faults(connection)).await?;
        if !faults.is_empty() {
            return Err(Error::SchemaChanged { faults });
        }
        self.looked_at.store(version, Ordering::Relaxed);
        Ok(())
    }

    /// Has a connection's statements broken off when nobody waits for them any more.
    async fn mind(self: &Arc<Self>, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        self.look_again();
        let watch = Arc::clone(self);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || !watch.ends.load(Ordering::Relaxed));
        Ok(())
    }
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
        let watch = Arc::new(Watch::default());
        let minded = Arc::clone(&watch);
        let readers = SqlitePoolOptions::new()
            .after_connect(move |connection, _| {
                let watch = Arc::clone(&minded);
                Box::pin(async move { watch.mind(connection).await })
            })
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
            watch,
        }
    }

    /// A connection of its own.
    async fn connect(&self) -> Result<SqliteConnection, Error> {
        self.minded(&self.options).await
    }

    async fn minded(&self, options: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
        let mut connection = options.connect().await.map_err(classify)?;
        self.watch.mind(&mut connection).await.map_err(classify)?;
        Ok(connection)
    }

    /// From now on nothing is done with a file in which something else is than the migrations make.
    ///
    /// Fails with [`Error::SchemaChanged`].
    pub(super) async fn watch(&self) -> Result<(), Error> {
        self.watch.is_on.store(true, Ordering::Relaxed);
        self.watch.look_again();
        self.read().await.map(|_| ())
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
        // Nobody else can change anything from here on.
        if let Err(error) = self.watch.look(&mut connection).await {
            connection.execute("ROLLBACK").await.map_err(classify)?;
            *home = Some(connection);
            return Err(error);
        }
        Ok(SqliteSession::Write { home, connection })
    }

    pub(super) async fn read(&self) -> Result<SqliteSession, Error> {
        let mut connection = self.readers.acquire().await.map_err(classify)?;
        self.watch.look(&mut connection).await?;
        Ok(SqliteSession::Read(connection))
    }

    /// The pool asks a connection that comes back whether it still works, which costs as much as a lookup.
    pub(super) async fn look(&self) -> Result<SqliteSession, Error> {
        let mut home = Arc::clone(&self.looker).lock_owned().await;
        let mut connection = match home.take() {
            Some(connection) => connection,
            None => self.minded(&self.reading).await?,
        };
        self.watch.look(&mut connection).await?;
        let lent = OwnedMutexGuard::map(home, |home| home.insert(connection));
        Ok(SqliteSession::Look(lent))
    }

    pub(super) async fn snapshot(&self) -> Result<SqliteSession, Error> {
        let mut transaction = self.readers.begin().await.map_err(classify)?;
        self.watch.look(&mut transaction).await?;
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
        self.watch.ends.store(true, Ordering::Relaxed);
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
/// After how many of its steps a statement asks whether anybody still waits for it: some milliseconds.
const STEPS: i32 = 100_000;
/// No number that SQLite has counted to.
const NEVER: i64 = -1;
