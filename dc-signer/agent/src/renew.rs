//! One request to the signer, from the key to the installed unit.

use super::client::Trouble;
use super::device::Agent;
use super::enrol::{Ask, Code};
use super::event::Event;
use super::folder::Meta;
use super::keys::{self, Key};
use super::request;
use super::rotate::With;
use super::schedule::{self, Failure, Life, Wait};
use super::state::{LastFailure, Pending};
use crate::error::Error;
use dc_pki::files;
use dc_protocol::{Credentials, RenewalWindow};

impl Agent {
    /// Asks for credentials, and installs them; whatever fails is remembered and told.
    pub(super) fn renew(&mut self) {
        self.word = None;
        if let Err(trouble) = self.request() {
            self.failed(trouble);
        }
    }

    fn request(&mut self) -> Result<(), Trouble> {
        let local = |source| Trouble::Local { source };
        let (key, pending) = self.prepare().map_err(local)?;
        let ask = self.what_to_ask().map_err(local)?;
        let answer = self.ask(&pending, &ask)?;
        self.install(&answer.credentials, &key)?;
        self.state.device = Some(answer.credentials.device);
        if let Some(code) = answer.code {
            self.state.used_code = Some(code.sha256());
        }
        let offered = pending.next_enrolment_csr.is_some();
        self.enrolment_key_worked(answer.with, offered);
        Ok(())
    }

