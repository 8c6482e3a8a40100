//! One judgement: the log, the status file, whoever looks from elsewhere and the exit status say the same, whatever has
//! become of the identity folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dc_agent::Level;

use crate::device::{Device, installed};
use crate::signer::{DAY, Mood, Signer};

type Environment<'a> = &'a [(&'a str, &'a OsStr)];

fn run(device: &Device, arguments: &[&str], environment: Environment<'_>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dc-agent"))
        .args(arguments)
        .arg("--config")
        .arg(device.path("agent.toml"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs the agent once. Panics unless all four say the same. Returns the level and the log.
fn stands(device: &Device) -> (Level, String) {
    stands_with(device, &[])
}

fn stands_with(device: &Device, environment: Environment<'_>) -> (Level, String) {
    let once = run(device, &["--once"], environment);
    let log = String::from_utf8(once.stderr).unwrap();
    let status = run(device, &["status"], &[]);
    let text = String::from_utf8(status.stdout).unwrap();
    let file = fs::read_to_string(device.path("state/status.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let (level, word, code) = match file["level"].as_str().unwrap() {
        "fine" => (Level::Fine, "fine", 0),
        "at-risk" => (Level::AtRisk, "AT RISK", 3),
        "lost" => (Level::Lost, "LOST", 4),
        other => panic!("{other}"),
    };
    assert_eq!(once.status.code(), Some(code), "{log}");
    assert_eq!(status.status.code(), Some(code), "{text} after {log}");
    assert!(text.starts_with(word), "{text}");
    let told = log.contains(&format!("the device is {word}: "));
    assert_eq!(told, level != Level::Fine, "{log}");
    if let Some(reason) = file["reason"].as_str() {
        assert!(text.contains(reason), "{text}");
        assert!(log.contains(reason) || level == Level::Fine, "{log}");
    }
    let really = installed(&device.current());
    assert_eq!(really.is_err(), level == Level::Lost, "{really:?}: {log}");
    (level, log)
}

fn enrolled(signer: &Signer) -> Device {
    let device = Device::new(signer);
    assert_eq!(stands(&device).0, Level::Fine);
    fs::remove_file(device.path("code")).unwrap();
    device
}

/// As a copy without links.
fn without_links(device: &Device) {
    let (identity, copy) = (device.path("identity"), device.path("copy"));
    let copied = Command::new("cp")
        .args(["-rL"])
        .args([&identity, &copy])
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(&identity).unwrap();
    fs::rename(copy, identity).unwrap();
}

fn make_due(device: &Device) {
    let meta = device.current().join("meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["renew_at"] = 0.into();
    fs::write(&meta, json.to_string()).unwrap();
}

fn leads_to(device: &Device) -> String {
    let link = fs::read_link(device.current()).unwrap();
    link.to_str().unwrap().to_owned()
}

/// What has become of the folder, and what the log says of it; the agent puts it right.
type Damage = (&'static str, fn(&Device), &'static str);

const DAMAGES: [Damage; 9] = [
    (
        "a copy without links",
        without_links,
        "'current' was a folder",
    ),
    (
        "nothing but a folder in the link's place",
        |device| {
            without_links(device);
            fs::remove_dir_all(device.path("identity/dc-1")).unwrap();
        },
        "'current' was a folder",
    ),
    (
        "an empty folder",
        |device| {
            fs::remove_file(device.current()).unwrap();
            fs::create_dir(device.current()).unwrap();
        },
        "'current' was a folder",
    ),
    (
        "a file, as on a stick",
        |device| {
            fs::remove_file(device.current()).unwrap();
            fs::write(device.current(), "dc-1").unwrap();
        },
        "'current' was a file",
    ),
    (
        "a link to nothing",
        |device| {
            fs::remove_file(device.current()).unwrap();
            symlink("dc-7", device.current()).unwrap();
        },
        "was broken",
    ),
    (
        "a link out of the folder",
        |device| {
            fs::remove_file(device.current()).unwrap();
            fs::create_dir(device.path("other")).unwrap();
            fs::rename(device.path("identity/dc-1"), device.path("other/dc-1")).unwrap();
            symlink("../other/dc-1", device.current()).unwrap();
        },
        "'current' led to no generation",
    ),
    (
        "no link",
        |device| fs::remove_file(device.current()).unwrap(),
        "there was no 'current'",
    ),
    (
        "a power cut between two steps of a repair",
        |device| {
            without_links(device);
            fs::rename(device.current(), device.path("identity/current.old")).unwrap();
            symlink("dc-1", device.path("identity/current.new")).unwrap();
        },
        "there was no 'current'",
    ),
    (
        "a unit that is not whole",
        |device| {
            fs::write(device.current().join("chain.pem"), "").unwrap();
        },
        "was broken",
    ),
];

#[test]
fn whatever_has_become_of_the_folder_it_is_put_right_and_renewals_are_served() {
    let signer = Signer::start();
    for (what, damage, said) in DAMAGES {
        let device = enrolled(&signer);
        damage(&device);
        let (level, log) = stands(&device);
        assert!(log.contains(said), "{what}: {log}");
        assert_eq!(level, Level::Fine, "{what}: {log}");
        let (_, log) = stands(&device);
        assert_eq!(log, "", "{what}");
        let before = (device.credential(), leads_to(&device));
        make_due(&device);
        stands(&device);
        assert_ne!((device.credential(), leads_to(&device)), before, "{what}");
        let mut names: Vec<String> = fs::read_dir(device.path("identity"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.retain(|name| !name.starts_with("dc-"));
        assert_eq!(names, ["current"], "{what}");
    }
}

/// Each file is as it should be, but they do not belong together.
#[test]
fn a_unit_with_the_key_of_another_gives_way_to_one_that_clients_accept() {
    let signer = Signer::start();
    let device = enrolled(&signer);
    make_due(&device);
    stands(&device);
    assert_eq!(leads_to(&device), "dc-2");
    let key = fs::read(device.path("state/enrolment-key.pem")).unwrap();
    fs::write(device.current().join("key.pem"), &key).unwrap();
    // What is not due is not asked for, so nothing but the folder can help.
    signer.set(Mood::Down);
    let (level, log) = stands(&device);
    assert!(
        log.contains("clients did not accept the current generation"),
        "{log}"
    );
    assert_eq!(
        (leads_to(&device).as_str(), level),
        ("dc-1", Level::Fine),
        "{log}"
    );
    // With nothing better, it stays as it is and is told.
    fs::write(device.current().join("key.pem"), &key).unwrap();
    assert_eq!(stands(&device).0, Level::Lost);
    assert_eq!(leads_to(&device), "dc-1");
}

#[test]
fn a_signer_that_is_down_or_refuses_is_the_same_everywhere() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    signer.set(Mood::Down);
    assert_eq!(stands(&device).0, Level::Lost);
    let device = enrolled_while(&signer);
    signer.set(Mood::Down);
    assert_eq!(stands(&device).0, Level::Fine);
    signer.set(Mood::Refuses(dc_protocol::Kind::DeviceSuspended));
    make_due(&device);
    assert_eq!(stands(&device).0, Level::AtRisk);
}

fn enrolled_while(signer: &Signer) -> Device {
    signer.set(Mood::Good);
    enrolled(signer)
}

#[test]
fn an_enrolment_key_that_is_damaged_is_a_risk_whoever_looks() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("empty", |key| fs::write(key, "").unwrap()),
        ("garbage", |key| fs::write(key, "\0\x01").unwrap()),
        ("gone", |key| fs::remove_file(key).unwrap()),
    ];
    let signer = Signer::start();
    for (what, damage) in damages {
        let device = enrolled(&signer);
        let mut agent = device.boot();
        damage(&device.path("state/enrolment-key.pem"));
        agent.turn();
        for status in [agent.status(), device.look()] {
            assert_eq!(status.level, Level::AtRisk, "{what}");
            let reason = status.reason.unwrap();
            assert!(reason.contains("enrolment-key.pem"), "{what}: {reason}");
        }
        drop(agent);
        let status = run(&device, &["status"], &[]);
        assert_eq!(status.status.code(), Some(3), "{what}");
        if what != "gone" {
            assert_eq!(
                run(&device, &["--once"], &[]).status.code(),
                Some(1),
                "{what}"
            );
        }
    }
    // Who has never started has none.
    let device = Device::new(&signer);
    assert_eq!(
        device.look().reason.unwrap(),
        "the device has not enrolled yet"
    );
}

/// While the agent runs, at each of its turns.
#[test]
fn a_folder_that_is_damaged_while_the_agent_runs_is_put_right() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    without_links(&device);
    assert_eq!(device.look().level, Level::AtRisk);
    assert!(
        device
            .look()
            .reason
            .unwrap()
            .contains("'current' was a folder")
    );
    signer.pass(600);
    agent.turn();
    assert_eq!(leads_to(&device), "dc-1");
    assert_eq!(agent.status().level, Level::Fine);
    assert_eq!(device.look().level, Level::Fine);
    signer.pass(4 * DAY);
    agent.turn();
    assert_eq!(leads_to(&device), "dc-2");
}

/// A library in front of the system's that has no links, as FAT has none.
fn no_links(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("no_links.c"), folder.join("no_links.so"));
    let refuses = "#include <errno.h>\nint symlink(const char *a, const char *b) { errno = EPERM; return -1; }\n";
    fs::write(&source, refuses).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(built.unwrap().success());
    library
}

#[test]
fn a_file_system_without_links_is_an_alarm() {
    let signer = Signer::start();
    let library = no_links(signer.root_file().parent().unwrap());
    let preload: Environment<'_> = &[("LD_PRELOAD", library.as_ref())];
    let device = enrolled(&signer);
    without_links(&device);
    for _ in 0..2 {
        let (level, log) = stands_with(&device, preload);
        assert_eq!(level, Level::AtRisk, "{log}");
        assert!(log.contains("without symbolic links"), "{log}");
    }
    // And when it is due, what is served is still what is judged.
    make_due(&device);
    assert_eq!(stands_with(&device, preload).0, Level::AtRisk);
    let device = Device::new(&signer);
    let (level, log) = stands_with(&device, preload);
    assert_eq!(level, Level::Lost, "{log}");
    assert!(log.contains("without symbolic links"), "{log}");
}

/// What systemd sets, for a journal that is this file.
fn stream(file: &File) -> String {
    let file = file.metadata().unwrap();
    format!("{}:{}", file.dev(), file.ino())
}

#[test]
fn only_the_journal_is_told_a_level_in_front() {
    let signer = Signer::start();
    let device = enrolled(&signer);
    let journal = File::create(device.path("journal")).unwrap();
    let other = File::create(device.path("other")).unwrap();
    for (named, begins) in [(Some(&journal), "<6>"), (Some(&other), ""), (None, "")] {
        make_due(&device);
        let mut agent = Command::new(env!("CARGO_BIN_EXE_dc-agent"));
        agent
            .args(["--once", "--config"])
            .arg(device.path("agent.toml"))
            .env_remove("JOURNAL_STREAM")
            .envs(named.map(|file| ("JOURNAL_STREAM", stream(file))));
        journal.set_len(0).unwrap();
        let appending = File::options()
            .append(true)
            .open(device.path("journal"))
            .unwrap();
        let status = agent.stdin(Stdio::null()).stderr(appending).status();
        assert!(status.unwrap().success());
        let log = fs::read_to_string(device.path("journal")).unwrap();
        assert!(log.starts_with(begins), "{named:?}: {log}");
        assert_eq!(log.contains('<'), !begins.is_empty(), "{named:?}: {log}");
        assert!(!log.is_empty());
    }
}
