//! A running service with its folder, and what must never be seen of it.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dc_signer::server::dev::Dev;
use pki_types::UnixTime;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::secrets::Secrets;

/// A service of this test alone.
#[derive(Debug)]
pub(crate) struct Rig {
    folder: TempDir,
    process: Process,
    pub(crate) port: u16,
    /// Messages that it has told its service manager and nobody has waited for yet.
    told: Arc<Mutex<Vec<String>>>,
    /// The first lines it printed.
    pub(crate) welcome: String,
    secrets: Mutex<Vec<String>>,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With a service manager that listens and never reads.
    pub(crate) fn start_unheard() -> Self {
        Self::serve(Self::prepare(""), Manager::Deaf)
    }

    /// With lines for the table `[listen]` of its configuration.
    pub(crate) fn start_with(listen: &str) -> Self {
        Self::serve(Self::prepare(listen), Manager::Reads)
    }

    /// As another user than this test, from a program that every user can reach: for root alone.
    pub(crate) fn start_as(user: (u32, u32), program: PathBuf) -> Self {
        let folder = Self::prepare("");
        give(folder.path(), user);
        Self::serve_as(folder, Manager::Reads, Some((user, program)))
    }

    fn prepare(listen: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("it's here");
        let dev = Dev::open(&data, now()).unwrap();
        let config = fs::read_to_string(dev.config()).unwrap();
        let config = config
            .replace("127.0.0.1:8443", "127.0.0.1:0")
            .replace("[limits]", &format!("{listen}\n[limits]"));
        fs::write(data.join("audit.pem"), AUDIT_KEY).unwrap();
        fs::set_permissions(data.join("audit.pem"), Permissions::from_mode(0o600)).unwrap();
        let config = format!("{config}\n[log]\nformat = \"json\"\nfilter = \"debug\"\n");
        fs::write(dev.config(), config).unwrap();
        folder
    }

    fn serve(folder: TempDir, listens: Manager) -> Self {
        Self::serve_as(folder, listens, None)
    }

