//! One device: what it has, what is due, and one turn of work.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use pki_types::{SignatureVerificationAlgorithm, UnixTime};

use super::clock::{Clock, Judge, Reading, Verdict};
use super::config::Config;
use super::event::Event;
use super::folder::{Folder, Unit};
use super::keys::{self, Key};
use super::request::sha256;
use super::run::Stop;
use super::schedule;
use super::state::{State, StateFile};
use super::status::{Status, StatusFile};
use super::verify::{Checker, Untrusted};
use crate::error::Error;
use crate::files;

/// An agent, which holds its folders for itself until it is dropped.
pub struct Agent {
    pub(super) config: Config,
    pub(super) clock: Box<dyn Clock>,
    pub(super) judge: Judge,
    pub(super) folder: Folder,
    pub(super) state: State,
    pub(super) unit: Option<Unit>,
    pub(super) enrolment_key: Key,
    /// The one that takes its place, while the signer takes both.
    pub(super) next_enrolment_key: Option<Key>,
    report: Box<dyn FnMut(&Event)>,
    state_file: StateFile,
    status_file: StatusFile,
    verdict: Verdict,
    /// Up to which uptime nothing is done that is due because the device started.
    quiet_until: u64,
    /// At which uptime the signer may be asked for the time again, and how often it was in vain.
    ask_at: u64,
    asked: u32,
    lock: File,
}

impl Agent {
    /// Takes over a device's folders, which it makes if they are not there, and the enrolment key in
    /// them.
    ///
    /// `report` is told what happens. Fails with [`Error::AgentRunning`], and if the folders or the key
    /// can neither be read nor made.
    pub fn open(
        config: Config,
        clock: Box<dyn Clock>,
        report: Box<dyn FnMut(&Event)>,
    ) -> Result<Self, Error> {
        make_folder(&config.state, 0o755)?;
        make_folder(&config.identity, 0o755)?;
        let lock = lock(&config.state)?;
        let (state_file, state, error) = StateFile::open(&config.state);
        let delay = config.start_delay.as_secs();
        let uptime = clock.uptime().as_secs();
        let quiet_until = schedule::after_start(uptime, 0, delay, keys::draw()?);
        let mut agent = Self {
            judge: Judge::new(state.seen),
            folder: Folder::new(&config.identity).with_key_group(config.key_group),
            unit: None,
            enrolment_key: Key::read_or_make(&config.state, ENROLMENT_KEY)?,
            next_enrolment_key: None,
            state_file,
            status_file: StatusFile::new(&config.state),
            verdict: Verdict::Plausible,
            quiet_until,
            // Without a battery, a whole town's clocks are wrong when its power comes back.
            ask_at: quiet_until,
            asked: 0,
            config,
            clock,
            state,
            report,
            lock,
        };
        if let Some(error) = error {
            agent.tell(&Event::Setback { error });
        }
        agent.load();
        agent.resume_switch();
        Ok(agent)
    }

    /// Does what is due now, and says how long nothing will be.
    pub fn turn(&mut self) -> Duration {
        self.turn_until(&mut Stop::never())
    }

    /// The same, but waits for nothing of this device's any more once `stop` says that the process is to end.
    pub fn turn_until(&mut self, stop: &mut Stop) -> Duration {
        self.look_at_clock();
        let now = self.reading().now;
        if now >= self.due(now) {
            self.renew();
        } else if now >= self.poll_at(now) {
            self.poll();
        }
        self.after_renewal(stop);
        self.save();
        self.until_next()
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::new(self.unit.as_ref(), &self.state, &self.reading())
            .with_enrolment_key(Some(sha256(&self.enrolment_key.spki())))
    }

