//! What a signer can do to a device: nothing that the device's clients would notice.

use dc_agent::{Agent, Level};
use dc_protocol::Kind;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Mood, Signer, ZONE};

/// A device that is to renew now, and an agent for it.
fn due(signer: &Signer) -> (Device, Agent) {
    let device = Device::new(signer);
    let mut agent = device.boot();
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
    signer.pass(4 * DAY);
    (device, agent)
}

/// The signer does this to a renewal: the device keeps what it has and says why, and once the signer
/// is good again, it renews.
fn survives(mood: Mood, kind: &str) {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    let before = device.credential();
    signer.set(mood);
    for _ in 0..3 {
        signer.pass(agent.turn().as_secs());
    }
    assert_eq!(device.credential(), before);
    device.accepted();
    let status = agent.status();
    assert_eq!(status.last_failure.unwrap().kind, kind, "{:?}", device.log);
    assert_eq!(status.level, Level::Fine);
    signer.set(Mood::Good);
    signer.pass(HOUR);
    agent.turn();
    assert_ne!(device.credential(), before, "{:?}", device.log);
    device.accepted();
}

#[test]
fn a_signer_that_is_down() {
    survives(Mood::Down, "unreachable");
}

#[test]
fn where_the_signer_should_be_is_said_whatever_the_connection_fails_with() {
    for mood in [Mood::Down, Mood::Garbage(vec![b' '; 9_000_000])] {
        let signer = Signer::start();
        let device = Device::new(&signer);
        signer.set(mood);
        let mut agent = device.boot();
        agent.turn();
        let detail = agent.status().last_failure.unwrap().detail;
        let address = format!("the signer at https://localhost:{} ", signer.port);
        assert!(detail.starts_with(&address), "{detail}");
    }
}

#[test]
fn a_signer_that_stalls() {
    survives(Mood::Stalls, "unreachable");
}

#[test]
fn a_signer_that_answers_garbage() {
    survives(Mood::Garbage(b"\0\xff garbage".to_vec()), "not-understood");
}

#[test]
fn a_signer_that_answers_without_end() {
    survives(Mood::Garbage(vec![b' '; 9_000_000]), "unreachable");
}

#[test]
fn a_signer_that_answers_with_other_json() {
    survives(
        Mood::Garbage(b"{\"device\": []}".to_vec()),
        "not-understood",
    );
}

#[test]
fn a_credential_for_another_key() {
    survives(Mood::WrongKey, "untrusted");
}

#[test]
fn a_credential_that_no_client_trusts() {
    survives(Mood::WrongRoot, "untrusted");
}

#[test]
fn an_id_that_is_none_and_a_zone_that_is_not_the_names() {
    let long: &'static str = "a".repeat(65).leak();
    for (device, zone) in [
        ("\u{1b}]0;pwned\u{7}", ZONE),
        ("", ZONE),
        ("two words", ZONE),
        (long, ZONE),
        ("device-1", "else.example"),
        ("device-1", ""),
    ] {
        survives(Mood::Misnames(device, zone), "untrusted");
    }
}

#[test]
fn a_renewal_that_is_about_another_device() {
    survives(Mood::Misnames("device-2", ZONE), "untrusted");
}

#[test]
fn who_enrols_again_may_be_another_device_and_is_no_third_one_then() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    signer.set(Mood::Misnames("device-2", ZONE));
    agent.turn();
    let detail = agent.status().last_failure.unwrap().detail;
    assert!(
        detail.contains("about the device 'device-2', and this device is 'device-1'"),
        "{detail}"
    );
    device.give_code(&signer.new_code());
    signer.pass(HOUR);
    agent.turn();
    assert_eq!(agent.status().last_failure, None, "{:?}", device.log);
    assert_eq!(device.id(), "device-2");
    drop(agent);
    // The memory is on the disk.
    let mut agent = device.boot();
    let before = device.credential();
    signer.set(Mood::Good);
    signer.pass(4 * DAY);
    agent.turn();
    assert_eq!(device.credential(), before);
    assert_eq!(agent.status().last_failure.unwrap().kind, "untrusted");
    signer.set(Mood::Misnames("device-2", ZONE));
    signer.pass(HOUR);
    agent.turn();
    assert_ne!(device.credential(), before, "{:?}", device.log);
}

