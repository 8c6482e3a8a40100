//! Law 7, with everything real but the clocks: whatever the device's and the signer's clocks said, and for however long,
//! once both are right the device renews, with nobody's help; and nobody who holds what the signer had before can
//! change that.

use dc_agent::{Agent, Level};
use proptest::prelude::*;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Lie, Mood, Signer, real_now};

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// The device's clock is set so far off.
    Clock(i64),
    /// The signer's clock is.
    SignersClock(i64),
    /// The signer gets new certificates, by its own clock.
    Certify,
    /// The device is off for so many hours.
    Off(u64),
    /// The signer is, while the device runs.
    Down(u64),
    /// Somebody has what the signer had so many days ago, is in its place for some hours, and says that the time is
    /// so many days from the end of that.
    Stolen(u64, i64, Lie, u64),
    /// Nothing for so many hours.
    Live(u64),
}

fn offset() -> impl Strategy<Value = i64> {
    let hour = i64::try_from(HOUR).unwrap();
    prop_oneof![
        2 => Just(0),
        2 => (-30..=30_i64).prop_map(move |hours| hours * hour),
        3 => (-80..=80_i64).prop_map(move |days| days * 24 * hour),
        2 => (-12..=12_i64).prop_map(move |years| years * 8766 * hour),
        // To 1970, or before.
        1 => Just(-60 * 8766 * hour),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let lie = prop_oneof![
        Just(Lie::Busy),
        Just(Lie::Garbage),
        Just(Lie::Issues),
        Just(Lie::Refuses)
    ];
    prop_oneof![
        3 => offset().prop_map(Step::Clock),
        2 => offset().prop_map(Step::SignersClock),
        1 => Just(Step::Certify),
        2 => (0..2000_u64).prop_map(Step::Off),
        1 => (1..20_u64).prop_map(Step::Down),
        3 => (91..200_u64, prop_oneof![-89..=0_i64, -900..=4000_i64], lie, 1..6_u64)
            .prop_map(|(ago, says, lie, hours)| Step::Stolen(ago, says, lie, hours)),
        3 => (1..20_u64).prop_map(Step::Live),
    ]
}

struct World {
    signer: Signer,
    device: Device,
    agent: Option<Agent>,
}

impl World {
    fn new() -> Self {
        let signer = Signer::start_at(real_now() + 500 * DAY);
        let device = Device::new(&signer);
        Self {
            signer,
            device,
            agent: None,
        }
    }

    fn live(&mut self, seconds: u64) {
        let end = self.signer.now() + seconds;
        while self.signer.now() < end {
            let agent = self.agent.get_or_insert_with(|| self.device.boot());
            let nap = agent.turn().as_secs();
            self.signer.pass(nap.min(end - self.signer.now()));
        }
    }

    fn happen(&mut self, step: &Step) {
        match *step {
            Step::Clock(off) => self.device.set_clock(off),
            Step::SignersClock(off) => self.signer.set_clock(off),
            Step::Certify => self.signer.certify(),
            Step::Off(hours) => {
                self.agent = None;
                self.signer.pass(hours * HOUR);
            }
            Step::Down(hours) => self.with(Mood::Down, hours),
            Step::Stolen(ago, says, lie, hours) => {
                self.signer.is_robbed(ago);
                let end = self.signer.now() - (ago - 90) * DAY;
                let says = end.saturating_add_signed(says * 86_400);
                self.with(Mood::Stolen(says, lie), hours);
            }
            Step::Live(hours) => self.live(hours * HOUR),
        }
    }

    fn with(&mut self, mood: Mood, hours: u64) {
        self.signer.set(mood);
        self.live(hours * HOUR);
        self.signer.set(Mood::Good);
    }

    /// Both clocks are right from now on, and the signer has certificates that are valid.
    fn be_right(&mut self, restarted: bool) {
        self.device.set_clock(0);
        self.signer.set_clock(0);
        self.signer.certify();
        if restarted {
            self.agent = None;
        }
    }
}

/// A case takes months of a device's life, so there are fewer than usual unless somebody wants more.
fn config() -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: wanted.and_then(|cases| cases.parse().ok()).unwrap_or(40),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn once_both_clocks_are_right_the_device_renews(
        steps in proptest::collection::vec(step(), 1..9),
        restarted: bool,
    ) {
        holds_after(&steps, restarted)?;
    }
}

#[test]
fn a_life_that_the_delegation_certificate_cuts_short_has_its_renewal_too() {
    let steps = [
        Step::Off(1846),
        Step::Off(253),
        Step::SignersClock(64_800),
        Step::Live(10),
    ];
    holds_after(&steps, true).unwrap();
}

#[test]
fn a_refusal_at_a_wrong_time_is_forgotten_at_the_right_one() {
    let steps = [
        Step::Off(1031),
        Step::Live(1),
        Step::Clock(-18_000),
        Step::Stolen(91, -1, Lie::Refuses, 1),
    ];
    for restarted in [false, true] {
        holds_after(&steps, restarted).unwrap();
    }
}

/// The law: after whatever has happened, a device whose clock is right at last renews, and is fine.
fn holds_after(steps: &[Step], restarted: bool) -> Result<(), TestCaseError> {
    let mut world = World::new();
    for step in steps {
        world.happen(step);
    }
    world.be_right(restarted);
    let log = world.device.log.borrow().len();
    // A failure is followed by no request for a minute; and a device without a valid credential waits for half an
    // hour at most after one that was nobody's lie: the signer was down.
    world.live(33 * 60);
    let said = world.device.log.borrow()[log..].to_vec();
    let stands = crate::device::verified(&world.device.current(), world.signer.now());
    prop_assert!(stands.is_ok(), "{:?}\n{said:#?}", stands);
    // As long as it may be between two questions, if nothing is in danger.
    world.live(14 * HOUR);
    world.device.accepted();
    let agent = world.agent.as_ref().unwrap();
    let status = agent.status();
    prop_assert_eq!(status.level, Level::Fine, "{:?}", status);
    prop_assert_eq!(&status.clock, &None);
    prop_assert_eq!(&status.last_failure, &None);
    prop_assert_eq!(agent.reading().now, world.signer.now());
    // It renews in time from now on: days before the end, or in the part of the life that is for it, where a delegation
    // certificate that was about to end has cut the life short.
    let identity = status.identity.unwrap();
    let life = identity.expires - identity.issued;
    prop_assert!(identity.renew_at + DAY.min(life * 2 / 5) < identity.expires);
    prop_assert!(identity.renew_at < world.signer.now() + 5 * DAY);
    prop_assert_eq!(world.device.look().level, Level::Fine);
    Ok(())
}
