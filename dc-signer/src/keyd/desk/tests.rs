mod checkpoints;
mod connections;
mod made;
mod pauses;

use std::fs;

use dc_core::{DelegatedCredential, DelegationCertificate, Form, Offer, Role, Verifier};
use dc_evidence::Note;
use pki_types::CertificateDer;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;

use super::issue::algorithms;
use super::quiet::REFUSALS_A_MINUTE;
use super::*;
use crate::keyd::walk_after;
use dc_pki::Sha256;
use dc_pki::keyd::MAX_FRAME;
use dc_pki::names::ZoneName;
use dc_pki::test_ca::{self, TestRoot};

const ME: Caller = Caller::Process { uid: 7, pid: 42 };
const ZONE: &str = "cpe.example.com";
const CONFIG: &str = "socket = \"socket\"\nstate = \"state\"\n[[callers]]\nuser = \"7\"\n\
    [[delegations]]\nfolder = \"vendor\"\n[[zones]]\nzone = \"cpe.example.com\"\n";

/// A folder with a vendor's root and delegation, and a configuration.
struct Rig {
    folder: TempDir,
    certificate: DelegationCertificate<'static>,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = clock::now().unwrap();
        let root = TestRoot::generate(now).unwrap();
        let made = root.delegate(&ZoneName::parse(ZONE).unwrap(), now).unwrap();
        test_ca::write(&folder.path().join("vendor"), &root, &made).unwrap();
        let certificate = DelegationCertificate::parse(made.certificate().clone()).unwrap();
        Self {
            folder,
            certificate,
        }
    }

    fn open(&self, more: &str) -> Desk {
        let base = self.folder.path();
        let config = KeydConfig::parse(&format!("{CONFIG}{more}"), base).unwrap();
        for _ in 0..500 {
            match Desk::open(&config, base) {
                // Another test is starting a program, which has the lock of the one before until it is that program.
                Err(Error::InUse { .. }) => std::thread::sleep(Duration::from_millis(10)),
                opened => return opened.unwrap(),
            }
        }
        panic!("the one before is still open");
    }

    fn ask(&self, role: Role, name: Option<&str>, lifetime: Option<u32>) -> Ask {
        Ask::Issue {
            certificate: Sha256::of(self.certificate.der()),
            role,
            name: name.map(str::to_owned),
            lifetime,
            spki: spki(),
        }
    }

    fn ask_to_try(&self, role: Role, name: Option<&str>, lifetime: Option<u32>) -> Ask {
        Ask::TryIssue {
            certificate: Sha256::of(self.certificate.der()),
            role,
            name: name.map(str::to_owned),
            lifetime,
        }
    }

    /// Without what each file begins with.
    fn log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.path().join("state/log.ndjson")).unwrap();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &Value| line["act"] != "counts")
            .collect()
    }
}

impl Desk {
    /// As if the file were full.
    fn put_aside(&self) {
        self.record().fill();
        let line = json!({ "act": "refuse", "reason": "none", "left_out": 0 });
        self.write_line(line, clock::now().unwrap()).unwrap();
    }
}

fn spki() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    rcgen::PublicKeyData::subject_public_key_info(&key)
}

