//! Devices whose clocks are wrong.

use std::fs;

use dc_agent::{Agent, Level};

use crate::device::Device;
use crate::signer::{DAY, HOUR, Lie, Mood, Signer, real_now};

const YEAR: u64 = 365 * DAY;

fn off(seconds: u64, ahead: bool) -> i64 {
    let seconds = i64::try_from(seconds).unwrap();
    if ahead { seconds } else { -seconds }
}

fn live(device: &Device, agent: &mut Agent, seconds: u64) {
    let end = device.signer.now() + seconds;
    while device.signer.now() < end {
        device.signer.pass(agent.turn().as_secs());
        device.accepted();
    }
}

fn jumps() -> impl Iterator<Item = i64> {
    [HOUR, DAY, 10 * YEAR]
        .into_iter()
        .flat_map(|seconds| [off(seconds, true), off(seconds, false)])
}

#[test]
fn a_device_enrols_whatever_its_clock_says() {
    for jump in jumps() {
        let signer = Signer::start();
        let device = Device::new(&signer);
        device.set_clock(jump);
        let mut agent = device.boot();
        agent.turn();
        if jump == off(10 * YEAR, true) {
            refuses_to_send_its_code(&device, &agent);
            device.set_clock(0);
            signer.pass(60);
            agent.turn();
        }
        assert_eq!(
            agent.status().level,
            Level::Fine,
            "{jump}: {:?}",
            device.log
        );
        device.accepted();
        let is_off = device.clock_is_off_by() > 4 * HOUR;
        assert_eq!(agent.status().clock.is_some(), is_off, "{jump}");
    }
}

/// By the device's clock the signer's certificate has ended: that is told, with both times and what to do.
fn refuses_to_send_its_code(device: &Device, agent: &Agent) {
    let status = agent.status();
    assert_eq!(device.signer.requests(), 0, "nothing was sent");
    assert_eq!(status.level, Level::Lost);
    let reason = status.reason.unwrap();
    for said in ["it ended at 20", "and it is 20", "set the clock"] {
        assert!(reason.contains(said), "{reason}");
    }
}

#[test]
fn a_clock_that_jumps_while_the_agent_runs_changes_nothing_for_clients() {
    for jump in jumps() {
        let signer = Signer::start();
        let device = Device::new(&signer);
        let mut agent = device.boot();
        agent.turn();
        signer.pass(DAY);
        device.set_clock(jump);
        live(&device, &mut agent, 10 * DAY);
        device.set_clock(0);
        live(&device, &mut agent, 4 * DAY);
        assert!(
            (4..=6).contains(&signer.issued()),
            "{jump}: {}",
            signer.issued()
        );
        assert_eq!(agent.status().clock, None, "{jump}");
    }
}

#[test]
fn a_device_that_starts_with_a_wrong_clock_goes_on_as_if_it_were_right() {
    for jump in jumps() {
        let signer = Signer::start();
        let device = Device::new(&signer);
        device.boot().turn();
        signer.pass(DAY);
        device.set_clock(jump);
        let mut agent = device.boot();
        live(&device, &mut agent, 10 * DAY);
        assert_eq!(agent.status().level, Level::Fine, "{jump}");
        assert!(
            (3..=5).contains(&signer.issued()),
            "{jump}: {}",
            signer.issued()
        );
    }
}

#[test]
fn a_clock_in_1970_is_told_and_does_not_lose_the_device_while_the_signer_is_down() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    signer.set(Mood::Down);
    device.set_clock(-off(signer.now(), true));
    let mut agent = device.boot();
    live(&device, &mut agent, DAY);
    assert!(device.said("the clock says 1970-01-01"), "{:?}", device.log);
    assert_eq!(agent.status().level, Level::Fine);
    assert_eq!(signer.issued(), 1);
}

#[test]
fn a_clock_that_is_known_to_be_days_ahead_loses_nobody_at_a_start_while_the_signer_is_down() {
    for ahead in [5 * DAY, 8 * DAY, 40 * DAY] {
        let signer = Signer::start();
        let device = Device::new(&signer);
        device.set_clock(off(ahead, true));
        device.boot().turn();
        signer.set(Mood::Down);
        signer.pass(DAY);
        let mut agent = device.boot();
        agent.turn();
        for status in [agent.status(), device.look()] {
            assert_eq!(status.level, Level::Fine, "{ahead}: {:?}", device.log);
            assert!(status.clock.unwrap().contains("set it"), "{ahead}");
        }
        assert_eq!(agent.reading().now, signer.now());
        signer.set(Mood::Good);
        device.set_clock(0);
        signer.pass(HOUR);
        agent.turn();
        assert_eq!(agent.status().clock, None, "{ahead}: {:?}", device.log);
    }
}

#[test]
fn what_a_wrong_clock_put_off_is_not_put_off_when_it_is_right() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    signer.set(Mood::Down);
    device.set_clock(off(10 * YEAR, true));
    let mut agent = device.boot();
    agent.turn();
    drop(agent);
    device.set_clock(0);
    signer.set(Mood::Good);
    signer.pass(4 * DAY);
    device.boot().turn();
    assert_eq!(signer.issued(), 2, "{:?}", device.log);
}

