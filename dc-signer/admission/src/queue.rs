//! The queue before something of which there is only so much at once, such as handshakes: fair turns, and a bounded wait.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::id::{ById, Id};
use crate::tally::Tally;
use crate::whence::{Network, Whence};

/// The limits of a [`Queue`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLimits {
    /// The most inside at once.
    pub inside: usize,
    /// The most that wait.
    pub waiting: usize,
    /// How long waiting is of use: whoever has waited for so long would give up before the end.
    pub patience: Duration,
    /// How long somebody of a network with more than its share has inside before others may have the place.
    pub grace: Duration,
}

/// The notice that somebody in the queue gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// Begin: there is a place.
    Begin(Id),
    /// Go, and come back later.
    Go(Id, Why),
}

/// The reason that somebody has to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// More wait than may, and most of them are of its network and address.
    NoRoom,
    /// It has had its time inside, others wait, and its network or address has more than its share there.
    Share,
    /// It has waited for as long as that is of use.
    Waited,
}

/// Those who wait for a place, and those who have one.
///
/// Nothing but addresses tells one from another, so turns are shared by network, within a network by address, and
/// within an address they go by age. Notices are returned by the call that is the reason for them; nothing is done in between,
/// and no clock is read: times are those that the caller gives, since any moment, and never go back.
#[derive(Debug, Default)]
pub struct Queue {
    next: u64,
    turns: u64,
    people: ById<Person>,
    networks: Tally<Network>,
    addresses: HashMap<Network, Tally<Whence>>,
    /// Of each address, by age: those who wait, and those inside.
    waiting: BTreeSet<(Whence, Id)>,
    inside: BTreeMap<(Whence, Id), Duration>,
    /// Those who wait, by when it is of no use any more.
    ends: BTreeSet<(Duration, Id)>,
    /// Inside as well, by age, and younger than the others there. As long as nobody waits, nothing is shared, and nobody has to know yet
    /// where they come from.
    at_once: VecDeque<(Id, Whence, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Person {
    whence: Whence,
    /// Until when it waits; none if it is inside.
    until: Option<Duration>,
}

impl Queue {
    /// Somebody comes. Its notice, and those of others because of it, are added to `notices`.
    pub fn arrive(
        &mut self,
        whence: Whence,
        now: Duration,
        limits: &QueueLimits,
        notices: &mut Vec<Notice>,
    ) -> Id {
        let id = Id(self.next);
        self.next += 1;
        let until = now.saturating_add(limits.patience);
        if self.waiting.is_empty() && self.inside() < limits.inside.max(1) && until > now {
            self.at_once.push_back((id, whence, now));
            notices.push(Notice::Begin(id));
            return id;
        }
        self.count_all();
        self.people.insert(
            id,
            Person {
                whence,
                until: Some(until),
            },
        );
        self.ends.insert((until, id));
        self.waiting.insert((whence, id));
        self.count(whence, |waiting, _| *waiting += 1);
        self.look(now, limits, notices);
        while self.waiting.len() > limits.waiting {
            let Some(id) = self.newest_of_the_fullest() else {
                break;
            };
            self.take_out(id);
            notices.push(Notice::Go(id, Why::NoRoom));
        }
        id
    }

    /// Somebody is done, or has gone by itself; nothing if it was told to go.
    pub fn leave(
        &mut self,
        id: Id,
        now: Duration,
        limits: &QueueLimits,
        notices: &mut Vec<Notice>,
    ) {
        if self.take_out(id) {
            self.look(now, limits, notices);
        }
    }

    /// Looks who is next, and whose time is up.
    pub fn look(&mut self, now: Duration, limits: &QueueLimits, notices: &mut Vec<Notice>) {
        while let Some((_, id)) = self.ends.first().copied().filter(|(at, _)| *at <= now) {
            self.take_out(id);
            notices.push(Notice::Go(id, Why::Waited));
        }
        while let Some(next) = self.whose_turn() {
            if self.inside.len() >= limits.inside.max(1) {
                let Some(evicted) = self.who_has_too_much(next, now, limits) else {
                    break;
                };
                self.take_out(evicted);
                notices.push(Notice::Go(evicted, Why::Share));
            }
            self.let_in(next, now);
            notices.push(Notice::Begin(next));
        }
    }

    /// When to look again, if nobody comes or leaves before.
    #[must_use]
    pub fn look_again_at(&self, now: Duration, limits: &QueueLimits) -> Option<Duration> {
        let (end, _) = self.ends.first()?;
        let share = self.whose_turn().and_then(|next| self.share_of(next));
        let oldest = share.and_then(|whence| self.oldest_inside(whence));
        let freed = oldest.map(|(_, since)| since.saturating_add(limits.grace).max(now));
        Some(freed.map_or(*end, |freed| freed.min(*end)))
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.inside.len() + self.at_once.len()
    }

    /// Counts those who were let in at once, so that turns are shared with them as well.
    fn count_all(&mut self) {
        while let Some((id, whence, since)) = self.at_once.pop_front() {
            let until = None;
            self.people.insert(id, Person { whence, until });
            self.goes_in(id, whence, since, false);
        }
    }

    fn let_in(&mut self, id: Id, now: Duration) {
        let Some(person) = self.people.get_mut(&id) else {
            return;
        };
        let whence = person.whence;
        if let Some(until) = person.until.take() {
            self.ends.remove(&(until, id));
        }
        self.waiting.remove(&(whence, id));
        self.goes_in(id, whence, now, true);
    }

    fn goes_in(&mut self, id: Id, whence: Whence, now: Duration, has_waited: bool) {
        self.inside.insert((whence, id), now);
        self.turns += 1;
        let turn = self.turns;
        self.change(whence, |counts| {
            counts.waiting -= usize::from(has_waited);
            counts.inside += 1;
            counts.turn = turn;
        });
    }

    /// Says whether it was there.
    fn take_out(&mut self, id: Id) -> bool {
        // The oldest of all leaves nobody behind whose group has had its turn with it.
        if self.people.is_empty() && self.at_once.front().is_some_and(|first| first.0 == id) {
            self.at_once.pop_front();
            return true;
        }
        self.count_all();
        let Some(Person { whence, until }) = self.people.remove(&id) else {
            return false;
        };
        match until {
            Some(until) => {
                self.ends.remove(&(until, id));
                self.waiting.remove(&(whence, id));
                self.count(whence, |waiting, _| *waiting -= 1);
            }
            None => {
                self.inside.remove(&(whence, id));
                self.count(whence, |_, inside| *inside -= 1);
            }
        }
        true
    }

    fn count(&mut self, whence: Whence, change: impl Fn(&mut usize, &mut usize)) {
        self.change(whence, |counts| {
            change(&mut counts.waiting, &mut counts.inside);
        });
    }

    fn change(&mut self, whence: Whence, change: impl Fn(&mut crate::tally::Counts)) {
        let network = whence.network();
        self.networks.change(network, &change);
        let addresses = self.addresses.entry(network).or_default();
        addresses.change(whence, &change);
        if addresses.is_empty() {
            self.addresses.remove(&network);
        }
    }

    /// The oldest of the address whose turn it is.
    fn whose_turn(&self) -> Option<Id> {
        let whence = self.addresses.get(&self.networks.next()?)?.next()?;
        let all = (whence, Id(0))..=(whence, Id(u64::MAX));
        self.waiting.range(all).next().map(|(_, id)| *id)
    }

    /// The last to come is the one that has waited in vain for the shortest time.
    fn newest_of_the_fullest(&self) -> Option<Id> {
        let network = self.networks.most_waiting()?;
        let whence = self.addresses.get(&network)?.most_waiting()?;
        let all = (whence, Id(0))..=(whence, Id(u64::MAX));
        self.waiting.range(all).next_back().map(|(_, id)| *id)
    }

    fn who_has_too_much(&self, next: Id, now: Duration, limits: &QueueLimits) -> Option<Id> {
        let (id, since) = self.oldest_inside(self.share_of(next)?)?;
        (since.saturating_add(limits.grace) <= now).then_some(id)
    }

    /// The address that has more inside than the one whose turn it is would have with one more, because its network has, or because
    /// it has within its network; or that one itself, if it has several.
    fn share_of(&self, next: Id) -> Option<Whence> {
        let whence = self.people.get(&next)?.whence;
        let network = whence.network();
        let fullest = self.networks.most_inside()?;
        let has_more = self.networks.of(fullest).inside > self.networks.of(network).inside + 1;
        if has_more {
            return self.addresses.get(&fullest)?.most_inside();
        }
        let addresses = self.addresses.get(&network)?;
        let fullest = addresses.most_inside()?;
        let inside = addresses.of(fullest).inside;
        // Of one address, too, those that never end make room for those that might.
        let has_more = match fullest == whence {
            true => inside > 1,
            false => inside > addresses.of(whence).inside + 1,
        };
        has_more.then_some(fullest)
    }

    fn oldest_inside(&self, whence: Whence) -> Option<(Id, Duration)> {
        let all = (whence, Id(0))..=(whence, Id(u64::MAX));
        let ((_, id), since) = self.inside.range(all).next()?;
        Some((*id, *since))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: QueueLimits = QueueLimits {
        inside: 2,
        waiting: 4,
        patience: Duration::from_secs(10),
        grace: Duration::from_secs(1),
    };

    fn from(address: [u8; 4]) -> Whence {
        IpAddr::from(address).into()
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    struct Test(Queue, Vec<Notice>);

    impl Test {
        fn new() -> Self {
            Self(Queue::default(), Vec::new())
        }

        fn arrive(&mut self, address: [u8; 4], now: u64) -> Id {
            self.0.arrive(from(address), at(now), &LIMITS, &mut self.1)
        }

        fn leave(&mut self, id: Id, now: u64) {
            self.0.leave(id, at(now), &LIMITS, &mut self.1);
        }

        fn told(&mut self) -> Vec<Notice> {
            std::mem::take(&mut self.1)
        }
    }

    #[test]
    fn those_of_other_networks_and_addresses_take_turns_and_those_of_one_go_by_age() {
        let mut queue = Test::new();
        let inside = [1, 1].map(|host| queue.arrive([10, 0, 0, host], 0));
        queue.told();
        let [a, b, c] = [1, 1, 2].map(|host| queue.arrive([10, 0, 0, host], 0));
        let d = queue.arrive([10, 0, 1, 1], 0);
        assert_eq!(queue.told(), []);
        queue.leave(inside[0], 0);
        queue.leave(inside[1], 0);
        // The network with none inside, then the address with none inside.
        assert_eq!(queue.told(), [Notice::Begin(d), Notice::Begin(c)]);
        queue.leave(c, 0);
        queue.leave(d, 0);
        assert_eq!(queue.told(), [Notice::Begin(a), Notice::Begin(b)]);
    }

    #[test]
    fn the_newest_of_the_fullest_goes_when_too_many_wait() {
        let mut queue = Test::new();
        let _inside = [1, 2].map(|host| queue.arrive([10, host, 0, 1], 0));
        let flood: Vec<Id> = (0..4).map(|_| queue.arrive([10, 0, 0, 1], 0)).collect();
        queue.told();
        let other = queue.arrive([10, 3, 0, 1], 0);
        assert_eq!(queue.told(), [Notice::Go(flood[3], Why::NoRoom)]);
        let more = queue.arrive([10, 0, 0, 2], 0);
        assert_eq!(queue.told(), [Notice::Go(flood[2], Why::NoRoom)]);
        assert_eq!(queue.0.waiting(), 4);
        assert!(queue.0.people.contains_key(&other) && queue.0.people.contains_key(&more));
    }

    #[test]
    fn no_address_is_better_than_another() {
        let mut queue = Test::new();
        let inside = [1, 2].map(|host| queue.arrive([10, host, 0, 1], 0));
        let high = queue.arrive([203, 0, 113, 1], 0);
        let flood: Vec<Id> = (3..7).map(|net| queue.arrive([10, net, 0, 1], 0)).collect();
        // Four may wait: the last to come goes, not the one whose address is the last.
        assert_eq!(
            queue.told(),
            [
                Notice::Begin(inside[0]),
                Notice::Begin(inside[1]),
                Notice::Go(flood[3], Why::NoRoom)
            ]
        );
        queue.leave(inside[0], 1);
        queue.leave(inside[1], 1);
        assert_eq!(queue.told(), [Notice::Begin(high), Notice::Begin(flood[0])]);
        let mut queue = Test::new();
        let _first = [203, 10].map(|net| queue.arrive([net, 0, 0, 1], 0));
        let _second = [203, 10].map(|net| queue.arrive([net, 0, 0, 1], 0));
        let low = queue.arrive([10, 0, 0, 2], 0);
        let high = queue.arrive([203, 0, 0, 2], 0);
        queue.told();
        // Of two networks with as many, the last to come makes room.
        let _other = queue.arrive([10, 9, 0, 1], 0);
        assert_eq!(queue.told(), [Notice::Go(low, Why::NoRoom)]);
        assert!(queue.0.people.contains_key(&high));
    }

    #[test]
    fn who_has_more_than_its_share_inside_makes_room_after_a_while() {
        let mut queue = Test::new();
        let flood = [0, 0].map(|now| queue.arrive([10, 0, 0, 1], now));
        queue.told();
        let other = queue.arrive([10, 1, 0, 1], 0);
        assert_eq!(queue.told(), []);
        assert_eq!(queue.0.look_again_at(at(0), &LIMITS), Some(at(1)));
        queue.0.look(at(1), &LIMITS, &mut queue.1);
        assert_eq!(
            queue.told(),
            [Notice::Go(flood[0], Why::Share), Notice::Begin(other)]
        );
        // With one each nobody has too much.
        let third = queue.arrive([10, 2, 0, 1], 1);
        queue.0.look(at(9), &LIMITS, &mut queue.1);
        assert_eq!(queue.told(), []);
        queue.0.look(at(11), &LIMITS, &mut queue.1);
        assert_eq!(queue.told(), [Notice::Go(third, Why::Waited)]);
    }

    #[test]
    fn a_network_has_had_its_turn_also_with_one_who_need_not_wait_and_is_gone() {
        let limits = QueueLimits {
            inside: 3,
            ..LIMITS
        };
        let mut queue = Test::new();
        let arrive = |queue: &mut Test, network| {
            let whence = from([10, 0, network, 1]);
            queue.0.arrive(whence, at(0), &limits, &mut queue.1)
        };
        let leave = |queue: &mut Test, id| queue.0.leave(id, at(0), &limits, &mut queue.1);
        let [_, _, third] = [1, 2, 3].map(|network| arrive(&mut queue, network));
        // Not the oldest, so that those who stay are counted.
        leave(&mut queue, third);
        let again = arrive(&mut queue, 1);
        leave(&mut queue, again);
        let third = arrive(&mut queue, 3);
        let [_, second] = [1, 2].map(|network| arrive(&mut queue, network));
        queue.told();
        leave(&mut queue, third);
        assert_eq!(queue.told(), [Notice::Begin(second)]);
    }

    proptest! {
        #[test]
        fn nobody_is_forgotten_and_no_place_stays_empty(
            acts in proptest::collection::vec((0..4_u8, 0..3_u8, 0..3_u8, 0..3_u64), 0..120),
        ) {
            let mut queue = Test::new();
            let mut now = 0;
            let mut waiting = Vec::new();
            let mut inside = Vec::new();
            for (act, network, host, passed) in acts {
                now += passed;
                match act {
                    0 | 1 => waiting.push(queue.arrive([10, 0, network, host], now)),
                    2 if !inside.is_empty() => queue.leave(inside.remove(usize::from(host) % inside.len()), now),
                    3 if !waiting.is_empty() => queue.leave(waiting.remove(usize::from(host) % waiting.len()), now),
                    _ => queue.0.look(at(now), &LIMITS, &mut queue.1),
                }
                for notice in queue.told() {
                    match notice {
                        Notice::Begin(id) => {
                            waiting.retain(|other| *other != id);
                            inside.push(id);
                        }
                        Notice::Go(id, Why::Share) => inside.retain(|other| *other != id),
                        Notice::Go(id, Why::NoRoom | Why::Waited) => waiting.retain(|other| *other != id),
                    }
                }
                prop_assert_eq!((queue.0.waiting(), queue.0.inside()), (waiting.len(), inside.len()));
                prop_assert!(inside.len() <= LIMITS.inside && waiting.len() <= LIMITS.waiting);
                prop_assert!(waiting.is_empty() || inside.len() == LIMITS.inside);
                prop_assert_eq!(queue.0.look_again_at(at(now), &LIMITS).is_none(), waiting.is_empty());
                prop_assert_eq!(queue.0.addresses.is_empty(), queue.0.people.is_empty());
                prop_assert_eq!(queue.0.people.len() + queue.0.at_once.len(), waiting.len() + inside.len());
            }
        }

        #[test]
        fn counting_late_those_who_need_not_wait_changes_nothing(
            inside in 1..6_usize,
            acts in proptest::collection::vec((0..5_u8, 0..2_u8, 0..2_u8, 0..2_u64, any::<prop::sample::Index>()), 0..200),
        ) {
            let limits = QueueLimits { inside, ..LIMITS };
            let mut queues = [Test::new(), Test::new()];
            let (mut now, mut there) = (0, Vec::new());
            for (comes, network, host, passed, who) in acts {
                now += passed;
                // Mostly the oldest.
                let leaves = (comes > 2 && !there.is_empty()).then(|| match comes {
                    3 => there.remove(0),
                    _ => there.remove(who.index(there.len())),
                });
                let [late, early] = &mut queues;
                for Test(queue, told) in [&mut *late, &mut *early] {
                    match leaves {
                        Some(id) => queue.leave(id, at(now), &limits, told),
                        None => {
                            let id = queue.arrive(from([10, 0, network, host]), at(now), &limits, told);
                            if there.last() != Some(&id) {
                                there.push(id);
                            }
                        }
                    }
                }
                early.0.count_all();
                let [one, other] = [&late.0, &early.0].map(|queue| {
                    (queue.waiting(), queue.inside(), queue.look_again_at(at(now), &limits))
                });
                prop_assert_eq!(one, other);
                let told = late.told();
                prop_assert_eq!(&told, &early.told());
                there.retain(|id| !told.iter().any(|notice| matches!(notice, Notice::Go(gone, _) if gone == id)));
            }
        }
    }
}
