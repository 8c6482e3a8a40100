//! A device that is in, and an activation code that is good for nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dc_agent::Level;
use dc_protocol::Kind;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Mood, Signer};

type Damage = (&'static str, fn(&Path), Option<&'static str>);

const DAMAGES: [Damage; 5] = [
    (
        "a folder",
        |code| fs::create_dir(code).unwrap(),
        Some("Is a directory"),
    ),
    ("empty", |code| fs::write(code, " \n").unwrap(), None),
    (
        "too long",
        |code| fs::write(code, vec![b'x'; 70_000]).unwrap(),
        Some("cannot be used"),
    ),
    (
        "a link to nothing",
        |code| symlink("gone", code).unwrap(),
        Some("cannot be used"),
    ),
    (
        "wrong",
        |code| fs::write(code, "WRONG").unwrap(),
        Some("get another one"),
    ),
];

#[test]
fn whatever_has_become_of_its_code_a_device_that_is_in_renews_and_says_so() {
    for (what, damage, said) in DAMAGES {
        let signer = Signer::start();
        let device = Device::new(&signer);
        let mut agent = device.boot();
        agent.turn();
        fs::remove_file(device.path("code")).unwrap();
        damage(&device.path("code"));
        assert!(agent.is_called(), "{what}");
        for _ in 0..2 {
            signer.pass(4 * DAY);
            agent.turn();
            device.accepted();
        }
        let requests = || signer.requests() - signer.polls();
        let before = requests();
        agent.turn();
        assert_eq!(requests(), before, "{what}");
        let status = agent.status();
        assert_eq!(status.level, Level::Fine, "{what}");
        assert_eq!(status.last_failure, None, "{what}: {:?}", device.log);
        assert_eq!(status.reason.is_some(), said.is_some(), "{what}");
        if let Some(said) = said {
            assert!(device.said(said), "{what}: {:?}", device.log);
            assert!(status.reason.clone().unwrap().contains(said), "{what}");
        }
        assert_eq!(device.look().reason, status.reason, "{what}");
        assert_eq!(device.look().level, Level::Fine, "{what}");
        let _ = fs::remove_dir(device.path("code"));
        let _ = fs::remove_file(device.path("code"));
        assert!(agent.is_called(), "{what}");
        agent.turn();
        assert_eq!(agent.status().reason, None, "{what}");
    }
}

#[test]
fn however_its_code_is_refused_a_device_that_is_in_renews() {
    for kind in [
        Kind::BadRequest,
        Kind::CodeRefused,
        Kind::Conflict,
        Kind::KeyRefused,
        Kind::NotFound,
    ] {
        let signer = Signer::start();
        let device = Device::new(&signer);
        let mut agent = device.boot();
        agent.turn();
        signer.set(Mood::RefusesToEnrol(kind));
        device.give_code("ANOTHER");
        for _ in 0..3 {
            signer.pass(3 * DAY);
            agent.turn();
            device.accepted();
        }
        let reason = agent.status().reason.unwrap();
        assert!(reason.contains("get another one"), "{kind:?}: {reason}");
        assert_eq!(agent.status().level, Level::Fine, "{kind:?}");
        // The next one is tried.
        signer.set(Mood::Good);
        device.give_code(&signer.new_code());
        let before = signer.enrolments();
        signer.pass(60);
        agent.turn();
        assert_eq!(signer.enrolments(), before + 1, "{kind:?}");
        assert_eq!(agent.status().reason, None, "{kind:?}");
    }
}

#[test]
fn while_nothing_is_said_about_its_code_a_device_that_is_in_renews_in_time() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    signer.set(Mood::RefusesToEnrol(Kind::StorageUnavailable));
    device.give_code(&signer.new_code());
    let end = signer.now() + 9 * DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
        device.accepted();
    }
    assert!((3..=4).contains(&signer.issued()), "{}", signer.issued());
    // As seldom as any other request in vain.
    assert!(signer.enrolments() < 9 * 24, "{}", signer.enrolments());
    signer.set(Mood::Good);
    signer.pass(5 * HOUR);
    agent.turn();
    assert_eq!(agent.status().reason, None, "{:?}", device.log);
}
