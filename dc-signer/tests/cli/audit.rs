//! The audit log on the command line: listed, exported, and checked on a machine that has no database.

use std::collections::BTreeSet;
use std::time::Duration;

use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};
use dc_store::registry::{Access, Change, DeviceId, Operator, Reason, Role, Sha256};
use dc_store::{Act, Issuance, Location, NewDevice, NewZone, Retention};
use pki_types::UnixTime;
use serde_json::Value;

use crate::sandbox::{Sandbox, now};
use crate::signer::Signer;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUF\n-----END PRIVATE KEY-----\n";

/// A signer with some records, and a checkpoint of them in the file `checkpoints`; and the key of that.
fn signed() -> (Signer, String) {
    let signer = Signer::new();
    signer.0.write("audit.pem", KEY);
    signer.0.set_mode("audit.pem", 0o600);
    for name in ["one", "two", "three"] {
        signer.run(&["devices", "add", name]).succeeded();
    }
    let make = ["audit", "checkpoint", "--key", "audit.pem", "--name", "log"];
    let make = [&make[..], &["--append", "checkpoints"]].concat();
    let made = signer.run(&make).succeeded();
    let key = made.lines().last().unwrap().to_owned();
    (signer, key)
}

#[test]
fn no_checkpoint_is_signed_with_a_key_that_others_may_read() {
    let (signer, _) = signed();
    let before = signer.0.read("checkpoints");
    let make = ["audit", "checkpoint", "--key", "audit.pem", "--name", "log"];
    let make = [&make[..], &["--append", "checkpoints"]].concat();
    for mode in [0o604, 0o644, 0o622] {
        signer.0.set_mode("audit.pem", mode);
        signer
            .run(&make)
            .refused(&["audit.pem", "others may read it", "'chmod 600'"]);
    }
    assert_eq!(signer.0.read("checkpoints"), before);
    signer.0.set_mode("audit.pem", 0o640);
    signer.run(&make).succeeded();
}

#[test]
fn an_auditor_checks_exports_without_the_database() {
    let (signer, key) = signed();
    let export = |arguments: &[&str]| signer.run(&[&["audit", "export"], arguments].concat());
    export(&["--out", "all"]).succeeded();
    export(&["--to", "3", "--out", "first"]).succeeded();
    export(&["--from", "4", "--out", "rest"]).succeeded();
    let auditor = Sandbox::empty();
    for name in ["all", "first", "rest", "checkpoints"] {
        auditor.write(name, signer.0.read(name));
    }
    let known = ["--checkpoint", "checkpoints", "--log-key", &key];
    let verify =
        |files: &[&str]| auditor.run(&[&["audit", "verify", "--export"], files, &known].concat());
    for files in [&["all"][..], &["first", "rest"], &["rest"]] {
        let verified = verify(files).succeeded();
        assert!(verified.contains("as 1 checkpoints say"), "{verified}");
    }
    verify(&["rest", "first"]).refused(&["first: ", "in their order"]);
    verify(&["first"]).refused(&["no checkpoint"]);
    let all = auditor.read("all");
    auditor.write("changed", all.replace("\"operator:", "\"api:"));
    verify(&["changed"]).refused(&["changed: "]);
    auditor.write("cut", &all[..all.len() - 5]);
    verify(&["cut"]).refused(&["breaks off", "--resume"]);
    // A place that was emptied confirms nothing.
    auditor.write("checkpoints", "");
    verify(&["all"]).refused(&["checkpoints has no checkpoint in it"]);
    // Without checkpoints it says what that is worth.
    let alone = auditor.run(&["audit", "verify", "--export", "all"]);
    let alone = alone.succeeded();
    assert!(alone.contains("no checkpoint was given"), "{alone}");
}

