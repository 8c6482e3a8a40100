//! One device: what it has, what is due, and one turn of work.

use std::fs::File;
use std::time::Duration;

use dc_core::{MAX_VALIDITY, Role};
use pki_types::SignatureVerificationAlgorithm;

use super::client::Word;
use super::clock::{Clock, Judge, Reading, Told, Verdict};
use super::config::Config;
use super::enrol;
use super::event::Event;
use super::folder::Folder;
use super::generation::Generation;
use super::keys::{self, ENROLMENT_KEY, Key, key_fault};
use super::lock::lock;
use super::room::disk_fault;
use super::schedule;
use super::state::{State, StateFile};
use super::status::{Facts, Level, Status, StatusFile};
use super::stop::Stop;
use super::verify::{Checker, UntrustedError};
use super::whose;
use crate::error::Error;
use dc_pki::Sha256;
use dc_pki::files::{self, Access};
use dc_pki::time::from_seconds;

/// An agent, which holds its folders for itself until it is dropped.
pub struct Agent {
    pub(super) config: Config,
    pub(super) clock: Box<dyn Clock>,
    pub(super) judge: Judge,
    pub(super) folder: Folder,
    pub(super) state: State,
    /// The generation behind `current`.
    pub(super) generation: Option<Generation>,
    /// The fault of `current`, if it cannot be mended.
    pub(super) fault: Option<String>,
    /// The chain that the signer showed with its last answer.
    pub(super) word: Option<Word>,
    pub(super) enrolment_key: Key,
    /// The one that takes its place, while the signer takes both.
    pub(super) next_enrolment_key: Option<Key>,
    report: Box<dyn FnMut(&Event)>,
    state_file: StateFile,
    status_file: StatusFile,
    pub(super) verdict: Verdict,
    /// The last report of how the device stands.
    level: Level,
    /// The fingerprint of what the device was to get in with, at the end of the last turn.
    tried_with: String,
    /// Up to which uptime nothing is done that is due because the device started.
    quiet_until: u64,
    /// Up to which uptime nothing is asked because a request has just failed.
    pub(super) paused_until: u64,
    lock: File,
}

impl Agent {
    /// Takes over a device's folders, which it makes if they are not there, and the enrolment key in
    /// them.
    ///
    /// `report` is told what happens. Fails with [`Error::NotRoots`] and [`Error::Running`], and if the folders or the key
    /// can neither be read nor made.
    pub fn open(
        config: Config,
        clock: Box<dyn Clock>,
        report: Box<dyn FnMut(&Event)>,
    ) -> Result<Self, Error> {
        whose::check(&config.state)?;
        files::make_folder(&config.state, Access::Everyone)?;
        files::make_folder(&config.identity, Access::Everyone)?;
        let lock = lock(&config.state)?;
        let (state_file, state, error) = StateFile::open(&config.state);
        let delay = config.start_delay.as_secs();
        let uptime = clock.uptime().as_secs();
        let quiet_until = schedule::after_start(uptime, 0, delay, keys::draw()?);
        let mut agent = Self {
            judge: Judge::new(state.told.clone(), &*clock),
            folder: Folder::new(&config.identity)
                .with_key_group(config.key_group)
                .with_client_key_group(config.client.and_then(|client| client.key_group)),
            generation: None,
            fault: None,
            word: None,
            enrolment_key: Key::read_or_make(&config.state, ENROLMENT_KEY)?,
            next_enrolment_key: None,
            state_file,
            status_file: StatusFile::new(&config.state),
            verdict: Verdict::Plausible,
            level: Level::Fine,
            tried_with: String::new(),
            // Without a battery, a whole town's clocks are wrong when its power comes back.
            quiet_until,
            paused_until: 0,
            config,
            clock,
            state,
            report,
            lock,
        };
        if let Some(error) = error {
            agent.tell(&Event::Setback { error });
        }
        agent.look_at_folder();
        agent.forget_what_was_answered();
        let prepared = agent
            .folder
            .clean()
            .and_then(|()| agent.folder.admit_groups());
        if let Err(error) = prepared {
            agent.tell(&Event::Setback { error });
        }
        agent.resume_switch();
        Ok(agent)
    }

