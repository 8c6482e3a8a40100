//! Staying in.

use std::fs;

use dc_agent::Level;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Mood, Signer};

/// Turns until the credential is another one. Returns after how many seconds.
pub(crate) fn until_renewed(device: &Device, agent: &mut dc_agent::Agent) -> u64 {
    let (start, before) = (device.signer.now(), device.credential());
    while device.credential() == before {
        let nap = agent.turn().as_secs();
        assert!(device.signer.now() < start + 6 * DAY, "{:?}", device.log);
        if device.credential() == before {
            device.signer.pass(nap);
        }
    }
    device.signer.now() - start
}

#[test]
fn a_renewal_comes_in_the_signers_window_with_a_new_key() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    let key = fs::read(device.current().join("key.pem")).unwrap();
    let after = until_renewed(&device, &mut agent);
    let life = 164 * HOUR;
    assert!(
        (life * 40 / 100..=life * 55 / 100 + 900).contains(&after),
        "{after}"
    );
    assert_ne!(fs::read(device.current().join("key.pem")).unwrap(), key);
    device.accepted();
    assert_eq!(signer.most_at_once(), 1);
}

#[test]
fn the_moment_is_drawn_once_however_often_the_device_starts() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    let renew_at = device.look().identity.unwrap().renew_at;
    for _ in 0..20 {
        signer.pass(HOUR);
        device.boot().turn();
        assert_eq!(device.look().identity.unwrap().renew_at, renew_at);
    }
    assert_eq!(signer.issued(), 1);
}

#[test]
fn what_is_due_at_the_start_waits_for_its_delay() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    device.configure("start_delay = '1h'\n");
    signer.pass(5 * DAY);
    let delays: Vec<u64> = (0..8)
        .map(|_| device.boot().start_delay().as_secs())
        .collect();
    assert!(delays.iter().all(|delay| *delay < HOUR), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay != delays[0]), "{delays:?}");
    let mut agent = device.boot();
    let delay = agent.start_delay().as_secs();
    agent.turn();
    assert_eq!(signer.issued(), if delay == 0 { 2 } else { 1 });
    signer.pass(delay);
    agent.turn();
    assert_eq!(signer.issued(), 2);
}

#[test]
fn an_answer_that_got_lost_is_asked_for_again_and_costs_no_second_credential() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    signer.set(Mood::LosesAnswers);
    signer.pass(4 * DAY);
    agent.turn();
    assert_eq!(signer.issued(), 2);
    drop(agent);
    signer.set(Mood::Good);
    signer.pass(600);
    let mut agent = device.boot();
    agent.turn();
    assert_eq!(signer.issued(), 2);
    assert_eq!(agent.status().level, Level::Fine, "{:?}", device.log);
    device.accepted();
}

#[test]
fn a_new_delegation_certificate_comes_with_the_next_renewal() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    let chain = fs::read(device.current().join("chain.pem")).unwrap();
    let old = fs::canonicalize(device.current()).unwrap();
    signer.roll_over();
    until_renewed(&device, &mut agent);
    assert_ne!(fs::read(device.current().join("chain.pem")).unwrap(), chain);
    device.accepted();
    // Whoever still has the old generation open reads the old generation.
    assert_eq!(fs::read(old.join("chain.pem")).unwrap(), chain);
}

#[test]
fn an_operator_can_pull_renewals_forward_once() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    let now = signer.now();
    signer.set_info(|info| info.renew_issued_before = now + 1);
    let after = until_renewed(&device, &mut agent);
    assert!(after <= 15 * HOUR + 900, "{after}");
    signer.pass(600);
    until_renewed(&device, &mut agent);
    assert_eq!(signer.issued(), 3);
    assert!(device.said("operator wants"));
}

#[test]
fn the_zone_is_asked_about_twice_a_day() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    let end = signer.now() + 2 * DAY;
    while signer.now() < end {
        signer.pass(agent.turn().as_secs());
    }
    assert!((3..=6).contains(&signer.polls()), "{}", signer.polls());
}

#[test]
fn the_current_unit_and_two_older_ones_are_kept() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    for _ in 0..5 {
        until_renewed(&device, &mut agent);
    }
    let mut names: Vec<String> = fs::read_dir(device.path("identity"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["current", "dc-4", "dc-5", "dc-6"]);
}

#[test]
fn a_hook_runs_after_each_renewal_and_its_failure_undoes_nothing() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let hook = "start_delay = '0s'\ncode_file = 'code'\n[hook]\ncommand = ['sh', '-c', 'echo x >> \"$DC_IDENTITY/../ran\"; test -e \"$DC_IDENTITY/../well\"']\n";
    device.configure(hook);
    let mut agent = device.boot();
    agent.turn();
    assert!(agent.status().hook.unwrap().contains("failed"));
    assert_eq!(agent.status().level, Level::Fine);
    device.accepted();
    fs::write(device.path("well"), "").unwrap();
    signer.pass(61);
    agent.turn();
    assert_eq!(agent.status().hook, None);
    signer.pass(HOUR);
    agent.turn();
    assert_eq!(fs::read_to_string(device.path("ran")).unwrap(), "x\nx\n");
}
