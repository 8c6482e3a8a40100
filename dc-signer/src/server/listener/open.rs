//! The connections that are open: how many, how many of one address, and who has to go when there are too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::address::Prefix;
use super::groups::{Group, Groups};

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: Mutex<All>,
    ended: Notify,
}

/// The most connections that there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// From everywhere.
    pub(super) all: usize,
    /// From one address.
    pub(super) of_one: usize,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    open: HashMap<u64, Seat>,
    /// Of each address, without those who were sent away.
    of_one: HashMap<Prefix, usize>,
    groups: Groups,
    sent_away: usize,
    /// Those of them of which nobody has been told yet.
    untold: usize,
}

#[derive(Debug)]
struct Seat {
    prefix: Prefix,
    state: State,
    /// Its number in the group that it is in, if it is in one.
    place: Option<(Group, u64)>,
    known: Arc<AtomicBool>,
    bells: Arc<Bells>,
}

/// The state of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Nothing was heard of it yet.
    Silent,
    /// It shakes hands.
    Speaking,
    /// It has no request in progress.
    Idle,
    /// It only waits for the bodies of requests.
    Awaiting,
    /// It has a request that is being answered.
    Busy,
    /// It was sent away, and ends what it has begun.
    Leaving,
    /// It was told that there is no time for that.
    Cut,
}

/// The bells that tell it to go.
#[derive(Debug, Default)]
struct Bells {
    over: Notify,
    cut: Notify,
}

/// The answer to a connection that wants a place.
pub(super) enum Entered {
    /// There is a place, for which so many had to go.
    In(Open, usize),
    /// Its address has all that one may have, and all of them are busy.
    TooMany,
}

impl Connections {
    /// Lets one more in. Whoever has nothing to show for itself makes room for it, if that is needed; if nobody can, it waits.
    /// Only one task may wait.
    pub(super) async fn enter(self: &Arc<Self>, from: Prefix, most: impl Fn() -> Most) -> Entered {
        loop {
            if let Some(entered) = self.try_enter(from, most()) {
                return entered;
            }
            self.ended.notified().await;
        }
    }

    /// The limits are others: whoever waits may have a place now.
    pub(super) fn look_again(&self) {
        self.ended.notify_one();
    }

