//! One request to the signer, from the keys to the installed generation.

use dc_core::Role;

use super::client::ClientError;
use super::device::Agent;
use super::enrol::{Ask, Code};
use super::event::Event;
use super::generation::Meta;
use super::keys::{self, Key, NewKeys};
use super::request;
use super::rotate::With;
use super::schedule::{self, Failure, Life, Wait};
use super::state::{LastFailure, Pending};
use super::verify::check_id;
use crate::error::Error;
use dc_pki::Sha256;
use dc_protocol::{Credentials, RenewalWindow};

impl Agent {
    /// Asks for credentials, and installs them; whatever fails is remembered and told.
    pub(super) fn renew(&mut self) {
        self.word = None;
        if let Err(trouble) = self.request() {
            self.failed(trouble);
        }
    }

    fn request(&mut self) -> Result<(), ClientError> {
        let local = |source| ClientError::Local { source };
        let (keys, pending) = self.prepare().map_err(local)?;
        let ask = self.what_to_ask().map_err(local)?;
        let answer = self.ask(&pending, &ask)?;
        // Whoever was let in may have been let in as another device.
        let held = self.held_id().filter(|_| !answer.is_let_in);
        self.install(&answer.credentials, &keys, held.as_deref())?;
        self.state.device = Some(answer.credentials.device);
        if let Some(code) = answer.code {
            self.state.used_code = Some(code.sha256());
        }
        let offered = pending.next_enrolment_csr.is_some();
        self.enrolment_key_worked(answer.with, offered);
        self.state.device_key = Some(key_id(&self.enrolment_key));
        Ok(())
    }

    /// The id that the signer has to say, if the device still has the key with which it got it.
    fn held_id(&self) -> Option<String> {
        let keys = [Some(&self.enrolment_key), self.next_enrolment_key.as_ref()];
        let mut keys = keys.into_iter().flatten().map(key_id);
        let known = self.state.device_key.as_deref()?;
        let has_it = keys.any(|key| key == known);
        self.state.device.clone().filter(|_| has_it)
    }

