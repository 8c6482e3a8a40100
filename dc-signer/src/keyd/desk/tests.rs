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
use dc_pki::keyd::MAX_FRAME;
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
        Desk::open(&config, base).unwrap()
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
                role: client,
                lifetime: None,
            },
            Refusal::Role,
        ),
        (
            Ask::Try {
                certificate: held,
                role: server,
                lifetime: Some(7201),
            },
            Refusal::Lifetime,
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
            Refusal::Checkpoint,
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
        },
        ME,
    );
    assert_eq!(works, Answer::Works);
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
fn a_log_that_is_gone_closes_for_an_hour_and_says_so() {
    let rig = Rig::new();
    let ask = || rig.ask(Role::Server, NAME, None);
    drop(rig.open(""));
    fs::remove_file(rig.folder.path().join("state/log.ndjson")).unwrap();
    for _ in 0..2 {
        // Also when it is started once more.
        let desk = rig.open("");
        let answer = desk.answer(ask(), ME);
        assert_eq!(refused(&answer), Refusal::Rate);
        assert!(
            matches!(&answer, Answer::Refused { detail, .. } if detail.contains("in an hour")),
            "{answer:?}"
        );
    }
    let log = fs::read_to_string(rig.folder.path().join("state/log.ndjson")).unwrap();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["lost"], true);
    // An hour later.
    let now = clock::now().unwrap().as_secs();
    let old = log.lines().next().unwrap();
    let begin = format!("[[{},", now - 3600);
    let at = old.find("[[").unwrap();
    let end = at + old[at..].find(',').unwrap() + 1;
    let old = format!("{}{begin}{}\n", &old[..at], &old[end..]);
    fs::write(rig.folder.path().join("state/log.ndjson"), old).unwrap();
    let desk = rig.open("");
    assert!(matches!(desk.answer(ask(), ME), Answer::Credential(_)));
}

#[test]
fn a_checkpoint_is_signed_and_none_takes_one_back() {
    let rig = Rig::new();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    fs::write(rig.folder.path().join("audit.pem"), key.serialize_pem()).unwrap();
    let desk = rig.open("[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n");
    let ask = |size, byte| Ask::Checkpoint {
        size,
        root: [byte; 32],
        old: 0,
        proof: None,
    };
    // No log comes to that.
    assert_eq!(
        refused(&desk.answer(ask(u64::MAX, 1), ME)),
        Refusal::Checkpoint
    );
    let Answer::Note(note) = desk.answer(ask(8, 1), ME) else {
        panic!("no note");
    };
    let note: Note = note.parse().unwrap();
    assert_eq!(note.signatures()[0].name(), "example.com/audit");
    for (size, byte) in [(7, 1), (8, 2), (9, 2)] {
        assert_eq!(
            refused(&desk.answer(ask(size, byte), ME)),
            Refusal::Checkpoint
        );
    }
    // The same again is answered, and not written down again.
    assert!(matches!(desk.answer(ask(8, 1), ME), Answer::Note(_)));
    let acts: Vec<_> = rig.log().iter().map(|line| line["act"].clone()).collect();
    assert_eq!(acts, ["refuse", "checkpoint", "refuse", "refuse", "refuse"]);
    // Whoever asks without end is stopped.
    let asked = (0..300).find_map(|_| match desk.answer(ask(9, 2), ME) {
        Answer::Refused { reason, .. } if reason == Refusal::Rate => Some(reason),
        _ => None,
    });
    assert_eq!(asked, Some(Refusal::Rate));
    // Neither the file nor its own log is needed to know what was signed last.
    drop(desk);
    for file in ["checkpoint", "log.ndjson"] {
        fs::rename(
            rig.folder.path().join("state").join(file),
            rig.folder.path().join("kept"),
        )
        .unwrap();
        let desk = rig.open("[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n");
        assert_eq!(
            refused(&desk.answer(ask(9, 2), ME)),
            Refusal::Checkpoint,
            "{file}"
        );
        assert!(matches!(desk.answer(ask(8, 1), ME), Answer::Note(_)));
    }
}

/// Of a P-256 key that somebody else has.
struct Point(Vec<u8>);