    /// Does what is due now, and says how long nothing will be.
    pub fn turn(&mut self) -> Duration {
        self.turn_until(&mut Stop::never())
    }

    /// The same, but waits for nothing of this device's any more once `stop` says that the process is to end.
    pub fn turn_until(&mut self, stop: &mut Stop) -> Duration {
        self.look_at_folder();
        self.look_at_code();
        self.look_at_clock();
        self.forget_needless_failures();
        if self.due_in() > 0 && (self.poll_in() == 0 || self.asks_in() == Some(0)) {
            self.ask_for_time();
        }
        if self.due_in() == 0 {
            self.renew();
        }
        self.announce_clock();
        self.after_renewal(stop);
        self.fetch_withdrawn();
        self.save();
        self.tried_with = self.way_in();
        self.until_next()
    }

    /// True if what the device is to get in with is another one since the last turn, so that somebody waits.
    #[must_use]
    pub fn is_called(&self) -> bool {
        self.way_in() != self.tried_with
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        // It is in memory, but the next start takes it from the disk.
        let key = Key::read(&self.config.state.join(ENROLMENT_KEY));
        let key_fault = key_fault(&key, self.generation.is_some());
        let checker = self.checker(self.reading().now);
        let client_fault = self.config.client_fault(self.generation.as_ref(), &checker);
        let client_fault = client_fault.map(|fault| fault.to_string());
        let disk_fault = disk_fault(&self.config);
        let found = Facts {
            generation: self.generation.as_ref(),
            fault: self.fault.as_deref(),
            key_fault: key_fault.as_deref(),
            client_fault: client_fault.as_deref(),
            disk_fault: disk_fault.as_deref(),
            state: &self.state,
            reading: self.reading(),
        };
        Status::new(&found, |generation| {
            self.refusal(generation, self.reading().now)
        })
        .with_enrolment_key(Some(Sha256::of(&self.enrolment_key.spki()).to_string()))
    }

