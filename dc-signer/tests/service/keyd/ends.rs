//! A slot that ends while the signing process that has its key does not answer: the process is told later, whoever is still there
//! of those that wanted to tell it.

use sqlx::{Connection, SqliteConnection};

use super::*;

const UNTOLD: &str = "dc_delegation_ends_untold";

/// A service whose keys are in the database, so that its own folder does not say where the process is.
fn sealed(process: &Process) -> Rig {
    let rig = Rig::start();
    let key = process.path("secrets.key");
    fs::write(&key, [b'a'; 64]).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let table = format!("[secrets]\nkey = {{ file = {key:?} }}\n[limits]");
    rig.edit_config("[limits]", &table);
    let seal = ["secrets", "seal", "--reason", "a test"];
    let (sealed, said) = command(&seal, &rig.data().join("config.toml"));
    assert!(sealed, "{said}");
    with_process(rig.restart(), process)
}

/// Issues from another certificate again, so that the process's can be ended.
fn leave(rig: &Rig) {
    let back = ["zones", "rollover", "cpe.example.com", "--to", "1"];
    let back = [&back[..], &["--reason", "a theft"]].concat();
    let (done, said) = command(&back, &rig.data().join("config.toml"));
    assert!(done, "{said}");
}

fn end(rig: &Rig) -> (bool, String) {
    let end = ["zones", "end", "cpe.example.com", "2", "--yes"];
    let end = [&end[..], &["--reason", "a theft"]].concat();
    command(&end, &rig.data().join("config.toml"))
}

fn holds(process: &Process) -> bool {
    let status = process.status().to_string();
    status.contains(&process.sha256().to_string())
}

/// Shows that commands, metrics and log name a process that was not told.
fn is_said(rig: &Rig, process: &Process) {
    let advice = format!(
        "'dc-signer keyd end {} --reason WHY --socket {}'",
        process.sha256(),
        process.path("socket").display()
    );
    let (content, check) = command(&["check"], &rig.data().join("config.toml"));
    assert!(content && check.contains(&advice), "{check}");
    assert!(check.contains("slot 2 of zone cpe.example.com has ended"));
    rig.wait_until("the metrics say so", || {
        let metrics = rig.admin().get("/metrics").body;
        metrics.contains(&format!("{UNTOLD} 1"))
    });
    assert!(rig.log().contains("may not know that slot 2"));
}

fn is_told(rig: &Rig, process: &Process) {
    // It is tried once a minute.
    let began = Instant::now();
    while holds(process) {
        assert!(began.elapsed() < 4 * PATIENCE, "{}", rig.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let end = |line: &Value| line["act"] == "end";
    assert!(process.written().iter().any(end));
    rig.wait_until("the metrics say so", || {
        let metrics = rig.admin().get("/metrics").body;
        metrics.contains(&format!("{UNTOLD} 0"))
    });
    let (content, check) = command(&["check"], &rig.data().join("config.toml"));
    assert!(content && !check.contains("keyd end"), "{check}");
    // Nothing is asked for that the process has to refuse.
    let refused = |line: &Value| line["act"] == "refuse";
    assert!(!process.written().iter().any(refused));
}

#[test]
fn a_process_is_told_of_an_end_when_it_is_back_also_by_a_service_that_was_not_there() {
    let mut process = Process::start("");
    let rig = sealed(&process);
    leave(&rig);
    // No key is here: the service has written down where the process is.
    let folder = rig.data().join("data/delegations");
    let folder = folder.join(process.sha256().to_string());
    rig.wait_until("the place is kept", || folder.join("place").exists());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    process.kill();
    let (done, said) = end(&rig);
    assert!(
        done && said.contains("warning: the signing process"),
        "{said}"
    );
    // Somebody who can write to the database does not keep it from being told.
    remove_place(&rig);
    let rig = rig.restart();
    is_said(&rig, &process);
    process.begin();
    is_told(&rig, &process);
    process.kill();
    process.begin();
    assert!(!holds(&process));
}

fn remove_place(rig: &Rig) {
    let url = format!(
        "sqlite://{}",
        rig.data().join("data/dc-signer.db").display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let sql = "DELETE FROM shared_delegations WHERE location IS NOT NULL";
        let removed = sqlx::query(sql).execute(&mut connection).await.unwrap();
        assert_eq!(removed.rows_affected(), 1);
        connection.close().await.unwrap();
    });
}

#[test]
fn whoever_agrees_to_an_end_is_told_that_the_process_was_not() {
    let mut process = Process::start("");
    let rig = sealed(&process);
    leave(&rig);
    let config = rig.data().join("config.toml");
    let token = rig.data().join("bob.token");
    let add = ["operators", "add", "bob", "--role", "admin"];
    let add = [&add[..], &["--reason", "a test", "--save-token"]].concat();
    let (added, said) = command(&[&add[..], &[token.to_str().unwrap()]].concat(), &config);
    assert!(added, "{said}");
    rig.configure("[approval]\nzones_end = true\n");
    process.kill();
    let (done, said) = end(&rig);
    assert!(!done, "{said}");
    let number = said.split("number ").nth(1).unwrap();
    let number = number.split(' ').next().unwrap();
    let approve = format!("/v1/admin/approvals/{number}/approve");
    let token = fs::read_to_string(&token).unwrap();
    let done = rig.client().token(token.trim()).post(&approve, &json!({}));
    let done: Value = done.ok();
    let warnings = done["warnings"].to_string();
    assert!(warnings.contains("--socket"), "{done}");
    process.begin();
    is_told(&rig.restart(), &process);
}
