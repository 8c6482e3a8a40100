//! The agent as a daemon and from cron.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dc_agent::Level;

use crate::device::{Device, installed};
use crate::signer::{Mood, Signer};

fn agent(device: &Device, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dc-agent"));
    command
        .args(arguments)
        .arg("--config")
        .arg(device.path("agent.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn wait_until(mut what: impl FnMut() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
}

fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_daemon_enrols_stays_and_ends_on_sigterm() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut child = agent(&device, &[]).spawn().unwrap();
    wait_until(|| device.path("state/status.json").exists() && device.current().exists());
    assert!(child.try_wait().unwrap().is_none());
    terminate(&child);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    installed(&device.current()).unwrap();
    assert_eq!(device.look_really().level, Level::Fine);
}

/// Or somebody who has typed in a code looks at nothing for five minutes.
#[test]
fn an_agent_that_waits_after_its_start_says_so() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.configure("start_delay = '1h'\ncode_file = 'code'\n");
    let says = |arguments: &[&str]| {
        let mut child = agent(&device, arguments).spawn().unwrap();
        let mut line = String::new();
        let said = child.stderr.take().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        terminate(&child);
        child.wait().unwrap();
        line
    };
    for arguments in [&[][..], &["--once"]] {
        let line = says(arguments);
        // One time in 3600 it need not wait at all.
        let waits_for_nothing = line.contains(" is current: ");
        assert!(
            line.contains("what is due waits for ") || waits_for_nothing,
            "{line}"
        );
    }
}

#[test]
fn a_daemon_ends_on_sigterm_while_its_hook_runs_and_runs_it_again_later() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let hook = |command: &str| {
        let lines = "start_delay = '0s'\ncode_file = 'code'\n[hook]\ntimeout = '10m'\n";
        device.configure(&format!("{lines}command = ['sh', '-c', '{command}']\n"));
    };
    hook("touch \"$DC_IDENTITY/../began\"; exec sleep 600");
    let mut child = agent(&device, &[]).spawn().unwrap();
    wait_until(|| device.path("began").exists());
    terminate(&child);
    wait_until(|| child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
    assert_eq!(device.look_really().hook, None);
    hook("touch \"$DC_IDENTITY/../ran\"");
    assert!(agent(&device, &["--once"]).status().unwrap().success());
    assert!(device.path("ran").exists());
}

#[test]
fn once_and_status_say_how_the_device_stands() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    signer.set(Mood::Down);
    let run = |arguments: &[&str]| {
        let output = agent(&device, arguments).output().unwrap();
        let code = output.status.code().unwrap();
        (code, String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["status"]).0, 4);
    assert_eq!(run(&["--once"]).0, 4);
    // The code has to be looked at again before its time, which only another one does here.
    signer.set(Mood::Good);
    std::fs::remove_dir_all(device.path("state")).unwrap();
    assert_eq!(run(&["--once"]).0, 0);
    let (code, text) = run(&["status"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with("fine\nname       k3v.cpe.example.com\n"),
        "{text}"
    );
    let (code, json) = run(&["status", "--json"]);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["level"], "fine");
    assert_eq!(json["identity"]["name"], "k3v.cpe.example.com");
    assert_eq!(json["enrolment_key"].as_str().unwrap().len(), 64);
}

#[test]
fn a_hook_can_be_tried() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let run = || agent(&device, &["--test-hook"]).output().unwrap();
    assert_eq!(run().status.code(), Some(1));
    device.configure("[hook]\ncommand = ['touch', 'ran']\n");
    let mut command = agent(&device, &["--test-hook"]);
    assert!(
        command
            .current_dir(device.folder.path())
            .status()
            .unwrap()
            .success()
    );
    assert!(device.path("ran").exists());
    device.configure("[hook]\ncommand = ['false']\n");
    assert_eq!(run().status.code(), Some(1));
    assert_eq!(signer.requests(), 0);
}
