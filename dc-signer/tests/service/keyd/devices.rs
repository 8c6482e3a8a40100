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
    assert!(done && !said.contains("warning: the"), "{said}");
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
    let check = || command(&["check"], &config).1;
    assert!(!check().contains(&advice), "{}", check());
    // A state that is put back from before knows nothing of it.
    process.kill();
    fs::remove_file(process.path("state/ended").join(&certificate)).unwrap();
    process.begin();
    assert!(check().contains(&advice), "{}", check());
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

/// The process started anew with a line for its one zone.
fn with(process: &mut Process, line: &str) {
    process.kill();
    let path = process.path("keyd.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (kept, _) = text.split_once("zone = \"cpe.example.com\"\n").unwrap();
    let text = format!("{kept}zone = \"cpe.example.com\"\n{line}\n");
    fs::write(&path, text).unwrap();
    process.begin();
}

fn readyz(rig: &Rig, status: u16) {
    let what = format!("/readyz says {status}");
    rig.wait_until(&what, || rig.client().get("/readyz").status == status);
}

#[test]
fn a_zone_promises_no_form_and_no_role_that_the_process_does_not_issue() {
    let mut process = Process::start("");
    let rig = service(&process);
    let config = rig.data().join("config.toml");
    let set = |what: &str, to: &str| {
        let zone = "cpe.example.com";
        command(&["zones", what, zone, to, "--reason", "a test"], &config)
    };
    let path = "/v1/admin/zones/cpe.example.com";
    for (what, to, why) in [
        ("forms", "both", "has no credentials without a name"),
        ("forms", "rfc9345", "has no credentials without a name"),
        ("roles", "both", "has no credentials for clients"),
    ] {
        let (done, said) = set(what, to);
        assert!(!done && said.contains(why), "{said}");
        assert!(said.contains("in its configuration"), "{said}");
        let wanted = json!({ what: to, "reason": "a test" });
        let refused = rig.admin().post(&format!("{path}/{what}"), &wanted);
        let refused = refused.refused(409, "conflict").to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let zone = rig.admin().get("/v1/admin/zones").ok()[0].clone();
    assert_eq!(
        (&zone["forms"], &zone["roles"]),
        (&json!("named"), &json!("server"))
    );
    // What it has begun to issue is taken; a service that runs need not be started anew for it.
    with(&mut process, "forms = \"both\"\nroles = \"both\"");
    readyz(&rig, 200);
    for what in ["forms", "roles"] {
        let (done, said) = set(what, "both");
        assert!(done, "{said}");
    }
    rig.wait_until("the service goes by it", || {
        rig.log().contains("zone cpe.example.com issues both forms")
    });
    let (router, answer) = Router::enrolled(&rig, "one");
    assert_eq!(answer["credentials"].as_array().unwrap().len(), 2);

    // And what it has ceased to issue is told by everything, before a device comes.
    with(&mut process, "roles = \"both\"");
    let refused = router.renew(&csr(), "11111111-1111-4111-8111-111111111111");
    refused.refused(503, "zone-not-ready");
    readyz(&rig, 503);
    let metrics = rig.admin().get("/metrics").body;
    let cannot = "dc_zone_can_issue{zone=\"cpe.example.com\"} 0";
    assert!(metrics.contains(cannot), "{metrics}");
    let why = "zone cpe.example.com has no credentials without a name";
    let (done, said) = command(&["check"], &config);
    assert!(!done && said.contains(why), "{said}");
    rig.wait_until("the log says why", || rig.log().contains(why));
    let refused = router.renew(&csr(), "22222222-2222-4222-8222-222222222222");
    refused.refused(503, "zone-not-ready");
    let (done, said) = set("forms", "named");
    assert!(done, "{said}");
    readyz(&rig, 200);
    let renewed = router.renew(&csr(), "33333333-3333-4333-8333-333333333333");
    assert_eq!(renewed.ok()["credentials"].as_array().unwrap().len(), 1);
}

#[test]
fn a_certificate_whose_process_does_not_issue_what_the_zone_promises_is_not_imported() {
    let mut process = Process::start("forms = \"both\"\n");
    let rig = Rig::start();
    let config = rig.data().join("config.toml");
    let both = [
        "zones",
        "forms",
        "cpe.example.com",
        "both",
        "--reason",
        "a test",
    ];
    let (done, said) = command(&both, &config);
    assert!(done, "{said}");
    let front = process.path("front");
    let import = ["zones", "rollover", "cpe.example.com", "--now", "--import"];
    let import = [
        &import[..],
        &[front.to_str().unwrap(), "--reason", "a test"],
    ]
    .concat();
    with(&mut process, "");
    let (done, said) = command(&import, &config);
    assert!(
        !done && said.contains("has no credentials without a name"),
        "{said}"
    );
    with(&mut process, "forms = \"both\"");
    let (done, said) = command(&import, &config);
    assert!(done, "{said}");
}
