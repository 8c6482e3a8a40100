//! Admission of requests when more come than can be answered: [`dc_admission`] decides, here is the waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dc_admission::{Admission, AdmissionLimits, Asks, Decision, Id, Later};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

use crate::config::Live;
use crate::server::telemetry::{Metrics, Shed};

/// All who wait and who are answered.
#[derive(Debug)]
pub struct Overload {
    all: Mutex<All>,
    changed: Notify,
    clock: Clock,
    limits: Live<AdmissionLimits>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct All {
    admission: Admission,
    told: HashMap<Id, oneshot::Sender<Decision>>,
    /// Somebody looks when it is time.
    is_watched: bool,
}

/// The time since the beginning, which a simulation has pass faster.
#[derive(Debug)]
struct Clock {
    began: Instant,
    times: u32,
}

impl Clock {
    fn now(&self) -> Duration {
        self.began.elapsed() * self.times
    }

    async fn until(&self, at: Duration) {
        sleep(at.saturating_sub(self.now()) / self.times).await;
    }
}

impl Overload {
    /// Nobody is there.
    #[must_use]
    pub fn new(limits: Live<AdmissionLimits>, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::faster(limits, metrics, 1)
    }

    /// The same in a world in which time passes so many times as fast.
    #[must_use]
    pub fn faster(limits: Live<AdmissionLimits>, metrics: Arc<Metrics>, times: u32) -> Arc<Self> {
        let clock = Clock {
            began: Instant::now(),
            times: times.max(1),
        };
        let all = All {
            admission: Admission::new(&limits.load(), clock.now()),
            told: HashMap::new(),
            is_watched: false,
        };
        Arc::new(Self {
            all: Mutex::new(all),
            changed: Notify::new(),
            clock,
            limits,
            metrics,
        })
    }

    /// Lets a renewal in if nobody has to wait, without asking how long the device's credential is valid.
    #[must_use]
    pub fn admit_at_once(self: &Arc<Self>) -> Option<Place> {
        let limits = self.limits.load();
        let mut all = self.lock();
        let id = all.admission.serve_at_once(self.clock.now(), &limits)?;
        Some(self.place(id))
    }

    /// Waits for the turn of a request; it is answered while the result is kept.
    ///
    /// Fails with the time to come again.
    pub async fn admit(self: &Arc<Self>, asks: Asks) -> Result<Place, Later> {
        let came = Instant::now();
        let (place, told) = self.enter(asks);
        let told = told.await;
        self.metrics.waited(name(asks), came.elapsed());
        match told {
            Ok(Decision::Later(_, later)) => {
                self.metrics.shed(shed(asks, later));
                Err(later)
            }
            // It is told something always.
            Ok(Decision::Serve(_)) | Err(_) => Ok(place),
        }
    }

    /// Another signer has told a device to come after so long.
    pub(super) fn hear(&self, promised: impl Iterator<Item = (u64, Duration)>) {
        let now = self.clock.now();
        let mut all = self.lock();
        for (device, after) in promised {
            all.admission.hear(device, now.saturating_add(after), now);
        }
        // What is over is not shown for as long as nobody comes.
        self.tell(&mut all, Vec::new());
    }

    /// True if the time has come that a device was told to come at.
    pub(super) fn is_expected(&self, device: u64) -> bool {
        self.lock().admission.is_expected(device, self.clock.now())
    }

    fn enter(self: &Arc<Self>, asks: Asks) -> (Place, oneshot::Receiver<Decision>) {
        let limits = self.limits.load();
        let mut all = self.lock();
        let mut decisions = Vec::new();
        let now = self.clock.now();
        let id = all.admission.arrive(asks, now, &limits, &mut decisions);
        let (tell, told) = oneshot::channel();
        all.told.insert(id, tell);
        self.tell(&mut all, decisions);
        self.watch(&mut all);
        (self.place(id), told)
    }

    fn place(self: &Arc<Self>, id: Id) -> Place {
        Place {
            id,
            home: self.clone(),
        }
    }

    fn leave(&self, id: Id) {
        let limits = self.limits.load();
        let mut all = self.lock();
        let mut decisions = Vec::new();
        let now = self.clock.now();
        all.admission.leave(id, now, &limits, &mut decisions);
        all.told.remove(&id);
        self.tell(&mut all, decisions);
    }