#[test]
fn a_signer_whose_certificate_has_ended_is_refused_by_a_clock_that_is_right() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    // The test signer's certificate lives for 90 days, and nobody has renewed it.
    signer.pass(100 * DAY);
    let mut agent = device.boot();
    agent.turn();
    let status = agent.status();
    assert_eq!(status.last_failure.unwrap().kind, "unreachable");
    assert!(
        status.reason.unwrap().contains("expired"),
        "{:?}",
        device.log
    );
}

/// Signers of the future: their program was built long before.
fn later() -> Signer {
    Signer::start_at(real_now() + 500 * DAY)
}

#[test]
fn a_signer_two_years_ahead_is_not_believed_whatever_its_answer() {
    for mood in [Mood::Good, Mood::Busy(60)] {
        let signer = Signer::start();
        let device = Device::new(&signer);
        device.boot().turn();
        signer.pass(DAY);
        signer.set_clock(off(2 * YEAR, true));
        signer.set(mood);
        let mut agent = device.boot();
        agent.turn();
        assert!(device.said("the signer's clock says"), "{:?}", device.log);
        assert!(agent.status().clock.unwrap().contains("the signer's clock"));
        assert_eq!(agent.status().level, Level::Fine);
        assert_eq!(agent.reading().now, signer.now());
        drop(agent);
        signer.set_clock(0);
        signer.set(Mood::Good);
        signer.pass(3 * DAY);
        let mut agent = device.boot();
        agent.turn();
        assert_eq!(signer.issued(), 2, "{:?}", device.log);
        assert_eq!(agent.status().clock, None);
        device.accepted();
    }
}

#[test]
fn a_signer_that_is_wrong_while_its_certificate_is_valid_is_forgotten_when_it_is_right() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    signer.set_clock(off(30 * DAY, true));
    live(&device, &mut agent, 0);
    let end = signer.now() + DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
    }
    // What it issued is of the future, and no client accepts it.
    assert!(signer.issued() > 1);
    signer.set_clock(0);
    signer.pass(agent.turn().as_secs());
    agent.turn();
    device.accepted();
    assert_eq!(agent.status().clock, None, "{:?}", device.log);
}

#[test]
fn what_an_earlier_version_believed_for_ever_is_forgotten() {
    for clock in [0, -off(real_now(), true)] {
        let signer = Signer::start();
        let device = Device::new(&signer);
        device.boot().turn();
        let path = device.path("state/state.json");
        let text = fs::read_to_string(&path).unwrap();
        let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
        let fields = state.as_object_mut().unwrap();
        fields.remove("told");
        let poison = signer.now() + 2 * YEAR;
        for field in ["seen", "next_attempt", "next_poll"] {
            fields.insert(field.to_owned(), poison.into());
        }
        fs::write(&path, state.to_string()).unwrap();
        signer.pass(10 * DAY);
        device.set_clock(clock);
        let mut agent = device.boot();
        agent.turn();
        assert_eq!(signer.issued(), 2, "{clock}: {:?}", device.log);
        assert_eq!(agent.status().level, Level::Fine);
        device.accepted();
    }
}

#[test]
fn a_clock_that_restarts_where_it_stopped_is_noticed_at_the_start() {
    for (behind, certified) in [
        (70 * DAY, true),
        (70 * DAY, false),
        (69 * DAY - HOUR, true),
        (8 * DAY, false),
    ] {
        let signer = later();
        let device = Device::new(&signer);
        device.boot().turn();
        signer.pass(70 * DAY);
        if certified {
            signer.certify();
        }
        device.set_clock(off(behind, false));
        let mut agent = device.boot();
        agent.turn();
        assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
        device.accepted();
        assert!(device.said("which is used instead"), "{:?}", device.log);
    }
}

#[test]
fn a_device_that_was_never_in_enrols_with_a_clock_half_a_year_ahead_or_behind() {
    for ahead in [true, false] {
        let signer = later();
        let device = Device::new(&signer);
        device.set_clock(off(182 * DAY, ahead));
        let mut agent = device.boot();
        agent.turn();
        if ahead {
            refuses_to_send_its_code(&device, &agent);
            device.set_clock(0);
            signer.pass(60);
            agent.turn();
        }
        assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
        device.accepted();
    }
}

#[test]
fn a_thief_with_an_ended_certificate_gets_no_code_of_a_device_whose_clock_is_right() {
    // Within a year of the build, and after it.
    for signer in [Signer::start(), later()] {
        let device = Device::new(&signer);
        signer.is_robbed(91);
        let mut agent = device.boot();
        for (says, lie) in [
            (signer.now(), Lie::Issues),
            (signer.now() - 20 * DAY, Lie::Issues),
            (signer.now() - 20 * DAY, Lie::Refuses),
        ] {
            signer.set(Mood::Stolen(says, lie));
            agent.turn();
            refuses_to_send_its_code(&device, &agent);
            signer.pass(HOUR);
        }
        signer.set(Mood::Good);
        signer.pass(HOUR);
        agent.turn();
        device.accepted();
    }
}

