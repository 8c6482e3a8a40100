//! The admission of requests: renewals before enrolments before operators, and none of them never.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::decision::{AdmissionLimits, Asks, Decision, Later};
use crate::enrolments::{Enrolments, Turn};
use crate::id::{ById, Id};
use crate::operators::{Operator, Operators};
use crate::pace::Pace;
use crate::renewals::{Left, Rank, Renewals};
use crate::told::Told;

/// The requests that wait and those that are served.
///
/// Each decision is returned by the call that is the reason for it. No clock is read: times are those that the caller gives, since
/// any moment, and never go back.
#[derive(Debug)]
pub struct Admission {
    next: u64,
    people: ById<Person>,
    ends: BTreeSet<(Duration, Id)>,
    pace: Pace,
    /// So many enrolments may begin although renewals wait.
    credit: f64,
    at: Duration,
    rate: f64,
    renewals: Renewals,
    enrolments: Enrolments,
    told: Told,
    operators: Operators,
    serving: usize,
}

/// Its number.
type Device = u64;

#[derive(Clone, Copy, Debug)]
enum Person {
    Renewing(Device, Left, Rank, Duration),
    Enrolling(Device, Turn, Duration),
    Operating(Duration),
    /// It is served.
    Served,
    ServedOperator(Operator),
}

impl Admission {
    /// Nobody is there.
    #[must_use]
    pub fn new(limits: &AdmissionLimits, now: Duration) -> Self {
        Self {
            next: 0,
            people: ById::default(),
            ends: BTreeSet::new(),
            pace: Pace::new(limits.rate, limits.wait, now),
            credit: 0.0,
            at: now,
            rate: limits.rate,
            renewals: Renewals::new(limits.rate * RENEWALS),
            enrolments: Enrolments::new(limits.rate * ENROLMENTS),
            told: Told::default(),
            operators: Operators::default(),
            serving: 0,
        }
    }

    /// Somebody comes. The decision, and those on others because of it, are added to `decisions`.
    pub fn arrive(
        &mut self,
        asks: Asks,
        now: Duration,
        limits: &AdmissionLimits,
        decisions: &mut Vec<Decision>,
    ) -> Id {
        let id = self.id();
        let (wait, person) = match asks {
            Asks::Renewal { device, left } => {
                let in_time = self.told.is_expected(device, now);
                let rank = self.renewals.enter(id, left, in_time, now);
                let until = now.saturating_add(limits.wait);
                (until, Person::Renewing(device, left, rank, until))
            }
            Asks::Enrolment { device, whence } => {
                let in_time = self.told.is_expected(device, now);
                let turn = self.enrolments.enter(id, whence, in_time);
                let until = now.saturating_add(limits.wait);
                (until, Person::Enrolling(device, turn, until))
            }
            Asks::Operator { operator, is_long } => {
                let until = now.saturating_add(limits.operator_wait);
                let number = operator;
                self.operators.enter(id, Operator { number, is_long });
                (until, Person::Operating(until))
            }
        };
        self.people.insert(id, person);
        self.ends.insert((wait, id));
        self.look(now, limits, decisions);
        self.make_room(now, limits, decisions);
        id
    }

    /// Serves a renewal without asking how long the device has left, if nobody has to wait anyway.
    pub fn serve_at_once(&mut self, now: Duration, limits: &AdmissionLimits) -> Option<Id> {
        self.pass(now, limits);
        let nobody_waits = self.renewals.waiting() + self.enrolments.waiting() == 0;
        let has_room = self.serving < limits.at_once && self.pace.is_at_ease();
        (nobody_waits && has_room).then(|| {
            let id = self.id();
            self.serve(id);
            id
        })
    }

    /// The time to come for somebody who cannot even wait.
    pub fn put_off(&mut self, asks: Asks, now: Duration, limits: &AdmissionLimits) -> Later {
        self.pass(now, limits);
        match asks {
            Asks::Renewal { device, left } => self.put_off_renewal(device, left, now),
            Asks::Enrolment { device, .. } => self.put_off_enrolment(device, now),
            Asks::Operator { .. } => OPERATORS_LATER,
        }
    }

    /// Another service of the same devices has told one to come at a time: it is served here then as if it had been told here.
    pub fn hear(&mut self, device: u64, at: Duration, now: Duration) {
        self.told.hear(device, at, now);
    }

