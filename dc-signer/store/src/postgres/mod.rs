//! PostgreSQL: one database for many signers.

use std::borrow::Cow;
use std::time::Duration;
use std::{fmt, io};

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use super::Error;
use super::shape::Expected;
use super::sql::{Batch, Kind, Value};
use super::sqlite::expected;

mod arrays;
mod at_once;
mod error;
mod gather;
mod literal;
mod plan;
mod shape;

use arrays::{arguments, expand};
pub(super) use at_once::{Chain, Stopped};
use error::classify;
pub(super) use gather::Gather;
pub(super) use plan::Plan;

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("src/migrations/postgres");

/// A database on a server.
pub(super) struct Postgres {
    pool: PgPool,
    options: PgConnectOptions,
    /// Whoever has it finds out why there is no connection; the others need not ask as well.
    asking: Mutex<()>,
    /// The things beside rows that belong there; none before anybody looks.
    expected: OnceCell<&'static Expected>,
}

impl Postgres {
    /// Opens a database by its URL; connects when it is first used.
    pub(super) fn open(url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = url.parse().map_err(classify)?;
        // A signer that hangs must not keep the others from writing for long.
        let options = options
            .application_name("dc-signer")
            .options([
                ("lock_timeout", "10s"),
                // A text in a message ends at its quote, and at nothing else.
                ("standard_conforming_strings", "on"),
                ("idle_in_transaction_session_timeout", "30s"),
                // Longer than anybody waits for an answer here: the server works on for nobody else.
                ("statement_timeout", "60s"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| Box::pin(make_durable(connection)))
            // A round trip for each use is too much; a connection that was just used is most likely
            // there, and what was idle may have lost its server.
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(is_there(connection, metadata.idle_for))
            })
            .connect_lazy_with(options.clone());
        Ok(Self {
            pool,
            options,
            asking: Mutex::default(),
            expected: OnceCell::new(),
        })
    }

    /// Connects once, because the pool tries again and again and then says only that it took too long.
    ///
    /// Fails with what keeps the server from answering.
    pub(super) async fn reach(&self) -> Result<(), Error> {
        self.connect_within(PATIENCE).await
    }

    async fn connect_within(&self, limit: Duration) -> Result<(), Error> {
        match timeout(limit, self.options.connect()).await {
            // It hears that we are gone, now or when it answers again.
            Ok(connected) => connected.map(drop).map_err(classify),
            Err(_) => Err(no_answer(limit)),
        }
    }

    async fn acquire(&self) -> Result<PoolConnection<sqlx::Postgres>, Error> {
        match self.pool.acquire().await {
            Err(error @ sqlx::Error::PoolTimedOut) => {
                if let Ok(_mine) = self.asking.try_lock() {
                    self.connect_within(MOMENT).await?;
                }
                Err(classify(error))
            }
            acquired => acquired.map_err(classify),
        }
    }

    async fn begin(&self, how: &'static str) -> Result<PostgresSession, Error> {
        let mut session = PostgresSession {
            connection: Some(self.acquire().await?),
            in_transaction: true,
            expected: self.expected.get().copied(),
        };
        session.tell(how).await?;
        Ok(session)
    }
}

/// The server has not answered in time.
fn no_answer(limit: Duration) -> Error {
    let text = format!("no answer within {} s", limit.as_secs());
    classify(sqlx::Error::Io(io::Error::new(
        io::ErrorKind::TimedOut,
        text,
    )))
}

/// Asks a connection that was idle whether its server is still there; if not, another one is opened.
async fn is_there(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    match idle < TRUSTED {
        true => Ok(true),
        false => Ok(matches!(
            timeout(MOMENT, connection.ping()).await,
            Ok(Ok(()))
        )),
    }
}

/// Each commit is on the disk before anybody gets an answer, whatever the server's default is; an
/// even stronger default stays.
async fn make_durable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "SELECT set_config('synchronous_commit', 'on', false) \
               WHERE current_setting('synchronous_commit') = 'off'";
    connection.execute(sql).await.map(|_| ())
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have a password in it.
        f.write_str("Postgres(..)")
    }
}

impl Postgres {
    pub(super) async fn write(&self) -> Result<PostgresSession, Error> {
        self.begin("BEGIN").await
    }

    pub(super) async fn read(&self) -> Result<PostgresSession, Error> {
        Ok(PostgresSession {
            connection: Some(self.acquire().await?),
            in_transaction: false,
            expected: None,
        })
    }

    pub(super) async fn snapshot(&self) -> Result<PostgresSession, Error> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    /// From now on nothing is written if something else is there beside rows than the migrations make.
    ///
    /// Fails with [`Error::SchemaChanged`].
    pub(super) async fn watch(&self) -> Result<(), Error> {
        let expected = self.expected.get_or_try_init(expected).await?;
        shape::changed(shape::faults(&mut self.read().await?, expected).await?)
    }