    /// None if it has to wait.
    fn try_enter(self: &Arc<Self>, prefix: Prefix, most: Most) -> Option<Entered> {
        let mut all = self.lock();
        while all.count_of(prefix) >= most.of_one.max(1) {
            if !all.evict(Some(prefix)) {
                return Some(Entered::TooMany);
            }
        }
        let places = most.all.max(1);
        while all.sitting() >= places - places / FOR_LEAVING && all.evict(None) {}
        // Whoever leaves has memory until it is gone.
        if all.open.len() >= places {
            let surplus = all.open.len() + 1 - places;
            all.cut(surplus);
            return None;
        }
        let (known, bells) = (Arc::default(), Arc::<Bells>::default());
        let number = all.sit(prefix, &known, &bells);
        let open = Open {
            number,
            known,
            bells,
            home: self.clone(),
        };
        Some(Entered::In(open, std::mem::take(&mut all.untold)))
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn sit(&mut self, prefix: Prefix, known: &Arc<AtomicBool>, bells: &Arc<Bells>) -> u64 {
        let number = self.number();
        let seat = Seat {
            prefix,
            state: State::Busy,
            place: None,
            known: known.clone(),
            bells: bells.clone(),
        };
        self.open.insert(number, seat);
        *self.of_one.entry(prefix).or_default() += 1;
        self.put(number, State::Silent);
        number
    }

    /// Sends one away: of those that most are of, so that a flood of one kind costs the others nothing. Those who are known
    /// go last, and of an address that has too many those first that hold a place and do nothing.
    fn evict(&mut self, prefix: Option<Prefix>) -> bool {
        let mut order = [
            Group::Awaiting,
            Group::Silent,
            Group::Strangers,
            Group::Speaking,
        ];
        order.sort_by_key(|group| {
            let count = self.groups.of(*group).most(prefix);
            let holds = matches!(group, Group::Awaiting | Group::Silent);
            Reverse((prefix.is_some() && holds, count))
        });
        let mut order = order.into_iter().chain([Group::Known]);
        let number = order.find_map(|group| self.pick(group, prefix));
        number.is_some_and(|number| self.send_away(number))
    }

    /// The oldest of a group, which is taken out of it.
    fn pick(&mut self, group: Group, prefix: Option<Prefix>) -> Option<u64> {
        loop {
            let crowd = self.groups.of(group);
            let number = match prefix {
                Some(prefix) => crowd.oldest_of(prefix),
                None => crowd.oldest_of_fullest(),
            }?;
            let seat = self.open.get_mut(&number)?;
            seat.place = None;
            let state = seat.state;
            // Since it came there somebody may have said that it is known.
            if seat.group(state) == Some(group) {
                return Some(number);
            }
            self.put(number, state);
        }
    }

    fn send_away(&mut self, number: u64) -> bool {
        let Some(seat) = self.open.get(&number) else {
            return false;
        };
        seat.bells.over.notify_one();
        let prefix = seat.prefix;
        self.uncount(prefix);
        self.put(number, State::Leaving);
        self.sent_away += 1;
        self.untold += 1;
        true
    }

    /// Tells so many of those who leave to be gone now, with those who were told before.
    fn cut(&mut self, count: usize) {
        let told = self.sent_away - self.groups.of(Group::Leaving).len();
        for _ in told..count {
            let Some(number) = self.groups.of(Group::Leaving).oldest_of_fullest() else {
                return;
            };
            if let Some(seat) = self.open.get_mut(&number) {
                seat.state = State::Cut;
                seat.place = None;
                seat.bells.cut.notify_one();
            }
        }
    }

    /// Changes what a connection does, and says whether somebody may have its place now.
    fn put(&mut self, number: u64, state: State) -> bool {
        let rank = self.number();
        // It may be gone already, and whoever was sent away stays so.
        let Some(seat) = self.open.get_mut(&number).filter(|seat| !seat.is_away()) else {
            return false;
        };
        seat.state = state;
        let group = seat.group(state);
        if seat.place.map(|(group, _)| group) != group {
            let place = group.map(|group| (group, rank));
            let before = std::mem::replace(&mut seat.place, place);
            self.groups.remove(seat.prefix, before);
            if let Some(group) = group {
                self.groups.of(group).insert(seat.prefix, rank, number);
            }
        }
        group.is_some()
    }

    fn leave(&mut self, number: u64) {
        let Some(seat) = self.open.remove(&number) else {
            return;
        };
        self.groups.remove(seat.prefix, seat.place);
        match seat.is_away() {
            true => self.sent_away -= 1,
            false => self.uncount(seat.prefix),
        }
    }

    fn uncount(&mut self, prefix: Prefix) {
        if let Some(count) = self.of_one.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&prefix);
            }
        }
    }

    fn count_of(&self, prefix: Prefix) -> usize {
        self.of_one.get(&prefix).copied().unwrap_or_default()
    }

    fn sitting(&self) -> usize {
        self.open.len() - self.sent_away
    }
}

impl Seat {
    fn group(&self, state: State) -> Option<Group> {
        let known = self.known.load(Ordering::Relaxed);
        match state {
            State::Silent => Some(Group::Silent),
            State::Speaking => Some(Group::Speaking),
            State::Idle if known => Some(Group::Known),
            State::Idle => Some(Group::Strangers),
            State::Awaiting => (!known).then_some(Group::Awaiting),
            State::Leaving => Some(Group::Leaving),
            State::Busy | State::Cut => None,
        }
    }

    fn is_away(&self) -> bool {
        matches!(self.state, State::Leaving | State::Cut)
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    number: u64,
    known: Arc<AtomicBool>,
    bells: Arc<Bells>,
    home: Arc<Connections>,
}

impl Open {
    /// Says what it does from now on; at first it is [`State::Silent`].
    pub(super) fn does(&self, state: State) {
        let free = self.home.lock().put(self.number, state);
        if free {
            // Whoever waits for a place may have this one.
            self.home.ended.notify_one();
        }
    }

    /// Waits until it has to make room, which most never have to.
    pub(super) async fn over(&self) {
        self.bells.over.notified().await;
    }

