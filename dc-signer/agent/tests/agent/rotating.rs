//! Another enrolment key, without ever being locked out.

use std::fs;
use std::thread::sleep;
use std::time::Instant;

use dc_agent::Level;
use serde_json::{Value, json};

use crate::device::Device;
use crate::killed::spread;
use crate::renewing::until_renewed;
use crate::signer::{DAY, Mood, Signer};

const KILLS: u32 = 100;

fn rotating(signer: &Signer) -> Device {
    let device = Device::new(signer);
    device.configure("start_delay = '0s'\ncode_file = 'code'\nenrolment_key_lifetime = '1d'\n");
    device
}

fn key(device: &Device) -> String {
    device.look().enrolment_key.unwrap()
}

#[test]
fn a_key_is_offered_with_one_renewal_and_in_place_with_the_next() {
    let signer = Signer::start();
    let device = rotating(&signer);
    let mut agent = device.boot();
    agent.turn();
    let first = key(&device);
    until_renewed(&device, &mut agent);
    assert_eq!(key(&device), first);
    assert_eq!(signer.known_keys().len(), 2);
    until_renewed(&device, &mut agent);
    let second = key(&device);
    assert_ne!(second, first);
    assert_eq!(signer.known_keys(), [second]);
    assert!(device.said("another enrolment key"));
    assert!(!device.path("state/next-enrolment-key.pem").exists());
    assert_eq!(agent.status().level, Level::Fine);
}

#[test]
fn without_the_setting_the_key_stays() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    let first = key(&device);
    for _ in 0..3 {
        until_renewed(&device, &mut agent);
    }
    assert_eq!(signer.known_keys(), [first]);
}

#[test]
fn answers_that_get_lost_and_a_state_that_does_lock_nobody_out() {
    let signer = Signer::start();
    let device = rotating(&signer);
    device.boot().turn();
    for _ in 0..8 {
        signer.set(Mood::LosesAnswers);
        signer.pass(4 * DAY);
        device.boot().turn();
        // All that the agent remembers but for its keys.
        fs::remove_file(device.path("state/state.json")).unwrap();
        signer.set(Mood::Good);
        let before = device.credential();
        device.boot().turn();
        assert_ne!(device.credential(), before, "{:?}", device.log);
        signer.pass(4 * DAY);
        until_renewed(&device, &mut device.boot());
        device.accepted();
    }
    assert!(signer.known_keys().contains(&key(&device)));
}

/// Makes a renewal and a rotation due, as years do.
fn make_due(device: &Device) {
    for (file, member, value) in [
        ("identity/current/meta.json", "renew_at", json!(0)),
        ("state/state.json", "enrolment_key_since", json!(1)),
    ] {
        let path = device.path(file);
        let text = fs::read(&path).unwrap();
        let mut json: Value = serde_json::from_slice(&text).unwrap();
        json[member] = value;
        fs::write(&path, json.to_string()).unwrap();
    }
}

#[test]
fn an_agent_that_is_killed_at_any_moment_is_never_locked_out() {
    let signer = Signer::start();
    let device = rotating(&signer);
    assert!(device.once().status().unwrap().success());
    make_due(&device);
    let started = Instant::now();
    assert!(device.once().status().unwrap().success());
    let longest = started.elapsed() * 12 / 10;
    let (mut now, mut switched) = (device.look_really().enrolment_key, 0);
    for round in 0..KILLS {
        make_due(&device);
        let mut child = device.once().spawn().unwrap();
        sleep(spread(round, longest));
        child.kill().unwrap();
        child.wait().unwrap();
        let status = device.look_really();
        assert_eq!(status.last_failure, None);
        switched += u32::from(status.enrolment_key != now);
        now = status.enrolment_key;
    }
    assert!(switched > 0, "never far enough");
    // Whatever the last one left, two that are left alone renew, and the key is one that the signer knows.
    for _ in 0..2 {
        make_due(&device);
        let before = device.credential();
        assert!(device.once().status().unwrap().success());
        assert_ne!(device.credential(), before);
    }
    let status = device.look_really();
    assert!(signer.known_keys().contains(&status.enrolment_key.unwrap()));
}