    /// Sends it, and what comes back.
    fn ask<'a>(&mut self, pending: &Pending, ask: &'a Ask) -> Result<Asked<'a>, Trouble> {
        let Ask::Enrol(code) = ask else {
            return self.ask_to_renew(pending);
        };
        let code = code.as_ref();
        let client = self.client(With::Enrolling)?;
        let enrol = request::enroll(pending, code.map(Code::as_str));
        let trouble = match self.heard(client.enroll(&enrol)) {
            Ok(credentials) => {
                return Ok(Asked {
                    credentials,
                    code,
                    with: With::Enrolling,
                });
            }
            Err(trouble) => trouble,
        };
        if !self.renews_instead(&trouble) {
            return Err(trouble);
        }
        match self.ask_to_renew(pending) {
            Ok(asked) => Ok(Asked {
                code: self.set_aside(code, &trouble),
                ..asked
            }),
            // What is wrong with the code says more than that the device is not in.
            Err(Trouble::Refused { .. }) => Err(trouble),
            Err(trouble) => Err(trouble),
        }
    }

    /// Asks with the enrolment key that the signer should know, and, if it does not, with the other one of a
    /// switch that the device may have lost count of.
    fn ask_to_renew<'a>(&mut self, pending: &Pending) -> Result<Asked<'a>, Trouble> {
        let (first, other) = self.enrolment_keys();
        let refused = match self.renew_with(first, pending) {
            Err(refused) if refused.is_about_the_key() => refused,
            done => return done,
        };
        match other.map(|other| self.renew_with(other, pending)) {
            None | Some(Err(Trouble::Refused { .. })) => Err(refused),
            Some(done) => done,
        }
    }

    fn renew_with<'a>(&mut self, with: With, pending: &Pending) -> Result<Asked<'a>, Trouble> {
        let client = self.client(with)?;
        Ok(Asked {
            credentials: self.heard(client.renew(&request::renew(pending)))?,
            code: None,
            with,
        })
    }

    /// The key and the request for it, both on the disk before anything is sent.
    fn prepare(&mut self) -> Result<(Key, Pending), Error> {
        let held = self.unit.as_ref().map(|unit| unit.meta.sha256.clone());
        let path = self.config.state.join(NEXT_KEY);
        if let (Some(pending), Ok(key)) = (&self.state.pending, Key::read(&path))
            && pending.is_for(&key, held.as_deref())
        {
            return Ok((key, pending.clone()));
        }
        let key = Key::generate()?;
        key.save(&self.config.state, NEXT_KEY)?;
        let next = self.next_enrolment_csr();
        let pending = request::pending(&key, held, next)?;
        self.state.pending = Some(pending.clone());
        self.save_state()?;
        Ok((key, pending))
    }

    fn install(&mut self, credentials: &Credentials, key: &Key) -> Result<(), Trouble> {
        let local = |source| Trouble::Local { source };
        let reading = self.reading();
        let checked = self
            .checker(reading.now)
            .check_answer(credentials, &key.spki())
            .map_err(|source| Trouble::Untrusted { source })?;
        let life = Life {
            // Only the end is signed.
            issued: credentials.issued.min(reading.now),
            expires: checked.expires().as_secs(),
            window: RenewalWindow {
                from: credentials.renew_from,
                until: credentials.renew_until,
            },
        };
        let meta = Meta {
            device: credentials.device.clone(),
            name: credentials.name.clone(),
            zone: credentials.zone.clone(),
            issued: life.issued,
            expires: life.expires,
            renew_at: life.renew_at(keys::draw().map_err(local)?),
            sha256: checked.sha256(),
        };
        let number = self.folder.install(&checked, key, &meta).map_err(local)?;
        self.judge.learn(checked.not_before());
        self.unit = Some(self.folder.load(number).map_err(local)?);
        self.fault = None;
        self.succeeded(number, meta);
        Ok(())
    }

    fn succeeded(&mut self, number: u64, meta: Meta) {
        self.state.failures = 0;
        self.state.retry = None;
        self.state.last_failure = None;
        self.state.pending = None;
        self.state.pulled = None;
        self.state.hook_failure = None;
        // The unit has it now.
        let _ = files::remove(&self.config.state.join(NEXT_KEY));
        self.tell(&Event::Installed {
            number,
            name: meta.name,
            expires: meta.expires,
            renew_at: meta.renew_at,
        });
    }

    fn failed(&mut self, trouble: Trouble) {
        let now = self.reading().now;
        let expires = self.unit.as_ref().map(|unit| unit.meta.expires);
        self.state.failures = self.state.failures.saturating_add(1);
        let failure = self.binding(&trouble);
        let next = match keys::draw() {
            Ok(draw) => {
                let failures = self.state.failures;
                schedule::try_again_at(now, expires, failures, failure, draw)
            }
            Err(_) => now.saturating_add(WITHOUT_RANDOMNESS),
        };
        let seconds = next.saturating_sub(now);
        let next = match failure {
            Failure::Transient { retry_after: None } => next,
            _ => now.saturating_add(self.bounded(seconds)),
        };
        self.state.retry = Some(Wait::new(now, next, self.clock.wall()));
        self.state.tried_with = Some(self.way_in());
        self.paused_until = self.clock.uptime().as_secs() + A_MINUTE;
        self.state.last_failure = Some(LastFailure {
            at: now,
            kind: trouble.kind().to_owned(),
            detail: trouble.to_string(),
            permanent: trouble.failure() == Failure::Permanent,
        });
        if trouble.wants_a_new_request() {
            self.state.pending = None;
        }
        self.tell(&Event::Failed { trouble, next });
    }
}

/// An answer, and what it was got with.
struct Asked<'a> {
    credentials: Credentials,
    /// The code that is used up now.
    code: Option<&'a Code>,
    with: With,
}

impl Pending {
    /// Whether this is the request for a key, to follow the credential that is held.
    fn is_for(&self, key: &Key, held: Option<&str>) -> bool {
        self.previous_sha256.as_deref() == held
            && self.idempotency_key == request::idempotency_key(&key.spki(), held)
    }
}

/// The key of the request that may be under way.
const NEXT_KEY: &str = "next-key.pem";
/// An hour, in seconds.
const WITHOUT_RANDOMNESS: u64 = 3600;
/// No failure is followed by another request within it.
const A_MINUTE: u64 = 60;
