//! Getting in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dc_agent::Level;
use dc_protocol::Kind;

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
    // The request's key has become the generation's, and is nowhere else.
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
fn a_group_can_read_all_that_a_server_needs_whatever_the_umask_is() {
    let own = fs::metadata(".").unwrap();
    let group = if own.uid() == 0 { 4711 } else { own.gid() };
    for umask in ["022", "027", "077"] {
        let signer = Signer::start();
        let device = Device::new(&signer);
        device.configure(&format!(
            "start_delay = '0s'\ncode_file = 'code'\nkey_group = '{group}'\n"
        ));
        let agent = device.once();
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(agent.get_program())
            .args(agent.get_args());
        assert!(command.status().unwrap().success());
        for (name, mode) in [
            ("identity", 0o755),
            ("identity/current/", 0o755),
            ("identity/current/chain.pem", 0o644),
            ("identity/current/credential.pem", 0o644),
            ("identity/current/key.pem", 0o640),
            ("state", 0o755),
            ("state/status.json", 0o644),
            ("state/state.json", 0o600),
            ("state/enrolment-key.pem", 0o600),
            ("state/lock", 0o600),
        ] {
            let metadata = fs::metadata(device.path(name)).unwrap();
            assert_eq!(
                metadata.permissions().mode() & 0o777,
                mode,
                "{umask} {name}"
            );
        }
        let key = fs::metadata(device.path("identity/current/key.pem")).unwrap();
        assert_eq!(key.gid(), group);
    }
}

#[test]
fn a_group_that_is_kept_out_of_the_folder_is_let_in() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let own = fs::metadata(device.path(".")).unwrap();
    let group = if own.uid() == 0 { 4711 } else { own.gid() };
    fs::create_dir(device.path("identity")).unwrap();
    fs::set_permissions(device.path("identity"), Permissions::from_mode(0o700)).unwrap();
    device.boot();
    let mode = || {
        fs::metadata(device.path("identity"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(), 0o700);
    device.configure(&format!(
        "start_delay = '0s'\ncode_file = 'code'\nkey_group = '{group}'\n"
    ));
    device.boot();
    assert_eq!(mode(), 0o750);
    assert_eq!(fs::metadata(device.path("identity")).unwrap().gid(), group);
}

#[test]
fn a_code_that_was_put_right_is_tried_at_once() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let right = signer.new_code();
    for restarted in [false, true] {
        device.give_code("WRONG");
        let mut agent = device.boot();
        agent.turn();
        assert_eq!(agent.status().last_failure.unwrap().kind, "code-refused");
        let requests = signer.requests();
        signer.pass(120);
        agent.turn();
        assert_eq!((signer.requests(), agent.is_called()), (requests, false));
        device.give_code(if restarted { &right } else { "ALSO WRONG" });
        assert!(agent.is_called());
        if restarted {
            drop(agent);
            agent = device.boot();
        }
        agent.turn();
        assert!(signer.requests() > requests);
        assert_eq!(agent.status().level == Level::Fine, restarted);
    }
    device.accepted();
}

#[test]
fn another_code_is_tried_a_minute_after_the_last_request_and_no_sooner() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.give_code("WRONG");
    let mut agent = device.boot();
    agent.turn();
    let requests = signer.requests();
    device.give_code(&signer.new_code());
    assert!(agent.turn().as_secs() <= 60);
    assert_eq!(signer.requests(), requests);
    signer.pass(60);
    agent.turn();
    device.accepted();
}

#[test]
fn from_the_command_line_and_by_a_daemon_a_code_that_was_put_right_is_tried_within_a_minute() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.give_code("WRONG");
    assert_eq!(device.once().status().unwrap().code(), Some(4));
    device.give_code("ALSO WRONG");
    let before = signer.requests();
    assert_eq!(device.once().status().unwrap().code(), Some(4));
    assert!(signer.requests() > before);
    let requests = signer.requests();
    // The same again is not.
    assert_eq!(device.once().status().unwrap().code(), Some(4));
    assert_eq!(signer.requests(), requests);
    let mut daemon = device.daemon().spawn().unwrap();
    sleep(Duration::from_secs(2));
    assert_eq!(signer.requests(), requests);
    device.give_code(&signer.new_code());
    let given = Instant::now();
    while !device.current().exists() && given.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(50));
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    installed(&device.current()).unwrap();
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
    let clock = Box::new(dc_agent::SystemClock::new());
    let second = dc_agent::Agent::open(device.config(), clock, Box::new(|_| {}));
    let error = second.unwrap_err().to_string();
    assert!(error.contains("another agent"), "{error}");
}