#[test]
fn an_export_goes_on_where_it_was_left_off() {
    let (signer, _) = signed();
    let export = |arguments: &[&str]| signer.run(&[&["audit", "export"], arguments].concat());
    let whole = export(&[]).succeeded();
    assert_eq!(whole.lines().count(), 8, "{whole}");
    export(&["--out", "all", "--resume"]).succeeded();
    assert_eq!(signer.0.read("all"), whole);
    export(&["--out", "all"]).refused(&["all exists", "--resume"]);
    assert_eq!(export(&["--out", "-"]).succeeded(), whole);
    signer.0.write("all", &whole[..whole.len() - 200]);
    export(&["--out", "all", "--resume"]).succeeded();
    assert_eq!(signer.0.read("all"), whole);
    signer.run(&["devices", "add", "four"]).succeeded();
    export(&["--out", "all", "--resume"]).succeeded();
    assert_eq!(signer.0.read("all"), export(&[]).succeeded());
    // The file of another log is not gone on with.
    let other = Signer::new();
    other.0.write("all", signer.0.read("all"));
    for number in 0..9 {
        let name = format!("device-{number}");
        other.run(&["devices", "add", &name]).succeeded();
    }
    let resume = ["audit", "export", "--out", "all", "--resume"];
    other.run(&resume).refused(&["audit log"]);
}

#[test]
fn records_are_listed_by_what_they_are_about() {
    let (signer, _) = signed();
    signer.run(&["devices", "suspend", "two"]).succeeded();
    let list = |arguments: &[&str]| signer.json(&[&["audit", "list"], arguments].concat());
    let two = signer.run(&["audit", "list", "--limit", "2", "--json"]);
    assert_eq!((two.code, two.stdout.lines().count()), (Some(0), 2));
    assert!(two.stderr.contains("there may be more"), "{two:?}");
    let of_two = list(&["--device", "two"]);
    let actions: Vec<_> = of_two
        .iter()
        .map(|record| record["action"].as_str())
        .collect();
    assert_eq!(actions, [Some("suspend"), Some("add")]);
    assert_eq!(list(&["--device", "two", "--action", "add"]).len(), 1);
    assert_eq!(list(&["--until", "2020-01-01T00:00:00Z"]).len(), 0);
    assert_eq!(list(&["--since", "1h", "--actor", "cli:nobody"]).len(), 0);
    let table = signer.run(&["audit", "list"]).succeeded();
    assert!(
        table.starts_with("RECORD  TIME") && table.contains("suspend"),
        "{table}"
    );
    let unknown = ["audit", "list", "--device", "nobody"];
    signer.run(&unknown).refused(&["no such device"]);
    let bad = ["audit", "list", "--since", "yesterday"];
    assert_eq!(signer.run(&bad).code, Some(2));
}

/// The log of a signer that issued months ago, and did something today.
fn old_log() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write(
        "config.toml",
        "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n",
    );
    sandbox.write("audit.pem", KEY);
    sandbox.set_mode("audit.pem", 0o600);
    for folder in ["data", "archive"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    let path = sandbox.path("data/dc-signer.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(Location::File(path)));
    sandbox
}

fn days_ago(days: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs() - days * 86_400))
}

const ISSUED: [u64; 4] = [139, 138, 131, 124];

async fn fill(location: Location) {
    dc_store::migrate(&location).await.unwrap();
    let store = dc_store::open(&location, "node").await.unwrap();
    let reason = || "a test".parse::<Reason>().ok();
    let access = Access::Token(Sha256::of(b"token of tester"));
    let operator = Operator::new("tester".parse().unwrap(), Role::Admin, access, None);
    let first = Act::new("first:uid=0,login=none", days_ago(140)).because(reason());
    store.put_operator(&operator, &first).await.unwrap();
    let act = |days| Act::new("operator:tester", days_ago(days)).because(reason());
    let zone = ZoneName::parse("cpe.example.com").unwrap();
    let new = NewZone {
        zone: zone.clone(),
        forms: Forms::Named,
        roles: Roles::Server,
    };
    store.add_zone(&new, &act(140)).await.unwrap();
    let key = Sha256::of(b"enrolment key");
    let device = NewDevice {
        id: DeviceId::from_bytes([1; 16]),
        external_id: "one".parse().unwrap(),
        zone,
        name: dc_pki::names::parse("one.cpe.example.com").unwrap(),
        slot: 0,
        epoch: 0,
        key: Some(key),
        manufactured: None,
    };
    let devices = std::slice::from_ref(&device);
    store.add_devices(devices, &act(140)).await.unwrap();
    for days in ISSUED {
        let hash = |what: &str| Sha256::of(format!("{what} {days}").as_bytes());
        let issuance = Issuance {
            device: device.id,
            name: device.name.clone(),
            key,
            spki_sha256: hash("key"),
            credentials: vec![hash("credential")],
            client: None,
            delegation_sha256: hash("delegation"),
            issued: days_ago(days),
            expires: days_ago(days - 6),
            shown: None,
            idempotency: None,
            answer: Vec::new(),
            by: Act::new("device", days_ago(days)),
        };
        store.record(issuance).await.unwrap();
    }
    let change = Change::Suspend;
    store
        .change_device(device.id, &change, &act(0))
        .await
        .unwrap();
    let month = Duration::from_secs(30 * 86_400);
    let retention = Retention {
        issues: month,
        refused: month,
    };
    store.tidy(now(), &retention).await.unwrap();
    store.close().await;
}

