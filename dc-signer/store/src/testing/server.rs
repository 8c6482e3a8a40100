//! A PostgreSQL server for tests, which ends with the process that started it.
//!
//! The tests of the whole service have this file too, so it uses nothing of the crate.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use apparatus::{Part, have};

/// A server of our own.
pub(crate) struct Own {
    /// Its database `postgres`.
    pub(crate) url: String,
    watch: Mutex<Watch>,
}

/// The shell that starts the server, and ends it when nobody listens any more.
struct Watch {
    _process: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Own {
    /// Starts a server that ends, and whose folder is removed, when this process has ended in whatever
    /// way. Whoever calls it has asked whether tests with PostgreSQL are left out.
    pub(crate) fn start() -> Self {
        // The socket's path has to be short.
        let folder = tempfile::Builder::new().prefix("dcpg").tempdir_in("/tmp");
        Self::start_in(&folder.unwrap().keep())
    }

    /// Starts one in a folder that exists.
    pub(crate) fn start_in(folder: &Path) -> Self {
        Self::start_from(folder, "")
    }

    /// The same; not with a new database, but as a standby of the server that lies in another folder.
    pub(crate) fn start_from(folder: &Path, primary: &str) -> Self {
        assert!(have(Part::Postgres), "no test should get here");
        let programs = programs().expect("initdb, postgres and psql in one folder");
        let user = user();
        if let Some((user, group)) = user {
            chown(folder, Some(user), Some(group)).unwrap();
        }
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "sh"]).arg(folder).arg(programs);
        watch.arg(primary);
        watch.stdin(Stdio::piped()).stdout(Stdio::piped());
        watch.stderr(Stdio::inherit()).current_dir("/");
        if let Some((user, group)) = user {
            watch.uid(user).gid(group);
        }
        let mut process = watch.spawn().unwrap();
        let mut watch = Watch {
            orders: process.stdin.take().unwrap(),
            reports: BufReader::new(process.stdout.take().unwrap()),
            _process: process,
        };
        watch.wait_for("ready");
        let folder = folder.display();
        Self {
            url: format!("postgres://postgres@localhost/postgres?host={folder}"),
            watch: watch.into(),
        }
    }

    /// Ends the server as a lack of memory does, with no time to say anything to anybody.
    pub(crate) fn kill(&self) {
        self.order("kill", "killed");
    }

    /// Starts it again after that; one that runs, goes on.
    pub(crate) fn start_again(&self) {
        self.order("start", "ready");
    }

    /// Has it do something, and waits until that is done.
    pub(crate) fn order(&self, order: &str, report: &str) {
        self.watch.lock().unwrap().order(order, report);
    }
}

impl Watch {
    fn order(&mut self, order: &str, report: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.wait_for(report);
    }

    fn wait_for(&mut self, report: &str) {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), report, "PostgreSQL does not do as told");
    }
}

/// Its standard input ends with the process that started it. What is written in tests need not
/// survive this machine's power.
const WATCH: &str = r#"
folder=$1 programs=$2 primary=$3 frozen= server=
trap '' INT TERM
launch() {
    "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c wal_log_hints=on -c max_connections=200 >>"$folder/log" 2>&1 </dev/null &
    server=$!
}
start() {
    [ -n "$server" ] && kill -0 $server 2>/dev/null || launch
    tries=0
    until "$programs/psql" -h "$folder" -U postgres -c 'SELECT 1' postgres >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 1200 ]; then cat "$folder/log" >&2; kill -QUIT $server; exit 1; fi
        sleep 0.1
        # After a kill it does not start before the last process of the old one has ended.
        kill -0 $server 2>/dev/null || launch
    done
    echo ready
}
make() {
    if [ -z "$primary" ]; then
        "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync
    else
        "$programs/pg_basebackup" -d "host=$primary user=postgres application_name=standby" -D "$folder/data" -R -X stream -c fast --no-sync
    fi
}
copy_or_say() {
    rm -rf "$folder/data"
    make >>"$folder/log" 2>&1 && echo follows || { tail "$folder/log" >&2; echo failed; }
}
rewind() {
    "$programs/pg_rewind" -D "$folder/data" --source-server="host=$primary user=postgres dbname=postgres" --no-sync && follow
}
follow() {
    echo "primary_conninfo = 'host=$primary user=postgres application_name=standby'" >>"$folder/data/postgresql.auto.conf"
    touch "$folder/data/standby.signal"
}
make >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
start
while read -r order; do
    case $order in
    kill) kill -KILL $server; wait $server 2>/dev/null; server=; echo killed ;;
    start) start ;;
    stop) kill -INT $server; wait $server; server=; echo stopped ;;
    freeze) frozen="$server $(cat /proc/$server/task/$server/children)"; kill -STOP $frozen; echo frozen ;;
    thaw) kill -CONT $frozen 2>/dev/null; echo thawed ;;
    promote) "$programs/pg_ctl" -D "$folder/data" promote -w >>"$folder/log" 2>&1; echo promoted ;;
    follow\ *) primary=${order#* }; follow; echo follows ;;
    copy\ *) primary=${order#* }; copy_or_say ;;
    # What it needs may be gone already.
    rewind\ *) primary=${order#* }; rewind >>"$folder/log" 2>&1 && echo follows || copy_or_say ;;
    esac
done
[ -z "$frozen" ] || kill -CONT $frozen 2>/dev/null
kill -QUIT $server 2>/dev/null
wait $server
# Somebody else's folder stays.
rm -rf "$folder" 2>/dev/null
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

/// The user that the server runs as, if this process is root, which PostgreSQL refuses.
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
