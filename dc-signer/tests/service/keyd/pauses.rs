//! A process that issues nothing for a while: whoever looks at the service is told, before a device comes.

use super::*;
use crate::small_disk::SmallDisk;

const CAN_ISSUE: &str = "dc_zone_can_issue{zone=\"cpe.example.com\"}";
const USABLE: &str =
    "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"2\",state=\"active\"}";
const PAUSE: &str = "dc_zone_pause_until_seconds{zone=\"cpe.example.com\"}";

/// As [`is_said_everywhere`], and until when that is so.
fn pause_is_said_everywhere(rig: &Rig, cause: &str) {
    for said in is_said_everywhere(rig, cause) {
        assert!(
            said.contains(cause) && said.contains("issues nothing until 2"),
            "{said}"
        );
    }
    let metrics = rig.admin().get("/metrics").body;
    assert!(!metrics.contains(&format!("{PAUSE} 0")), "{metrics}");
}

/// Shows that readiness, metrics, `check`, `zones list` and the log agree that nothing is issued; all but the first, which is for
/// everybody, say for this reason.
fn is_said_everywhere(rig: &Rig, cause: &str) -> [String; 4] {
    rig.wait_until("it says that it is not ready", || {
        rig.client().get("/readyz").status == 503
    });
    let config = rig.data().join("config.toml");
    let (content, check) = command(&["check"], &config);
    assert!(!content, "{check}");
    let (listed, list) = command(&["zones", "list"], &config);
    assert!(listed, "{list}");
    rig.wait_until("the log says why", || rig.log().contains(cause));
    let readyz = rig.client().get("/readyz").body;
    let said = [check, list, rig.log(), readyz];
    for said in &said[..3] {
        assert!(said.contains(cause), "{said}");
    }
    let metrics = rig.admin().get("/metrics").body;
    for line in [
        "dc_ready 0",
        &format!("{CAN_ISSUE} 0"),
        &format!("{USABLE} 0"),
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    said
}

fn is_ready_again(rig: &Rig) {
    rig.wait_until("it is ready again by itself", || {
        rig.client().get("/readyz").status == 200
    });
    let metrics = rig.admin().get("/metrics").body;
    for line in [
        "dc_ready 1",
        &format!("{CAN_ISSUE} 1"),
        &format!("{USABLE} 1"),
        &format!("{PAUSE} 0"),
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let config = rig.data().join("config.toml");
    for what in [&["check"][..], &["zones", "list"]] {
        let (content, said) = command(what, &config);
        assert!(content && !said.contains("issues nothing"), "{said}");
    }
}

#[test]
fn a_process_whose_log_is_gone_is_said_by_the_service_before_a_device_comes() {
    let mut process = Process::start("");
    let rig = service(&process);
    is_ready_again(&rig);
    process.kill();
    let (log, elsewhere) = (process.path("state/log.ndjson"), process.path("elsewhere"));
    fs::rename(&log, &elsewhere).unwrap();
    process.begin();
    pause_is_said_everywhere(&rig, "its own log is gone or damaged");
    // An import, which helps after a theft, gets past the process meanwhile.
    let front = process.path("front");
    let import = ["zones", "rollover", "cpe.example.com", "--import"];
    let import = [
        &import[..],
        &[front.to_str().unwrap(), "--reason", "a test"],
    ];
    let (done, said) = command(&import.concat(), &rig.data().join("config.toml"));
    // The key was tried, and nothing is against it but that it is there.
    assert!(
        !done && said.contains("this delegation certificate already"),
        "{said}"
    );
    process.kill();
    fs::rename(&elsewhere, &log).unwrap();
    process.begin();
    is_ready_again(&rig);
    // A service that tries its key for clients too has asked for nothing that may not be.
    let refused = |line: &Value| line["act"] == "refuse";
    assert!(!process.written().iter().any(refused));
}

#[test]
fn a_ceiling_of_an_hour_is_said_as_a_fault_and_one_of_a_minute_as_a_fact() {
    let process = Process::start("per_hour = 1\n");
    let rig = service(&process);
    is_ready_again(&rig);
    Router::enrolled(&rig, "one");
    pause_is_said_everywhere(&rig, "ceiling (per_hour)");

    let process = Process::start("per_minute = 1\n");
    let rig = service(&process);
    Router::enrolled(&rig, "one");
    let paused = || {
        let metrics = rig.admin().get("/metrics").body;
        metrics.contains(PAUSE) && !metrics.contains(&format!("{PAUSE} 0"))
    };
    rig.wait_until("the metrics say so", paused);
    assert_eq!(rig.client().get("/readyz").status, 200);
    let metrics = rig.admin().get("/metrics").body;
    assert!(metrics.contains("dc_ready 1") && metrics.contains(&format!("{CAN_ISSUE} 1")));
    rig.wait_until("the log says so", || rig.log().contains("(per_minute)"));
    let (content, said) = command(&["check"], &rig.data().join("config.toml"));
    assert!(content, "{said}");
}

#[test]
fn a_process_whose_disk_is_full_is_said_by_the_service_before_a_device_comes() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let mut process = Process::start("");
    process.kill();
    let config = process.path("keyd.toml");
    let state = format!("state = {:?}", disk.path().join("state"));
    let moved = fs::read_to_string(&config).unwrap();
    fs::write(&config, moved.replace("state = \"state\"", &state)).unwrap();
    process.begin();
    let rig = service(&process);
    is_ready_again(&rig);
    let (router, _) = Router::enrolled(&rig, "one");
    for round in 0..2 {
        disk.fill();
        is_said_everywhere(&rig, "the disk of its own log is full: make room");
        let refused = router.renew(&csr(), &format!("{round}-full"));
        refused.refused(503, "zone-not-ready");
        disk.make_room();
        is_ready_again(&rig);
        router.renew(&csr(), &format!("{round}-again")).ok();
    }
}