    /// Sends it, and what comes back.
    fn ask<'a>(&mut self, pending: &Pending, ask: &'a Ask) -> Result<Asked<'a>, ClientError> {
        let Ask::Enrol(code) = ask else {
            return self.ask_to_renew(pending);
        };
        let code = code.as_ref();
        let client = self.client(With::Enrolling)?;
        let enrol = request::enroll(pending, code.map(Code::as_str));
        let was_sent = self.sends(code)?;
        let trouble = match self.heard(client.enroll(&enrol)) {
            Ok(credentials) => {
                self.state.sent_code = None;
                return Ok(Asked {
                    credentials,
                    code,
                    with: With::Enrolling,
                    is_let_in: true,
                });
            }
            Err(trouble) => trouble,
        };
        if trouble.failure() == Failure::Permanent {
            self.state.sent_code = None;
        }
        if !self.renews_instead(&trouble) {
            return Err(trouble);
        }
        match self.ask_to_renew(pending) {
            Ok(asked) => Ok(Asked {
                code: self.set_aside(code, &trouble),
                // By an answer that was lost.
                is_let_in: was_sent,
                ..asked
            }),
            // What is wrong with the code says more than that the device is not in.
            Err(ClientError::Refused { .. }) => Err(trouble),
            Err(trouble) => Err(trouble),
        }
    }

    /// Remembers on the disk that a code is sent. True if it was before, and no answer was heard.
    fn sends(&mut self, code: Option<&Code>) -> Result<bool, ClientError> {
        let code = code.map(Code::sha256);
        if self.state.sent_code == code {
            return Ok(code.is_some());
        }
        self.state.sent_code = code;
        self.save_state()
            .map(|()| false)
            .map_err(|source| ClientError::Local { source })
    }

    /// Asks with the enrolment key that the signer should know, and, if it does not, with the other one of a
    /// switch that the device may have lost count of.
    fn ask_to_renew<'a>(&mut self, pending: &Pending) -> Result<Asked<'a>, ClientError> {
        let (first, other) = self.enrolment_keys();
        let refused = match self.renew_with(first, pending) {
            Err(refused) if refused.is_about_the_key() => refused,
            done => return done,
        };
        match other.map(|other| self.renew_with(other, pending)) {
            None | Some(Err(ClientError::Refused { .. })) => Err(refused),
            Some(done) => done,
        }
    }

    fn renew_with<'a>(&mut self, with: With, pending: &Pending) -> Result<Asked<'a>, ClientError> {
        let client = self.client(with)?;
        Ok(Asked {
            credentials: self.heard(client.renew(&request::renew(pending)))?,
            code: None,
            with,
            is_let_in: false,
        })
    }

    /// The keys and the request for them, all on the disk before anything is sent.
    fn prepare(&mut self) -> Result<(NewKeys, Pending), Error> {
        let held = self
            .generation
            .as_ref()
            .map(|generation| generation.meta.sha256.clone());
        let is_client = self.config.client.is_some();
        let keys = NewKeys::read(&self.config.state, is_client);
        if let (Some(pending), Ok(keys)) = (&self.state.pending, keys)
            && pending.is_for(&keys, held.as_deref())
        {
            return Ok((keys, pending.clone()));
        }
        let keys = NewKeys::generate(is_client)?;
        keys.save(&self.config.state)?;
        let next = self.next_enrolment_csr();
        let pending = request::pending(&keys, held, next)?;
        self.state.pending = Some(pending.clone());
        self.save_state()?;
        Ok((keys, pending))
    }

    fn install(
        &mut self,
        credentials: &Credentials,
        keys: &NewKeys,
        held: Option<&str>,
    ) -> Result<(), ClientError> {
        let local = |source| ClientError::Local { source };
        let reading = self.reading();
        let checked = self
            .checker(reading.now)
            .check_answer(Role::Server, credentials, &keys.server.spki())
            .and_then(|checked| check_id(held, credentials).map(|()| checked))
            .map_err(|source| ClientError::Untrusted { source })?;
        let life = Life {
            // Only the end is signed.
            issued: credentials.issued.min(reading.now),
            expires: checked.expires().as_secs(),
            window: RenewalWindow {
                from: credentials.renew_from,
                until: credentials.renew_until,
            },
        };
        let client = self.as_client(credentials, keys);
        let mends_client = self.is_broken_client(reading.now);
        let meta = Meta {
            device: credentials.device.clone(),
            name: credentials.name.clone(),
            zone: credentials.zone.clone(),
            issued: life.issued,
            expires: life.expires,
            renew_at: life.renew_at(keys::draw().map_err(local)?),
            sha256: checked.sha256(),
            asked_as_client: keys.client.is_some(),
            is_client: client.is_some(),
        };
        let client = client.as_ref().map(|(checked, key)| (checked, *key));
        let number = self
            .folder
            .install((&checked, &keys.server), client, &meta)
            .map_err(local)?;
        self.judge.learn(checked.not_before());
        self.generation = Some(self.folder.load(number).map_err(local)?);
        self.fault = None;
        if mends_client {
            self.client_is_mended(reading.now);
        }
        self.succeeded(number, meta);
        Ok(())
    }

    fn succeeded(&mut self, number: u64, meta: Meta) {
        self.state.forget_failures();
        self.state.pending = None;
        self.state.pulled = None;
        self.state.hook_failure = None;
        NewKeys::forget(&self.config.state);
        self.tell(&Event::Installed {
            number,
            name: meta.name,
            expires: meta.expires,
            renew_at: meta.renew_at,
        });
    }

    fn failed(&mut self, trouble: ClientError) {
        let now = self.reading().now;
        let expires = self
            .generation
            .as_ref()
            .map(|generation| generation.meta.expires);
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
            permanent: failure == Failure::Permanent,
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
    /// True if it was let in, and has not only renewed: with this, or by an answer that was lost.
    is_let_in: bool,
}

impl Pending {
    /// True if this is the request for these keys, to follow the credential that is held.
    fn is_for(&self, keys: &NewKeys, held: Option<&str>) -> bool {
        self.previous_sha256.as_deref() == held
            && self.idempotency_key == request::idempotency_key(keys, held)
    }
}

fn key_id(key: &Key) -> String {
    Sha256::of(&key.spki()).to_string()
}

/// An hour, in seconds.
const WITHOUT_RANDOMNESS: u64 = 3600;
/// No failure is followed by another request within it.
const A_MINUTE: u64 = 60;