    /// True if the time has come that a device was told to come at, here or elsewhere, and it has not been served since.
    #[must_use]
    pub fn is_expected(&self, device: u64, now: Duration) -> bool {
        self.told.is_expected(device, now)
    }

    /// Somebody has been served, or has gone by itself; nothing if it was sent away.
    pub fn leave(
        &mut self,
        id: Id,
        now: Duration,
        limits: &AdmissionLimits,
        decisions: &mut Vec<Decision>,
    ) {
        match self.people.remove(&id) {
            None => return,
            Some(Person::Served) => {
                self.serving -= 1;
                self.pace.done();
            }
            Some(Person::ServedOperator(operator)) => self.operators.leave(operator),
            Some(waiting) => self.stop_waiting(id, &waiting),
        }
        self.look(now, limits, decisions);
    }

    /// Looks who is next, and who has waited for too long.
    pub fn look(&mut self, now: Duration, limits: &AdmissionLimits, decisions: &mut Vec<Decision>) {
        self.pass(now, limits);
        self.serve_operators(limits, decisions);
        loop {
            let is_free = self.serving < limits.at_once.max(1);
            let waits = self.renewals.waiting() + self.enrolments.waiting() > 0;
            self.pace
                .set_blocked(waits && !is_free && self.pace.has_token());
            if !(waits && is_free && self.pace.has_token()) {
                break;
            }
            if let Some(id) = self.first() {
                self.serve(id);
                decisions.push(Decision::Serve(id));
            }
        }
        while let Some((_, id)) = self.ends.first().copied().filter(|(at, _)| *at <= now) {
            self.send_away(id, now, decisions);
        }
    }

    /// When to look again, if nobody comes or leaves before.
    #[must_use]
    pub fn look_again_at(&self, limits: &AdmissionLimits) -> Option<Duration> {
        let (end, _) = self.ends.first()?;
        let is_free = self.serving < limits.at_once.max(1);
        let waits = self.renewals.waiting() + self.enrolments.waiting() > 0;
        let token = (waits && is_free).then(|| self.pace.next_token(limits.rate));
        Some(token.map_or(*end, |token| token.min(*end)))
    }

    /// How many renewals, enrolments and operators' requests wait.
    #[must_use]
    pub fn waiting(&self) -> [usize; 3] {
        [
            self.renewals.waiting(),
            self.enrolments.waiting(),
            self.operators.waiting(),
        ]
    }

    /// How many renewals and enrolments together, and operators' requests, are answered now.
    #[must_use]
    pub fn serving(&self) -> [usize; 2] {
        [self.serving, self.operators.inside()]
    }

    /// How many renewals and enrolments have a reservation that is still to come, and have not been served since.
    #[must_use]
    pub fn reservations(&mut self, now: Duration) -> [u64; 2] {
        [self.renewals.awaited(now), self.enrolments.awaited(now)]
    }

    /// The pace, in enrolments and renewals a second, that reservations are given at.
    #[must_use]
    pub fn pace(&self) -> f64 {
        self.pace.measured()
    }

    fn id(&mut self) -> Id {
        self.next += 1;
        Id(self.next)
    }

    fn pass(&mut self, now: Duration, limits: &AdmissionLimits) {
        if self.rate.total_cmp(&limits.rate).is_ne() {
            self.change_rate(limits, now);
        }
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let most = (limits.rate * ENROLMENTS).max(1.0);
        self.credit = (self.credit + passed * limits.rate * ENROLMENTS).min(most);
        self.pace.pass(limits.rate, limits.wait, now);
    }

    /// Reservations at another rate are kept, but not counted any more.
    fn change_rate(&mut self, limits: &AdmissionLimits, now: Duration) {
        self.rate = limits.rate;
        self.pace = Pace::new(limits.rate, limits.wait, now);
        self.renewals.change_rate(limits.rate * RENEWALS);
        self.enrolments.change_rate(limits.rate * ENROLMENTS);
    }

    /// The first of those who wait: an enrolment only if it has credit or no renewal waits.
    fn first(&mut self) -> Option<Id> {
        if self.enrolments.waiting() > 0 && self.credit >= 1.0 {
            self.credit -= 1.0;
            return self.enrolments.first();
        }
        self.renewals.first().or_else(|| self.enrolments.first())
    }