#[test]
fn old_weeks_are_archived_and_checked_with_their_files() {
    let signer = old_log();
    let run = |arguments: &[&str]| signer.run(&[arguments, &["--config", "config.toml"]].concat());
    let make = ["audit", "checkpoint", "--key", "audit.pem", "--name", "log"];
    let make = [&make[..], &["--append", "checkpoints"]].concat();
    let made = run(&make).succeeded();
    let log_key = made.lines().last().unwrap().to_owned();
    let known = ["--checkpoints", "checkpoints", "--log-key", &log_key];
    let archive = |more: &[&str]| {
        let archive = ["audit", "archive", "--to", "archive", "--reason", "a test"];
        let nobody = ["--as-root-because", "a test"];
        // It warns that nobody's credential was shown.
        let done = run(&[&archive[..], &nobody, more, &known].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        done.stdout
    };
    let nothing = archive(&["--keep", "1y"]);
    assert!(nothing.contains("nothing to archive"), "{nothing}");
    let archived = archive(&["--json"]);
    let weeks = [140].into_iter().chain(ISSUED);
    let weeks: BTreeSet<u64> = weeks
        .map(|days| days_ago(days).as_secs() / 604_800)
        .collect();
    let lines: Vec<Value> = archived
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), weeks.len(), "{archived}");
    let removed = |line: &Value| line["removed"].as_u64().unwrap();
    assert_eq!(lines.iter().map(removed).sum::<u64>(), 4);
    let mut files = signer.names("archive");
    files.sort();
    assert_eq!(files.len(), weeks.len(), "{files:?}");
    assert_eq!(signer.mode(&format!("archive/{}", files[0])), 0o600);
    let paths: Vec<String> = files.iter().map(|name| format!("archive/{name}")).collect();
    // Without them nothing is proved of what they have.
    let verify = [&["audit", "verify"][..], &known].concat();
    let unproved = run(&verify);
    assert_eq!(unproved.code, Some(1), "{unproved:?}");
    for words in ["nothing is proved of the records up to 7", "--archives"] {
        assert!(unproved.stderr.contains(words), "{unproved:?}");
    }
    let without = run(&[&verify[..], &["--without-archives"]].concat()).succeeded();
    for words in ["records 8 to ", "nothing is proved of the records up to 7"] {
        assert!(without.contains(words), "{without}");
    }
    let mut beside = verify.clone();
    beside.push("--archives");
    beside.extend(paths.iter().map(String::as_str));
    let verified = run(&beside).succeeded();
    assert!(verified.contains("as 1 checkpoints say"), "{verified}");
    assert!(!verified.contains("proved"), "{verified}");
    // They are right without the database.
    run(&["audit", "export", "--out", "rest"]).refused(&["up to record 7", "archives"]);
    run(&["audit", "export", "--from", "8", "--out", "rest"]).succeeded();
    let mut offline = vec!["audit", "verify", "--export"];
    offline.extend(paths.iter().map(String::as_str));
    offline.push("rest");
    offline.extend(known);
    let verified = signer.run(&offline).succeeded();
    assert!(verified.starts_with("records 1 to "), "{verified}");
    assert!(verified.contains("as 1 checkpoints say"), "{verified}");
    // It goes on with checkpoints, and proves what is behind the archives.
    run(&make).succeeded();
    run(&beside).succeeded();
    run(&[&["audit", "prove", "8"][..], &known].concat()).succeeded();
    run(&[&["audit", "prove", "5"][..], &known].concat()).refused(&["archives"]);
    // A file that was changed is found, and so are files in a wrong order.
    let changed = signer
        .read(&paths[0])
        .replace("operator:tester", "operator:other");
    signer.write(&paths[0], changed);
    signer.run(&offline).refused(&["archive/audit-"]);
    run(&beside).refused(&["archive/audit-"]);
    // Nothing is archived behind it, unless somebody says so.
    let mut again = vec!["audit", "archive", "--to", "archive", "--reason", "a test"];
    again.extend(["--as-root-because", "a test"]);
    again.extend(known);
    let refused = run(&again);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("archive/audit-"), "{refused:?}");
    let again = archive(&["--without-archives"]);
    assert!(again.contains("nothing to archive"), "{again}");
}