impl rcgen::PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// A CA that certifies whatever key it is given for whatever name.
struct Ca(CertificateParams, KeyPair);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(params, KeyPair::generate().unwrap())
    }

    fn certify(
        &self,
        spki: &[u8],
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Vec<Vec<u8>> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions = vec![test_ca::delegation_usage()];
        change(&mut params);
        let key = Point(spki[spki.len() - 65..].to_vec());
        let issuer = Issuer::from_params(&self.0, &self.1);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let own = self.0.self_signed(&self.1).unwrap();
        vec![certificate.der().to_vec(), own.der().to_vec()]
    }
}

fn new_key(desk: &Desk) -> Vec<u8> {
    let ask = Ask::NewKey {
        zone: ZONE.to_owned(),
        for_clients: false,
    };
    let answer = desk.answer(ask, ME);
    let Answer::Request(request) = &answer else {
        panic!("{answer:?}");
    };
    assert!(!request.contains("PRIVATE"), "{request}");
    dc_pki::public_key(request.as_bytes(), algorithms()).unwrap()
}

#[test]
fn a_key_is_made_certified_and_used_where_it_stays() {
    let rig = Rig::new();
    let ca = Ca::new();
    let desk = rig.open("");
    let spki_of_it = new_key(&desk);
    let wildcard = format!("*.{ZONE}");
    let good = ca.certify(&spki_of_it, &wildcard, |_| ());
    let install = |chain: &Vec<Vec<u8>>| {
        desk.answer(
            Ask::Install {
                chain: chain.clone(),
            },
            ME,
        )
    };
    // What a CA, or a service that was taken over, may hand in instead.
    let long_ago = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    for (chain, reason) in [
        (
            ca.certify(&spki_of_it, "*.example.org", |_| ()),
            Refusal::Name,
        ),
        (
            ca.certify(&spki_of_it, "host.example.com", |_| ()),
            Refusal::Name,
        ),
        (ca.certify(&spki(), &wildcard, |_| ()), Refusal::Certificate),
        (
            ca.certify(&spki_of_it, &wildcard, long_ago),
            Refusal::Certificate,
        ),
        (
            ca.certify(&spki_of_it, &wildcard, |params| {
                params.custom_extensions.clear();
            }),
            Refusal::Certificate,
        ),
        (
            ca.certify(&spki_of_it, &wildcard, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
            }),
            Refusal::Certificate,
        ),
        (good.iter().rev().cloned().collect(), Refusal::Certificate),
    ] {
        let answer = install(&chain);
        assert_eq!(refused(&answer), reason, "{answer:?}");
        let Answer::Refused { detail, .. } = &answer else {
            continue;
        };
        let state = rig.folder.path().to_str().unwrap();
        assert!(!detail.contains(state), "{detail}");
    }
    let sha256 = Sha256::of(&good[0]);
    assert_eq!(install(&good), Answer::Installed(sha256));
    assert_eq!(install(&good), Answer::Installed(sha256));
    let certificate = DelegationCertificate::parse(CertificateDer::from(good[0].clone())).unwrap();
    drop(desk);
    // Also after a restart.
    let desk = rig.open("");
    let ask = Ask::Issue {
        certificate: sha256,
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki: spki(),
    };
    let Answer::Credential(bytes) = desk.answer(ask, ME) else {
        panic!("not issued");
    };
    let credential = DelegatedCredential::decode(Form::Named, &bytes).unwrap();
    let offer = Offer::suiting(&credential);
    Verifier::new(Role::Server, &offer, algorithms())
        .verify_own_name(&credential, &certificate, clock::now().unwrap())
        .unwrap();
    // The key is its owner's alone.
    use std::os::unix::fs::PermissionsExt;
    let key = rig
        .folder
        .path()
        .join(format!("state/delegations/{sha256}/key.pem"));
    assert_eq!(
        fs::metadata(key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(rig.folder.path().join("state/pending"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn so_many_keys_wait_for_their_certificates_and_no_more() {
    let rig = Rig::new();
    let desk = rig.open("");
    let first = new_key(&desk);
    for _ in 1..16 {
        assert_ne!(new_key(&desk), first);
    }
    let ask = Ask::NewKey {
        zone: ZONE.to_owned(),
        for_clients: false,
    };
    assert_eq!(refused(&desk.answer(ask, ME)), Refusal::Busy);
}

#[test]
fn nothing_is_signed_under_a_certificate_that_was_ended_also_after_a_restart() {
    let rig = Rig::new();
    let certificate = Sha256::of(rig.certificate.der());
    let end = |desk: &Desk, certificate| desk.answer(Ask::End { certificate }, ME);
    let desk = rig.open("");
    assert_eq!(refused(&end(&desk, Sha256::ZERO)), Refusal::Certificate);
    let issue = || rig.ask(Role::Server, NAME, None);
    assert!(matches!(desk.answer(issue(), ME), Answer::Credential(_)));
    assert_eq!(end(&desk, certificate), Answer::Ended);
    let line = rig.log().pop().unwrap();
    assert_eq!(
        (&line["act"], &line["certificate"]),
        (&json!("end"), &json!(certificate.to_string()))
    );
    let refuses = |desk: &Desk| {
        let tried = Ask::Try {
            certificate,
            role: Role::Server,
            lifetime: None,
        };
        for ask in [issue(), tried] {
            let answer = desk.answer(ask, ME);
            assert_eq!(refused(&answer), Refusal::Certificate, "{answer:?}");
            assert!(
                matches!(&answer, Answer::Refused { detail, .. } if detail.contains("has ended")),
                "{answer:?}"
            );
        }
    };
    refuses(&desk);
    desk.reload().unwrap();
    refuses(&desk);
    // Nor is it taken once more, and ending it twice is not told twice.
    let chain = vec![rig.certificate.der().to_vec()];
    assert_eq!(
        refused(&desk.answer(Ask::Install { chain }, ME)),
        Refusal::Certificate
    );
    let lines = rig.log().len();
    assert_eq!(end(&desk, certificate), Answer::Ended);
    assert_eq!(rig.log().len(), lines);
    drop(desk);
    let desk = rig.open("");
    refuses(&desk);
    drop(desk);
    // Also one whose key cannot be opened now.
    let rig = Rig::new();
    let certificate = Sha256::of(rig.certificate.der());
    let key = rig.folder.path().join("vendor/key.pem");
    fs::rename(&key, rig.folder.path().join("away")).unwrap();
    let desk = rig.open("");
    assert_eq!(end(&desk, certificate), Answer::Ended);
    fs::rename(rig.folder.path().join("away"), &key).unwrap();
    desk.reload().unwrap();
    assert_eq!(
        refused(&desk.answer(rig.ask(Role::Server, NAME, None), ME)),
        Refusal::Certificate
    );
}

#[test]
fn a_key_that_is_made_with_a_passphrase_is_never_on_the_disk_without_it() {
    let rig = Rig::new();
    let ca = Ca::new();
    use std::os::unix::fs::PermissionsExt;
    let words = rig.folder.path().join("words");
    fs::write(&words, "correct horse").unwrap();
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).unwrap();
    let more = "[keys]\npassphrase = { file = \"words\" }\n";
    let desk = rig.open(more);
    let spki = new_key(&desk);
    let chain = ca.certify(&spki, &format!("*.{ZONE}"), |_| ());
    let sha256 = Sha256::of(&chain[0]);
    let state = rig.folder.path().join("state");
    let encrypted = |path: std::path::PathBuf| {
        let key = fs::read_to_string(path.join("key.pem")).unwrap();
        key.contains("ENCRYPTED PRIVATE KEY")
    };
    assert!(encrypted(
        state.join("pending").join(Sha256::of(&spki).to_string())
    ));
    let answer = desk.answer(Ask::Install { chain }, ME);
    assert_eq!(answer, Answer::Installed(sha256));
    assert!(encrypted(
        state.join("delegations").join(sha256.to_string())
    ));
    drop(desk);
    let ask = || Ask::Issue {
        certificate: sha256,
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki: self::spki(),
    };
    let issued = rig.open(more).answer(ask(), ME);
    assert!(matches!(issued, Answer::Credential(_)), "{issued:?}");
    // Without the words it is not opened.
    assert_eq!(
        refused(&rig.open("").answer(ask(), ME)),
        Refusal::Certificate
    );
}
