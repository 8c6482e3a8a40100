//! The service around the admission: handshakes and answers that take their time, and nothing else.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use dc_admission::{Admission, AdmissionLimits, Asks, Decision, Id, Notice, Queue, QueueLimits};

use crate::Outcome;
use crate::fleet::{END, Fleet, START, Told, whence};

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Comes(usize),
    /// A handshake is over.
    Shaken(Id),
    /// An answer is ready.
    Done(Id),
    Look,
}

/// The service, and the devices that are there now.
#[derive(Debug)]
pub(crate) struct Service {
    rate: f64,
    handshake: Duration,
    queue: Queue,
    queue_limits: QueueLimits,
    admission: Admission,
    limits: AdmissionLimits,
    shaking: HashMap<Id, usize>,
    asking: HashMap<Id, usize>,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    next_look: Option<Duration>,
}

impl Service {
    /// As slow as the fleet is small, so that a second of a large one is minutes here.
    pub(crate) fn new(rate: f64, handshakes: u32) -> Self {
        let each = Duration::from_secs_f64(1.0 / rate);
        let limits = AdmissionLimits {
            rate,
            at_once: 16,
            waiting: 32,
            wait: each * 16,
            operators: 2,
            operator_wait: each,
        };
        Self {
            rate,
            handshake: each / handshakes,
            queue: Queue::default(),
            queue_limits: QueueLimits {
                inside: 1,
                waiting: 64,
                patience: each * 8,
                grace: each,
            },
            admission: Admission::new(&limits, Duration::from_secs(START)),
            limits,
            shaking: HashMap::new(),
            asking: HashMap::new(),
            events: BinaryHeap::new(),
            next_look: None,
        }
    }

    pub(crate) fn run(mut self, mut fleet: Fleet) -> Outcome {
        for (device, at) in std::mem::take(&mut fleet.first).into_iter().enumerate() {
            self.at(Duration::from_secs(at), Event::Comes(device));
        }
        while let Some(Reverse((now, event))) = self.events.pop() {
            if now >= Duration::from_secs(END) {
                break;
            }
            self.happens(event, now, &mut fleet);
            self.look_again(now);
        }
        fleet.end(self.rate, END)
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.events.push(Reverse((at, event)));
    }

    fn happens(&mut self, event: Event, now: Duration, fleet: &mut Fleet) {
        let (mut notices, mut decisions) = (Vec::new(), Vec::new());
        match event {
            Event::Comes(device) => {
                fleet.comes(now.as_secs());
                let limits = &self.queue_limits;
                let id = self.queue.arrive(whence(device), now, limits, &mut notices);
                self.shaking.insert(id, device);
            }
            Event::Shaken(id) => {
                // Unless it had to make room.
                if let Some(device) = self.shaking.remove(&id) {
                    self.queue.leave(id, now, &self.queue_limits, &mut notices);
                    let left = fleet.left(device, now.as_secs());
                    let number = u64::try_from(device).unwrap();
                    let asks = Asks::Renewal {
                        device: number,
                        left,
                    };
                    let id = self
                        .admission
                        .arrive(asks, now, &self.limits, &mut decisions);
                    self.asking.insert(id, device);
                }
            }
            Event::Done(id) => {
                self.admission.leave(id, now, &self.limits, &mut decisions);
                let device = self.asking.remove(&id).unwrap();
                self.tell(device, Told::Issued, now, fleet);
            }
            Event::Look => {
                self.next_look = None;
                self.queue.look(now, &self.queue_limits, &mut notices);
                self.admission.look(now, &self.limits, &mut decisions);
            }
        }
        self.heed(&notices, &decisions, now, fleet);
    }

    fn heed(
        &mut self,
        notices: &[Notice],
        decisions: &[Decision],
        now: Duration,
        fleet: &mut Fleet,
    ) {
        for notice in notices {
            match notice {
                Notice::Begin(id) => self.at(now + self.handshake, Event::Shaken(*id)),
                Notice::Go(id, _) => {
                    let device = self.shaking.remove(id).unwrap();
                    self.tell(device, Told::Reset, now, fleet);
                }
            }
        }
        for decision in decisions {
            match decision {
                Decision::Serve(id) => self.at(now + self.handshake, Event::Done(*id)),
                Decision::Later(id, later) => {
                    let device = self.asking.remove(id).unwrap();
                    let told = Told::Reserved(later.after.as_secs());
                    self.tell(device, told, now, fleet);
                }
            }
        }
    }

    fn tell(&mut self, device: usize, told: Told, now: Duration, fleet: &mut Fleet) {
        let next = fleet.told(device, told, now.as_secs());
        self.at(Duration::from_secs(next).max(now), Event::Comes(device));
    }

    fn look_again(&mut self, now: Duration) {
        let queue = self.queue.look_again_at(now, &self.queue_limits);
        let admission = self.admission.look_again_at(&self.limits);
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
