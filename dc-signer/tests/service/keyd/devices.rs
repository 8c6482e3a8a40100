//! Devices of a service whose delegation keys a process holds.

use super::*;

#[test]
fn devices_enrol_and_renew_while_the_service_has_no_key_and_the_process_is_killed_in_between() {
    let mut process = Process::start("");
    let rig = service(&process);
    let folder = rig
        .data()
        .join(format!("data/delegations/{}", process.sha256()));
    assert!(folder.join("key.keyd").exists() && !folder.join("key.pem").exists());
    let (router, answer) = Router::enrolled(&rig, "one");
    verify(&process, &answer);
    assert_eq!(process.written().last().unwrap()["name"], answer["name"]);

    process.kill();
    let refused = router.renew(&csr(), "11111111-1111-4111-8111-111111111111");
    refused.refused(503, "zone-not-ready");
    rig.wait_until("it says that it is not ready", || {
        rig.client().get("/readyz").status == 503
    });
    let why = rig.client().get("/readyz").body;
    assert!(why.contains("the process that signs with its key"), "{why}");
    assert!(!why.contains("socket"), "strangers read this: {why}");
    let unusable =
        "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"2\",state=\"active\"} 0";
    assert!(rig.admin().get("/metrics").body.contains(unusable));

    process.begin();
    rig.wait_until("it is ready again by itself", || {
        rig.client().get("/readyz").status == 200
    });
    let renewed = router
        .renew(&csr(), "22222222-2222-4222-8222-222222222222")
        .ok();
    verify(&process, &renewed);
    assert_eq!(renewed["name"], answer["name"]);
    // The log that a killed process has left is whole.
    let log = process.path("state/log.ndjson");
    let (whole, said) = run(&["keyd", "log", log.to_str().unwrap()]);
    assert!(whole && said.contains("OK up to line"), "{said}");
}

#[test]
fn a_process_signs_nothing_more_under_a_certificate_that_the_service_has_ended() {
    let mut process = Process::start("");
    let rig = service(&process);
    let config = rig.data().join("config.toml");
    let (certificate, reason) = (process.sha256(), ["--reason", "a test"]);
    let back = ["zones", "rollover", "cpe.example.com", "--to", "1"];
    let (done, said) = command(&[&back[..], &reason].concat(), &config);
    assert!(done, "{said}");
    let key = rcgen::KeyPair::generate().unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
    let issue = |process: &Process| {
        let of = (certificate, Role::Server);
        let name = Some("x.cpe.example.com");
        process.keyd().issue(of, &spki, name, None)
    };
    issue(&process).unwrap();
    let end = ["zones", "end", "cpe.example.com", "2", "--yes"];
    let (done, said) = command(&[&end[..], &reason].concat(), &config);
    assert!(done && !said.contains("warning: /"), "{said}");
    assert_eq!(process.written().last().unwrap()["act"], "end");
    for _ in 0..2 {
        let refused = issue(&process).unwrap_err().to_string();
        assert!(refused.contains("has ended"), "{refused}");
        process.kill();
        process.begin();
    }
}

#[test]
fn a_process_that_was_not_told_that_a_certificate_has_ended_is_named_with_what_to_do() {
    let mut process = Process::start("");
    let rig = service(&process);
    let config = rig.data().join("config.toml");
    let (certificate, reason) = (process.sha256().to_string(), ["--reason", "a test"]);
    let back = ["zones", "rollover", "cpe.example.com", "--to", "1"];
    let (done, said) = command(&[&back[..], &reason].concat(), &config);
    assert!(done, "{said}");
    process.kill();
    let end = ["zones", "end", "cpe.example.com", "2", "--yes"];
    let (done, said) = command(&[&end[..], &reason].concat(), &config);
    let advice = format!("dc-signer keyd end {certificate}");
    assert!(done && said.contains(&advice), "{said}");
    // What says where the process is stays until it was told.
    let place = rig
        .data()
        .join(format!("data/delegations/{certificate}/key.keyd"));
    assert!(place.exists());
    process.begin();
    let socket = process.path("socket");
    let by_hand = [
        "keyd",
        "end",
        &certificate,
        "--reason",
        "a theft",
        "--socket",
    ];
    let by_hand = [&by_hand[..], &[socket.to_str().unwrap()]].concat();
    // It is asked for what is for good, and there is nobody to ask.
    let (done, said) = run(&by_hand);
    assert!(!done && said.contains("--yes"), "{said}");
    let (done, said) = run(&[&by_hand[..], &["--yes"]].concat());
    assert!(
        done && said.contains("nothing is signed under") && said.contains("folder 'ended'"),
        "{said}"
    );
    let line = process.written().pop().unwrap();
    assert_eq!(
        (&line["act"], &line["why"]),
        (&json!("end"), &json!("a theft"))
    );
}

