//! Thirty days in one test, with everything real but the clock.

use crate::device::Device;
use crate::signer::{DAY, HOUR, Mood, Signer};

/// How long the signer is up, and then down, in hours.
const TURNS: [(u64, u64); 8] = [
    (30, 72),
    (6, 72),
    (80, 3),
    (6, 48),
    (100, 72),
    (20, 24),
    (7, 72),
    (200, 0),
];

#[test]
fn a_credential_is_valid_at_every_moment_with_outages_of_three_days() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    let end = signer.now() + 30 * DAY;
    for (up, down) in TURNS {
        for (hours, mood) in [(up, Mood::Good), (down, Mood::Down)] {
            signer.set(mood);
            let until = (signer.now() + hours * HOUR).min(end);
            while signer.now() < until {
                let nap = agent.turn().as_secs();
                signer.pass(nap.min(until - signer.now()));
                device.accepted();
            }
            // Power cuts come with outages.
            drop(agent);
            agent = device.boot();
        }
    }
    assert_eq!(signer.now(), end);
    assert!((6..=16).contains(&signer.issued()), "{}", signer.issued());
    assert_eq!(signer.most_at_once(), 1);
}
