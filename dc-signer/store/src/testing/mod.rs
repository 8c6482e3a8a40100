//! Databases to test with: an SQLite file, and PostgreSQL on a server of the test's own.
//!
//! `DC_SIGNER_TEST_POSTGRES` is the URL of a server to use instead, or `skip`. Without it the
//! server is Debian's (package `postgresql`, installed when it is missing), which runs in a temporary
//! folder, listens on a Unix socket there, and ends with the process that started it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use apparatus::{Part, have};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::registry as domain;
use super::{Location, Store, migrate, open};

pub(crate) mod registry;
mod server;
mod small_disk;

pub(crate) use server::Own;
pub(crate) use small_disk::SmallDisk;

/// Makes a test for each database out of each function.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let database = crate::testing::Database::sqlite().await;
                super::$test(&database).await;
                database.end().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let Some(database) = crate::testing::Database::postgres().await else {
                    return;
                };
                super::$test(&database).await;
                database.end().await;
            })*
        }
    };
}
pub(crate) use on_both;

/// A fresh database, and the store over it.
pub(crate) struct Database {
    pub(crate) location: Location,
    pub(crate) store: Arc<Store>,
    /// For whatever a test writes; an SQLite file is in it too.
    pub(crate) folder: TempDir,
}

impl Database {
    /// An SQLite file.
    pub(crate) async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let location = Location::File(folder.path().join("signer.db"));
        Self::new(location, folder).await
    }

    /// A PostgreSQL database, unless tests with it are skipped.
    pub(crate) async fn postgres() -> Option<Self> {
        let location = postgres().await?;
        Some(Self::new(location, TempDir::new().unwrap()).await)
    }

    async fn new(location: Location, folder: TempDir) -> Self {
        migrate(&location).await.unwrap();
        Self {
            store: open(&location, "node-1").await.unwrap(),
            location,
            folder,
        }
    }

    /// The store as another signer opens it that uses the same database.
    pub(crate) async fn other(&self) -> Arc<Store> {
        open(&self.location, "node-2").await.unwrap()
    }

    /// Does what only somebody with the database's password could do.
    pub(crate) async fn tamper(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.location {
            Location::File(path) => {
                let url = format!("sqlite:{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                connection.execute(sql).await.unwrap();
            }
            Location::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute(sql).await.unwrap();
            }
        }
    }

    /// The same with statements that the tables' references forbid: whoever owns the database turns those off.
    pub(crate) async fn tamper_freely(&self, sql: &str) {
        match &self.location {
            Location::File(_) => {
                self.tamper(&format!("PRAGMA foreign_keys = OFF; {sql}"))
                    .await;
            }
            Location::Postgres(_) => {
                let off = "SET session_replication_role = replica";
                self.tamper(&format!("{off}; {sql}")).await;
            }
        }
    }

    /// All tables with their columns.
    pub(crate) async fn columns(&self) -> Vec<(String, String)> {
        match &self.location {
            Location::File(path) => {
                let url = format!("sqlite:{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let sql = "SELECT m.name, p.name FROM sqlite_master AS m \
                           JOIN pragma_table_info(m.name) AS p WHERE m.type = 'table'";
                sqlx::query_as(sql)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap()
            }
            Location::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let sql = "SELECT table_name::text, column_name::text \
                           FROM information_schema.columns WHERE table_schema = 'public'";
                sqlx::query_as(sql)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap()
            }
        }
    }

    /// Bytes as the database's SQL writes them.
    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        let hex = data_encoding::HEXLOWER.encode(bytes);
        match &self.location {
            Location::File(_) => format!("X'{hex}'"),
            Location::Postgres(_) => format!("'\\x{hex}'::bytea"),
        }
    }

    /// Keeps everybody from writing for a while, as the command line does that writes meanwhile.
    pub(crate) async fn write_for(&self, time: Duration) -> JoinHandle<()> {
        match &self.location {
            Location::File(path) => {
                let url = format!("sqlite:{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                connection.execute("BEGIN IMMEDIATE").await.unwrap();
                tokio::spawn(async move {
                    sleep(time).await;
                    connection.execute("COMMIT").await.unwrap();
                })
            }
            Location::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute("BEGIN").await.unwrap();
                let lock = "SELECT * FROM audit_head FOR UPDATE";
                connection.execute(lock).await.unwrap();
                tokio::spawn(async move {
                    sleep(time).await;
                    connection.execute("COMMIT").await.unwrap();
                })
            }
        }
    }

    /// Runs a statement on the PostgreSQL server, with the name of this database for `current`.
    pub(crate) async fn administer(&self, sql: &str) {
        let Location::Postgres(url) = &self.location else {
            panic!("SQLite has no server");
        };
        let sql = AssertSqlSafe(sql.replace("current", database_name(url)));
        let mut connection = PgConnection::connect(server_url().unwrap()).await.unwrap();
        connection.execute(sql).await.unwrap();
    }

    /// Ends all connections to this database, as a server does that restarts.
    pub(crate) async fn disconnect(&self) {
        let sql =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'current'";
        self.administer(sql).await;
    }

    /// Closes the store, and removes the database from a server that is not ours.
    pub(crate) async fn end(self) {
        self.store.close().await;
        if let (Location::Postgres(_), Server::Given(_)) = (&self.location, server()) {
            self.administer("DROP DATABASE current WITH (FORCE)").await;
        }
    }
}

/// A new, empty PostgreSQL database, unless tests with it are skipped.
pub(crate) async fn postgres() -> Option<Location> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("dc_signer_test_{}_{number}", std::process::id());
    let url = server_url()?;
    let mut connection = PgConnection::connect(url).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(create).await.unwrap();
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (host, _) = address.rsplit_once('/').unwrap();
    let url = format!("{host}/{name}?{parameters}");
    Some(url.parse().unwrap())
}

fn database_name(url: &str) -> &str {
    let (_, name) = url
        .rsplit('?')
        .next_back()
        .unwrap()
        .rsplit_once('/')
        .unwrap();
    name
}

fn server_url() -> Option<&'static str> {
    match server() {
        Server::Skipped => {
            // For each test, so that they are counted.
            assert!(!have(Part::Postgres), "they are left out");
            None
        }
        Server::Given(url) => Some(url),
        Server::Own(own) => Some(&own.url),
    }
}

enum Server {
    Given(String),
    Own(Own),
    Skipped,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("DC_SIGNER_TEST_POSTGRES") {
        Ok(url) if url != "skip" => Server::Given(url),
        Ok(_) => Server::Skipped,
        Err(_) => Server::Own(Own::start()),
    })
}