#[track_caller]
fn refused(answer: &Answer) -> Refusal {
    match answer {
        Answer::Refused { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

const NAME: Option<&str> = Some("k3v.cpe.example.com");

#[test]
fn what_it_issues_a_peer_accepts_in_both_forms_and_roles() {
    let rig = Rig::new();
    let desk = rig.open("forms = \"both\"\nroles = \"both\"\nlifetime = \"2h\"\n");
    for (role, name, form) in [
        (Role::Server, NAME, Form::Named),
        (Role::Server, None, Form::Rfc9345),
        (Role::Client, NAME, Form::Named),
    ] {
        for (lifetime, hours) in [(None, 2), (Some(3600), 1)] {
            let ask = rig.ask(role, name, lifetime);
            let Answer::Credential(bytes) = desk.answer(ask.clone(), ME) else {
                panic!("not issued");
            };
            let credential = DelegatedCredential::decode(form, &bytes).unwrap();
            let offer = Offer::suiting(&credential);
            let now = clock::now().unwrap();
            let verified = Verifier::new(role, &offer, algorithms())
                .verify_own_name(&credential, &rig.certificate, now)
                .unwrap();
            let left = verified.expiry().as_secs() - now.as_secs();
            assert!((hours * 3600 - 5..=hours * 3600).contains(&left), "{left}");
            let line = rig.log().pop().unwrap();
            assert_eq!(line["act"], "issue");
            assert_eq!(line["name"].as_str(), name);
            assert_eq!(line["credential"], Sha256::of(&bytes).to_string());
            assert_eq!((&line["uid"], &line["pid"]), (&json!(7), &json!(42)));
            let Ask::Issue { spki, .. } = ask else {
                continue;
            };
            assert_eq!(line["spki"], Sha256::of(&spki).to_string());
        }
    }
    let walked = walk_after(&rig.folder.path().join("state/log.ndjson"), None).unwrap();
    assert_eq!(walked.seq, 7);
    let Answer::Status(status) = desk.answer(Ask::Status, ME) else {
        panic!("no status");
    };
    assert!(status.len() < MAX_FRAME);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["counts"]["issued"], 6);
    assert_eq!(status["zones"][0]["last_hour"], 6);
    assert_eq!(status["log"]["last"], walked.last.to_string());
}

#[test]
fn a_hostile_service_gets_nothing_above_the_ceilings() {
    let rig = Rig::new();
    let desk = rig.open("lifetime = \"2h\"\n");
    let own_key = Ask::Issue {
        certificate: Sha256::of(rig.certificate.der()),
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki: rig.certificate.spki().to_vec(),
    };
    let with = |certificate, spki| Ask::Issue {
        certificate,
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki,
    };
    let held = Sha256::of(rig.certificate.der());
    let root = (8, [1; 32]);
    let (server, client) = (Role::Server, Role::Client);
    let at = |seconds| Ask::Try {
        certificate: held,
        role: server,
        lifetime: None,
        now: Some(seconds),
    };
    for (ask, reason) in [
        (
            rig.ask(server, Some("k3v.cpe.example.org"), None),
            Refusal::Name,
        ),
        (
            rig.ask(server, Some("a.b.cpe.example.com"), None),
            Refusal::Name,
        ),
        (
            rig.ask(server, Some("*.cpe.example.com"), None),
            Refusal::Name,
        ),
        (
            rig.ask(server, Some("K3V.cpe.example.com"), None),
            Refusal::Name,
        ),
        (rig.ask(server, NAME, Some(7201)), Refusal::Lifetime),
        (rig.ask(server, NAME, Some(u32::MAX)), Refusal::Lifetime),
        (rig.ask(server, None, None), Refusal::Form),
        (rig.ask(client, None, None), Refusal::Form),
        (rig.ask(client, NAME, None), Refusal::Role),
        (
            Ask::Try {
                certificate: held,
                role: server,
                lifetime: Some(7201),
                now: None,
            },
            Refusal::Lifetime,
        ),
        (at(clock::now().unwrap().as_secs() + 3700), Refusal::Clock),
        (at(clock::now().unwrap().as_secs() - 3700), Refusal::Clock),
        (at(u64::MAX), Refusal::Clock),
        (rig.ask_to_try(server, None, None), Refusal::Form),
        (rig.ask_to_try(client, NAME, None), Refusal::Role),
        (rig.ask_to_try(server, NAME, Some(7201)), Refusal::Lifetime),
        (
            rig.ask_to_try(server, Some("k3v.cpe.example.org"), None),
            Refusal::Name,
        ),
        (with(Sha256::ZERO, spki()), Refusal::Certificate),
        (with(held, b"no key".to_vec()), Refusal::Rule),
        (with(held, Vec::new()), Refusal::Rule),
        (own_key, Refusal::Rule),
        (
            Ask::Checkpoint {
                size: root.0,
                root: root.1,
                old: 0,
                proof: None,
            },
            Refusal::Key,
        ),
        (
            Ask::NewKey {
                zone: "example.org".to_owned(),
                for_clients: false,
            },
            Refusal::Name,
        ),
        (
            Ask::NewKey {
                zone: ZONE.to_owned(),
                for_clients: true,
            },
            Refusal::Role,
        ),
        (
            Ask::Install {
                chain: vec![b"garbage".to_vec()],
            },
            Refusal::Certificate,
        ),
    ] {
        let answer = desk.answer(ask.clone(), ME);
        assert_eq!(refused(&answer), reason, "{ask:?}: {answer:?}");
        let line = rig.log().pop().unwrap();
        assert_eq!(
            (&line["act"], &line["reason"]),
            (&json!("refuse"), &json!(reason.as_str()))
        );
    }
    // Nothing of it has counted as issued.
    assert!(rig.log().iter().all(|line| line["act"] == "refuse"));
    let served = desk.answer(rig.ask(server, NAME, Some(7200)), ME);
    assert!(matches!(served, Answer::Credential(_)), "{served:?}");
    let works = desk.answer(
        Ask::Try {
            certificate: held,
            role: server,
            lifetime: Some(7200),
            now: None,
        },
        ME,
    );
    assert_eq!(works, Answer::Works);
    let near = clock::now().unwrap().as_secs() - 3500;
    assert_eq!(desk.answer(at(near), ME), Answer::Works);
    let would = desk.answer(rig.ask_to_try(server, NAME, Some(7200)), ME);
    assert_eq!(would, Answer::Works);
    // Nobody got it, and it is not counted.
    let issued = |line: &&Value| line["act"] == "issue";
    assert_eq!(rig.log().iter().filter(issued).count(), 1);
}

#[test]
fn a_try_says_that_a_certificate_has_not_begun_by_the_clock_here() {
    let rig = Rig::new();
    let desk = rig.open("");
    let certificate = Sha256::of(rig.certificate.der());
    let (begin, end) = (rig.certificate.not_before(), rig.certificate.not_after());
    let (begin, end) = (begin.as_secs(), end.as_secs());
    let tried = |theirs, now| {
        let key = (&certificate, Role::Server);
        desk.try_key(key, None, theirs, dc_pki::time::from_seconds(now))
    };
    for (theirs, now) in [
        (begin, begin - 1),
        (begin + 600, begin - 3000),
        (end, end + 1),
    ] {
        let refused = tried(Some(theirs), now).unwrap_err();
        assert_eq!(refused.reason, Refusal::Clock, "{theirs} {now}");
        let now = Moment::at(now).to_string();
        assert!(refused.detail.contains(&now), "{}", refused.detail);
    }
    // A service that knows that it has not begun, or is over, asks about the key.
    for (theirs, now) in [
        (None, begin - 1),
        (Some(begin - 1), begin - 1),
        (Some(begin), begin),
        (Some(end + 1), end + 1),
    ] {
        assert!(
            matches!(tried(theirs, now), Ok(Answer::Works)),
            "{theirs:?} {now}"
        );
    }
}

#[test]
fn the_rate_is_kept_over_restarts_and_only_what_is_issued_counts() {
    let rig = Rig::new();
    let more = "per_minute = 3\n";
    let ask = || rig.ask(Role::Server, NAME, None);
    {
        let desk = rig.open(more);
        for _ in 0..9 {
            let elsewhere = rig.ask(Role::Server, Some("a.example.org"), None);
            assert_eq!(refused(&desk.answer(elsewhere, ME)), Refusal::Name);
        }
        for _ in 0..2 {
            assert!(matches!(desk.answer(ask(), ME), Answer::Credential(_)));
        }
    }
    let desk = rig.open(more);
    assert!(matches!(desk.answer(ask(), ME), Answer::Credential(_)));
    assert_eq!(refused(&desk.answer(ask(), ME)), Refusal::Rate);
    assert!(Refusal::Rate.is_temporary());
    drop(desk);
    assert_eq!(refused(&rig.open(more).answer(ask(), ME)), Refusal::Rate);
}

#[test]
fn two_processes_do_not_share_a_folder_and_a_changed_log_stops_the_start() {
    let rig = Rig::new();
    let desk = rig.open("");
    let base = rig.folder.path();
    let config = KeydConfig::parse(CONFIG, base).unwrap();
    let second = Desk::open(&config, base).unwrap_err();
    assert!(matches!(second, Error::InUse { .. }), "{second}");
    for _ in 0..3 {
        desk.answer(rig.ask(Role::Server, NAME, None), ME);
    }
    drop(desk);
    let log = base.join("state/log.ndjson");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("k3v.", "evil.", 1)).unwrap();
    let error = Desk::open(&config, base).unwrap_err();
    assert!(matches!(error, Error::BrokenLog { line: 3, .. }), "{error}");
    let nobody = KeydConfig::parse("socket = \"s\"\nstate = \"t\"\n", base).unwrap();
    let error = Desk::open(&nobody, base).unwrap_err();
    assert!(
        matches!(error, Error::Missing { table: "zones" }),
        "{error}"
    );
}

#[test]
fn refusals_in_a_loop_do_not_fill_the_disk() {
    let rig = Rig::new();
    let desk = rig.open("");
    let all = 5 * REFUSALS_A_MINUTE;
    for _ in 0..all {
        desk.answer(rig.ask(Role::Server, None, None), ME);
    }
    // Two minutes at most have begun meanwhile.
    assert!(rig.log().len() < 2 * REFUSALS_A_MINUTE + 1);
    let Answer::Status(status) = desk.answer(Ask::Status, ME) else {
        panic!("no status");
    };
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["counts"]["refused"]["form"], all);
    // Nor does one of them: a name may be as long as a message.
    let size = || {
        let log = rig.folder.path().join("state/log.ndjson");
        fs::metadata(log).unwrap().len()
    };
    let before = size();
    for byte in ["x", "\0", "\u{1b}"] {
        let name = byte.repeat(60_000);
        let answer = desk.answer(rig.ask(Role::Server, Some(&name), None), ME);
        assert_eq!(refused(&answer), Refusal::Name);
        let zone = name;
        let for_clients = false;
        desk.answer(Ask::NewKey { zone, for_clients }, ME);
    }
    assert!(size() - before < 6 * 2500, "{}", size() - before);
}

