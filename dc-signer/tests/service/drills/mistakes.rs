//! An operator did the wrong thing, and wants it undone.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use dc_agent::Level;
use serde_json::{Value, json};

use super::command::{ZONE, run, slots};
use crate::agent::Device;
use crate::rig::Rig;
use crate::router::{Router, csr};

const DEVICES: usize = 10_000;
const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn ten_thousand_devices_that_were_suspended_by_mistake_are_resumed_and_no_other() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "box-00000");
    let new: String = (1..DEVICES)
        .map(|n| format!("{{\"external_id\":\"box-{n:05}\"}}\n"))
        .collect();
    let bulk = "/v1/admin/devices/bulk";
    let added = rig.admin().request("POST", bulk, &NDJSON, new.as_bytes());
    assert_eq!(added.status, 200);
    // One of them is suspended for a reason.
    run(&rig, &["devices", "suspend", "box-00007"]).ok();
    let stolen = rig.admin().get("/v1/admin/devices?prefix=box-00007").ok();
    std::thread::sleep(Duration::from_millis(1100));
    let began = crate::rig::now().as_secs();
    let wrong: String = (0..DEVICES).map(|n| format!("box-{n:05}\n")).collect();
    let file = rig.data().join("wrong.txt");
    fs::write(&file, wrong).unwrap();
    let suspend = [
        "devices",
        "suspend",
        "--json",
        "--file",
        file.to_str().unwrap(),
    ];
    let suspended = run(&rig, &suspend);
    println!("{DEVICES} devices suspended in {:?}", suspended.took);
    let suspended = lines(&suspended.ok());
    assert_eq!(suspended.len(), DEVICES);
    router.renew(&csr(), "k1").refused(403, "device-suspended");
    // What the command printed says when each was changed: that of before is left alone.
    let is_ours = |device: &&Value| device["changed"].as_u64().unwrap() >= began;
    let ours: String = suspended
        .iter()
        .filter(is_ours)
        .map(|device| format!("{device}\n"))
        .collect();
    let file = rig.data().join("undo.ndjson");
    fs::write(&file, &ours).unwrap();
    let resume = ["devices", "resume", "--file", file.to_str().unwrap()];
    let resumed = run(&rig, &resume);
    println!(
        "{} devices resumed in {:?}",
        lines(&ours).len(),
        resumed.took
    );
    resumed.ok();
    router.renew(&csr(), "k2").ok();
    let list = ["devices", "list", "--state", "suspended", "--json"];
    let left: BTreeSet<String> = lines(&run(&rig, &list).ok())
        .iter()
        .map(|device| device["external_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(left, ["box-00007".to_owned()].into());
    assert_eq!(stolen["devices"][0]["state"], "suspended");
    let withdrawn = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    let withdrawn: Value = serde_json::from_str(withdrawn["list"].as_str().unwrap()).unwrap();
    assert!(
        withdrawn["names"].as_array().unwrap().len() <= 1,
        "{withdrawn}"
    );
}

#[test]
fn a_move_to_the_wrong_certificate_is_taken_back_while_devices_renew() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let before = router.renew(&csr(), "k1").ok();
    rig.import_next_certificate();
    let rollover = ["zones", "rollover", ZONE];
    run(&rig, &[&rollover[..], &["--now"]].concat()).ok();
    let chain = || {
        let key = format!("{:?}", Instant::now());
        router.renew(&csr(), &key).ok()["chain"].clone()
    };
    rig.wait_until("the wrong one is issued from", || {
        chain() != before["chain"]
    });
    let wrong = [
        "devices",
        "list",
        "--zone",
        ZONE,
        "--on-slot",
        "2",
        "--json",
    ];
    assert_eq!(run(&rig, &wrong).ok().lines().count(), 1);
    run(&rig, &[&rollover[..], &["--to", "1"]].concat()).ok();
    // Whoever ends it is told that somebody has a credential under it.
    let ended = run(&rig, &["zones", "end", ZONE, "2", "--yes"]);
    assert!(ended.err.contains("1 device may hold"), "{ended:?}");
    ended.ok();
    rig.wait_until("the right one is issued from", || {
        chain() == before["chain"]
    });
    assert_eq!(run(&rig, &wrong).ok().lines().count(), 0);
    assert_eq!(slots(&rig), ["active", "gone"]);
    assert_eq!(chain(), before["chain"]);
    rig.client().get("/readyz").ok();
}

#[test]
fn a_device_that_was_retired_by_mistake_serves_on_and_comes_back_under_another_name() {
    let rig = Rig::start();
    let (device, id) = Device::added(&rig, "one", "");
    let mut agent = device.boot(0);
    agent.turn();
    let first = agent.status().identity.unwrap().name;
    drop(agent);
    run(&rig, &["devices", "retire", "one", "--yes"]).ok();
    let refused = run(&rig, &["devices", "resume", "one"]).refused();
    assert!(refused.contains("retired"), "{refused}");
    // The credential that it has is good until its end.
    let mut agent = device.boot(4);
    agent.turn();
    assert_eq!(agent.status().last_failure.unwrap().kind, "device-retired");
    assert_eq!(agent.status().level, Level::AtRisk);
    drop(agent);
    // Its key stays the retired device's, so the box makes another one.
    let added = rig.add("one-again");
    assert_ne!(added["id"], json!(id));
    fs::remove_file(device.path("state/enrolment-key.pem")).unwrap();
    let code = added["code"]["code"].as_str().unwrap();
    fs::write(device.path("code"), code).unwrap();
    let mut agent = device.boot(4);
    agent.turn();
    let status = agent.status();
    assert_eq!(status.level, Level::Fine, "{status}");
    assert_ne!(status.identity.unwrap().name, first);
}