#[test]
fn the_key_of_a_process_may_be_in_a_token_and_that_may_be_pulled() {
    let mut process = Process::start("");
    if !process.use_a_token() {
        return;
    }
    let rig = service(&process);
    let (router, answer) = Router::enrolled(&rig, "one");
    verify(&process, &answer);
    let hsm = process.hsm.clone().unwrap();
    hsm.pull();
    rig.wait_until("it says that it is not ready", || {
        rig.client().get("/readyz").status == 503
    });
    let refused = router.renew(&csr(), "11111111-1111-4111-8111-111111111111");
    refused.refused(503, "zone-not-ready");
    hsm.plug();
    rig.wait_until("it is ready again by itself", || {
        rig.client().get("/readyz").status == 200
    });
    let renewed = router.renew(&csr(), "22222222-2222-4222-8222-222222222222");
    verify(&process, &renewed.ok());
    // Started without it, it is there, and finds the token later.
    process.kill();
    hsm.pull();
    process.begin();
    assert_eq!(process.status()["certificates"], json!([]));
    hsm.plug();
    rig.wait_until("it is ready again by itself", || {
        rig.client().get("/readyz").status == 200
    });
}

#[test]
fn a_process_that_hangs_keeps_no_thread_that_answers() {
    let process = Process::start("");
    let rig = service(&process);
    let (router, _) = Router::enrolled(&rig, "one");
    process.signal("STOP");
    let began = Instant::now();
    let refused = router.renew(&csr(), "11111111-1111-4111-8111-111111111111");
    let refused = refused.refused(503, "zone-not-ready").to_string();
    assert!(
        !refused.contains("socket"),
        "strangers read this: {refused}"
    );
    assert!(began.elapsed() < Duration::from_secs(15));
    let began = Instant::now();
    assert_eq!(rig.client().get("/healthz").status, 200);
    assert!(began.elapsed() < Duration::from_secs(2));
    rig.wait_until("it says that it is not ready", || {
        rig.client().get("/readyz").status == 503
    });
    process.signal("CONT");
    rig.wait_until("it is ready again", || {
        rig.client().get("/readyz").status == 200
    });
    router
        .renew(&csr(), "22222222-2222-4222-8222-222222222222")
        .ok();
}

#[test]
fn a_ceiling_below_what_the_service_asks_for_is_told_to_whoever_runs_it() {
    let said = "is above the ceiling of zone cpe.example.com, 1 h";
    // At the import already.
    let process = Process::start("lifetime = \"1h\"\n");
    let rig = Rig::start();
    let config = rig.data().join("config.toml");
    let front = process.path("front");
    let import = ["zones", "rollover", "cpe.example.com", "--now", "--import"];
    let import = [
        &import[..],
        &[front.to_str().unwrap(), "--reason", "a test"],
    ];
    let (done, told) = command(&import.concat(), &config);
    assert!(!done && told.contains(said), "{told}");
    assert_eq!(process.written().last().unwrap()["reason"], "lifetime");
    // And by readiness and 'check', if it is lowered later: not by the first device at night.
    let mut process = Process::start("");
    let rig = service(&process);
    let config = rig.data().join("config.toml");
    process.kill();
    let keyd = process.path("keyd.toml");
    let text = fs::read_to_string(&keyd).unwrap();
    fs::write(&keyd, format!("{text}lifetime = \"1h\"\n")).unwrap();
    process.begin();
    rig.wait_until("it says that it is not ready", || {
        rig.client().get("/readyz").status == 503
    });
    let (done, told) = command(&["check"], &config);
    assert!(!done && told.contains(said), "{told}");
    rig.wait_until("the log says why", || rig.log().contains(said));
}
