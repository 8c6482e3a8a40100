//! The signing process and a service, each a process of its own, over the real socket: also when the process is killed, and when
//! the service is somebody else's.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use apparatus::SoftHsm;
use dc_core::{DelegatedCredential, DelegationCertificate, Form, Offer, Role, Verifier};
use dc_evidence::{Hash, Note};
use dc_pki::Sha256;
use dc_pki::keyd::{Answer, Ask, Keyd, MAX_FRAME};
use dc_pki::keys::{ProcessFault, Refusal};
use dc_signer::keyd::LogKey;
use pki_types::CertificateDer;
use pki_types::pem::PemObject;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ready::command;
use crate::rig::{Rig, now};
use crate::router::{Router, csr};

/// A signing process with a delegation that nobody else has the key of.
pub(crate) struct Process {
    folder: TempDir,
    child: Option<Child>,
    hsm: Option<SoftHsm>,
}

impl Process {
    /// With lines for its one zone and the tables behind it.
    pub(crate) fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = folder.path().join("vendor");
        let made = run(&[
            "init",
            vendor.to_str().unwrap(),
            "--zone",
            "cpe.example.com",
        ]);
        assert!(made.0, "{}", made.1);
        let mut key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .unwrap()
            .serialize_pem();
        key.push('\n');
        fs::write(folder.path().join("audit.pem"), key).unwrap();
        let me = nix::unistd::getuid();
        let config = format!(
            "socket = \"socket\"\nstate = \"state\"\n[[callers]]\nuser = \"{me}\"\n[[delegations]]\nfolder = \"vendor\"\n[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n[[zones]]\nzone = \"cpe.example.com\"\n{more}"
        );
        fs::write(folder.path().join("keyd.toml"), config).unwrap();
        // What a service imports has the certificate, and the name of the socket in place of the key.
        let front = folder.path().join("front");
        fs::create_dir(&front).unwrap();
        fs::copy(vendor.join("chain.pem"), front.join("chain.pem")).unwrap();
        let socket = format!("{}\n", folder.path().join("socket").display());
        fs::write(front.join("key.keyd"), socket).unwrap();
        let mut process = Self {
            folder,
            child: None,
            hsm: None,
        };
        process.begin();
        process
    }

    pub(crate) fn begin(&mut self) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path("log"))
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        if let Some(hsm) = &self.hsm {
            command.env(SoftHsm::VARIABLE, hsm.settings());
        }
        let child = command
            .args(["keyd", "--config"])
            .arg(self.path("keyd.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let began = Instant::now();
        while self.keyd().status().is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Without a chance to clean up.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Moves its delegation key into a token; false if tests with tokens are left out.
    fn use_a_token(&mut self) -> bool {
        self.kill();
        let folder = self.path("hsm");
        fs::create_dir(&folder).unwrap();
        self.hsm = SoftHsm::new(&folder);
        let Some(hsm) = &self.hsm else {
            return false;
        };
        fs::rename(self.path("vendor/key.pem"), folder.join("key.pem")).unwrap();
        hsm.util("--import key.pem --token hsm --label delegation --id 01 --pin 1234");
        fs::remove_file(folder.join("key.pem")).unwrap();
        let pin = folder.join("pin");
        fs::write(&pin, "1234").unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
        let uri = format!(
            "pkcs11:token=hsm;object=delegation?module-path={}&pin-source=file:{}",
            SoftHsm::module().display(),
            pin.display()
        );
        fs::write(self.path("vendor/key.uri"), uri).unwrap();
        self.begin();
        true
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill")
            .args([format!("-{signal}"), pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn keyd(&self) -> Keyd {
        Keyd::new(self.path("socket"))
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.keyd().status().unwrap()).unwrap()
    }

    fn certificate(&self) -> DelegationCertificate<'static> {
        let chain = CertificateDer::from_pem_file(self.path("vendor/chain.pem")).unwrap();
        DelegationCertificate::parse(chain).unwrap()
    }

    fn sha256(&self) -> Sha256 {
        Sha256::of(self.certificate().der())
    }

    pub(crate) fn written(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.path("state/log.ndjson")).unwrap();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// A service whose zone is issued in by the process.
fn service(process: &Process) -> Rig {
    let rig = Rig::start();
    let front = process.path("front");
    let config = rig.data().join("config.toml");
    let import = ["zones", "rollover", "cpe.example.com", "--now", "--import"];
    let import = [
        &import[..],
        &[front.to_str().unwrap(), "--reason", "a test"],
    ]
    .concat();
    let (done, said) = command(&import, &config);
    assert!(done && said.contains("active"), "{said}\n{}", process.log());
    rig.wait_until("it issues from the new certificate", || {
        let metrics = rig.admin().get("/metrics").body;
        metrics.contains(
            "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"2\",state=\"active\"} 1",
        )
    });
    rig
}

/// Shows that the credential of an answer is one that a peer accepts under the process's certificate.
fn verify(process: &Process, answer: &Value) {
    let pem = answer["credentials"][0]["pem"].as_str().unwrap();
    let bytes = dc_core::pem::read(pem.as_bytes()).unwrap().remove(0).bytes;
    let credential = DelegatedCredential::decode(Form::Named, &bytes).unwrap();
    let offer = Offer::suiting(&credential);
    let algorithms = rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all;
    let verified = Verifier::new(Role::Server, &offer, algorithms)
        .verify_own_name(&credential, &process.certificate(), now())
        .unwrap();
    assert_eq!(
        verified.unique_name().unwrap().as_str(),
        answer["name"].as_str().unwrap()
    );
}

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
    let by_hand = ["keyd", "end", &certificate, "--socket"];
    let (done, said) = run(&[&by_hand[..], &[socket.to_str().unwrap()]].concat());
    assert!(done && said.contains("nothing is signed under"), "{said}");
    assert_eq!(process.written().last().unwrap()["act"], "end");
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

#[test]
fn a_service_that_was_taken_over_gets_nothing_but_refusals() {
    let mut process = Process::start("per_minute = 5\n");
    let keyd = process.keyd();
    let key = rcgen::KeyPair::generate().unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
    let of = (process.sha256(), Role::Server);
    let hour = Some(Duration::from_secs(3600));
    let issue = |of, name, lifetime| keyd.issue(of, &spki, name, lifetime);
    let reason = |asked: Result<Vec<u8>, ProcessFault>| match asked {
        Err(ProcessFault::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let week = Some(Duration::from_secs(8 * 86_400));
    let inside = Some("x.cpe.example.com");
    assert_eq!(
        reason(issue(of, Some("x.example.org"), hour)),
        Refusal::Name
    );
    assert_eq!(reason(issue(of, inside, week)), Refusal::Lifetime);
    assert_eq!(reason(issue(of, None, hour)), Refusal::Form);
    assert_eq!(
        reason(issue((Sha256::ZERO, Role::Server), inside, hour)),
        Refusal::Certificate
    );
    assert_eq!(
        reason(issue((process.sha256(), Role::Client), inside, hour)),
        Refusal::Role
    );

    // Garbage and frames without end: told once, and the connection is closed.
    for message in [
        vec![0xff; 64],
        [&0_u32.to_be_bytes()[..], b"x"].concat(),
        [
            &u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes()[..],
            &[0; 100],
        ]
        .concat(),
        [&3_u32.to_be_bytes()[..], &[9, 9, 9]].concat(),
        [&2_u32.to_be_bytes()[..], &[1, 99]].concat(),
    ] {
        let mut socket = UnixStream::connect(process.path("socket")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket.write_all(&message).unwrap();
        let answer = dc_pki::keyd::read(&mut socket).unwrap();
        let Ok(Answer::Refused { reason, .. }) = Answer::decode(&answer) else {
            panic!("{answer:?}");
        };
        assert_eq!(reason, Refusal::Malformed);
        assert!(matches!(socket.read(&mut [0]), Ok(0) | Err(_)));
    }
    // One that begins a message and never ends it keeps nobody else.
    let mut slow = UnixStream::connect(process.path("socket")).unwrap();
    slow.write_all(&[0, 0]).unwrap();
    // And more connections than there are places are told so.
    let crowd: Vec<_> = (0..140)
        .map(|_| UnixStream::connect(process.path("socket")).unwrap())
        .collect();
    let busy = crowd.iter().rev().find_map(|mut one| {
        one.set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        dc_pki::keyd::read(&mut one).ok()
    });
    let busy = Answer::decode(&busy.unwrap());
    assert!(
        matches!(
            busy,
            Ok(Answer::Refused {
                reason: Refusal::Busy,
                ..
            })
        ),
        "{busy:?}"
    );
    drop(crowd);
    // It has issued nothing of all that, and serves on: up to its ceiling.
    assert_eq!(process.status()["counts"]["issued"], 0);
    for _ in 0..5 {
        issue(of, inside, hour).unwrap();
    }
    assert_eq!(reason(issue(of, inside, hour)), Refusal::Rate);
    // Killing it gives nobody five more.
    process.kill();
    process.begin();
    assert_eq!(reason(issue(of, inside, hour)), Refusal::Rate);

    // A log may be signed for that is shown to have grown, and none that shrinks or forks, also after that.
    let tree = |size: u8| {
        let mut tree = dc_evidence::Frontier::new();
        (0..size).for_each(|number| tree.push(Hash::of_record(&[number])));
        tree
    };
    let sign = |size: u64, proof| {
        let root = match u8::try_from(size) {
            Ok(size) => *tree(size).root().as_bytes(),
            Err(_) => [7; 32],
        };
        keyd.sign_checkpoint((size, root), proof)
    };
    let leap = sign(u64::MAX, None).unwrap_err().to_string();
    assert!(leap.contains("checkpoints.most_new"), "{leap}");
    sign(9, None).unwrap();
    process.kill();
    process.begin();
    for (size, said) in [
        (8, "smaller than the one of 9"),
        (10, "a proof is wanted"),
        (u64::MAX, "a proof is wanted"),
    ] {
        let refused = sign(size, None).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    let proof = |old: u8, new: u8| {
        let ranges = dc_evidence::consistency_ranges(old.into(), new.into()).unwrap();
        let part = |range: std::ops::Range<u64>| {
            let mut part = dc_evidence::Frontier::new();
            range.for_each(|number| part.push(Hash::of_record(&[u8::try_from(number).unwrap()])));
            *part.root().as_bytes()
        };
        Some((old.into(), ranges.into_iter().map(part).collect()))
    };
    sign(10, proof(9, 10)).unwrap();
    // Whoever makes checkpoints gets a signature for the text of one, of this log, and for no other text.
    let log = LogKey::find(process.keyd()).unwrap();
    assert_eq!(log.last_size(), Ok(Some(10)));
    let text = format!("example.com/audit\n11\n{}\n", tree(11).root());
    let (old, hashes): (u64, Vec<[u8; 32]>) = proof(10, 11).unwrap();
    let hashes: Vec<Hash> = hashes.into_iter().map(Hash::from_bytes).collect();
    log.sign(&text, None).unwrap_err();
    let signature = log.sign(&text, Some((old, &hashes))).unwrap();
    let note: Note = format!("{text}\n{signature}\n").parse().unwrap();
    assert_eq!(note.verify(log.verifying_key()), Ok(&*text));
    for other in [
        text.replace("audit", "other"),
        format!("{text}more\n"),
        text.replace("\n11\n", "\n011\n"),
        "I owe you a million\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(
            log.sign(&other, None),
            Err(ProcessFault::NoMessages),
            "{other}"
        );
    }
}

#[test]
fn the_log_of_a_service_is_signed_for_by_the_process_which_is_shown_that_it_grows() {
    let mut process = Process::start("");
    let log = LogKey::find(process.keyd()).unwrap();
    let rig = Rig::start_with(&format!(
        "[checkpoints]\nname = 'example.com/audit'\nkeyd = {:?}\nlog_key = '{}'\nevery = '1s'\n[[checkpoint_places]]\nfile = 'outside'",
        process.path("socket"),
        log.verifying_key(),
    ));
    let status = || rig.admin().get("/v1/admin/audit/checkpoint").ok();
    let signed = || status()["size"].as_u64().unwrap();
    let grows = |from: u64| {
        rig.wait_until("it is signed for", || signed() > from);
        assert_eq!(log.last_size(), Ok(Some(signed())));
    };
    rig.add("one");
    grows(0);
    rig.add("two");
    grows(signed());
    process.kill();
    let before = signed();
    rig.add("three");
    rig.wait_until("it says that nobody signs", || {
        status()["failure"]
            .as_str()
            .is_some_and(|failure| failure.contains("does not sign"))
    });
    assert_eq!(
        (signed(), &status()["refused"]),
        (before, &Value::Bool(false))
    );
    process.begin();
    grows(before);
    assert!(status()["failure"].is_null());
    // Whoever has taken the service over gets nothing for another log of that length.
    let root = Hash::from_bytes([7; 32]);
    let text = format!("example.com/audit\n{}\n{root}\n", signed() + 1);
    log.sign(&text, None).unwrap_err();
    log.sign(&text, Some((signed(), &[root]))).unwrap_err();
}

/// For root alone, who can be somebody else.
#[test]
fn other_users_get_nothing_also_if_they_may_connect() {
    if !nix::unistd::getuid().is_root() {
        return;
    }
    let process = Process::start("");
    // As the folder of a service would be, and a socket that everybody may connect to.
    for (path, mode) in [("", 0o755), ("socket", 0o666)] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(process.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let program = process.path("dc-signer");
    apparatus::copy_program(env!("CARGO_BIN_EXE_dc-signer"), &program);
    use std::os::unix::process::CommandExt;
    let asked = Command::new(&program)
        .args(["keyd", "status", "--socket"])
        .arg(process.path("socket"))
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(
        !asked.status.success()
            && said.contains("the user 65534 may ask for nothing")
            && said.contains("runuser -u 0 -- "),
        "{said}"
    );
    // It is told first, and then written.
    let is_it =
        |line: &Value| (&line["reason"], &line["uid"]) == (&json!("caller"), &json!(65_534));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !process.written().last().is_some_and(is_it) {
        assert!(Instant::now() < deadline, "{:?}", process.written());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(process.status()["counts"]["refused"]["caller"], 1);
}

#[test]
fn the_commands_say_what_it_holds_and_does() {
    let process = Process::start("");
    let socket = process.path("socket");
    let socket = socket.to_str().unwrap();
    let (done, said) = run(&["keyd", "status", "--socket", socket]);
    assert!(done, "{said}");
    for part in [
        "cpe.example.com",
        "0/600",
        "0/10000",
        "nothing was refused",
        "example.com/audit",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (done, json) = run(&["keyd", "status", "--json", "--socket", socket]);
    assert!(
        done && serde_json::from_str::<Value>(&json).is_ok(),
        "{json}"
    );
    let config = process.path("keyd.toml");
    let (done, said) = run(&["keyd", "check", "--config", config.to_str().unwrap()]);
    assert!(done && said.contains("can be used"), "{said}");
    let request = process.path("request.csr");
    let csr = [
        "keyd",
        "csr",
        "--zone",
        "cpe.example.com",
        "--socket",
        socket,
        "--out",
    ];
    let (done, said) = run(&[&csr[..], &[request.to_str().unwrap()]].concat());
    assert!(done, "{said}");
    let (done, said) = run(&["inspect", request.to_str().unwrap()]);
    assert!(done && said.contains("*.cpe.example.com"), "{said}");
    // A chain that no key was made for here is already held: the vendor's own.
    let chain = process.path("vendor/chain.pem");
    let out = process.path("out");
    let install = [
        "keyd",
        "install",
        "--socket",
        socket,
        "--chain",
        chain.to_str().unwrap(),
    ];
    let (done, said) = run(&[&install[..], &["--out", out.to_str().unwrap()]].concat());
    assert!(
        done && said.contains(&process.sha256().to_string()),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(out.join("key.keyd")).unwrap(),
        format!("{socket}\n")
    );
    // 'issue' goes through it as well.
    issue_by_hand(&process, &out);
    // Nobody there, and a second one on the same folder.
    let (done, said) = run(&["keyd", "status", "--socket", "/nowhere/socket"]);
    assert!(!done && said.contains("there is no such socket"), "{said}");
    let (done, said) = run(&["keyd", "--config", config.to_str().unwrap()]);
    assert!(!done && said.contains("is in use"), "{said}");
}

fn issue_by_hand(process: &Process, delegation: &Path) {
    let request = process.path("device.csr");
    fs::write(&request, csr()).unwrap();
    let identity = process.path("device");
    let (done, said) = run(&[
        "issue",
        "--delegation",
        delegation.to_str().unwrap(),
        "--csr",
        request.to_str().unwrap(),
        "--out",
        identity.to_str().unwrap(),
    ]);
    assert!(done, "{said}");
    let line = process.written().pop().unwrap();
    assert_eq!(line["act"], "issue");
    assert!(
        line["name"].as_str().unwrap().ends_with(".cpe.example.com"),
        "{line}"
    );
    let (done, said) = run(&[
        "verify",
        identity.to_str().unwrap(),
        "--roots",
        process.path("vendor/root.pem").to_str().unwrap(),
    ]);
    assert!(done, "{said}");
}

#[test]
fn messages_are_what_the_protocol_says() {
    // A caller in another language reads this.
    assert_eq!(Ask::Status.encode(), [1, 3]);
    assert_eq!(Answer::Works.encode(), [1, 2]);
}

const PATIENCE: Duration = Duration::from_secs(30);
