//! PostgreSQL: one database for many signers.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use std::{fmt, io};

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Executor, Row as _};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::Error;
use super::hosts::Hosts;
use super::migrations;
use super::servers::Servers as Status;
use super::shape::Expected;
use super::sql::{Batch, Kind, Value};
use super::sqlite::expected;
use super::timeline::Timelines;

mod arrays;
mod at_once;
mod error;
mod gather;
mod literal;
mod plan;
mod pool;
mod servers;
mod shape;

use arrays::{arguments, expand};
pub(super) use at_once::{Chain, Stopped};
use error::classify;
pub(super) use gather::Gather;
pub(super) use plan::Plan;
use servers::{Servers, Used};

pub(super) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(migrations::postgres);

/// A database on a server, or on several of which one is the primary.
pub(super) struct Postgres {
    servers: Arc<Servers>,
    /// The things beside rows that belong there; none before anybody looks.
    expected: OnceCell<&'static Expected>,
}

impl Postgres {
    /// Opens a database by its URL, of which these timelines are known; connects when it is first used.
    ///
    /// Fails with [`Error::Url`], and with [`Error::Database`] if it is no URL.
    pub(super) fn open(url: &str, timelines: Timelines) -> Result<Self, Error> {
        let hosts = Hosts::parse(url).map_err(|fault| Error::Url { fault })?;
        Self::of(&hosts, timelines)
    }

    /// The same for replicas, of which any will do.
    ///
    /// Fails as [`Self::open`] does.
    pub(super) fn to_read(url: &str) -> Result<Self, Error> {
        let hosts = Hosts::parse(url).map_err(|fault| Error::Url { fault })?;
        let hosts = Hosts {
            primary: false,
            ..hosts
        };
        Self::of(&hosts, Timelines::default())
    }

    fn of(hosts: &Hosts, timelines: Timelines) -> Result<Self, Error> {
        Ok(Self {
            servers: Arc::new(Servers::new(hosts, timelines)?),
            expected: OnceCell::new(),
        })
    }

    /// Finds a server that answers, and is the primary if there are several.
    ///
    /// Fails with what keeps it from answering.
    pub(super) async fn reach(&self) -> Result<(), Error> {
        self.servers.reach().await
    }

    /// A connection for statements of which each is for itself.
    async fn connect(&self) -> Result<PostgresSession, Error> {
        let (connection, server) = self.servers.acquire().await?;
        Ok(PostgresSession {
            connection: Some(connection),
            server: Arc::new(server),
            in_transaction: false,
            expected: None,
        })
    }

    async fn begin(&self, how: &'static str) -> Result<PostgresSession, Error> {
        let mut session = self.connect().await?;
        session.in_transaction = true;
        session.expected = self.expected.get().copied();
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
        self.connect().await
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

    /// How the servers stand, if there are several.
    pub(super) async fn servers(&self) -> Result<Option<Status>, Error> {
        let Some((used, others)) = self.servers.primaries().await else {
            return Ok(None);
        };
        let sql =
            "SELECT (current_setting('synchronous_standby_names') <> '')::int::bigint AS waits";
        let row = self.read().await?.fetch(sql, Vec::new()).await?.pop();
        let waits = row.and_then(|row| row.try_get::<i64, _>("waits").ok());
        Ok(Some(Status {
            used,
            waits: waits == Some(1),
            others,
        }))
    }

    pub(super) async fn migrate(&self) -> Result<(), Error> {
        let (mut connection, _) = self.servers.acquire().await?;
        let done = MIGRATOR.run(&mut *connection).await;
        done.map_err(|error| classify(error.into()))
    }

    pub(super) async fn close(&self) {
        self.servers.close().await;
    }
}

/// A connection to the server, and whether it is in a transaction.
pub(super) struct PostgresSession {
    /// Gone once the server did not answer in time: nobody knows what it would answer next.
    connection: Option<PoolConnection<sqlx::Postgres>>,
    server: Arc<Used>,
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
        let server = Arc::clone(&self.server);
        let answer = in_time(&server, self.connection()?.execute(sql)).await;
        self.settle(answer).map(|_| ())
    }

    fn settle<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, Unanswered>,
    ) -> Result<T, Error> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(why) => Err(self.unanswered(why)),
        }
    }

    /// Nobody knows what the connection would answer next.
    fn unanswered(&mut self, why: Unanswered) -> Error {
        self.server.doubt();
        self.hang_up();
        why.into()
    }

    /// A connection that broke, or that reads alone, is not used again, and its server is doubted: it may not be the primary any more.
    fn failed(&mut self, error: sqlx::Error) -> Error {
        if error::is_of_another_primary(&error) {
            self.server.doubt();
            self.hang_up();
        }
        classify(error)
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

/// The answer to a statement, if it comes in time, and before another server is used: a server that has stopped, or a network that
/// swallows everything, never gives one.
async fn in_time<T>(server: &Used, answer: impl Future<Output = T>) -> Result<T, Unanswered> {
    let waited = timeout(ANSWER, answer);
    tokio::select! {
        biased;
        waited = waited => waited.map_err(|_| Unanswered::Late),
        () = server.replaced() => Err(Unanswered::Replaced),
    }
}

/// The reason that there is no answer to a statement.
#[derive(Clone, Copy, Debug)]
enum Unanswered {
    /// It took too long.
    Late,
    /// Another server is used.
    Replaced,
}

impl From<Unanswered> for Error {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Late => no_answer(ANSWER),
            Unanswered::Replaced => classify(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "no answer before another server took over",
            ))),
        }
    }
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
        let server = Arc::clone(&self.server);
        let answer = in_time(&server, query.fetch_all(self.connection()?)).await;
        self.settle(answer)
    }

    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> Result<u64, Error> {
        let arguments = arguments(values)?;
        let query = sqlx::query_with(AssertSqlSafe(sql.into()), arguments);
        let server = Arc::clone(&self.server);
        let answer = in_time(&server, query.execute(self.connection()?)).await;
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
        let server = Arc::clone(&self.server);
        let answer = in_time(&server, query.fetch_all(self.connection()?)).await;
        self.settle(answer)
    }

    pub(super) async fn execute_batch(&mut self, sql: &str, batch: Batch) -> Result<u64, Error> {
        let (sql, arguments) = expand(sql, batch.columns, batch.rows)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let server = Arc::clone(&self.server);
        let answer = in_time(&server, query.execute(self.connection()?)).await;
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

/// How long a statement may take. It is longer than the server lets one wait for a lock, and shorter than devices wait
/// for an answer.
const ANSWER: Duration = Duration::from_secs(20);