#[test]
fn a_log_that_is_not_as_signers_here_have_seen_it_is_found() {
    let (signer, key) = signed();
    let verify = [
        "audit",
        "verify",
        "--checkpoints",
        "checkpoints",
        "--log-key",
        &key,
    ];
    signer.run(&verify).succeeded();
    let seen = signer.0.read("data/audit-head.json");
    let mut other: Value = serde_json::from_str(&seen).unwrap();
    other["hash"] = "07".repeat(32).into();
    signer.0.write("data/audit-head.json", other.to_string());
    let found = signer.run(&verify);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("has another one there"), "{found:?}");
    // What was seen stays.
    let kept = signer.0.read("data/audit-head.json");
    assert_eq!(kept, other.to_string());
    signer.0.write("data/audit-head.json", seen);
    signer.run(&verify).succeeded();
}

#[test]
fn an_act_without_a_credential_has_a_checkpoint_before_the_command_ends() {
    let signer = old_log();
    let config = signer.read("config.toml")
        + "[checkpoints]\nname = 'log'\nkey = 'audit.pem'\n[[checkpoint_places]]\nfile = 'outside'\n";
    signer.write("config.toml", config);
    let act = ["audit", "archive", "--to", "archive", "--keep", "1y"];
    let why = ["--reason", "a test", "--as-root-because", "a test"];
    let act = [&act[..], &why, &["--config", "config.toml"]].concat();
    let done = signer.run(&act);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("a checkpoint of "), "{done:?}");
    let outside = signer.read("outside");
    let size: u64 = outside.lines().nth(1).unwrap().parse().unwrap();
    let listed = ["audit", "list", "--json", "--config", "config.toml"];
    let listed = signer.run(&listed).succeeded();
    let last: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(last["seq"], size);
}

/// Does what only somebody with the database could do.
fn tamper(signer: &Signer, sql: &'static str) {
    use sqlx::{Connection, Executor};
    let url = format!("sqlite:{}", signer.0.path("data/dc-signer.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute(sql).await.unwrap();
    });
}