    /// The time, as well as is known.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.judge.read(&*self.clock)
    }

    /// How long to wait before what is due already, because the device has just started.
    #[must_use]
    pub fn start_delay(&self) -> Duration {
        let Reading { now, verdict } = self.reading();
        let due = self
            .due_but_for_start(now)
            .min(self.poll_but_for_start(now));
        match due <= now || verdict.is_doubtful() {
            true => Duration::from_secs(self.quiet_for()),
            false => Duration::ZERO,
        }
    }

    pub(super) fn tell(&mut self, event: &Event) {
        (self.report)(event);
    }

    pub(super) fn save_state(&mut self) -> Result<(), Error> {
        self.state.seen = self.judge.seen();
        self.state_file.save(&self.state)
    }

    fn save(&mut self) {
        let status = self.status();
        let saved = [self.save_state(), self.status_file.save(&status)];
        // One line is enough: both are on one file system.
        if let Some(error) = saved.into_iter().find_map(Result::err) {
            self.tell(&Event::Setback { error });
        }
    }

    pub(super) fn check(&self, unit: &Unit) -> Result<UnixTime, Untrusted> {
        let checker = Checker {
            roots: &self.config.roots,
            algorithms: algorithms(),
            now: self.reading().unix_time(),
        };
        let (chain, credentials) = (unit.chain.clone(), unit.credentials.clone());
        let checked = checker.check(chain, credentials, &unit.spki)?;
        Ok(checked.not_before())
    }

    /// Takes what `current` leads to, or the newest older unit if that is broken.
    fn load(&mut self) {
        let current = self.folder.current_number();
        let loaded = current.and_then(|number| match self.folder.load(number) {
            Ok(unit) => Some(unit),
            Err(error) => {
                self.tell(&Event::Setback { error });
                None
            }
        });
        self.unit = loaded.or_else(|| self.recover(current));
        if let Some(unit) = &self.unit {
            if let Ok(not_before) = self.check(unit) {
                self.judge.learn(not_before);
            }
            self.forget_what_was_answered();
        }
        if let Err(error) = self.folder.clean() {
            self.tell(&Event::Setback { error });
        }
    }

    fn recover(&mut self, broken: Option<u64>) -> Option<Unit> {
        let others = self.folder.numbers().into_iter();
        let unit = others
            .filter(|number| Some(*number) != broken)
            .find_map(|number| {
                let unit = self.folder.load(number).ok()?;
                self.check(&unit).ok().map(|_| unit)
            })?;
        let number = unit.number;
        match self.folder.point_to(number) {
            Ok(()) => self.tell(&Event::Recovered { number }),
            Err(error) => self.tell(&Event::Setback { error }),
        }
        Some(unit)
    }

    /// A stop right after an installation leaves the request that was answered, and older failures.
    fn forget_what_was_answered(&mut self) {
        let held = self.unit.as_ref().map(|unit| unit.meta.sha256.clone());
        let pending = self.state.pending.as_ref();
        if let Some(pending) = pending.filter(|pending| pending.previous_sha256 != held) {
            self.state.switching |= pending.next_enrolment_csr.is_some();
            self.state.pending = None;
            self.state.failures = 0;
            self.state.next_attempt = None;
            self.state.last_failure = None;
        }
    }

    /// Says what is new about the clock, and asks the signer if it is in doubt.
    fn look_at_clock(&mut self) {
        let uptime = self.clock.uptime().as_secs();
        if self.reading().verdict.is_doubtful() && self.unit.is_some() && uptime >= self.ask_at {
            self.announce_clock();
            self.poll();
            self.asked = self.asked.saturating_add(1);
            self.ask_at = uptime + (60_u64 << self.asked.min(6));
        }
        self.announce_clock();
    }

    fn announce_clock(&mut self) {
        let verdict = self.reading().verdict;
        if !verdict.is_like(&self.verdict) {
            let is_news = !(verdict.is_good() && self.verdict.is_good());
            self.verdict = verdict;
            if is_news {
                self.tell(&Event::Clock(verdict));
            }
        }
        if !verdict.is_doubtful() {
            self.asked = 0;
            self.ask_at = 0;
        }
    }

    fn due(&self, now: u64) -> u64 {
        let due = self.due_but_for_start(now);
        // A device that has never been in is waited for by somebody.
        match self.unit {
            Some(_) => due.max(now.saturating_add(self.quiet_for())),
            None => due,
        }
    }

    fn due_but_for_start(&self, now: u64) -> u64 {
        let renew_at = match (&self.unit, self.wants_to_enrol()) {
            (Some(unit), false) => {
                let drawn = schedule::believable(unit.meta.renew_at, now, LONGEST_LIFE);
                let pulled = self
                    .state
                    .pulled
                    .filter(|pulled| unit.meta.issued < pulled.issued_before);
                pulled.map_or(drawn, |pulled| drawn.min(pulled.at))
            }
            _ => 0,
        };
        let next = self.state.next_attempt.unwrap_or_default();
        renew_at.max(schedule::believable(next, now, schedule::LONGEST_WAIT))
    }

    fn quiet_for(&self) -> u64 {
        self.quiet_until
            .saturating_sub(self.clock.uptime().as_secs())
    }

    fn poll_at(&self, now: u64) -> u64 {
        let at = self.poll_but_for_start(now);
        at.max(now.saturating_add(self.quiet_for()))
    }

    fn poll_but_for_start(&self, now: u64) -> u64 {
        let next = self.state.next_poll.unwrap_or_default();
        match self.unit {
            Some(_) => schedule::believable(next, now, schedule::LONGEST_WAIT),
            None => u64::MAX,
        }
    }

    fn until_next(&self) -> Duration {
        let now = self.reading().now;
        let next = [self.due(now), self.poll_at(now), self.after_renewal_at()];
        let next = next.into_iter().min().unwrap_or_default();
        Duration::from_secs(next.saturating_sub(now)).clamp(SHORTEST_NAP, LONGEST_NAP)
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

fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| Error::Write {
            path: path.into(),
            source,
        })
}

/// At most one agent works on a folder, so at most one request is under way.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let failed = |source| Error::Write {
        path: path.clone(),
        source,
    };
    if !files::exists(&path) {
        File::create(&path).map_err(failed)?;
    }
    // Only for reading, so that it does not keep a file system from being made read-only.
    let file = File::open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::AgentRunning { path }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The signatures that can be checked.
pub(super) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

/// The key that the signer knows the device by.
pub(super) const ENROLMENT_KEY: &str = "enrolment-key.pem";
const LOCK: &str = "lock";
/// What no credential lives longer than.
const LONGEST_LIFE: u64 = 7 * 86_400;
const SHORTEST_NAP: Duration = Duration::from_secs(1);
/// So that a clock that jumps is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(15 * 60);
