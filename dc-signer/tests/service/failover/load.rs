//! Devices that renew and enrol all the time, and what they were given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Scope, sleep};
use std::time::Duration;

use serde_json::Value;

use crate::client::Answer;
use crate::rig::Rig;
use crate::router::{Router, csr};

/// Four devices that renew as fast as they are answered, and others that enrol meanwhile.
pub(super) struct Load<'a> {
    rig: &'a Rig,
    routers: Vec<Router>,
    codes: Vec<String>,
    enough: AtomicBool,
    answered: AtomicUsize,
    enrolled: AtomicUsize,
    refused: AtomicUsize,
    /// The devices, by name.
    names: Mutex<BTreeMap<String, String>>,
    credentials: Mutex<BTreeSet<String>>,
}

impl<'a> Load<'a> {
    pub(super) fn new(rig: &'a Rig) -> Self {
        let load = Self {
            rig,
            routers: Vec::new(),
            codes: Vec::new(),
            enough: false.into(),
            answered: AtomicUsize::new(0),
            enrolled: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            names: Mutex::default(),
            credentials: Mutex::default(),
        };
        let enrolled = |number| {
            let (router, answer) = Router::enrolled(rig, &format!("renews-{number}"));
            load.keep(&answer);
            router
        };
        let code = |number| {
            let added = rig.add(&format!("enrols-{number}"));
            added["code"]["code"].as_str().unwrap().to_owned()
        };
        let routers = (0..4).map(enrolled).collect();
        let codes = (0..60).map(code).collect();
        Self {
            routers,
            codes,
            ..load
        }
    }

    /// Goes on in threads until there is enough.
    pub(super) fn begin<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        for router in &self.routers {
            scope.spawn(|| {
                for number in 0_u32.. {
                    let (csr, key) = (csr(), number.to_string());
                    if !self.until_answered(|| router.renew(&csr, &key)) {
                        return;
                    }
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            for code in &self.codes {
                let (router, csr) = (Router::new(self.rig), csr());
                if !self.until_answered(|| router.enroll(&csr, code)) {
                    return;
                }
                self.enrolled.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(150));
            }
        });
    }

    /// Whoever gets no answer asks the same again; false if there is enough.
    fn until_answered(&self, ask: impl Fn() -> Answer) -> bool {
        while !self.enough.load(Ordering::Relaxed) {
            let answer = ask();
            if answer.status == 200 {
                self.keep(&answer.json());
                return true;
            }
            answer.refused(503, "storage-unavailable");
            self.refused.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(50));
        }
        false
    }

    fn keep(&self, answer: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (name, device) = (text(&answer["name"]), text(&answer["device"]));
        let before = self.names.lock().unwrap().insert(name, device.clone());
        assert!(
            before.is_none_or(|before| before == device),
            "two of one name"
        );
        let sha256 = text(&answer["credentials"][0]["sha256"]);
        self.credentials.lock().unwrap().insert(sha256);
    }

    /// Ends it when the result is dropped, also by a test that fails.
    pub(super) fn until(&self) -> impl Drop + use<'_, 'a> {
        Ending(&self.enough)
    }

    /// Waits until renewals and an enrolment were answered.
    pub(super) fn goes_on(&self) {
        let is_more = |count: &AtomicUsize, more: usize| {
            let least = count.load(Ordering::Relaxed) + more;
            self.rig
                .wait_until("requests go on", || count.load(Ordering::Relaxed) >= least);
        };
        is_more(&self.answered, 20);
        is_more(&self.enrolled, 1);
    }

    pub(super) fn is_refused(&self) {
        let least = self.refused.load(Ordering::Relaxed) + 4;
        self.rig.wait_until("requests are refused", || {
            self.refused.load(Ordering::Relaxed) >= least
        });
    }

    /// The SHA-256 of all credentials that were given.
    pub(super) fn credentials(&self) -> BTreeSet<String> {
        self.credentials.lock().unwrap().clone()
    }

    pub(super) fn report(&self) -> String {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        format!(
            "{} renewals and {} enrolments were answered, {} refused",
            count(&self.answered),
            count(&self.enrolled),
            count(&self.refused)
        )
    }
}

struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