#[test]
fn an_index_that_leaves_a_device_out_is_a_finding_that_nobody_acknowledges() {
    let (signer, _) = signed();
    tamper(
        &signer,
        "CREATE TEMP TABLE was AS SELECT sql FROM sqlite_master WHERE name = 'names_device'; \
         DROP INDEX names_device; \
         CREATE INDEX names_device ON names (device) WHERE given = 0; \
         PRAGMA writable_schema = ON; \
         UPDATE sqlite_master SET sql = (SELECT sql FROM was) WHERE name = 'names_device'; \
         PRAGMA writable_schema = RESET",
    );
    let verify = ["audit", "verify", "--json"];
    let found: Value = serde_json::from_str(&signer.run(&verify).stdout).unwrap();
    let mut mismatches = found["mismatches"].as_array().unwrap().iter();
    let pages = mismatches.find(|one| one["kind"] == "pages").unwrap();
    let text = pages["text"].as_str().unwrap();
    assert!(
        text.contains("index names_device") && text.contains("REINDEX"),
        "{text}"
    );
    let digest = pages["digest"].as_str().unwrap();
    let refused = signer.run(&["audit", "acknowledge", digest, "--reason", "a test"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    tamper(&signer, "REINDEX");
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn a_program_reads_all_that_is_not_as_the_log_says_and_what_is_known_does_not_fail() {
    let (signer, key) = signed();
    let known = ["--checkpoints", "checkpoints", "--log-key", &key];
    let verify = [&["audit", "verify", "--json"][..], &known].concat();
    let json = |code| -> Value {
        let done = signer.run(&verify);
        assert_eq!(done.code, Some(code), "{done:?}");
        serde_json::from_str(&done.stdout).unwrap()
    };
    assert_eq!(json(0)["open"], 0);
    tamper(
        &signer,
        "UPDATE devices SET created = 1, possible_clone = 1 WHERE external_id = 'two'",
    );
    let found = json(1);
    assert_eq!((&found["count"], &found["open"]), (&2.into(), &2.into()));
    let clone = &found["mismatches"][1];
    assert_eq!(
        (&clone["table"], &clone["column"]),
        (&"devices".into(), &"possible_clone".into())
    );
    assert_eq!(
        (&clone["expected"], &clone["found"]),
        (&"false".into(), &"true".into())
    );
    // People get the same, with what to do.
    let shown = signer.run(&["audit", "verify"]);
    assert_eq!(shown.code, Some(1));
    for words in [
        clone["digest"].as_str().unwrap(),
        "audit acknowledge",
        "docs/runbook.md",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {shown:?}");
    }
    assert!(shown.stderr.contains("1 more"), "{shown:?}");
    for mismatch in found["mismatches"].as_array().unwrap() {
        let digest = mismatch["digest"].as_str().unwrap();
        let acknowledge = ["audit", "acknowledge", digest, "--reason", "NOC-4711"];
        signer.run(&acknowledge).succeeded();
        let again = signer.run(&acknowledge).succeeded();
        assert!(again.contains("nothing was changed"), "{again}");
    }
    let after = json(0);
    assert_eq!((&after["count"], &after["open"]), (&2.into(), &0.into()));
    assert_eq!(after["mismatches"][0]["acknowledged"]["reason"], "NOC-4711");
    let none = "0".repeat(64);
    let nothing = ["audit", "acknowledge", &none, "--reason", "NOC-4711"];
    signer
        .run(&nothing)
        .refused(&["no mismatch has this digest"]);
}

#[test]
fn a_clock_that_was_wrong_is_said_and_is_no_mismatch() {
    let (signer, key) = signed();
    let verify = |more: &[&str]| signer.run(&[&["audit", "verify"][..], more].concat());
    let back = |verified: String| {
        let verified: Value = serde_json::from_str(&verified).unwrap();
        verified["time_goes_back"].clone()
    };
    assert_eq!(back(verify(&["--json"]).succeeded())["count"], 0);
    let location = Location::File(signer.0.path("data/dc-signer.db"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = dc_store::open(&location, "signer").await.unwrap();
        let hours_ago = Duration::from_secs(now().as_secs() - 7200);
        let act = Act::new("operator:tester", UnixTime::since_unix_epoch(hours_ago));
        let new = NewZone {
            zone: ZoneName::parse("late.example.com").unwrap(),
            forms: Forms::Named,
            roles: Roles::Server,
        };
        store.add_zone(&new, &act).await.unwrap();
        store.close().await;
    });
    let zone = ["--zone", "cpe.example.com"];
    signer
        .run(&[&["devices", "add", "four"][..], &zone].concat())
        .succeeded();
    let first = &back(verify(&["--json"]).succeeded())["first"];
    assert!((7199..7300).contains(&first["seconds"].as_u64().unwrap()));
    let verified = verify(&[]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.stdout.contains("none missing or changed"));
    let note = format!("note: record {} says a time ", first["record"]);
    assert!(verified.stderr.contains(&note), "{verified:?}");
    assert!(
        verified.stderr.contains("a clock was wrong"),
        "{verified:?}"
    );
    // An auditor is told too.
    signer.run(&["audit", "export", "--out", "all"]).succeeded();
    let offline = [
        "audit",
        "verify",
        "--export",
        "all",
        "--checkpoints",
        "checkpoints",
    ];
    let offline = signer.0.run(&[&offline[..], &["--log-key", &key]].concat());
    assert_eq!(offline.code, Some(0), "{offline:?}");
    assert!(offline.stderr.contains(&note), "{offline:?}");
}

#[test]
fn a_clean_log_is_clean_also_for_a_reader_that_reads_no_further() {
    let (signer, _) = signed();
    for rest in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_dc-signer"))
            .args(["audit", "verify", "--config", "config.toml"])
            .args(rest)
            .current_dir(signer.0.path("."))
            .stdout(writer)
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
}
