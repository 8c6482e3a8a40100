//! A site of the signer: the queue of handshakes and the admission of requests, as the service has them, and the time that both take.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use dc_admission::{Admission, Asks, ById, Decision, Id, Notice, Queue, QueueLimits};

use crate::BEGINNING;
use crate::count::Told;
use crate::fleet::Fleet;
use crate::scenario::{Capacity, Scenario};

/// Somebody who comes to a site.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Guest {
    /// A device that wants its next credential.
    Device(u32),
    /// A device that has started asks for the time, after so many questions in vain, and perhaps in danger.
    Question(u8, bool),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    /// A handshake is over that did not have to wait.
    Asks(u32),
    /// A handshake is over.
    Shaken(Id),
    /// An answer is ready.
    Done(Id),
    Look,
}

/// A site, and who is there now.
#[derive(Debug)]
pub(crate) struct Site {
    capacity: Capacity,
    handshakes: QueueLimits,
    queue: Queue,
    admission: Admission,
    shaking: ById<Guest>,
    asking: ById<u32>,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    next_look: Option<Duration>,
    /// How many came in the second before.
    before: u32,
    notices: Vec<Notice>,
    decisions: Vec<Decision>,
    /// Questions that were turned away.
    pub(crate) turned_away: Vec<Guest>,
}