    fn serve_as(folder: TempDir, listens: Manager, other: Option<((u32, u32), PathBuf)>) -> Self {
        apparatus::prepare(apparatus::Part::Tools);
        let log = File::options()
            .append(true)
            .create(true)
            .open(folder.path().join("log"))
            .unwrap();
        let socket = folder.path().join("notify");
        let _ = fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).unwrap();
        let told = Arc::<Mutex<Vec<String>>>::default();
        let telling = told.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            if listens == Manager::Deaf {
                std::thread::park();
            }
            while let Ok(length) = manager.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                telling
                    .lock()
                    .unwrap()
                    .extend(text.lines().map(ToOwned::to_owned));
            }
        });
        // So that a limit on the size of files is an error, as on a full disk, rather than the end.
        let mut command = Command::new("sh");
        let mut program = PathBuf::from(env!("CARGO_BIN_EXE_dc-signer"));
        if let Some(((uid, gid), theirs)) = other {
            fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
            command.uid(uid).gid(gid);
            program = theirs;
        }
        let mut process = command
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(program)
            .args(["serve", "--dev", "--data"])
            .arg(folder.path().join("it's here"))
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", "400000")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut welcome = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        while !welcome.contains(" probe ") {
            let read = lines.read_line(&mut welcome).unwrap();
            let log = || fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(read > 0, "{welcome}\n{}", log());
        }
        let port = welcome.split("https://localhost:").nth(1).unwrap();
        let port = port.split(['.', '/']).next().unwrap().parse().unwrap();
        let rig = Self {
            folder,
            process: Process(process),
            port,
            told,
            welcome,
            secrets: Mutex::default(),
        };
        // Where readiness has an address of its own, this one says that it is not here.
        rig.wait_until("it is ready", || {
            matches!(rig.client().get("/readyz").status, 200 | 404)
        });
        rig.keep_secret(&rig.token());
        rig
    }

    /// Stops it and starts it again on the same folder.
    pub(crate) fn restart(mut self) -> Self {
        self.stop();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let secrets = std::mem::take(&mut *self.secrets.lock().unwrap());
        let rig = Self::serve(folder, Manager::Reads);
        rig.secrets.lock().unwrap().extend(secrets);
        rig
    }

    /// The same as another user.
    pub(crate) fn restart_as(mut self, user: (u32, u32), program: PathBuf) -> Self {
        self.stop();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let secrets = std::mem::take(&mut *self.secrets.lock().unwrap());
        let rig = Self::serve_as(folder, Manager::Reads, Some((user, program)));
        rig.secrets.lock().unwrap().extend(secrets);
        rig
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("it's here")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.data().join("vendor/root.pem")
    }

    /// Somebody without a certificate or a token.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.port, &self.root())
    }

    pub(crate) fn admin(&self) -> Client {
        self.client().token(&self.token())
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.data().join("operator.token")).unwrap()
    }

    /// Adds a device and makes a code for it.
    pub(crate) fn add(&self, external_id: &str) -> Value {
        let new = json!({"external_id": external_id, "code": true});
        let added = self.admin().post("/v1/admin/devices", &new).ok();
        self.keep_secret(added["code"]["code"].as_str().unwrap());
        added
    }

    /// Something that must be in no log, answer to others, or metric.
    pub(crate) fn keep_secret(&self, secret: &str) {
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until it has told its service manager this, after what was waited for before.
    pub(crate) fn told(&self, news: &str) {
        self.wait_until(news, || {
            let mut told = self.told.lock().unwrap();
            let place = told.iter().position(|line| line.starts_with(news));
            place.is_some_and(|place| told.drain(..=place).count() > 0)
        });
    }

    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "not so: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.process.0.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// True if the process ended well.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.0.wait().unwrap().success()
    }

    /// Makes another delegation certificate for the zone, and imports it on the command line.
    pub(crate) fn import_next_certificate(&self) {
        let next = self.data().join("next");
        let run = |arguments: &[&std::ffi::OsStr]| {
            let output = as_operator(&self.data().join("config.toml"))
                .args(arguments)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let config = self.data().join("config.toml");
        let [init, zone, zone_flag] = ["init", "cpe.example.com", "--zone"].map(AsRef::as_ref);
        run(&[init, next.as_ref(), zone_flag, zone]);
        let [zones, rollover, import, why, reason, flag] = [
            "zones", "rollover", "--import", "--reason", "a test", "--config",
        ]
        .map(AsRef::as_ref);
        run(&[
            zones,
            rollover,
            zone,
            import,
            next.as_ref(),
            why,
            reason,
            flag,
            config.as_ref(),
        ]);
    }

    /// Adds tables to the configuration, and reads it again.
    pub(crate) fn configure(&self, tables: &str) {
        self.edit_config("[limits]", &format!("{tables}\n[limits]"));
        self.reload();
    }

    pub(crate) fn edit_config(&self, from: &str, to: &str) {
        let path = self.data().join("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Reads the configuration again, and waits until that is done.
    pub(crate) fn reload(&self) {
        let done = || self.log().matches("are read again").count();
        let before = done();
        self.signal("HUP");
        self.wait_until("it is reloaded", || done() > before);
    }

    /// Keeps everybody from writing to the database until the result is dropped.
    pub(crate) fn lock_database(&self) -> impl Drop + use<> {
        Locked::new(&self.data().join("data/dc-signer.db"))
    }

    fn stop(&mut self) {
        if self.process.0.try_wait().unwrap().is_none() {
            self.signal("TERM");
            self.process.0.wait().unwrap();
        }
    }

    /// Where any secret is in what the service has said and stored: the log, which also has the detail of every problem,
    /// the metrics, and the database.
    fn search(&self, metrics: &str) -> BTreeSet<&'static str> {
        // One that was restarted has given its folder away.
        let read = |name: &str| fs::read(self.folder.path().join(name)).unwrap_or_default();
        let database = ["", "-wal"].map(|end| read(&format!("it's here/data/dc-signer.db{end}")));
        let said = [
            ("log", read("log")),
            ("metrics", metrics.as_bytes().to_vec()),
            ("database", database.concat()),
        ];
        let mut secrets = Secrets::default();
        for secret in &*self.secrets.lock().unwrap() {
            secrets.add(secret);
        }
        for key in ["tls", "vendor"] {
            secrets.add_key(&String::from_utf8(read(&format!("it's here/{key}/key.pem"))).unwrap());
        }
        let told = said
            .iter()
            .filter(|(_, bytes)| secrets.are_in(&String::from_utf8_lossy(bytes)));
        told.map(|(place, _)| *place).collect()
    }

    /// Ends it, and says where any secret was told; for tests that tell some.
    pub(crate) fn told_secrets(mut self) -> BTreeSet<&'static str> {
        let metrics = self.client().get("/metrics").body;
        self.stop();
        let told = self.search(&metrics);
        self.secrets.lock().unwrap().clear();
        told
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let running = matches!(self.process.0.try_wait(), Ok(None));
        let metrics = match running && !std::thread::panicking() {
            true => self.admin().get("/metrics").body,
            false => String::new(),
        };
        self.stop();
        if !std::thread::panicking() {
            let told = self.search(&metrics);
            assert!(told.is_empty(), "a secret was told in {told:?}");
        }
    }
}

/// A command of the program, by the operator whose token lies beside a configuration.
pub(crate) fn as_operator(config: &Path) -> Command {
    as_operator_of(Path::new(env!("CARGO_BIN_EXE_dc-signer")), config)
}

/// The same of another program.
pub(crate) fn as_operator_of(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.env(
        "DC_SIGNER_TOKEN_FILE",
        config.with_file_name("operator.token"),
    );
    command
}

/// Ends with its owner, whatever happens to the test.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stand-in for systemd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Manager {
    Reads,
    Deaf,
}

/// Another process that writes to the database and does not finish.
struct Locked(tokio::runtime::Runtime, Option<sqlx::SqliteConnection>);

impl Locked {
    fn new(path: &Path) -> Self {
        use sqlx::{ConnectOptions, Executor};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            connection
        });
        Self(runtime, Some(connection))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        use sqlx::Connection;
        if let Some(connection) = self.1.take() {
            let _ = self.0.block_on(connection.close());
        }
    }
}

/// Gives a folder and all in it to another user.
fn give(path: &Path, (uid, gid): (u32, u32)) {
    chown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), (uid, gid));
        }
    }
}

pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixTime::since_unix_epoch(since)
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A key for the audit log, for tests that sign checkpoints: Ed25519, a seed of 5s.
const AUDIT_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUF\n-----END PRIVATE KEY-----\n";