/// It listens to what such a thief says about the time, because nothing can be lost by that; but whatever was said.
#[test]
fn a_thief_with_an_ended_certificate_gets_no_code_of_a_device_that_enrols_again() {
    let signer = later();
    let device = Device::new(&signer);
    device.boot().turn();
    signer.pass(20 * DAY);
    signer.is_robbed(94);
    device.give_code(&signer.new_code());
    let enrolled = signer.enrolments();
    signer.set(Mood::Stolen(signer.now() - 20 * DAY, Lie::Issues));
    let mut agent = device.boot();
    let end = signer.now() + DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
    }
    assert_eq!(signer.enrolments(), enrolled, "{:?}", device.log);
    signer.set(Mood::Good);
    signer.pass(HOUR);
    agent.turn();
    device.accepted();
    assert_eq!(signer.enrolments(), enrolled + 1, "{:?}", device.log);
}

#[test]
fn a_signer_whose_certificate_has_ended_is_named_with_both_clocks() {
    let signer = later();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    // Its clock is right, and it can still issue.
    signer.is_robbed(91);
    let date = signer.now();
    signer.set(Mood::Stolen(date, Lie::Refuses));
    signer.pass(4 * DAY);
    agent.turn();
    let status = agent.status();
    let detail = status.last_failure.unwrap().detail;
    assert!(detail.contains("it ended at 20"), "{detail}");
    assert!(detail.contains("and it is 20"), "{detail}");
    assert_eq!(signer.requests(), 1, "nothing was sent");
}

#[test]
fn with_a_clock_in_1970_a_thief_moves_nobody_beyond_the_end_of_what_was_stolen() {
    let signer = later();
    let device = Device::new(&signer);
    device.boot().turn();
    // It has ended five days ago.
    signer.is_robbed(94);
    signer.pass(DAY);
    device.set_clock(-off(signer.now(), true));
    let ten_years = signer.now() + 10 * YEAR;
    for (says, lie) in [
        (ten_years, Lie::Garbage),
        (signer.now(), Lie::Busy),
        (signer.now() - 20 * DAY, Lie::Refuses),
        (signer.now() - 20 * DAY, Lie::Issues),
    ] {
        signer.set(Mood::Stolen(says, lie));
        let mut agent = device.boot();
        agent.turn();
        assert!(agent.reading().now <= signer.now(), "{:?}", device.log);
        drop(agent);
        signer.set(Mood::Good);
        signer.pass(1000);
        let mut agent = device.boot();
        agent.turn();
        assert!(agent.reading().now.abs_diff(signer.now()) < 60);
        device.accepted();
    }
}

#[test]
fn a_thief_makes_nobody_wait_whose_clock_is_right() {
    for lie in [Lie::Busy, Lie::Refuses] {
        let signer = later();
        let device = Device::new(&signer);
        device.boot().turn();
        signer.pass(10 * DAY);
        signer.is_robbed(94);
        // Twenty days ago it was valid.
        let then = signer.now() - 20 * DAY;
        signer.set(Mood::Stolen(then, lie));
        device.set_clock(off(20 * DAY, false));
        let mut agent = device.boot();
        agent.turn();
        agent.turn();
        device.set_clock(0);
        signer.set(Mood::Good);
        signer.pass(61);
        agent.turn();
        device.accepted();
    }
}

#[test]
fn a_thief_is_not_even_asked_while_clients_accept_the_device() {
    let signer = later();
    let device = Device::new(&signer);
    device.boot().turn();
    signer.is_robbed(94);
    signer.set(Mood::Stolen(signer.now() - 20 * DAY, Lie::Issues));
    let requests = signer.requests();
    live(&device, &mut device.boot(), 2 * DAY);
    assert_eq!(signer.requests(), requests);
}

#[test]
fn time_goes_on_while_the_device_runs() {
    let signer = later();
    let device = Device::new(&signer);
    device.boot().turn();
    signer.set(Mood::Down);
    device.set_clock(-off(signer.now(), true));
    let mut agent = device.boot();
    let end = signer.now() + 8 * DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
    }
    assert_eq!(agent.status().level, Level::Lost);
    assert!(device.said("the device is AT RISK"), "{:?}", device.log);
    assert!(
        device.said("the device is LOST: the credential ended at"),
        "{:?}",
        device.log
    );
}

#[test]
fn whoever_looks_from_elsewhere_judges_as_the_agent_does() {
    for jump in [off(10 * YEAR, true), off(10 * YEAR, false)] {
        for up in [true, false] {
            let signer = Signer::start();
            let device = Device::new(&signer);
            let mut agent = device.boot();
            agent.turn();
            if !up {
                signer.set(Mood::Down);
            }
            device.set_clock(jump);
            agent.turn();
            signer.pass(600);
            agent.turn();
            assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
            assert_eq!(device.look().level, Level::Fine, "{jump} {up}");
            assert!(device.look().clock.is_some());
        }
    }
}
