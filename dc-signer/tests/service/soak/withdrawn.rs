//! Devices that were suspended or retired, and come all the same.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chaos::Signers;
use crate::client::Answer;
use crate::router::{Router, csr};

/// What was done to a device.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Retired,
    Suspended,
}

impl How {
    /// The word of the API.
    pub(super) const fn act(self) -> &'static str {
        match self {
            Self::Retired => "retire",
            Self::Suspended => "suspend",
        }
    }

    /// True if an answer refuses a device because of it.
    fn refuses(self, answer: &Answer) -> bool {
        let (status, kind) = match self {
            Self::Retired => (410, "urn:dc-signer:problem:device-retired"),
            Self::Suspended => (403, "urn:dc-signer:problem:device-suspended"),
        };
        answer.status == status && answer.json()["type"] == kind
    }
}

/// One of them.
struct Device {
    id: String,
    router: Router,
    how: How,
    /// A request that was answered when it was active.
    answered: Value,
}

/// All of them.
#[derive(Default)]
pub(super) struct Withdrawn {
    all: Mutex<Vec<Arc<Device>>>,
    /// How often each signer has refused one.
    refused: [AtomicUsize; 2],
}

impl Withdrawn {
    /// From now on nobody may serve it.
    pub(super) fn add(&self, id: &str, router: Router, how: How, answered: Value) {
        let device = Device {
            id: id.to_owned(),
            router,
            how,
            answered,
        };
        self.all.lock().unwrap().push(Arc::new(device));
    }

    pub(super) fn count(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    /// Some of them come to both signers: by turns the newest, and one after the other.
    pub(super) fn come(&self, signers: &Signers, number: usize) {
        let all = self.all.lock().unwrap();
        let place = match number % 2 {
            0 => all.len().saturating_sub(1),
            _ => number / 2 % all.len().max(1),
        };
        let device = all.get(place).cloned();
        drop(all);
        if let Some(device) = device {
            for at in 0..2 {
                self.ask(signers, &device, at);
            }
        }
    }

    /// Both signers refuse each of them, but for most of very many, because of what was done to it.
    pub(super) fn are_refused(&self, signers: &Signers) {
        let all = self.all.lock().unwrap();
        let step = all.len().div_ceil(MOST);
        for device in all.iter().step_by(step.max(1)) {
            for at in 0..2 {
                let began = Instant::now();
                while let Some(said) = self.ask(signers, device, at) {
                    assert!(began.elapsed() < PATIENCE, "{}: {said}", device.id);
                    sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// With something new, and with what was answered before; none if both were refused because of what was done to it, or else what
    /// was said.
    fn ask(&self, signers: &Signers, device: &Device, at: usize) -> Option<String> {
        let new = json!({"csr": csr(), "idempotency_key": "withdrawn"});
        for request in [&new, &device.answered] {
            match signers.ask(at, &device.router.client, "/v1/renew", request) {
                Ok(answer) if device.how.refuses(&answer) => {}
                // Of status 0 is what was cut off.
                Ok(answer) => {
                    let says_nothing = matches!(answer.status, 0 | 429 | 503);
                    let (id, how) = (&device.id, device.how);
                    assert!(says_nothing, "{id} is {how:?}: {answer:?}");
                    return Some(format!("{answer:?}"));
                }
                Err(error) => return Some(error.to_string()),
            }
        }
        self.refused[at].fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = [0, 1].map(|at: usize| self.refused[at].load(Ordering::Relaxed));
        write!(
            f,
            "{} devices were withdrawn, and refused {first} and {second} times",
            self.count()
        )
    }
}

/// So many are asked about at the end.
const MOST: usize = 400;
const PATIENCE: Duration = Duration::from_secs(60);
