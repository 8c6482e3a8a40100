//! Two PostgreSQL servers, of which one has all that the other has confirmed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use apparatus::{Part, have};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::postgres::Own;

/// A primary, and a standby that the primary waits for.
pub(crate) struct Pair {
    pub(crate) primary: Own,
    pub(crate) standby: Own,
    folders: [String; 2],
    runtime: Runtime,
}

impl Pair {
    /// Each in a folder of its own, with the tables; none if tests with PostgreSQL are skipped.
    pub(crate) fn migrated() -> Option<Self> {
        let folder = || {
            let folder = tempfile::Builder::new().prefix("dcpg").tempdir_in("/tmp");
            folder.unwrap().keep()
        };
        let folders: [PathBuf; 2] = [folder(), folder()];
        Self::migrated_in([&folders[0], &folders[1]])
    }

    /// The same in folders that exist.
    pub(crate) fn migrated_in(folders: [&Path; 2]) -> Option<Self> {
        if !have(Part::Postgres) {
            return None;
        }
        let pair = Self::start_in(folders);
        let location = pair.url().parse().unwrap();
        let migrated = pair.runtime.block_on(dc_store::migrate(&location));
        migrated.unwrap();
        Some(pair)
    }

    fn start_in(folders: [&Path; 2]) -> Self {
        let folders = folders.map(|folder| folder.display().to_string());
        let primary = Own::start_in(folders[0].as_ref());
        let standby = Own::start_from(folders[1].as_ref(), &folders[0]);
        let pair = Self {
            primary,
            standby,
            folders,
            runtime: Runtime::new().unwrap(),
        };
        pair.wait_for_standby(&pair.primary);
        pair
    }

    /// The URL of both, the one that is the primary at first being the first.
    pub(crate) fn url(&self) -> String {
        let [first, second] = &self.folders;
        format!("postgres://postgres@/postgres?host={first},{second}")
    }

    /// The URL of the one that is the standby at first.
    pub(crate) fn standby_url(&self) -> &str {
        &self.standby.url
    }

    /// Has a server wait for its standby before it confirms anything, and waits until there is one.
    pub(crate) fn wait_for_standby(&self, primary: &Own) {
        assert!(self.has_standby(primary, PATIENCE), "no standby");
    }

    /// The same; false if there is none within some time.
    pub(crate) fn has_standby(&self, primary: &Own, patience: Duration) -> bool {
        self.set(primary, "synchronous_standby_names = 'standby'");
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let began = Instant::now();
        while self.number(primary, sql) == 0 {
            if began.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Changes a server's configuration.
    pub(crate) fn set(&self, server: &Own, setting: &str) {
        self.run(server, &format!("ALTER SYSTEM SET {setting}"));
        self.run(server, "SELECT pg_reload_conf()");
    }

    /// Has a server confirm what it has alone.
    pub(crate) fn wait_for_nobody(&self, primary: &Own) {
        self.set(primary, "synchronous_standby_names = ''");
    }

    /// Starts a server that was stopped as a standby of the one that was the first or the second at first, which its database
    /// goes on from as it is (`follow`), is brought back to (`rewind`), or is copied from anew (`copy`).
    pub(crate) fn follow(&self, stopped: &Own, how: &str, place: usize) {
        let order = format!("{how} {}", self.folders[place]);
        stopped.order(&order, "follows");
        stopped.start_again();
    }

    pub(crate) fn number(&self, server: &Own, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            number.unwrap()
        })
    }

    pub(crate) fn texts(&self, server: &Own, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            let texts = sqlx::query_scalar(sql).fetch_all(&mut connection).await;
            texts.unwrap()
        })
    }

    pub(crate) fn run(&self, server: &Own, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        });
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
