//! The laws of admission.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::renewals::Left;

const LIMITS: AdmissionLimits = AdmissionLimits {
    rate: 4.0,
    at_once: 2,
    waiting: 8,
    wait: Duration::from_secs(2),
    operators: 4,
    operator_wait: Duration::from_secs(10),
};

const HOUR: u64 = 3600;
/// Devices with higher numbers have not come before.
const NEW: u64 = 1_000_000;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Test(Admission, Vec<Decision>, AdmissionLimits);

impl Test {
    fn new() -> Self {
        Self::with(LIMITS)
    }

    fn with(limits: AdmissionLimits) -> Self {
        Self(Admission::new(&limits, Duration::ZERO), Vec::new(), limits)
    }

    fn come(&mut self, asks: Asks, now: Duration) -> Id {
        self.0.arrive(asks, now, &self.2, &mut self.1)
    }

    fn renew(&mut self, device: u64, hours: u64, now: u64) -> Id {
        let left = match hours {
            0 => Left::Ended,
            _ => Left::For(at(hours * HOUR)),
        };
        self.come(Asks::Renewal { device, left }, at(now))
    }

    /// One that has not come before.
    fn enrol(&mut self, host: u8, now: u64) -> Id {
        let device = NEW + self.0.next;
        self.enrol_as(device, host, now)
    }

    fn enrol_as(&mut self, device: u64, host: u8, now: u64) -> Id {
        let whence = IpAddr::from([10, 0, 0, host]).into();
        self.come(Asks::Enrolment { device, whence }, at(now))
    }

    fn operate(&mut self, operator: u64, is_long: bool, now: u64) -> Id {
        self.come(Asks::Operator { operator, is_long }, at(now))
    }

    fn leave(&mut self, id: Id, now: u64) {
        self.0.leave(id, at(now), &self.2, &mut self.1);
    }

    fn look(&mut self, now: u64) {
        self.0.look(at(now), &self.2, &mut self.1);
    }

    fn served(&mut self) -> Vec<Id> {
        let decisions = std::mem::take(&mut self.1);
        let served = decisions.into_iter().filter_map(|decision| match decision {
            Decision::Serve(id) => Some(id),
            Decision::Later(..) => None,
        });
        served.collect()
    }

    fn sent_away(&mut self) -> Vec<(Id, u64)> {
        let decisions = std::mem::take(&mut self.1);
        let sent = decisions.into_iter().filter_map(|decision| match decision {
            Decision::Serve(_) => None,
            Decision::Later(id, later) => Some((id, later.after.as_secs())),
        });
        sent.collect()
    }

    /// Two that are served, and stay so.
    fn busy() -> Self {
        let mut admission = Self::new();
        for device in 100..102 {
            admission.renew(device, 90, 0);
            admission.look(1);
        }
        admission.served();
        admission
    }
}

#[test]
fn renewals_go_by_what_is_left_then_enrolments_and_what_has_ended_waits_for_what_is_about_to() {
    let mut admission = Test::busy();
    let enrolment = admission.enrol(1, 1);
    let [days, ended, soon, hour] =
        [(1, 80), (2, 0), (3, 2), (4, 1)].map(|(device, hours)| admission.renew(device, hours, 1));
    let mut order = Vec::new();
    let mut last = Id(1);
    for _ in 0..5 {
        admission.0.credit = 0.0;
        admission.leave(last, 1);
        admission.0.pace = Pace::new(4.0, LIMITS.wait, at(1));
        admission.look(1);
        let served = admission.served();
        last = served[0];
        order.extend(served);
    }
    assert_eq!(
        order,
        [ended.min(hour), ended.max(hour), soon, days, enrolment]
    );
}

#[test]
fn an_enrolment_has_a_twentieth_of_the_rate_while_renewals_wait() {
    let mut admission = Test::with(AdmissionLimits {
        rate: 20.0,
        at_once: 1000,
        waiting: 1000,
        wait: at(5),
        ..LIMITS
    });
    for device in 0..400 {
        admission.renew(device, 1, 0);
    }
    let enrolments: Vec<Id> = (0..5).map(|host| admission.enrol(host, 0)).collect();
    for tenth in 1..=41 {
        let now = Duration::from_millis(tenth * 100);
        admission.0.look(now, &admission.2, &mut admission.1);
    }
    let served = admission.served();
    let of_them = served.iter().filter(|id| enrolments.contains(id)).count();
    assert!((80..=95).contains(&served.len()), "{}", served.len());
    assert!((3..=5).contains(&of_them), "{of_them}");
}

#[test]
fn an_address_that_enrols_often_costs_nobody_else_a_turn() {
    let mut admission = Test::busy();
    let flood: Vec<Id> = (0..3).map(|_| admission.enrol(1, 1)).collect();
    let other = admission.enrol(2, 1);
    // There is room for one.
    let gone: Vec<Id> = admission.sent_away().iter().map(|(id, _)| *id).collect();
    assert_eq!(gone, [flood[1], flood[2], other]);
    let mut admission = Test::busy();
    admission.2.waiting = 32;
    let flood: Vec<Id> = (0..3).map(|_| admission.enrol(1, 1)).collect();
    let other = admission.enrol(2, 1);
    admission.leave(Id(1), 2);
    admission.leave(Id(2), 3);
    assert_eq!(admission.served(), [flood[0], other]);
}

