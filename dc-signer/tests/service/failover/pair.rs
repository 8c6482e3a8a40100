//! Two PostgreSQL servers, of which one has all that the other has confirmed.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::postgres::Own;

/// A primary, and a standby that the primary waits for.
pub(super) struct Pair {
    pub(super) primary: Own,
    pub(super) standby: Own,
    folders: [String; 2],
    runtime: Runtime,
}

impl Pair {
    pub(super) fn start() -> Self {
        let folder = || {
            let folder = tempfile::Builder::new().prefix("dcpg").tempdir_in("/tmp");
            folder.unwrap().keep()
        };
        let folders = [folder(), folder()];
        let primary = Own::start_in(&folders[0]);
        let standby = Own::start_from(&folders[1], &folders[0].display().to_string());
        let pair = Self {
            primary,
            standby,
            folders: folders.map(|folder| folder.display().to_string()),
            runtime: Runtime::new().unwrap(),
        };
        pair.wait_for_standby(&pair.primary);
        pair
    }

    /// The URL of both, the one that is the primary at first being the first.
    pub(super) fn url(&self) -> String {
        let [first, second] = &self.folders;
        format!("postgres://postgres@/postgres?host={first},{second}")
    }

    /// The URL of the one that is the standby at first.
    pub(super) fn standby_url(&self) -> &str {
        &self.standby.url
    }

    /// Has a server wait for its standby before it confirms anything, and waits until there is one.
    pub(super) fn wait_for_standby(&self, primary: &Own) {
        self.run(
            primary,
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
        );
        self.run(primary, "SELECT pg_reload_conf()");
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let began = Instant::now();
        while self.number(primary, sql) == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "no standby");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a server that was stopped as a standby of the other.
    pub(super) fn follow(&self, stopped: &Own, folder_of: usize) {
        let order = format!("follow {}", self.folders[folder_of]);
        stopped.order(&order, "follows");
        stopped.start_again();
    }

    pub(super) fn number(&self, server: &Own, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            number.unwrap()
        })
    }

    pub(super) fn texts(&self, server: &Own, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            let texts = sqlx::query_scalar(sql).fetch_all(&mut connection).await;
            texts.unwrap()
        })
    }

    pub(super) fn run(&self, server: &Own, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        });
    }
}