    /// The time, as well as is known.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.judge.read(&*self.clock)
    }

    /// How long to wait before what is due already, because the device has just started.
    #[must_use]
    pub fn start_delay(&self) -> Duration {
        let due = self.due_but_for_start().min(self.poll_but_for_start());
        match due == 0 || self.asks_but_for_start() == Some(0) {
            true => Duration::from_secs(self.quiet_for()),
            false => Duration::ZERO,
        }
    }

    pub(super) fn tell(&mut self, event: &Event) {
        (self.report)(event);
    }

    pub(super) fn save_state(&mut self) -> Result<(), Error> {
        self.remember_time();
        self.state_file.save(&self.state)
    }

    /// Keeps what was told with what the clock said then; with what it says now, if that has been set since: then
    /// whoever looks at the status from elsewhere judges by the same.
    fn remember_time(&mut self) {
        let Some(told) = self.judge.told() else {
            return;
        };
        let told = match self.reading().verdict {
            // An estimate over a start of the machine is not something that was told.
            Verdict::Jumped { wall, signers } if self.judge.is_fresh() => Told {
                signer: signers,
                wall,
                uptime: self.clock.uptime().as_secs(),
                boot: told.boot.clone(),
            },
            _ => told.clone(),
        };
        let known = self.state.told.as_ref();
        // Flash memory wears out.
        if !known.is_some_and(|known| known.says_the_same_as(&told)) {
            self.state.told = Some(told);
        }
    }

    fn save(&mut self) {
        let status = self.status();
        if status.level != self.level {
            self.level = status.level;
            let reason = status.reason.clone();
            self.tell(&Event::Stands {
                level: status.level,
                reason,
            });
        }
        let saved = [self.save_state(), self.status_file.save(&status)];
        // One line is enough: both are on one file system.
        if let Some(error) = saved.into_iter().find_map(Result::err) {
            self.tell(&Event::Setback { error });
        }
    }

    /// The checks of clients, at a time.
    pub(super) fn checker(&self, now: u64) -> Checker<'_> {
        Checker {
            roots: &self.config.roots,
            algorithms: algorithms(),
            now: from_seconds(now),
        }
    }

    /// The reason that clients do not accept a generation at a time; none if they do.
    pub(super) fn refusal(&self, generation: &Generation, now: u64) -> Option<UntrustedError> {
        self.checker(now)
            .check_part(Role::Server, &generation.server)
            .err()
    }

    /// True if clients accept the current generation at a time.
    pub(super) fn is_accepted_at(&self, now: u64) -> bool {
        let generation = self.generation.as_ref();
        generation.is_some_and(|generation| self.refusal(generation, now).is_none())
    }

    /// A stop right after an installation leaves the request that was answered, and older failures.
    fn forget_what_was_answered(&mut self) {
        let held = self
            .generation
            .as_ref()
            .map(|generation| generation.meta.sha256.clone());
        let pending = self.state.pending.as_ref();
        if let Some(pending) = pending.filter(|pending| pending.previous_sha256 != held) {
            self.state.switching |= pending.next_enrolment_csr.is_some();
            self.state.pending = None;
            self.state.forget_failures();
        }
    }

    /// In how many seconds a renewal is due.
    fn due_in(&self) -> u64 {
        let due = self.due_but_for_start();
        // A device that has never been in is waited for by somebody.
        match self.generation {
            Some(_) => due.max(self.quiet_for()),
            None => due,
        }
    }

    fn due_but_for_start(&self) -> u64 {
        self.needed_in().max(self.retry_in())
    }

    /// In how many seconds the device needs another credential, whatever has failed.
    pub(super) fn needed_in(&self) -> u64 {
        let now = self.reading().now;
        let is_needed = self.wants_to_enrol()
            || self.is_new_client()
            || !self.is_accepted_at(now)
            || self.client_needs_mending(now);
        match is_needed {
            true => 0,
            false => self.renewal_in(now),
        }
    }

    /// In how many seconds it is time to renew what clients accept now.
    pub(super) fn renewal_in(&self, now: u64) -> u64 {
        let Some(generation) = &self.generation else {
            return 0;
        };
        let drawn = schedule::believable(generation.meta.renew_at, now, LONGEST_LIFE);
        let pulled = self.state.pulled;
        let pulled = pulled.filter(|pulled| generation.meta.issued < pulled.issued_before);
        let at = pulled.map_or(drawn, |pulled| drawn.min(pulled.at));
        at.saturating_sub(now)
    }

    fn retry_in(&self) -> u64 {
        let waits = match &self.state.retry {
            // Who has put something right is not kept waiting.
            Some(wait) if self.state.tried_with == Some(self.way_in()) => {
                wait.left(self.clock.wall())
            }
            _ => 0,
        };
        waits.max(self.pause())
    }

    pub(super) fn way_in(&self) -> String {
        enrol::fingerprint(&self.config)
    }

    pub(super) fn pause(&self) -> u64 {
        self.paused_until
            .saturating_sub(self.clock.uptime().as_secs())
    }

    pub(super) fn quiet_for(&self) -> u64 {
        self.quiet_until
            .saturating_sub(self.clock.uptime().as_secs())
    }

    fn poll_in(&self) -> u64 {
        self.poll_but_for_start().max(self.quiet_for())
    }

    fn poll_but_for_start(&self) -> u64 {
        match (&self.generation, &self.state.poll) {
            (None, _) => u64::MAX,
            (Some(_), None) => 0,
            (Some(_), Some(wait)) => wait.left(self.clock.wall()),
        }
    }

    fn until_next(&self) -> Duration {
        let now = self.reading().now;
        let after_renewal = self.after_renewal_at().saturating_sub(now);
        let next = [self.due_in(), self.poll_in(), after_renewal];
        let now_and_then = [self.asks_in(), self.withdrawn_in()];
        let next = next
            .into_iter()
            .chain(now_and_then.into_iter().flatten())
            .min();
        Duration::from_secs(next.unwrap_or_default()).clamp(SHORTEST_NAP, LONGEST_NAP)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The system does so as well, but not before a child that is just being started has closed it.
        let _ = self.lock.unlock();
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("config", &self.config)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The signatures that can be checked.
pub(super) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

/// The longest that any credential lives.
const LONGEST_LIFE: u64 = MAX_VALIDITY.as_secs();
const SHORTEST_NAP: Duration = Duration::from_secs(1);
/// So that a clock that jumps is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(15 * 60);