#[test]
fn what_was_issued_counts_also_when_the_log_was_put_aside_since_then() {
    let rig = Rig::new();
    let more = "per_hour = 3\n";
    let ask = || rig.ask(Role::Server, NAME, None);
    let issued = |desk: &Desk| matches!(desk.answer(ask(), ME), Answer::Credential(_));
    {
        let desk = rig.open(more);
        assert!(issued(&desk) && issued(&desk));
        desk.put_aside();
        desk.put_aside();
        assert_eq!(rig.log().len(), 1);
    }
    for entry in fs::read_dir(rig.folder.path().join("state")).unwrap() {
        let path = entry.unwrap().path();
        // Archived elsewhere.
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("log-")
        {
            fs::remove_file(path).unwrap();
        }
    }
    let desk = rig.open(more);
    assert!(issued(&desk));
    assert_eq!(refused(&desk.answer(ask(), ME)), Refusal::Rate);
}

#[test]
fn a_key_that_is_tried_after_its_end_is_no_refusal_in_the_log() {
    let rig = Rig::new();
    let desk = rig.open("");
    let certificate = Sha256::of(rig.certificate.der());
    let end = |certificate| Ask::End {
        certificate,
        reason: None,
    };
    let acts = || -> Vec<Value> { rig.log().iter().map(|line| line["act"].clone()).collect() };
    assert!(matches!(desk.answer(end(certificate), ME), Answer::Ended));
    let tried = Ask::Try {
        certificate,
        role: Role::Server,
        lifetime: None,
        now: None,
    };
    let asked = [
        tried,
        rig.ask_to_try(Role::Server, NAME, Some(60)),
        end(Sha256::ZERO),
    ];
    for ask in asked {
        assert_eq!(refused(&desk.answer(ask, ME)), Refusal::Certificate);
    }
    assert_eq!(acts(), ["end"]);
    // Whoever wants a credential under it is put down.
    let wanted = rig.ask(Role::Server, NAME, Some(60));
    assert_eq!(refused(&desk.answer(wanted, ME)), Refusal::Certificate);
    assert_eq!(acts(), ["end", "refuse"]);
}
