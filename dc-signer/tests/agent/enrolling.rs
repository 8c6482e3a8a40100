//! Getting in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use dc_signer::agent::Level;
use dc_signer::protocol::Kind;

use crate::device::{Device, installed};
use crate::signer::{Mood, NAME, Signer};

#[test]
fn a_device_enrols_with_its_code_and_a_server_can_serve() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    assert_eq!(agent.status().level, Level::Lost);
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
    assert_eq!(device.accepted().unique_name().unwrap().as_str(), NAME);
    installed(&device.current()).unwrap();
    assert_eq!(device.look().level, Level::Fine);
}

#[test]
fn keys_are_for_their_owner_alone_and_not_the_same() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    let keys = ["identity/current/key.pem", "state/enrolment-key.pem"].map(|name| {
        let path = device.path(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        fs::read_to_string(path).unwrap()
    });
    assert_ne!(keys[0], keys[1]);
    // The request's key has become the unit's, and is nowhere else.
    assert!(!device.path("state/next-key.pem").exists());
}

#[test]
fn a_group_can_read_the_key_that_a_server_needs_and_no_other() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let own = fs::metadata(device.path(".")).unwrap();
    // Only root can give files to a group that it is not in.
    let group = if own.uid() == 0 { 4711 } else { own.gid() };
    let more = format!("start_delay = '0s'\ncode_file = 'code'\nkey_group = '{group}'\n");
    device.configure(&more);
    device.boot().turn();
    for (name, mode) in [
        ("identity/current/key.pem", 0o640),
        ("state/enrolment-key.pem", 0o600),
    ] {
        let metadata = fs::metadata(device.path(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
        let is_for_group = metadata.gid() == group;
        assert!(is_for_group || mode == 0o600, "{name}");
    }
}

#[test]
fn a_code_that_is_refused_is_an_alarm_and_is_not_tried_at_once_again() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.give_code("WRONG");
    let mut agent = device.boot();
    agent.turn();
    let requests = signer.requests();
    for _ in 0..50 {
        signer.pass(600);
        agent.turn();
    }
    assert_eq!(signer.requests(), requests);
    let status = agent.status();
    assert_eq!(status.level, Level::Lost);
    assert_eq!(status.last_failure.unwrap().kind, Kind::CodeRefused.name());
}

#[test]
fn an_enrolment_whose_answer_got_lost_goes_on_as_a_renewal() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    signer.set(Mood::LosesAnswers);
    agent.turn();
    assert_eq!(agent.status().level, Level::Lost);
    signer.set(Mood::Good);
    signer.pass(600);
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
    device.accepted();
}

#[test]
fn another_code_means_to_enrol_again() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    let before = device.credential();
    device.boot().turn();
    assert_eq!(device.credential(), before);
    device.give_code(&signer.new_code());
    device.boot().turn();
    assert_ne!(device.credential(), before);
}

#[test]
fn only_one_agent_works_on_a_device() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let _first = device.boot();
    let clock = Box::new(dc_signer::agent::SystemClock::new());
    let second = dc_signer::agent::Agent::open(device.config(), clock, Box::new(|_| {}));
    let error = second.unwrap_err().to_string();
    assert!(error.contains("another agent"), "{error}");
}
