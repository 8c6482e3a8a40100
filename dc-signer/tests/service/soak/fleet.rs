//! Devices, and what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use dc_pki::Sha256;
use rcgen::PublicKeyData as _;
use serde_json::{Value, json};

use super::chaos::Signers;
use crate::client::{Answer, Client};
use crate::router::{Router, csr};

/// All devices that there are and were.
pub(super) struct Fleet<'a> {
    signers: &'a Signers,
    token: String,
    /// The name of each device, by its external id.
    names: Mutex<BTreeMap<String, String>>,
    /// The SHA-256 of the credentials that arrived.
    credentials: Mutex<BTreeSet<String>>,
    asked: AtomicUsize,
    repeated: AtomicUsize,
    retired: AtomicUsize,
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
            retired: AtomicUsize::new(0),
        }
    }

    /// One device after the other: it is added, renews some times, and is retired or not.
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
        for number in 0..RENEWALS {
            self.renew(&router, id, &number.to_string(), over)?;
        }
        if life.is_multiple_of(3) {
            let path = format!("/v1/admin/devices/{device}/retire");
            let why = json!({"reason": "a soak"});
            self.ask_admin(&path, &why, &[200, 409], over)?;
            self.retired.fetch_add(1, Ordering::Relaxed);
            for number in 0..4 {
                let request = json!({"csr": csr(), "idempotency_key": format!("late-{number}")});
                let answer = self.ask(&router.client, "/v1/renew", &request, number);
                let is_kept_out = matches!(
                    answer.as_ref().map(|answer| answer.status),
                    Ok(0 | 410 | 503) | Err(_)
                );
                assert!(is_kept_out, "{id} is retired: {answer:?}");
            }
        }
        Some(())
    }

    /// The same request to one signer after the other, until one has answered; and to the other once more, which says the same.
    fn renew(&self, router: &Router, id: &str, key: &str, over: &AtomicBool) -> Option<()> {
        let request = json!({"csr": csr(), "idempotency_key": key});
        let (first, at) = self.until(
            over,
            |at| self.ask(&router.client, "/v1/renew", &request, at),
            &[200],
        )?;
        let (name, sha256) = self.take(id, &first.json());
        let again = self.ask(&router.client, "/v1/renew", &request, at + 1);
        if let Ok(again) = again.as_ref().map_err(drop)
            && again.status == 200
        {
            assert_eq!(
                again.json()["credentials"],
                first.json()["credentials"],
                "{name} {sha256}"
            );
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    }

    fn take(&self, id: &str, answer: &Value) -> (String, String) {
        let name = answer["name"].as_str().unwrap().to_owned();
        let sha256 = answer["credentials"][0]["sha256"]
            .as_str()
            .unwrap()
            .to_owned();
        let before = self
            .names
            .lock()
            .unwrap()
            .insert(id.to_owned(), name.clone());
        assert!(
            before.is_none_or(|before| before == name),
            "{id} has two names"
        );
        self.credentials.lock().unwrap().insert(sha256.clone());
        (name, sha256)
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

    fn ask(&self, client: &Client, path: &str, json: &Value, at: usize) -> std::io::Result<Answer> {
        self.signers.all()[at % 2]
            .reached_by(client)
            .try_post(path, json)
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

    pub(super) fn names_are_unique(&self) {
        let names = self.names.lock().unwrap();
        let unique: BTreeSet<&String> = names.values().collect();
        assert_eq!(unique.len(), names.len());
        assert!(!names.is_empty());
    }
}

impl fmt::Display for Fleet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} devices, {} credentials, {} of them asked for again elsewhere, {} devices retired",
            self.names.lock().unwrap().len(),
            self.credentials.lock().unwrap().len(),
            count(&self.repeated),
            count(&self.retired)
        )
    }
}

const RENEWALS: usize = 20;
