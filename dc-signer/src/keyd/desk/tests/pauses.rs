//! What whoever tries a key is told, without wanting a credential.

use super::*;
use dc_pki::keyd::{Pause, PauseCause};

impl Rig {
    fn try_it(&self, role: Role) -> Ask {
        Ask::Try {
            certificate: Sha256::of(self.certificate.der()),
            role,
            lifetime: None,
            now: None,
        }
    }
}

fn paused(answer: &Answer) -> Option<Pause> {
    match answer {
        Answer::Pauses(pause) => Some(*pause),
        _ => None,
    }
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
            matches!(&answer, Answer::Refused { detail, .. } if detail.contains("its own log is gone") && detail.contains("until ")),
            "{answer:?}"
        );
        // Whoever wants nothing yet is told the same.
        let pause = paused(&desk.answer(rig.try_it(Role::Server), ME)).unwrap();
        assert_eq!(pause.cause, PauseCause::Lost);
        let now = clock::now().unwrap().as_secs();
        assert!(pause.is_long() && (now + 3590..=now + 3600).contains(&pause.until.as_secs()));
        let Answer::Status(status) = desk.answer(Ask::Status, ME) else {
            panic!("no status");
        };
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["zones"][0]["pause"]["because"], "lost-log");
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
    assert_eq!(desk.answer(rig.try_it(Role::Server), ME), Answer::Works);
    assert!(matches!(desk.answer(ask(), ME), Answer::Credential(_)));
}

#[test]
fn a_ceiling_that_is_reached_is_said_to_whoever_tries_and_one_of_a_minute_is_short() {
    let rig = Rig::new();
    let issue = |desk: &Desk| desk.answer(rig.ask(Role::Server, NAME, None), ME);
    let try_it = |desk: &Desk| desk.answer(rig.try_it(Role::Server), ME);
    for (ceiling, cause, is_long) in [
        ("per_minute = 2\n", PauseCause::Minute, false),
        ("per_hour = 2\n", PauseCause::Hour, true),
    ] {
        let folder = rig.folder.path();
        let _ = fs::remove_dir_all(folder.join("state"));
        let desk = rig.open(ceiling);
        for _ in 0..2 {
            assert_eq!(try_it(&desk), Answer::Works);
            assert!(matches!(issue(&desk), Answer::Credential(_)));
        }
        // Also after it was started anew.
        drop(desk);
        let desk = rig.open(ceiling);
        let pause = paused(&try_it(&desk)).unwrap();
        assert_eq!((pause.cause, pause.is_long()), (cause, is_long));
        assert!(clock::now().unwrap() < pause.until);
        let refused = issue(&desk);
        assert!(
            matches!(&refused, Answer::Refused { reason: Refusal::Rate, detail } if detail.contains("its ceiling: nothing is issued until")),
            "{refused:?}"
        );
    }
}

#[test]
fn whoever_tries_a_role_that_a_zone_has_not_is_told_and_not_put_down() {
    let rig = Rig::new();
    let desk = rig.open("");
    for _ in 0..3 {
        let answer = desk.answer(rig.try_it(Role::Client), ME);
        assert_eq!(refused(&answer), Refusal::Role);
    }
    assert!(rig.log().is_empty());
    let counts = |desk: &Desk| match desk.answer(Ask::Status, ME) {
        Answer::Status(status) => serde_json::from_str::<Value>(&status).unwrap()["counts"].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(counts(&desk)["refused"], json!({}));
    // Whoever wants such a credential is.
    desk.answer(rig.ask(Role::Client, NAME, None), ME);
    assert_eq!(counts(&desk)["refused"], json!({ "role": 1 }));
}