    fn tell(&self, all: &mut All, decisions: Vec<Decision>) {
        for decision in decisions {
            let (Decision::Serve(id) | Decision::Later(id, _)) = decision;
            if let Some(tell) = all.told.remove(&id) {
                // Whoever has gone meanwhile leaves its place by itself.
                let _ = tell.send(decision);
            }
        }
        let waiting = all.admission.waiting();
        for (asks, count) in NAMES.into_iter().zip(waiting) {
            self.metrics.set_waiting(asks, count);
        }
        let pace = all.admission.pace();
        self.metrics
            .set_admission(pace, all.admission.reservations(self.clock.now()));
        self.changed.notify_one();
    }

    /// Has somebody look when it is time, as long as somebody waits.
    fn watch(self: &Arc<Self>, all: &mut All) {
        let waits = all.admission.waiting().iter().any(|count| *count > 0);
        if !waits || std::mem::replace(&mut all.is_watched, true) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(at) = this.look() {
                tokio::select! {
                    () = this.clock.until(at) => {}
                    () = this.changed.notified() => {}
                }
            }
        });
    }

    /// Looks, and says when to look again; never if nobody waits.
    fn look(&self) -> Option<Duration> {
        let limits = self.limits.load();
        let mut all = self.lock();
        let mut decisions = Vec::new();
        let now = self.clock.now();
        all.admission.look(now, &limits, &mut decisions);
        let again = all.admission.look_again_at(&limits);
        if !decisions.is_empty() {
            self.tell(&mut all, decisions);
        }
        all.is_watched = again.is_some();
        again
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is answered, or waits, until this is dropped.
#[derive(Debug)]
pub struct Place {
    id: Id,
    home: Arc<Overload>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.home.leave(self.id);
    }
}

fn name(asks: Asks) -> &'static str {
    let [renewals, enrolments, operators] = NAMES;
    match asks {
        Asks::Renewal { .. } => renewals,
        Asks::Enrolment { .. } => enrolments,
        Asks::Operator { .. } => operators,
    }
}

fn shed(asks: Asks, later: Later) -> Shed {
    match asks {
        Asks::Renewal { .. } if later.is_too_late => Shed::RenewalTooLate,
        Asks::Renewal { .. } => Shed::Renewal,
        Asks::Enrolment { .. } => Shed::Enrolment,
        Asks::Operator { .. } => Shed::Operator,
    }
}

const NAMES: [&str; 3] = ["renewals", "enrolments", "operators"];

#[cfg(test)]
mod tests {
    use dc_admission::Left;

    use super::*;

    fn overload(rate: f64) -> Arc<Overload> {
        let limits = AdmissionLimits {
            rate,
            at_once: 1,
            waiting: 2,
            wait: Duration::from_secs(2),
            operators: 2,
            operator_wait: Duration::from_secs(10),
        };
        Overload::new(Live::fixed(limits), Metrics::new())
    }

    const fn renewal(device: u64, hours: u64) -> Asks {
        Asks::Renewal {
            device,
            left: Left::For(Duration::from_secs(hours * 3600)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_answered_and_the_other_waits_until_that_is_done_or_it_is_sent_away() {
        let overload = overload(4.0);
        let first = overload.admit(renewal(1, 90)).await.unwrap();
        let later = overload.admit(renewal(2, 90)).await.unwrap_err();
        assert!(later.is_reserved && later.after.as_secs() >= 60);
        assert!(!overload.lock().is_watched);
        let waiting = tokio::spawn({
            let overload = overload.clone();
            async move { overload.admit(renewal(3, 1)).await.is_ok() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
        let all = overload.lock();
        assert_eq!((all.admission.serving(), all.told.len()), ([0, 0], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_leaves_its_place() {
        let overload = overload(4.0);
        let _first = overload.admit(renewal(1, 90)).await.unwrap();
        let waiting = tokio::spawn({
            let overload = overload.clone();
            async move { overload.admit(renewal(3, 1)).await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert_eq!(overload.lock().admission.waiting(), [1, 0, 0]);
        waiting.abort();
        let _ = waiting.await;
        assert_eq!(overload.lock().admission.waiting(), [0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_token_is_told_when_there_is_one() {
        let overload = overload(1.0);
        drop(overload.admit_at_once().unwrap());
        assert!(overload.admit_at_once().is_none());
        let began = Instant::now();
        drop(overload.admit(renewal(1, 90)).await.unwrap());
        assert!(began.elapsed() >= Duration::from_millis(999));
        let operator = Asks::Operator {
            operator: 1,
            is_long: false,
        };
        assert!(overload.admit(operator).await.is_ok());
    }
}