#[test]
fn an_enrolment_that_asks_again_has_one_place_and_is_served_first_at_its_time() {
    let mut admission = Test::busy();
    admission.enrol_as(1, 1, 1);
    admission.look(3);
    let after = admission.sent_away()[0].1;
    assert!((60..=80).contains(&after), "{after}");
    // As often as it likes.
    for second in 4..44 {
        admission.enrol_as(1, 1, second);
        admission.look(second + 2);
        let told: Vec<u64> = admission
            .sent_away()
            .iter()
            .map(|(_, after)| *after)
            .collect();
        assert!(
            told.iter().all(|told| told + second + 2 == after + 3),
            "{told:?} at {second}"
        );
    }
    assert_eq!(admission.0.reservations(at(44)), [0, 1]);
    let now = after + 3;
    admission.2.waiting = 64;
    let flood: Vec<Id> = (0..4).map(|host| admission.enrol(host, now)).collect();
    let in_its_slot = admission.enrol_as(1, 1, now);
    admission.leave(Id(1), now);
    assert_eq!(admission.served(), [in_its_slot]);
    admission.leave(Id(2), now + 1);
    assert_eq!(admission.served(), [flood[0]]);
}

#[test]
fn an_enrolment_that_is_served_before_its_time_and_comes_again_has_no_second_place() {
    let mut admission = Test::with(AdmissionLimits {
        at_once: 1,
        ..LIMITS
    });
    let mut times = BTreeSet::new();
    for second in 1..50 {
        // One is served at once, and refused; the others are sent away.
        let all: Vec<Id> = (0..4).map(|_| admission.enrol_as(1, 1, second)).collect();
        admission.look(second);
        for decision in std::mem::take(&mut admission.1) {
            if let Decision::Later(_, later) = decision {
                times.insert(second + later.after.as_secs());
            }
        }
        for id in all {
            admission.leave(id, second);
        }
        admission.1.clear();
    }
    assert_eq!(times.len(), 1, "{times:?}");
    assert_eq!(admission.0.reservations(at(50)), [0, 1]);
}

#[test]
fn whoever_is_served_before_its_time_is_not_counted_until_it_waits_again() {
    let mut admission = Test::busy();
    admission.enrol_as(1, 1, 1);
    admission.renew(2, 100, 1);
    admission.look(3);
    assert_eq!(admission.0.reservations(at(3)), [1, 1]);
    admission.leave(Id(1), 3);
    admission.leave(Id(2), 3);
    let served = [admission.enrol_as(1, 1, 4), admission.renew(2, 100, 5)];
    assert_eq!(admission.served(), served);
    assert_eq!(admission.0.reservations(at(5)), [0, 0]);
    // Its answer is lost, and others are served now: it is told the same time, and waits for it again.
    admission.enrol_as(1, 1, 6);
    admission.look(8);
    assert_eq!(admission.0.reservations(at(8)), [0, 1]);
    // Nobody has to be sent away for what is over to be forgotten.
    assert_eq!(admission.0.reservations(at(HOUR)), [0, 0]);
}

#[test]
fn operators_have_places_of_their_own_but_none_has_all_and_exports_have_half() {
    let mut admission = Test::busy();
    let waiting = admission.renew(1, 1, 1);
    let exports: Vec<Id> = (0..3).map(|_| admission.operate(1, true, 1)).collect();
    let [short, other, third] =
        [(1, false), (2, true), (2, false)].map(|(who, long)| admission.operate(who, long, 1));
    assert_eq!(admission.served(), [exports[0], exports[1], third]);
    admission.leave(exports[0], 1);
    assert_eq!(admission.served(), [exports[2]]);
    let fourth = admission.operate(1, false, 1);
    admission.leave(exports[1], 1);
    assert_eq!(admission.served(), [short, other]);
    admission.look(11);
    let gone: Vec<Id> = admission.sent_away().iter().map(|(id, _)| *id).collect();
    assert_eq!(gone, [waiting, fourth]);
}

#[test]
fn who_comes_in_its_slot_is_served_before_those_who_just_come() {
    let mut admission = Test::busy();
    let first = admission.renew(1, 90, 1);
    admission.look(3);
    let [(id, after)] = admission.sent_away()[..] else {
        panic!()
    };
    assert_eq!(id, first);
    // Too early, and told the same.
    admission.renew(1, 90, 13);
    admission.look(15);
    assert_eq!(admission.sent_away()[0].1, after + 3 - 15);
    let now = after + 3;
    let just_come = admission.renew(2, 80, now);
    let in_its_slot = admission.renew(1, 89, now);
    admission.leave(Id(1), now);
    assert_eq!(admission.served(), [in_its_slot]);
    admission.leave(Id(2), now + 1);
    assert_eq!(admission.served(), [just_come]);
    assert!(admission.0.reservations(admission.0.at)[0] <= 1);
}

