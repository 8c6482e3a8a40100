//! Starting, reloading, stopping, and a database that cannot be written.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::KeyPair;

use crate::client::read;
use crate::rig::{Rig, as_operator};
use crate::router::{Router, csr};

#[test]
fn what_is_known_survives_a_restart() {
    let rig = Rig::start();
    let (router, first) = Router::enrolled(&rig, "one");
    let rig = rig.restart();
    let router = Router {
        client: crate::router::client(&rig, &router.enrolment_key),
        enrolment_key: router.enrolment_key,
    };
    assert_eq!(router.renew(&csr(), "k").ok()["name"], first["name"]);
}

#[test]
fn a_request_in_progress_is_answered_after_sigterm() {
    let mut rig = Rig::start();
    let client = rig.client();
    let mut tls = client.tls().unwrap();
    tls.write_all(client.head("GET", "/healthz").as_bytes())
        .unwrap();
    tls.flush().unwrap();
    // Enough for the service to have read it.
    std::thread::sleep(Duration::from_millis(300));
    rig.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    tls.write_all(b"\r\n").unwrap();
    tls.flush().unwrap();
    assert_eq!(read(&mut tls).status, 200);
    assert!(rig.ended());
}

#[test]
fn nobody_who_was_heard_goes_without_an_answer_when_the_service_stops_under_load() {
    let mut rig = Rig::start();
    let routers: Vec<_> = (0..4)
        .map(|n| Router::enrolled(&rig, &format!("r{n}")).0)
        .collect();
    let (stopping, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for router in &routers {
            scope.spawn(|| {
                for number in 0.. {
                    let Ok(mut tls) = router.client.tls() else {
                        break;
                    };
                    let body =
                        serde_json::json!({"csr": csr(), "idempotency_key": format!("{number}")})
                            .to_string();
                    let head = router.client.head("POST", "/v1/renew");
                    let request = format!(
                        "{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let sent = tls.write_all(request.as_bytes()).and_then(|()| tls.flush());
                    let answer = read(&mut tls);
                    match answer.status {
                        200 => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        // Not heard any more: the connection came when the service was stopping.
                        0 => {
                            assert!(stopping.load(Ordering::Relaxed), "{sent:?}");
                            break;
                        }
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
        while answered.load(Ordering::Relaxed) < 20 {
            std::thread::sleep(Duration::from_millis(10));
        }
        stopping.store(true, Ordering::Relaxed);
        rig.signal("TERM");
    });
    assert!(rig.ended());
    assert!(rig.log().contains("stopped"));
}

#[test]
fn a_reload_takes_a_new_certificate_and_drops_no_connection() {
    let mut rig = Rig::start();
    let client = rig.client();
    let mut before = client.tls().unwrap();
    let old = before.conn.peer_certificates().unwrap()[0].clone();
    before
        .write_all(client.head("GET", "/healthz").as_bytes())
        .unwrap();
    before.flush().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let new = params.self_signed(&key).unwrap();
    let tls = rig.data().join("tls");
    std::fs::write(tls.join("chain.pem"), new.pem()).unwrap();
    // Only half of it is there yet: everything stays as it was.
    rig.signal("HUP");
    rig.wait_until("the reload is refused", || {
        rig.log().contains("not reloaded")
    });
    let failed = |client: &crate::client::Client, is_so: u8| {
        let line = format!("\ndc_reload_failed {is_so}\n");
        client.get("/metrics").body.contains(&line)
    };
    rig.wait_until("the metrics say so", || failed(&client, 1));
    assert_eq!(
        client.tls().unwrap().conn.peer_certificates().unwrap()[0],
        old
    );
    std::fs::write(tls.join("key.pem"), key.serialize_pem()).unwrap();
    rig.reload();
    let trusting = crate::client::Client::new(rig.port, &tls.join("chain.pem"));
    assert_eq!(trusting.get("/healthz").status, 200);
    assert!(failed(&trusting, 0));
    before.write_all(b"\r\n").unwrap();
    before.flush().unwrap();
    assert_eq!(read(&mut before).status, 200);
    rig.signal("TERM");
    assert!(rig.ended());
}

#[test]
fn a_reload_says_what_takes_a_restart_and_changes_the_rest() {
    let rig = Rig::start_with("max_connections = 1000");
    rig.edit_config("format = \"json\"", "format = \"human\"");
    rig.edit_config("node = \"dev\"", "node = \"other\"");
    rig.edit_config("max_connections = 1000", "max_connections = 2");
    rig.reload();
    let warned = |rig: &Rig, key: &str| rig.log().contains(&format!("{key} has changed"));
    for (key, has_changed) in [
        ("log.format", true),
        ("node", true),
        ("tenant", false),
        ("listen.max_connections", false),
    ] {
        assert_eq!(warned(&rig, key), has_changed, "{key}");
    }
    let mut open: Vec<_> = (0..2).map(|_| rig.client().tls().unwrap()).collect();
    // The third takes the place of the oldest, which has nothing to do.
    open.push(rig.client().tls().unwrap());
    assert!(is_closed(&mut open[0]));
    open.remove(0);
    rig.edit_config("max_connections = 2", "max_connections = 3");
    rig.reload();
    open.push(rig.client().tls().unwrap());
    assert!(!open.iter_mut().any(is_closed));
}

/// True if the service has closed a connection, or does so soon.
fn is_closed(tls: &mut crate::client::Tls) -> bool {
    let soon = Some(Duration::from_secs(2));
    tls.sock.set_read_timeout(soon).unwrap();
    match tls.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn a_database_that_cannot_be_written_is_not_ready_and_recovers_by_itself() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let lock = rig.lock_database();
    router
        .renew(&csr(), "k")
        .refused(503, "storage-unavailable");
    rig.client()
        .get("/readyz")
        .refused(503, "storage-unavailable");
    rig.client().get("/healthz").ok();
    drop(lock);
    rig.wait_until("it is ready again", || {
        rig.client().get("/readyz").status == 200
    });
    router.renew(&csr(), "k").ok();
}

#[test]
fn a_second_service_on_the_same_port_says_what_to_do() {
    let rig = Rig::start();
    let config = rig.data().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("127.0.0.1:0", &format!("127.0.0.1:{}", rig.port));
    let other = rig.data().join("other.toml");
    std::fs::write(&other, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["serve", "--config"])
        .arg(other)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("listen.address"), "{said}");
}

#[test]
fn the_service_manager_is_told_what_happens() {
    let mut rig = Rig::start();
    rig.told("READY=1");
    rig.told("WATCHDOG=1");
    rig.signal("HUP");
    rig.told("RELOADING=1");
    rig.told("READY=1");
    rig.signal("TERM");
    rig.told("STOPPING=1");
    assert!(rig.ended());
}

#[test]
fn devices_renew_while_a_zone_moves_on_to_its_next_certificate() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let before = router.renew(&csr(), "k1").ok();
    rig.import_next_certificate();
    let zone = "/v1/admin/zones/cpe.example.com";
    let rolled = rig
        .admin()
        .act(&format!("{zone}/rollover"), &serde_json::json!({}))
        .ok();
    let states: Vec<&str> = rolled["slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| slot["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["draining", "active"]);
    let after = router.renew(&csr(), "k2").ok();
    assert_ne!(after["chain"], before["chain"]);
    assert_eq!(after["name"], before["name"]);
    let metrics = rig.client().get("/metrics").body;
    assert!(
        metrics
            .contains("dc_issued_total{zone=\"cpe.example.com\",path=\"renew\",result=\"ok\"} 2"),
        "{metrics}"
    );
}

#[test]
fn a_service_manager_that_does_not_read_stops_nobody() {
    let mut rig = Rig::start_unheard();
    // A dozen messages fill the socket.
    rig.wait_until("it complains", || rig.log().contains("does not read"));
    for _ in 0..20 {
        rig.client().get("/healthz").ok();
    }
    rig.signal("TERM");
    assert!(rig.ended());
}

#[test]
fn nobody_puts_a_backup_in_the_place_of_a_database_that_a_service_uses() {
    let mut rig = Rig::start();
    let run = |rig: &Rig, command: &str| {
        let reason: &[&str] = match command {
            "restore" => &["--reason", "a test"],
            _ => &[],
        };
        let output = as_operator(&rig.data().join("config.toml"))
            .arg(command)
            .args(reason)
            .arg(rig.data().join("backup"))
            .arg("--config")
            .arg(rig.data().join("config.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    };
    let backup = run(&rig, "backup");
    assert!(backup.0, "{}", backup.1);
    Router::enrolled(&rig, "one");
    let (done, said) = run(&rig, "restore");
    assert!(
        !done && said.contains(&format!("in use by process {}", rig.pid())),
        "{said}"
    );
    // Nor does anybody change what it has to believe of the one that is there.
    for how in [
        &["--accept-older", "--yes"][..],
        &["--newer-log", "newer.db"],
    ] {
        let output = as_operator(&rig.data().join("config.toml"))
            .current_dir(rig.data())
            .arg("restore")
            .args(how)
            .args(["--reason", "a test", "--config", "config.toml"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{said}");
        let words = format!("in use by process {}", rig.pid());
        assert!(said.contains(&words), "{said}");
    }
    rig.client().get("/readyz").ok();
    // However it ends.
    rig.signal("KILL");
    assert!(!rig.ended());
    let (done, said) = run(&rig, "restore");
    assert!(done, "{said}");
    let rig = rig.restart();
    let devices = rig.admin().get("/v1/admin/devices?prefix=one").ok();
    assert_eq!(devices["devices"], serde_json::json!([]));
}
