//! A database that was put back to an older copy lets nobody back in, whoever did it and with whatever tools.

use std::fs;

use apparatus::{Part, have};

use crate::postgres::Own;
use crate::sandbox::{Outcome, Sandbox};

/// A signer with a device that is active in the copy, and was retired since.
struct Signer {
    sandbox: Sandbox,
    server: Option<Own>,
}

impl Signer {
    fn sqlite() -> Self {
        Self::new(None)
    }

    /// None, and it says so, if tests with PostgreSQL are skipped.
    fn postgres() -> Option<Self> {
        if !have(Part::Postgres) {
            return None;
        }
        let signer = Self::new(Some(Own::start()));
        Some(signer)
    }

    fn new(server: Option<Own>) -> Self {
        let sandbox = Sandbox::with_vendor();
        let database = server.as_ref().map_or_else(String::new, |server| {
            format!("[database]\npostgres = '{}'\n", url(server, "postgres"))
        });
        sandbox.write(
            "config.toml",
            format!(
                "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n{database}"
            ),
        );
        fs::create_dir(sandbox.path("data")).unwrap();
        let signer = Self { sandbox, server };
        signer.run(&["migrate"]).succeeded();
        let add = ["zones", "add", "cpe.example.com", "--import", "vendor"];
        signer.run(&add).succeeded();
        signer.run(&["devices", "add", "stolen"]).succeeded();
        signer
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.operate(arguments)
    }

    /// Makes a copy of the database under another name.
    fn copy(&self, from: &str, to: &str) {
        match &self.server {
            None => {
                let path = |name: &str| match name {
                    "postgres" => self.sandbox.path("data/dc-signer.db"),
                    name => self.sandbox.path(name),
                };
                fs::copy(path(from), path(to)).unwrap();
            }
            Some(server) => {
                psql(server, &format!("DROP DATABASE IF EXISTS {to}"));
                psql(server, &format!("CREATE DATABASE {to} TEMPLATE {from}"));
            }
        }
    }

    /// What `--newer-log` takes.
    fn place(&self, name: &str) -> String {
        match &self.server {
            None => name.to_owned(),
            Some(server) => url(server, name),
        }
    }

    fn state(&self) -> String {
        let shown = self.run(&["devices", "show", "stolen", "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown.succeeded()).unwrap();
        shown["device"]["state"].as_str().unwrap().to_owned()
    }

    /// Keeps a copy, retires the device, keeps that too, and puts the older one back.
    fn put_back(&self) {
        self.copy("postgres", "older");
        self.run(&["devices", "retire", "stolen", "--yes"])
            .succeeded();
        self.copy("postgres", "newer");
        self.copy("older", "postgres");
        // Whoever has to look can, although nothing can be recorded.
        let shown = self.run(&["devices", "show", "stolen"]);
        let shown = shown.warned(&["this is not in the audit log"]);
        assert!(shown.contains("preregistered"), "{shown}");
    }

    fn is_refused(&self) {
        let words = ["an older copy", "--newer-log", "--accept-older", "record 6"];
        for command in [
            &["restore", "--check"][..],
            &["devices", "resume", "stolen"],
            &["codes", "new", "stolen"],
            &["zones", "add", "other.example.com"],
        ] {
            self.run(command).refused(&words);
        }
    }

    fn is_brought_up(&self) {
        self.put_back();
        self.is_refused();
        let newer = self.place("newer");
        let brought = self.run(&["restore", "--newer-log", &newer]).succeeded();
        assert!(brought.contains("1 devices were"), "{brought}");
        assert_eq!(self.state(), "retired");
        self.run(&["restore", "--check"]).succeeded();
        self.run(&["devices", "add", "another"]).succeeded();
        self.run(&["audit", "verify"]).succeeded();
    }

    fn is_accepted(&self) {
        self.put_back();
        self.is_refused();
        let accept = ["restore", "--accept-older", "--yes"];
        self.run(&accept[..2]).refused(&["--yes"]);
        self.is_refused();
        let accepted = self.run(&accept).succeeded();
        assert!(accepted.contains("do that anew"), "{accepted}");
        self.run(&["restore", "--check"]).succeeded();
        // It is none any more.
        let head = self.run(&["audit", "verify"]).succeeded();
        self.run(&accept)
            .refused(&["no older copy", "nothing to accept"]);
        assert_eq!(self.run(&["audit", "verify"]).succeeded(), head);
        self.run(&["devices", "retire", "stolen", "--yes"])
            .succeeded();
        self.run(&["audit", "verify"]).succeeded();
    }
}

fn url(server: &Own, name: &str) -> String {
    server.url.replacen("/postgres?", &format!("/{name}?"), 1)
}

/// The database that is named `postgres` is a copy like any other: the statement runs in another one.
fn psql(server: &Own, sql: &str) {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&url(server, "template1"))
            .await
            .unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.unwrap();
    });
}

