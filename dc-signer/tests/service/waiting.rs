//! A service whose database is not up yet.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use apparatus::{Part, have};
use dc_signer::server::dev::Dev;
use tempfile::TempDir;

use crate::postgres::Own;
use crate::rig::now;

/// A process that is to serve, with what it tells its service manager.
struct Starting {
    folder: TempDir,
    process: Child,
    manager: UnixDatagram,
}

impl Starting {
    fn new(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::open(&folder.path().join("dev"), now()).unwrap();
        let config = fs::read_to_string(dev.config()).unwrap();
        let config = config.replace("127.0.0.1:8443", "127.0.0.1:0");
        let config = config.replace(
            "[limits]",
            &format!("[database]\npostgres = {url:?}\n[limits]"),
        );
        fs::write(dev.config(), config).unwrap();
        let socket = folder.path().join("notify");
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
            .args(["serve", "--config"])
            .arg(dev.config())
            .env("NOTIFY_SOCKET", socket)
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            folder,
            process,
            manager,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until it has told its service manager this.
    fn told(&self, news: &str) {
        let mut buffer = [0; 1024];
        loop {
            let Ok(length) = self.manager.recv(&mut buffer) else {
                panic!("not told: {news}\n{}", self.log());
            };
            if String::from_utf8_lossy(&buffer[..length]).contains(news) {
                return;
            }
        }
    }

    /// Ends it as a service manager does; says how long that took.
    fn stop(&mut self) -> Duration {
        let began = Instant::now();
        let pid = self.process.id().to_string();
        Command::new("kill").arg(pid).status().unwrap();
        assert!(self.process.wait().unwrap().success(), "{}", self.log());
        began.elapsed()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_server_that_is_down_is_waited_for_and_the_wait_ends_at_once() {
    // Nobody listens at the first port.
    let mut starting = Starting::new("postgres://signer@127.0.0.1:1/signer");
    // A reload that comes too early is no end.
    starting.told("STATUS=waiting for the database");
    starting.told("EXTEND_TIMEOUT_USEC=");
    let pid = starting.process.id().to_string();
    Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    starting.told("STATUS=waiting for the database");
    let log = starting.log();
    assert!(
        log.contains("Connection refused") && log.contains("waiting for it"),
        "{log}"
    );
    assert_eq!(log.matches("waiting for it").count(), 1, "{log}");
    assert!(starting.stop() < Duration::from_secs(2));
    assert!(starting.log().contains("stopped before it was ready"));
}

#[test]
fn a_server_that_says_nothing_is_waited_for() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let mut starting = Starting::new(&format!("postgres://signer@127.0.0.1:{port}/signer"));
    starting.told("STATUS=waiting for the database");
    assert!(
        starting.log().contains("no answer within 5 s"),
        "{}",
        starting.log()
    );
    assert!(starting.stop() < Duration::from_secs(2));
}

#[test]
fn a_server_that_comes_up_is_used_and_what_waiting_does_not_mend_is_an_error_at_once() {
    if !have(Part::Postgres) {
        return;
    }
    let server = Own::start();
    let location = server.url.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(dc_signer::store::migrate(&location))
        .unwrap();
    server.kill();
    let mut starting = Starting::new(&server.url);
    starting.told("STATUS=waiting for the database");
    server.start_again();
    starting.told("READY=1");
    starting.stop();
    let unknown = server.url.replacen("/postgres?", "/unknown?", 1);
    let mut starting = Starting::new(&unknown);
    let began = Instant::now();
    assert!(!starting.process.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(5));
    let log = starting.log();
    assert!(
        log.contains("\"unknown\" does not exist") && !log.contains("waiting"),
        "{log}"
    );
}

const PATIENCE: Duration = Duration::from_secs(30);
