//! The agent as a real process that is killed at any moment.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::device::{Device, installed};
use crate::signer::Signer;

const KILLS: u32 = 150;

/// A number that changes from round to round, to spread the moments.
pub(crate) fn spread(round: u32, longest: Duration) -> Duration {
    longest * (round.wrapping_mul(2_654_435_761) >> 16) / 0xffff
}

#[test]
fn the_folder_is_whole_whenever_the_agent_is_killed() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let started = Instant::now();
    assert!(device.once().status().unwrap().success());
    let longest = started.elapsed() * 12 / 10;
    let (mut generations, mut changed) = (fs::read_link(device.current()).unwrap(), 0);
    for round in 0..KILLS {
        // A new code makes every run enrol again, so that each has a generation to write.
        device.give_code(&signer.new_code());
        let mut child = device.once().spawn().unwrap();
        sleep(spread(round, longest));
        child.kill().unwrap();
        child.wait().unwrap();
        installed(&device.current()).unwrap();
        let now = fs::read_link(device.current()).unwrap();
        changed += u32::from(now != generations);
        generations = now;
    }
    assert!(
        changed > 0 && changed < KILLS,
        "killed too early or too late: {changed}"
    );
    // A run that is left alone cleans up whatever the others left.
    assert!(device.once().status().unwrap().success());
    let mut names: Vec<String> = fs::read_dir(device.path("identity"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with("dc-"));
    assert_eq!(names, ["current"]);
}