    pub(super) async fn migrate(&self) -> Result<(), Error> {
        let done = MIGRATOR.run(&self.pool).await;
        done.map_err(|error| classify(error.into()))
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection to the server, and whether it is in a transaction.
pub(super) struct PostgresSession {
    /// Gone once the server did not answer in time: nobody knows what it would answer next.
    connection: Option<PoolConnection<sqlx::Postgres>>,
    in_transaction: bool,
    /// The things that may be beside rows, if that is looked at.
    expected: Option<&'static Expected>,
}

impl PostgresSession {
    fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        let connection = self.connection.as_deref_mut();
        connection.ok_or_else(|| classify(sqlx::Error::PoolClosed))
    }

    /// A statement without an answer that anybody needs.
    async fn tell(&mut self, sql: &'static str) -> Result<(), Error> {
        let answer = in_time(self.connection()?.execute(sql)).await;
        self.settle(answer).map(|_| ())
    }

    fn settle<T>(&mut self, answer: Option<Result<T, sqlx::Error>>) -> Result<T, Error> {
        match answer {
            Some(answer) => answer.map_err(classify),
            None => {
                self.hang_up();
                Err(no_answer(ANSWER))
            }
        }
    }

    /// Closes the connection; the server then rolls back what was not committed.
    fn hang_up(&mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }

    async fn end(mut self, how: &'static str) -> Result<(), Error> {
        if self.in_transaction {
            self.tell(how).await?;
            self.in_transaction = false;
        }
        Ok(())
    }
}

impl Drop for PostgresSession {
    /// Whoever asked may have hung up in the middle of a transaction.
    fn drop(&mut self) {
        if self.in_transaction {
            self.hang_up();
        }
    }
}

/// The answer to a statement, if it comes in time: a server that has stopped, or a network that swallows everything,
/// never does.
async fn in_time<T>(answer: impl Future<Output = T>) -> Option<T> {
    timeout(ANSWER, answer).await.ok()
}

impl PostgresSession {
    pub(super) const CLOCK: &'static str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS clock, \
         (inet_server_addr() IS NOT DISTINCT FROM inet_client_addr())::int::bigint AS here";

    pub(super) const BLOB: &'static str = "BYTEA";

    pub(super) const FOR_UPDATE: &'static str = " FOR UPDATE";

    pub(super) const IS_MIGRATED: &'static str =
        "SELECT 1 FROM pg_catalog.pg_class WHERE oid = to_regclass('_sqlx_migrations')";

    pub(super) async fn fetch(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<Vec<PgRow>, Error> {
        let arguments = arguments(values)?;
        let query = sqlx::query_with(AssertSqlSafe(sql.into()), arguments);
        let answer = in_time(query.fetch_all(self.connection()?)).await;
        self.settle(answer)
    }

    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<u64, Error> {
        let arguments = arguments(values)?;
        let query = sqlx::query_with(AssertSqlSafe(sql.into()), arguments);
        let answer = in_time(query.execute(self.connection()?)).await;
        self.settle(answer).map(|done| done.rows_affected())
    }

    pub(super) async fn fetch_batch(
        &mut self,
        sql: &str,
        batch: Batch,
    ) -> Result<Vec<PgRow>, Error> {
        self.fetch_rows(sql, batch.columns, batch.rows).await
    }

    /// The same for columns that are not known before.
    async fn fetch_rows(
        &mut self,
        sql: &str,
        columns: &[(&'static str, Kind)],
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<PgRow>, Error> {
        let (sql, arguments) = expand(sql, columns, rows)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let answer = in_time(query.fetch_all(self.connection()?)).await;
        self.settle(answer)
    }

    pub(super) async fn execute_batch(&mut self, sql: &str, batch: Batch) -> Result<u64, Error> {
        let (sql, arguments) = expand(sql, batch.columns, batch.rows)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let answer = in_time(query.execute(self.connection()?)).await;
        self.settle(answer).map(|done| done.rows_affected())
    }

    /// Looks, behind all that a transaction writes, whether anything has changed that.
    ///
    /// Fails with [`Error::SchemaChanged`].
    pub(super) async fn check_written(&mut self) -> Result<(), Error> {
        match self.expected {
            Some(expected) => shape::changed(shape::doers(self, expected).await?),
            None => Ok(()),
        }
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        self.end("COMMIT").await
    }

    pub(super) async fn roll_back(self) {
        // If it fails, the connection is closed, and the server rolls back.
        let _ = self.end("ROLLBACK").await;
    }
}

const CONNECTIONS: u32 = 16;
/// How long an idle connection is believed to be there.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for what a server that works answers at once.
const MOMENT: Duration = Duration::from_secs(1);
/// How long a statement may take. It is longer than the server lets one wait for a lock, and shorter than devices wait
/// for an answer.
const ANSWER: Duration = Duration::from_secs(20);