    fn serve(&mut self, id: Id) {
        let before = self.people.insert(id, Person::Served);
        match before {
            Some(Person::Renewing(device, _, _, until)) => {
                if let Some(at) = self.told.served(device) {
                    self.renewals.set_needless(at, true);
                }
                self.ends.remove(&(until, id));
            }
            // It may be refused, and come again with another key.
            Some(Person::Enrolling(device, _, until)) => {
                if let Some(at) = self.told.served_in_time(device, self.at) {
                    self.enrolments.set_needless(at, true);
                }
                self.ends.remove(&(until, id));
            }
            Some(Person::Operating(_) | Person::Served | Person::ServedOperator(_)) | None => {}
        }
        self.pace.take();
        self.serving += 1;
    }

    fn serve_operators(&mut self, limits: &AdmissionLimits, decisions: &mut Vec<Decision>) {
        let no_device_waits = self.renewals.waiting() + self.enrolments.waiting() == 0;
        loop {
            let busy = self.serving + self.operators.inside();
            let to_spare = no_device_waits && busy < limits.at_once;
            let Some((id, operator)) = self.operators.first(limits.operators, to_spare) else {
                return;
            };
            if let Some(Person::Operating(until)) =
                self.people.insert(id, Person::ServedOperator(operator))
            {
                self.ends.remove(&(until, id));
            }
            decisions.push(Decision::Serve(id));
        }
    }

    /// Sends away those who are last, where more wait than may.
    fn make_room(
        &mut self,
        now: Duration,
        limits: &AdmissionLimits,
        decisions: &mut Vec<Decision>,
    ) {
        let few = (limits.waiting / 8).max(1);
        loop {
            let last = match self.waiting() {
                [renewals, _, _] if renewals > limits.waiting.max(1) => self.renewals.last(),
                [_, enrolments, _] if enrolments > few => self.enrolments.last(),
                [_, _, operators] if operators > few.max(MOST_OPERATORS) => self.operators.last(),
                _ => return,
            };
            let Some(id) = last else { return };
            self.send_away(id, now, decisions);
        }
    }

    fn send_away(&mut self, id: Id, now: Duration, decisions: &mut Vec<Decision>) {
        let Some(person) = self.people.remove(&id) else {
            return;
        };
        self.stop_waiting(id, &person);
        let later = match person {
            Person::Renewing(device, left, ..) => self.put_off_renewal(device, left, now),
            Person::Enrolling(device, ..) => self.put_off_enrolment(device, now),
            Person::Operating(_) | Person::Served | Person::ServedOperator(_) => OPERATORS_LATER,
        };
        decisions.push(Decision::Later(id, later));
    }

    fn put_off_renewal(&mut self, device: Device, left: Left, now: Duration) -> Later {
        if let Some((at, was_served)) = self.told.still_to_come(device, now) {
            if was_served {
                self.renewals.set_needless(at, false);
            }
            return Later::at(at, now, false);
        }
        let rate = self.pace.measured() * RENEWALS;
        let (at, is_too_late) = self.renewals.reserve(left, now, rate);
        self.told.remember(device, at, now);
        Later::at(at, now, is_too_late)
    }

    fn put_off_enrolment(&mut self, device: Device, now: Duration) -> Later {
        if let Some((at, was_served)) = self.told.still_to_come(device, now) {
            if was_served {
                self.enrolments.set_needless(at, false);
            }
            return Later::at(at, now, false);
        }
        let rate = self.pace.measured() * ENROLMENTS;
        let at = self.enrolments.reserve(now, rate);
        self.told.remember(device, at, now);
        Later::at(at, now, false)
    }

    fn stop_waiting(&mut self, id: Id, person: &Person) {
        let until = match person {
            Person::Renewing(_, _, rank, until) => {
                self.renewals.take_out(rank);
                until
            }
            Person::Enrolling(_, turn, until) => {
                self.enrolments.take_out(turn);
                until
            }
            Person::Operating(until) => {
                self.operators.take_out(id);
                until
            }
            Person::Served | Person::ServedOperator(_) => return,
        };
        self.ends.remove(&(*until, id));
    }
}

/// The part of the rate that reservations of renewals take. What is left is for those who come without one and are in a hurry.
const RENEWALS: f64 = 0.85;
/// The part of the rate that enrolments have although renewals wait.
const ENROLMENTS: f64 = 0.05;
/// People look at it, and try again themselves.
const OPERATORS_LATER: Later = Later {
    after: Duration::from_secs(5),
    is_reserved: false,
    is_too_late: false,
};
const MOST_OPERATORS: usize = 16;

#[cfg(test)]
mod tests;