#[test]
fn a_service_that_is_slower_than_it_should_be_gives_reservations_at_the_pace_it_has() {
    let mut admission = Test::with(AdmissionLimits {
        rate: 100.0,
        ..LIMITS
    });
    let mut served = Vec::new();
    for now in 0..60 {
        for device in 0..10 {
            admission.renew(10 * now + device, 90, now);
        }
        for id in std::mem::take(&mut served) {
            admission.leave(id, now);
        }
        served = admission.served();
    }
    assert!(
        (1.5..5.0).contains(&admission.0.pace()),
        "{}",
        admission.0.pace()
    );
    // Nobody comes any more.
    for now in 60..200 {
        for id in std::mem::take(&mut served) {
            admission.leave(id, now);
        }
        admission.look(now);
        served = admission.served();
    }
    assert!(admission.0.pace() > 99.0, "{}", admission.0.pace());
}

#[test]
fn a_hundred_thousand_devices_in_one_hour_all_get_slots_that_cost_them_nothing() {
    let mut admission = Test::with(AdmissionLimits {
        rate: 10.0,
        ..LIMITS
    });
    for number in 0..100_000_u64 {
        let left = Left::For(at(26 * HOUR + number * 7919 % (66 * HOUR)));
        let asks = Asks::Renewal {
            device: number,
            left,
        };
        let later = admission.0.put_off(asks, at(number / 30), &admission.2);
        assert!(!later.is_too_late, "{number}");
        let Left::For(left) = left else { panic!() };
        assert!(later.after <= left / 2, "{number} {later:?}");
    }
}

proptest! {
    #[test]
    fn everybody_is_told_once_and_no_place_stays_empty_for_those_who_wait(
        acts in proptest::collection::vec((0..6_u8, 0..4_u8, 0..2_u64), 0..150),
    ) {
        let mut admission = Test::new();
        let (mut now, mut waiting, mut served) = (0, Vec::new(), Vec::new());
        for (act, who, passed) in acts {
            now += passed;
            match act {
                0 | 1 => waiting.push(admission.renew(who.into(), u64::from(who) * 30, now)),
                2 => waiting.push(admission.enrol(who, now)),
                3 => waiting.push(admission.operate(who.into(), who == 0, now)),
                4 if !served.is_empty() => admission.leave(served.remove(usize::from(who) % served.len()), now),
                5 if !waiting.is_empty() => admission.leave(waiting.remove(usize::from(who) % waiting.len()), now),
                _ => admission.look(now),
            }
            for decision in std::mem::take(&mut admission.1) {
                let (Decision::Serve(id) | Decision::Later(id, _)) = decision;
                let before = waiting.len();
                waiting.retain(|other| *other != id);
                prop_assert_eq!(waiting.len() + 1, before);
                match decision {
                    Decision::Serve(id) => served.push(id),
                    Decision::Later(_, later) => prop_assert!(later.after >= at(5) && later.after <= at(86_400)),
                }
            }
            let [devices, operators] = admission.0.serving();
            prop_assert_eq!(devices + operators, served.len());
            prop_assert!(devices <= LIMITS.at_once);
            prop_assert_eq!(admission.0.waiting().iter().sum::<usize>(), waiting.len());
            prop_assert_eq!(admission.0.people.len(), served.len() + waiting.len());
            prop_assert_eq!(admission.0.look_again_at(&LIMITS).is_some(), !waiting.is_empty());
            let [renewals, enrolments, _] = admission.0.waiting();
            prop_assert!(renewals + enrolments == 0 || devices == LIMITS.at_once || !admission.0.pace.has_token());
        }
    }
}

#[test]
fn a_device_is_served_first_at_the_time_that_it_was_told_elsewhere() {
    let mut test = Test::busy();
    test.0.hear(7, at(100), at(1));
    assert!(!test.0.is_expected(7, at(98)) && test.0.is_expected(7, at(99)));
    // Before its time it is told the same again.
    let early = test.0.put_off(
        Asks::Renewal {
            device: 7,
            left: Left::For(at(90 * HOUR)),
        },
        at(40),
        &LIMITS,
    );
    assert_eq!((early.after, early.is_reserved), (at(60), true));
    let others: Vec<Id> = (10..18).map(|device| test.renew(device, 40, 100)).collect();
    let told = test.renew(7, 90, 100);
    // The waiting room is full, and it is not the one who has to go.
    let gone = others.last().unwrap();
    assert!(matches!(test.1.last(), Some(Decision::Later(id, _)) if id == gone));
    test.leave(Id(1), 100);
    assert_eq!(test.1.last(), Some(&Decision::Serve(told)));
    assert!(!test.0.is_expected(7, at(100)), "it has had its turn");
}

#[test]
fn of_two_times_that_a_device_was_told_the_later_one_counts() {
    let mut test = Test::new();
    test.0.hear(7, at(100), at(0));
    test.0.hear(7, at(300), at(110));
    test.0.hear(7, at(200), at(110));
    assert!(!test.0.is_expected(7, at(250)) && test.0.is_expected(7, at(300)));
}