#[test]
fn a_code_that_is_refused_makes_nobody_another_device() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    let before = device.credential();
    signer.set(Mood::Misnames("device-2", ZONE));
    for code in ["hello", "hello", "and another one"] {
        device.give_code(code);
        signer.pass(HOUR);
        agent.turn();
        let failure = agent.status().last_failure.unwrap();
        assert_eq!(failure.kind, "untrusted", "{failure:?}");
        assert_eq!(device.credential(), before);
        assert_eq!(device.id(), "device-1");
    }
}

#[test]
fn who_was_let_in_by_an_answer_that_was_lost_may_be_another_device() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    device.give_code(&signer.new_code());
    signer.set(Mood::LosesAnswers);
    agent.turn();
    drop(agent);
    let mut agent = device.boot();
    signer.set(Mood::Misnames("device-2", ZONE));
    signer.pass(HOUR);
    agent.turn();
    assert_eq!(agent.status().last_failure, None, "{:?}", device.log);
    assert_eq!(device.id(), "device-2");
}

#[test]
fn who_has_another_enrolment_key_than_with_its_id_may_be_another_device() {
    let signer = Signer::start();
    let (device, agent) = due(&signer);
    drop(agent);
    let path = device.path("state/state.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
    // As after the key was taken away and another one made, which the signer knows; for the signer here it is the same one.
    state["device_key"] = "another".into();
    std::fs::write(&path, state.to_string()).unwrap();
    let mut agent = device.boot();
    signer.set(Mood::Misnames("device-2", ZONE));
    agent.turn();
    assert_eq!(device.id(), "device-2", "{:?}", device.log);
}

#[test]
fn a_credential_that_lives_longer_than_seven_days() {
    survives(Mood::Ahead(5 * HOUR), "untrusted");
}

#[test]
fn a_signer_that_cannot_store() {
    survives(
        Mood::Refuses(Kind::StorageUnavailable),
        "storage-unavailable",
    );
}

#[test]
fn a_zone_that_cannot_issue_is_asked_less_and_less_often() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    signer.set(Mood::Refuses(Kind::ZoneNotReady));
    let requests = signer.requests();
    let end = signer.now() + DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
    }
    let failure = agent.status().last_failure.unwrap();
    assert_eq!(
        (&*failure.kind, failure.permanent),
        ("zone-not-ready", false)
    );
    // A minute each would be 1440.
    let tried = signer.requests() - requests;
    assert!((6..=60).contains(&tried), "{tried}");
    device.accepted();
    signer.set(Mood::Good);
    signer.pass(5 * HOUR);
    agent.turn();
    assert_eq!(signer.issued(), 2, "{:?}", device.log);
}

#[test]
fn retry_after_is_waited_for() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    signer.set(Mood::Busy(2 * HOUR));
    agent.turn();
    let requests = signer.requests();
    signer.set(Mood::Good);
    let next = agent.status().next_attempt.unwrap() - signer.now();
    assert!((2 * HOUR..=2 * HOUR + HOUR / 5).contains(&next), "{next}");
    let polls = signer.polls();
    signer.pass(2 * HOUR - 60);
    agent.turn();
    assert_eq!(signer.requests() - signer.polls(), requests - polls);
    signer.pass(HOUR);
    agent.turn();
    assert_eq!(signer.issued(), 2, "{:?}", device.log);
}

#[test]
fn a_refusal_for_good_is_an_alarm_once_a_day_and_the_credential_is_served_to_its_end() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    signer.set(Mood::Refuses(Kind::DeviceSuspended));
    agent.turn();
    let requests = signer.requests();
    let polls = signer.polls();
    assert_eq!(agent.status().level, Level::AtRisk);
    let end = signer.now() + 2 * DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
    }
    device.accepted();
    let tried = signer.requests() - requests;
    // Refused polls are requests as well: two a day.
    assert!((1..=9).contains(&tried), "{tried} and {polls} polls");
    signer.pass(2 * DAY);
    agent.turn();
    assert_eq!(agent.status().level, Level::Lost);
    signer.set(Mood::Good);
    signer.pass(30 * HOUR);
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
}

#[test]
fn the_last_day_without_a_signer_is_at_risk_and_after_it_the_device_is_lost() {
    let signer = Signer::start();
    let (device, mut agent) = due(&signer);
    signer.set(Mood::Down);
    let mut levels = Vec::new();
    let end = signer.now() + 4 * DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
        levels.push(agent.status().level);
    }
    levels.dedup();
    assert_eq!(levels, [Level::Fine, Level::AtRisk, Level::Lost]);
    signer.set(Mood::Good);
    signer.pass(32 * 60);
    agent.turn();
    device.accepted();
}