    /// Waits until there is no time either to end what it has begun.
    pub(super) async fn cut(&self) {
        self.bells.cut.notified().await;
    }

    /// Gives the place away: nothing is kept for the connection any more.
    pub(super) fn leave(&self) {
        self.home.lock().leave(self.number);
        self.home.ended.notify_one();
    }

    /// For the requests of the connection.
    pub(super) fn peer(&self) -> Peer {
        Peer(self.known.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whoever is at the other end of a connection: a stranger, until somebody says that they are known.
#[derive(Clone, Debug, Default)]
pub struct Peer(Arc<AtomicBool>);

impl Peer {
    /// Says that they are a device or an operator who is known here: strangers make room for them.
    pub fn is_known_here(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Nobody has said that it is known.
    pub(super) fn is_stranger(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// One of so many places is for those who were sent away and end what they have begun.
const FOR_LEAVING: usize = 16;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn host(number: u8) -> Prefix {
        IpAddr::from([127, 0, 0, number]).into()
    }

    fn most(all: usize, of_one: usize) -> Most {
        Most { all, of_one }
    }

    /// One that is busy at first. Those who have to be gone for it are gone.
    fn enter(connections: &Arc<Connections>, from: u8, most: Most) -> Open {
        loop {
            match connections.try_enter(host(from), most) {
                Some(Entered::In(open, _)) => {
                    open.does(State::Busy);
                    return open;
                }
                Some(Entered::TooMany) => panic!("too many of one"),
                None => {
                    let mut all = connections.lock();
                    let cut = all.open.iter().filter(|(_, seat)| seat.state == State::Cut);
                    let cut: Vec<u64> = cut.map(|(number, _)| *number).collect();
                    assert!(!cut.is_empty(), "full");
                    cut.into_iter().for_each(|number| all.leave(number));
                }
            }
        }
    }

    async fn is_over(open: &Open) -> bool {
        timeout(Duration::ZERO, open.over()).await.is_ok()
    }

    #[tokio::test]
    async fn one_too_many_waits_until_another_ends_or_has_nothing_to_do() {
        for ends in [true, false] {
            let connections = Arc::<Connections>::default();
            let first = enter(&connections, 1, most(1, 9));
            let one = || most(1, 9);
            assert!(
                timeout(SHORT, connections.enter(host(2), one))
                    .await
                    .is_err()
            );
            let later = tokio::spawn(async move {
                tokio::time::sleep(SHORT).await;
                if !ends {
                    first.does(State::Idle);
                    first.over().await;
                    first.cut().await;
                }
            });
            let second = connections.enter(host(2), one).await;
            assert!(matches!(second, Entered::In(..)));
            later.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_higher_limit_is_noticed_by_who_waits_already() {
        let connections = Arc::<Connections>::default();
        let _first = enter(&connections, 1, most(1, 9));
        let all = AtomicUsize::new(1);
        let limit = || most(all.load(Ordering::Relaxed), 9);
        let (_second, ()) = tokio::join!(connections.enter(host(2), limit), async {
            tokio::time::sleep(SHORT).await;
            all.store(2, Ordering::Relaxed);
            connections.look_again();
        });
    }

    #[tokio::test]
    async fn the_oldest_idle_stranger_of_the_fullest_address_makes_room() {
        let connections = Arc::<Connections>::default();
        let slow = enter(&connections, 1, most(4, 9));
        let flood: Vec<Open> = (0..3).map(|_| enter(&connections, 2, most(4, 9))).collect();
        for open in [&slow, &flood[1], &flood[0]] {
            open.does(State::Idle);
        }
        let _new = enter(&connections, 3, most(4, 9));
        assert!(is_over(&flood[1]).await, "it has been idle for longest");
        for open in [&slow, &flood[0], &flood[2]] {
            assert!(!is_over(open).await);
        }
    }

    #[tokio::test]
    async fn strangers_make_room_before_those_who_are_known() {
        let connections = Arc::<Connections>::default();
        let device = enter(&connections, 1, most(2, 9));
        device.peer().is_known_here();
        device.does(State::Idle);
        let stranger = enter(&connections, 2, most(2, 9));
        stranger.does(State::Idle);
        let third = enter(&connections, 3, most(2, 9));
        assert!(is_over(&stranger).await && !is_over(&device).await);
        // And if there is nobody else, those who are known.
        let _fourth = enter(&connections, 4, most(2, 9));
        assert!(is_over(&device).await && !is_over(&third).await);
    }

    #[tokio::test]
    async fn one_address_has_so_many_and_its_own_make_room() {
        let connections = Arc::<Connections>::default();
        let other = enter(&connections, 2, most(9, 2));
        other.does(State::Idle);
        let [first, second] = [1, 1].map(|from| enter(&connections, from, most(9, 2)));
        let refused = connections.try_enter(host(1), most(9, 2));
        assert!(matches!(refused, Some(Entered::TooMany)));
        second.does(State::Idle);
        let _third = enter(&connections, 1, most(9, 2));
        assert!(is_over(&second).await && !is_over(&first).await && !is_over(&other).await);
    }

    #[test]
    fn whoever_has_gone_is_forgotten() {
        let connections = Arc::<Connections>::default();
        for _ in 0..100 {
            let open = enter(&connections, 1, most(1, 1));
            open.does(State::Idle);
            let next = enter(&connections, 1, most(1, 1));
            // It was sent away: nothing that it does counts.
            open.does(State::Busy);
            open.does(State::Idle);
            next.does(State::Busy);
            next.does(State::Idle);
        }
        let mut all = connections.lock();
        assert!(all.open.is_empty() && all.of_one.is_empty());
        assert_eq!(all.sent_away, 0);
        for group in [Group::Strangers, Group::Known, Group::Leaving] {
            assert_eq!(all.groups.of(group).len(), 0);
        }
    }

    #[tokio::test]
    async fn whoever_was_sent_away_counts_until_it_is_gone_and_has_time_while_there_is_room() {
        let connections = Arc::<Connections>::default();
        let many = || most(32, 99);
        let sitting: Vec<Open> = (0..30).map(|_| enter(&connections, 1, many())).collect();
        sitting.iter().for_each(|open| open.does(State::Idle));
        let cut = async |open: &Open| timeout(Duration::ZERO, open.cut()).await.is_ok();
        let _two = [2, 2].map(|from| enter(&connections, from, many()));
        for open in &sitting[..2] {
            assert!(is_over(open).await && !cut(open).await);
        }
        assert!(
            connections.try_enter(host(2), many()).is_none(),
            "32 are there"
        );
        assert!(cut(&sitting[0]).await && !cut(&sitting[1]).await);
        assert!(
            connections.try_enter(host(2), many()).is_none(),
            "32 are there still"
        );
        assert!(!cut(&sitting[1]).await, "one is enough");
        sitting[0].leave();
        assert!(connections.try_enter(host(2), many()).is_some());
    }

    #[tokio::test]
    async fn strangers_bodies_that_are_awaited_make_room_and_those_of_the_known_do_not() {
        let connections = Arc::<Connections>::default();
        let [operator, first, second] = [1, 2, 2].map(|from| enter(&connections, from, most(3, 9)));
        for open in [&operator, &first, &second] {
            open.does(State::Idle);
            open.does(State::Awaiting);
        }
        operator.peer().is_known_here();
        let _three = [3, 3].map(|from| enter(&connections, from, most(3, 9)));
        assert!(is_over(&first).await && is_over(&second).await);
        assert!(connections.try_enter(host(3), most(3, 9)).is_none());
        assert!(!is_over(&operator).await);
    }

    #[tokio::test]
    async fn a_silent_handshake_of_the_same_address_makes_room() {
        for speaks in [false, true] {
            let connections = Arc::<Connections>::default();
            let [one, two] = [1, 1].map(|from| enter(&connections, from, most(9, 3)));
            let Some(Entered::In(shaking, _)) = connections.try_enter(host(1), most(9, 3)) else {
                panic!("full")
            };
            if speaks {
                shaking.does(State::Speaking);
            }
            let _next = enter(&connections, 1, most(9, 3));
            assert!(is_over(&shaking).await && !is_over(&one).await && !is_over(&two).await);
        }
    }
}