impl Site {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let capacity = scenario.capacity;
        // Those who only ask whether they are to renew have places as well, all the time.
        let asked = f64::from(scenario.devices) / f64::from(scenario.poll.max(1));
        let each = asked / f64::from(capacity.sites) * capacity.handshake.as_secs_f64();
        let inside = capacity
            .handshakes
            .inside
            .saturating_sub(each.ceil() as usize)
            .max(1);
        Self {
            capacity,
            handshakes: QueueLimits {
                inside,
                ..capacity.handshakes
            },
            queue: Queue::default(),
            admission: Admission::new(&capacity.requests, beginning(0)),
            shaking: ById::default(),
            asking: ById::default(),
            events: BinaryHeap::new(),
            next_look: None,
            before: 0,
            notices: Vec::new(),
            decisions: Vec::new(),
            turned_away: Vec::new(),
        }
    }

    /// A second in which these come, one after the other.
    pub(crate) fn second(&mut self, second: u32, guests: &[Guest], fleet: &mut Fleet<'_>) {
        let count = u32::try_from(guests.len()).unwrap_or(u32::MAX);
        if count == 0 && self.events.is_empty() {
            self.before = 0;
            return;
        }
        let is_calm = self.is_calm(count);
        for (number, guest) in (0_u32..).zip(guests) {
            let part = f64::from(number) / f64::from(count.max(1));
            let at = beginning(second) + Duration::from_secs_f64(part);
            self.until(at, fleet);
            match is_calm && self.events.is_empty() {
                true => self.pass(*guest, at, fleet),
                false => self.arrive(*guest, at, fleet),
            }
        }
        self.until(beginning(second + 1), fleet);
        self.before = count;
    }

    /// How many devices are there.
    pub(crate) fn inside(&self) -> usize {
        let shaking = self
            .shaking
            .values()
            .filter(|guest| matches!(guest, Guest::Device(_)));
        let asks = self
            .events
            .iter()
            .filter(|Reverse((_, event))| matches!(event, Event::Asks(_)));
        shaking.count() + self.asking.len() + asks.count()
    }

    /// True if nobody can have to wait for a handshake, whatever the others do: then the queue need not be asked.
    fn is_calm(&self, count: u32) -> bool {
        let together = count.saturating_add(self.before);
        let within_a_second =
            self.capacity.handshake + self.capacity.answer <= Duration::from_secs(1);
        let places = self.handshakes.inside.min(self.capacity.requests.at_once);
        let rate = self
            .capacity
            .handshake_rate
            .min(self.capacity.signature_rate);
        within_a_second
            && usize::try_from(together).is_ok_and(|together| together <= places)
            && (together <= 2 || f64::from(together) <= rate)
    }

    /// Somebody comes while nobody else is there.
    fn pass(&mut self, guest: Guest, at: Duration, fleet: &mut Fleet<'_>) {
        let Guest::Device(device) = guest else {
            return;
        };
        let asks_at = at + self.handshake_time();
        match self
            .admission
            .serve_at_once(asks_at, &self.capacity.requests)
        {
            Some(id) => {
                self.admission
                    .leave(id, asks_at, &self.capacity.requests, &mut self.decisions);
                fleet.told(device, Told::Served, asks_at + self.capacity.answer);
            }
            None => self.at(asks_at, Event::Asks(device)),
        }
    }

    fn arrive(&mut self, guest: Guest, at: Duration, fleet: &mut Fleet<'_>) {
        let device = match guest {
            Guest::Device(device) => device,
            // As good as any.
            Guest::Question(..) => fleet.draw().0 % fleet.scenario().devices,
        };
        let whence = Fleet::whence(device);
        let id = self
            .queue
            .arrive(whence, at, &self.handshakes, &mut self.notices);
        self.shaking.insert(id, guest);
        self.heed(at, fleet);
        self.look_again(at);
    }

    fn until(&mut self, end: Duration, fleet: &mut Fleet<'_>) {
        while let Some(Reverse((at, event))) = self
            .events
            .peek()
            .copied()
            .filter(|Reverse((at, _))| *at < end)
        {
            self.events.pop();
            self.happens(event, at, fleet);
            self.heed(at, fleet);
            self.look_again(at);
        }
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.events.push(Reverse((at, event)));
    }

    fn happens(&mut self, event: Event, now: Duration, fleet: &mut Fleet<'_>) {
        match event {
            Event::Asks(device) => self.ask(device, now, fleet),
            Event::Shaken(id) => {
                // Unless it had to make room.
                let Some(guest) = self.shaking.remove(&id) else {
                    return;
                };
                self.queue
                    .leave(id, now, &self.handshakes, &mut self.notices);
                if let Guest::Device(device) = guest {
                    self.ask(device, now, fleet);
                }
            }
            Event::Done(id) => {
                let limits = &self.capacity.requests;
                self.admission.leave(id, now, limits, &mut self.decisions);
                if let Some(device) = self.asking.remove(&id) {
                    fleet.told(device, Told::Served, now);
                }
            }
            Event::Look => {
                self.next_look = None;
                self.queue.look(now, &self.handshakes, &mut self.notices);
                let limits = &self.capacity.requests;
                self.admission.look(now, limits, &mut self.decisions);
            }
        }
    }

    /// As the service does: who need not wait is not asked what it has left.
    fn ask(&mut self, device: u32, now: Duration, fleet: &mut Fleet<'_>) {
        let limits = &self.capacity.requests;
        let id = match self.admission.serve_at_once(now, limits) {
            Some(id) => {
                self.decisions.push(Decision::Serve(id));
                id
            }
            None => {
                let asks = Asks::Renewal {
                    device: u64::from(device),
                    left: fleet.left(device, now),
                };
                self.admission
                    .arrive(asks, now, limits, &mut self.decisions)
            }
        };
        self.asking.insert(id, device);
    }

    fn heed(&mut self, now: Duration, fleet: &mut Fleet<'_>) {
        let mut notices = std::mem::take(&mut self.notices);
        for notice in notices.drain(..) {
            match notice {
                Notice::Begin(id) => self.at(now + self.handshake_time(), Event::Shaken(id)),
                Notice::Go(id, _) => match self.shaking.remove(&id) {
                    Some(Guest::Device(device)) => fleet.told(device, Told::Reset, now),
                    Some(question) => self.turned_away.push(question),
                    None => {}
                },
            }
        }
        self.notices = notices;
        let mut decisions = std::mem::take(&mut self.decisions);
        for decision in decisions.drain(..) {
            match decision {
                Decision::Serve(id) => self.at(now + self.answer_time(), Event::Done(id)),
                Decision::Later(id, later) => {
                    if let Some(device) = self.asking.remove(&id) {
                        let (after, is_too_late) = (later.after.as_secs(), later.is_too_late);
                        fleet.told(device, Told::Reserved { after, is_too_late }, now);
                    }
                }
            }
        }
        self.decisions = decisions;
    }

    /// All that are inside share the processors.
    fn handshake_time(&self) -> Duration {
        let shared = self.queue.inside() as f64 / self.capacity.handshake_rate;
        self.capacity.handshake.max(Duration::from_secs_f64(shared))
    }

    fn answer_time(&self) -> Duration {
        let [serving, _] = self.admission.serving();
        let shared = serving as f64 / self.capacity.signature_rate;
        self.capacity.answer.max(Duration::from_secs_f64(shared))
    }

    fn look_again(&mut self, now: Duration) {
        let queue = self.queue.look_again_at(now, &self.handshakes);
        let admission = self.admission.look_again_at(&self.capacity.requests);
        let Some(at) = queue.into_iter().chain(admission).min() else {
            return;
        };
        let at = at.max(now);
        if self.next_look.is_none_or(|next| at < next) {
            self.next_look = Some(at);
            self.at(at, Event::Look);
        }
    }
}

fn beginning(second: u32) -> Duration {
    Duration::from_secs(u64::from(BEGINNING) + u64::from(second))
}