#[test]
fn an_older_file_is_refused_and_brought_up() {
    Signer::sqlite().is_brought_up();
}

#[test]
fn an_older_file_is_accepted_when_told_so() {
    Signer::sqlite().is_accepted();
}

#[test]
fn an_older_database_on_a_server_is_refused_and_brought_up() {
    if let Some(signer) = Signer::postgres() {
        signer.is_brought_up();
    }
}

#[test]
fn an_older_database_on_a_server_is_accepted_when_told_so() {
    if let Some(signer) = Signer::postgres() {
        signer.is_accepted();
    }
}

#[test]
fn restore_takes_no_older_backup_for_a_file_that_is_gone() {
    let signer = Signer::sqlite();
    signer.run(&["backup", "monday"]).succeeded();
    signer
        .run(&["devices", "retire", "stolen", "--yes"])
        .succeeded();
    fs::remove_file(signer.sandbox.path("data/dc-signer.db")).unwrap();
    let gone = [
        "dc-signer.db is not there",
        "record 7",
        "restore DIR --lose-newer",
    ];
    for command in [
        &["devices", "list"][..],
        &["migrate"],
        &["restore", "--accept-older", "--yes"],
        &["restore", "--check"],
    ] {
        signer.run(command).refused(&gone);
    }
    assert!(!signer.sandbox.path("data/dc-signer.db").exists());
    signer.run(&["restore", "monday"]).refused(&[
        "an older copy",
        "record 7",
        "restore DIR --lose-newer",
    ]);
    signer
        .run(&["restore", "monday", "--lose-newer"])
        .succeeded();
    signer.run(&["restore", "--check"]).succeeded();
    signer
        .run(&["devices", "retire", "stolen", "--yes"])
        .succeeded();
}

#[test]
fn a_backup_beside_a_server_has_the_secrets_and_keys() {
    let Some(signer) = Signer::postgres() else {
        return;
    };
    let said = signer.run(&["backup", "monday"]).succeeded();
    for words in ["not the database", "6 records", "pg_dump"] {
        assert!(said.contains(words), "{said}");
    }
    signer.copy("postgres", "monday");
    signer
        .run(&["devices", "retire", "stolen", "--yes"])
        .succeeded();
    let folder = signer.sandbox.names("monday/delegations").remove(0);
    let key = format!("data/delegations/{folder}/key.pem");
    let key = signer.sandbox.read(&key);
    // Another machine.
    fs::rename(signer.sandbox.path("data"), signer.sandbox.path("lost")).unwrap();
    fs::create_dir(signer.sandbox.path("data")).unwrap();
    let restored = signer.run(&["restore", "monday"]).succeeded();
    assert!(restored.contains("1 records since"), "{restored}");
    let there = signer
        .sandbox
        .read(&format!("data/delegations/{folder}/key.pem"));
    assert_eq!(there, key);
    signer.run(&["devices", "show", "stolen"]).succeeded();
    // With a database that is older than the backup, and on a machine that knows nothing.
    signer.run(&["backup", "tuesday"]).succeeded();
    signer.copy("monday", "postgres");
    fs::remove_dir_all(signer.sandbox.path("data")).unwrap();
    fs::create_dir(signer.sandbox.path("data")).unwrap();
    signer
        .run(&["restore", "tuesday"])
        .refused(&["an older copy", "record 9", "ends with 6"]);
}

#[test]
fn a_server_that_is_not_there_is_called_so() {
    let Some(signer) = Signer::postgres() else {
        return;
    };
    let server = signer.server.as_ref().unwrap();
    server.kill();
    signer
        .run(&["devices", "list"])
        .refused(&["the database does not answer", "Connection refused"]);
    server.start_again();
    signer.run(&["devices", "list"]).succeeded();
}
