//! Databases to test with: an SQLite file, and PostgreSQL on a server of the test's own.
//!
//! `DC_SIGNER_TEST_POSTGRES` is the URL of a server to use instead, or `skip`. Without it the
//! server is Debian's (package `postgresql`), which runs in a temporary folder, listens on a Unix
//! socket there, and ends with the process that started it. Where there is none, tests fail.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Location, Store, migrate, open};

/// A fresh database, and the store over it.
pub(crate) struct Database {
    pub(crate) location: Location,
    pub(crate) store: Arc<dyn Store>,
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

    /// What another signer sees that uses the same database.
    pub(crate) async fn other(&self) -> Arc<dyn Store> {
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
        Server::Skipped => None,
        Server::Given(url) | Server::Own { url, .. } => Some(url),
    }
}

enum Server {
    Given(String),
    Own { url: String, _watch: Child },
    Skipped,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("DC_SIGNER_TEST_POSTGRES") {
        Ok(text) if text == "skip" => {
            eprintln!("skipped: tests with PostgreSQL, as DC_SIGNER_TEST_POSTGRES says");
            Server::Skipped
        }
        Ok(url) => Server::Given(url),
        Err(_) => start(),
    })
}

/// Starts a server that ends, and whose folder is removed, when this process has ended in whatever
/// way.
fn start() -> Server {
    let programs = programs().expect(
        "PostgreSQL's initdb and postgres: install Debian's package postgresql, \
         or set DC_SIGNER_TEST_POSTGRES to the URL of a server, or to skip",
    );
    // The socket's path has to be short.
    let folder = tempfile::Builder::new()
        .prefix("dcpg")
        .tempdir_in("/tmp")
        .unwrap()
        .keep();
    let user = user();
    if let Some((user, group)) = user {
        chown(&folder, Some(user), Some(group)).unwrap();
    }
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "sh"]).arg(&folder).arg(programs);
    watch.stdin(Stdio::piped()).stdout(Stdio::piped());
    watch.stderr(Stdio::inherit()).current_dir("/");
    if let Some((user, group)) = user {
        watch.uid(user).gid(group);
    }
    let mut watch = watch.spawn().unwrap();
    // Until the server is ready.
    let mut ready = String::new();
    let mut output = BufReader::new(watch.stdout.take().unwrap());
    output.read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n", "PostgreSQL did not start");
    Server::Own {
        url: format!(
            "postgres://postgres@localhost/postgres?host={}",
            folder.display()
        ),
        _watch: watch,
    }
}

/// Its standard input ends with the process that started it. What is written in tests need not
/// survive this machine's power.
const WATCH: &str = r#"
folder=$1 programs=$2
trap '' INT TERM
"$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c max_connections=200 >>"$folder/log" 2>&1 </dev/null &
server=$!
tries=0
until "$programs/psql" -h "$folder" -U postgres -c 'SELECT 1' postgres >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ]; then cat "$folder/log" >&2; kill -QUIT $server; exit 1; fi
    sleep 0.1
done
echo ready
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$folder"
"#;

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut folders: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let has_all = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| folder.join(program).exists())
    };
    folders.into_iter().find(has_all)
}

/// Who the server runs as, if this process is root, which PostgreSQL refuses.
fn user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if Path::new("/proc/self").metadata().ok()?.uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name));
        let mut fields = line?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .or(Some((65534, 65534)))
}
