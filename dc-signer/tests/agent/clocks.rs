//! Devices whose clocks are wrong.

use dc_signer::agent::{Agent, Level};

use crate::device::Device;
use crate::signer::{DAY, HOUR, Mood, Signer};

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
        assert_eq!(
            agent.status().level,
            Level::Fine,
            "{jump}: {:?}",
            device.log
        );
        device.accepted();
        assert_eq!(
            agent.status().clock.is_some(),
            jump.unsigned_abs() > 4 * HOUR,
            "{jump}"
        );
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
