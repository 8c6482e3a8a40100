//! What breaks by itself, or because the CA or the database is not what it was.

use std::fs;

use dc_agent::Level;
use sqlx::{Connection, Executor};

use super::ca::Ca;
use super::command::{ZONE, run, sha256};
use crate::agent::Device;
use crate::rig::Rig;

fn edit_database(rig: &Rig, sql: &'static str) {
    let path = rig.data().join("data/dc-signer.db");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", path.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let done = connection.execute(sql).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    });
}

#[test]
fn an_audit_that_finds_another_enrolment_key_names_the_device_and_is_content_once_it_is_replaced() {
    let rig = Rig::start();
    for external_id in ["one", "two"] {
        let (device, _) = Device::added(&rig, external_id, "");
        device.boot(0).turn();
    }
    run(&rig, &["audit", "verify"]).ok();
    edit_database(
        &rig,
        "UPDATE devices SET enrolment_key = randomblob(32) WHERE external_id = 'two'",
    );
    let found = run(&rig, &["audit", "verify"]).refused();
    let two = run(&rig, &["devices", "show", "two", "--json"]).ok();
    let two: serde_json::Value = serde_json::from_str(two.lines().next().unwrap()).unwrap();
    let name = two["device"]["name"].as_str().unwrap();
    assert!(found.contains(name), "{found}");
    run(&rig, &["devices", "suspend", "two"]).ok();
    let replaced = run(&rig, &["devices", "replace", "two", "--new-name", "--json"]).ok();
    let replaced: serde_json::Value = serde_json::from_str(&replaced).unwrap();
    rig.keep_secret(replaced["code"]["code"].as_str().unwrap());
    run(&rig, &["audit", "verify"]).ok();
}

#[test]
fn a_zone_moves_to_another_ca_and_a_device_that_does_not_know_it_yet_stays_and_says_so() {
    let rig = Rig::start();
    let ca = Ca::new();
    let (ready, _) = Device::added(&rig, "ready", "");
    let (late, _) = Device::added(&rig, "late", "");
    for device in [&ready, &late] {
        device.boot(0).turn();
    }
    let trust = |device: &Device| {
        let path = device.path("root.pem");
        let roots = fs::read_to_string(&path).unwrap() + &ca.root();
        fs::write(path, roots).unwrap();
    };
    trust(&ready);
    let folder = tempfile::tempdir().unwrap();
    let next = folder.path().join("next");
    ca.certify(1, &next);
    let import = ["--import", next.to_str().unwrap(), "--now"];
    run(&rig, &[&["zones", "rollover", ZONE][..], &import].concat()).ok();
    rig.wait_until("the service issues from it", || {
        let info = rig.client().get("/v1/renewal-info/cpe.example.com").ok();
        info["certificate_sha256"] == sha256(&next)
    });
    let renew = |device: &Device| {
        let mut agent = device.boot(4);
        agent.turn();
        (agent.status().level, agent.status().last_failure)
    };
    let chain = |device: &Device| fs::read(device.path("identity/current/chain.pem")).unwrap();
    let before = chain(&late);
    assert_eq!(renew(&ready).0, Level::Fine);
    let failure = renew(&late).1.unwrap();
    assert!(failure.detail.contains("roots"), "{failure:?}");
    assert!(chain(&late) == before);
    // What it has is served on, and the next try is as good as the first.
    trust(&late);
    fs::remove_file(late.path("state/state.json")).unwrap();
    assert_eq!(renew(&late).0, Level::Fine);
    assert_eq!(chain(&late), chain(&ready));
}

#[test]
fn a_signer_that_lost_its_database_is_restored_and_its_devices_come_back() {
    let mut rig = Rig::start();
    let (device, _) = Device::added(&rig, "one", "");
    device.boot(0).turn();
    let backup = rig.data().join("monday");
    let backup = backup.to_str().unwrap();
    run(&rig, &["backup", backup]).ok();
    // What the machine has worked with since is newer.
    run(&rig, &["devices", "add", "later"]).ok();
    rig.signal("KILL");
    assert!(!rig.ended());
    for end in ["", "-wal", "-shm"] {
        let file = rig.data().join(format!("data/dc-signer.db{end}"));
        assert!(fs::remove_file(file).is_ok() || !end.is_empty());
    }
    let before = fs::read(device.path("identity/current/credential.pem")).unwrap();
    let mut agent = device.boot(4);
    agent.turn();
    let failure = agent.status().last_failure.unwrap();
    assert!(!failure.permanent, "{failure:?}");
    drop(agent);
    let refused = run(&rig, &["restore", backup]).refused();
    assert!(refused.contains("--lose-newer"), "{refused}");
    run(&rig, &["restore", backup, "--lose-newer"]).ok();
    run(&rig, &["restore", "--check"]).ok();
    let old = rig.port;
    let rig = rig.restart();
    // The name that the device knows leads to the new one, and its wait is over.
    let edit = |file: &str, from: &str, to: &str| {
        let path = device.path(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace(from, to)).unwrap();
    };
    edit(
        "agent.toml",
        &format!(":{old}'"),
        &format!(":{}'", rig.port),
    );
    edit("state/state.json", "\"retry\"", "\"waited\"");
    let mut agent = device.boot(4);
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{}", agent.status());
    assert_ne!(
        fs::read(device.path("identity/current/credential.pem")).unwrap(),
        before
    );
    run(&rig, &["audit", "verify"]).ok();
}
