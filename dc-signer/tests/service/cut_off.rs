//! Requests that the database keeps from being answered: they are refused within their time, and in the log.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::Answer;
use crate::disk::with_postgres_and;
use crate::postgres::Own;
use crate::rig::{Rig, as_operator};
use crate::router::{Router, csr};

/// A request may take longer than its connection may be silent.
const TIMES: &str = "request_timeout = \"4s\"\nidle_timeout = \"2s\"";
const IN_TIME: Duration = Duration::from_secs(8);

fn refused_in_time(rig: &Rig, answer: impl FnOnce() -> Answer) {
    let began = Instant::now();
    let answer = answer();
    answer.refused(503, "storage-unavailable");
    assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
    let id = answer.head.split("x-request-id: ").nth(1).unwrap();
    let id = id.split('\r').next().unwrap().to_owned();
    rig.wait_until("it is in the log", || {
        let log = rig.log();
        let mut lines = log.lines().filter(|line| line.contains(&id));
        lines.any(|line| line.contains("unavailable") && line.contains("503"))
    });
}

/// Sends a signal to the server's processes that answer this service, and to the one that makes new ones if `all`.
fn signal(server: &Own, signal: &str, all: bool) {
    use sqlx::{Connection, PgConnection};
    let pids = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dc-signer'";
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let mut pids: Vec<i32> = runtime.block_on(async {
        let mut connection = PgConnection::connect(&server.url).await.unwrap();
        let pids = sqlx::query_scalar(pids);
        pids.fetch_all(&mut connection).await.unwrap()
    });
    if all {
        pids.push(postmaster(server));
    }
    send(signal, &pids);
}

fn send(signal: &str, pids: &[i32]) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{signal}"));
    kill.args(pids.iter().map(ToString::to_string));
    // One of them may have ended meanwhile.
    kill.status().unwrap();
}

fn postmaster(server: &Own) -> i32 {
    let folder = server.url.split("host=").nth(1).unwrap();
    let file = std::fs::read_to_string(format!("{folder}/data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

#[test]
fn a_server_that_has_stopped_is_an_answer_in_time_and_is_done_without() {
    let Some((server, rig)) = with_postgres_and(Own::start, TIMES) else {
        return;
    };
    let (router, _) = Router::enrolled(&rig, "one");
    router.renew(&csr(), "before").ok();
    signal(&server, "STOP", true);
    refused_in_time(&rig, || router.renew(&csr(), "stopped"));
    refused_in_time(&rig, || router.renew(&csr(), "stopped"));
    // The processes that have stopped never answer; new ones do.
    send("CONT", &[postmaster(&server)]);
    rig.wait_until("others answer", || {
        router.renew(&csr(), "others").status == 200
    });
    signal(&server, "CONT", false);
}

#[test]
fn a_row_that_somebody_holds_is_an_answer_in_time() {
    use sqlx::{Connection, Executor, PgConnection};
    let Some((server, rig)) = with_postgres_and(Own::start, TIMES) else {
        return;
    };
    let (router, _) = Router::enrolled(&rig, "one");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut connection = runtime.block_on(async {
        let mut connection = PgConnection::connect(&server.url).await.unwrap();
        connection.execute("BEGIN").await.unwrap();
        let lock = "SELECT * FROM audit_head FOR UPDATE";
        connection.execute(lock).await.unwrap();
        connection
    });
    let request = csr();
    refused_in_time(&rig, || router.renew(&request, "held"));
    runtime.block_on(async { connection.execute("ROLLBACK").await.unwrap() });
    rig.wait_until("it goes on", || {
        router.renew(&request, "held").status == 200
    });
}

#[test]
fn a_request_whose_client_is_gone_is_in_the_log() {
    let rig = Rig::start();
    let admin = rig.admin();
    let locked = rig.lock_database();
    let body = "{\"external_id\":\"gone\"}";
    let mut tls = admin.tls().unwrap();
    let head = admin.head("POST", "/v1/admin/devices");
    let length = body.len();
    write!(
        tls,
        "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    tls.flush().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    drop(tls);
    rig.wait_until("it is in the log", || {
        let log = rig.log();
        let mut lines = log.lines().filter(|line| line.contains("cut off"));
        lines.any(|line| line.contains("/v1/admin/devices") && line.contains("POST"))
    });
    drop(locked);
}

#[test]
fn a_database_that_is_put_back_while_the_service_runs_lets_nobody_in() {
    let Some((server, rig)) = with_postgres_and(Own::start, "") else {
        return;
    };
    let (stolen, _) = Router::enrolled(&rig, "stolen");
    let run = |statements: &[&'static str]| {
        use sqlx::{Connection, Executor, PgConnection};
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&server.url).await.unwrap();
            for statement in statements {
                connection.execute(*statement).await.unwrap();
            }
        });
    };
    run(&[
        "CREATE SCHEMA older",
        "CREATE TABLE older.audit_head AS TABLE audit_head",
        "CREATE TABLE older.devices AS TABLE devices",
    ]);
    let head = rig.data().join("data/audit-head.json");
    let seen = || std::fs::read_to_string(&head).unwrap_or_default();
    let enrolled = seen();
    rig.wait_until("the enrolment was seen", || seen() != enrolled);
    let before = seen();
    let device = rig.admin().get("/v1/admin/devices?prefix=stolen").ok();
    let id = device["devices"][0]["id"].as_str().unwrap();
    let suspend = format!("/v1/admin/devices/{id}/suspend");
    rig.admin().act(&suspend, &serde_json::json!({})).ok();
    stolen
        .renew(&csr(), "suspended")
        .refused(403, "device-suspended");
    rig.wait_until("the suspension was seen", || seen() != before);
    run(&[
        "BEGIN",
        "DELETE FROM audit WHERE seq > (SELECT seq FROM older.audit_head)",
        "UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM older.audit_head)",
        "UPDATE devices SET state = 'active' WHERE state = 'suspended'",
        "COMMIT",
    ]);
    let refused = stolen.renew(&csr(), "back");
    refused.refused(503, "storage-unavailable");
    rig.wait_until("the log says what to do", || {
        let log = rig.log();
        log.contains("an older copy") && log.contains("restore --accept-older")
    });
    let ready = rig.client().get("/readyz");
    ready.refused(503, "storage-unavailable");
    for words in ["an older copy", "restore --accept-older"] {
        assert!(ready.body.contains(words), "{}", ready.body);
    }
    assert!(!ready.body.contains("check its disk"), "{}", ready.body);
    let config = rig.data().join("config.toml");
    let accepted = as_operator(&config)
        .args(["restore", "--accept-older", "--yes"])
        .args(["--reason", "a test", "--config"])
        .arg(config)
        .status()
        .unwrap();
    assert!(accepted.success());
    rig.wait_until("it goes on by itself", || {
        rig.client().get("/readyz").status == 200
    });
    stolen.renew(&csr(), "accepted").ok();
}
