//! Devices, and what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use dc_core::{DelegatedCredential, Form};
use dc_pki::Sha256;
use rcgen::PublicKeyData as _;
use serde_json::{Value, json};

use super::chaos::Signers;
use super::withdrawn::{How, Withdrawn};
use crate::client::Answer;
use crate::router::{Router, csr};

/// All devices that there are and were.
pub(super) struct Fleet<'a> {
    signers: &'a Signers,
    token: String,
    /// The external id of each device, by its name.
    names: Mutex<BTreeMap<String, String>>,
    /// The SHA-256 of the credentials that arrived.
    credentials: Mutex<BTreeSet<String>>,
    asked: AtomicUsize,
    repeated: AtomicUsize,
    pub(super) withdrawn: Withdrawn,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(signers: &'a Signers, token: &str) -> Self {
        Self {
            signers,
            token: token.to_owned(),
            names: Mutex::default(),
            credentials: Mutex::default(),
            asked: AtomicUsize::new(0),
            repeated: AtomicUsize::new(0),
            withdrawn: Withdrawn::default(),
        }
    }

    /// One device after the other: it is added, renews some times, and is withdrawn or not.
    pub(super) fn live(&self, place: usize, over: &AtomicBool) {
        for life in 0.. {
            let id = format!("{place}-{life}");
            if self.one(&id, life, over).is_none() {
                return;
            }
        }
    }

    /// None if all is over.
    fn one(&self, id: &str, life: usize, over: &AtomicBool) -> Option<()> {
        let router = Router::at(0, self.signers.root());
        let spki = router.enrolment_key.subject_public_key_info();
        let new = json!({"external_id": id, "enrolment_key": Sha256::of(&spki).to_string()});
        // Whoever got no answer adds it again, and is told that it is there.
        let added = self.ask_admin("/v1/admin/devices", &new, &[201, 200, 409], over)?;
        let device = match added.status {
            409 => self.find(id, over)?,
            _ => added.json()["id"].as_str().unwrap().to_owned(),
        };
        let mut last = Value::Null;
        for number in 0..RENEWALS {
            last = self.renew(&router, id, number, over)?;
            sleep(BETWEEN_RENEWALS);
        }
        let how = match life % 3 {
            0 => How::Retired,
            1 => How::Suspended,
            _ => return Some(()),
        };
        let path = format!("/v1/admin/devices/{device}/{}", how.act());
        // Whoever got no answer does it again, and is told that it is so.
        self.ask_admin(&path, &json!({"reason": "a soak"}), &[200, 409], over)?;
        self.withdrawn.add(id, router, how, last);
        Some(())
    }

    /// The devices that were withdrawn come all the time, with something new and with what was answered before.
    pub(super) fn come_withdrawn(&self, over: &AtomicBool) {
        for number in 0.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            self.withdrawn.come(self.signers, number);
            sleep(Duration::from_millis(100));
        }
    }

    /// The same request to one signer after the other, until one has answered; and to the other once more, which says the same.
    fn renew(&self, router: &Router, id: &str, number: usize, over: &AtomicBool) -> Option<Value> {
        let request = json!({"csr": csr(), "idempotency_key": number.to_string()});
        let ask = |at: usize| self.signers.ask(at, &router.client, "/v1/renew", &request);
        let (first, at) = self.until(over, ask, &[200])?;
        self.take(id, &first.json());
        if let Ok(again) = ask(at + 1)
            && again.status == 200
        {
            assert_eq!(again.json()["credentials"], first.json()["credentials"]);
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        Some(request)
    }

    /// Keeps what a device was given, as the credential itself has it.
    fn take(&self, id: &str, answer: &Value) {
        let pem = answer["credentials"][0]["pem"].as_str().unwrap();
        let bytes = dc_core::pem::read(pem.as_bytes()).unwrap().remove(0).bytes;
        let credential = DelegatedCredential::decode(Form::Named, &bytes).unwrap();
        let name = credential.credential().unique_name.as_ref().unwrap();
        let name = name.as_str().to_owned();
        assert_eq!(answer["name"], name);
        let mut names = self.names.lock().unwrap();
        let before = names.insert(name.clone(), id.to_owned());
        drop(names);
        if let Some(before) = before {
            assert_eq!(before, id, "two devices have the name {name}");
        }
        let sha256 = Sha256::of(&bytes).to_string();
        self.credentials.lock().unwrap().insert(sha256);
    }

    fn find(&self, id: &str, over: &AtomicBool) -> Option<String> {
        let path = format!("/v1/admin/devices?prefix={id}&limit=1");
        let get = |at: usize| {
            let signer = &self.signers.all()[at % 2];
            signer.client().token(&self.token).try_get(&path)
        };
        let (found, _) = self.until(over, get, &[200])?;
        Some(
            found.json()["devices"][0]["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        )
    }

    fn ask_admin(
        &self,
        path: &str,
        json: &Value,
        wanted: &[u16],
        over: &AtomicBool,
    ) -> Option<Answer> {
        let post = |at: usize| {
            let signer = &self.signers.all()[at % 2];
            signer.client().token(&self.token).try_post(path, json)
        };
        Some(self.until(over, post, wanted)?.0)
    }

    /// Asks until an answer is as wanted; says which time it was. Nobody may be told anything but that it cannot be now.
    fn until(
        &self,
        over: &AtomicBool,
        ask: impl Fn(usize) -> std::io::Result<Answer>,
        wanted: &[u16],
    ) -> Option<(Answer, usize)> {
        for at in self.asked.fetch_add(1, Ordering::Relaxed).. {
            if over.load(Ordering::Relaxed) {
                return None;
            }
            match ask(at) {
                Ok(answer) if wanted.contains(&answer.status) => return Some((answer, at)),
                // Of status 0 is what was cut off.
                Ok(answer) => assert!(
                    matches!(answer.status, 0 | 429 | 503),
                    "{answer:?}\n{}",
                    self.signers.log_of(&answer)
                ),
                Err(_) => {}
            }
            sleep(Duration::from_millis(100));
        }
        None
    }

    pub(super) fn credentials(&self) -> BTreeSet<String> {
        self.credentials.lock().unwrap().clone()
    }

    /// Each device that got something, with the name that it got, as `ID NAME`.
    pub(super) fn named(&self) -> BTreeSet<String> {
        let names = self.names.lock().unwrap();
        let named = names.iter().map(|(name, id)| format!("{id} {name}"));
        let named: BTreeSet<String> = named.collect();
        let ids: BTreeSet<&String> = names.values().collect();
        assert_eq!(ids.len(), names.len(), "a device has two names");
        named
    }
}

impl fmt::Display for Fleet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} devices, {} credentials, {} of them asked for again elsewhere; {}",
            self.names.lock().unwrap().len(),
            self.credentials.lock().unwrap().len(),
            count(&self.repeated),
            self.withdrawn
        )
    }
}

const RENEWALS: usize = 20;
/// It is no test of speed.
const BETWEEN_RENEWALS: Duration = Duration::from_millis(150);
