//! A device's agent as a daemon, or once from cron; ended by SIGTERM and SIGINT.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::clock::{Clock, Judge};
use super::config::Config;
use super::current::Found;
use super::device::{Agent, ENROLMENT_KEY, algorithms};
use super::folder::Folder;
use super::keys::Key;
use super::state::StateFile;
use super::status::{Facts, Status};
use super::verify::Checker;
use crate::error::Error;
use dc_pki::Sha256;

/// Whether somebody wants the process to end.
#[derive(Debug)]
pub struct Stop {
    /// Where it is told; nowhere if nobody does.
    told: Option<UnixStream>,
    is_told: bool,
}

impl Stop {
    /// On SIGTERM and SIGINT, which end the process in no other way from now on.
    ///
    /// Fails if the system has no socket, or does not let signals be taken.
    pub fn on_signals() -> io::Result<Self> {
        let (told, tell) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            pipe::register(signal, tell.try_clone()?)?;
        }
        Ok(Self::on(told))
    }

    /// On whatever is written to the other end, or when that is dropped.
    #[must_use]
    pub fn on(told: UnixStream) -> Self {
        Self {
            told: Some(told),
            is_told: false,
        }
    }

    /// Never.
    #[must_use]
    pub fn never() -> Self {
        Self {
            told: None,
            is_told: false,
        }
    }

    /// Whether somebody has wanted it by now, as far as [`wait`](Self::wait) has noticed.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// Waits this long, or until somebody wants the process to end: then it is true, and stays so.
    #[must_use]
    pub fn wait(&mut self, time: Duration) -> bool {
        if !self.is_told {
            self.is_told = match &mut self.told {
                Some(told) => is_told(told, time),
                None => {
                    sleep(time);
                    false
                }
            };
        }
        self.is_told
    }
}

fn is_told(told: &mut UnixStream, time: Duration) -> bool {
    // Zero would mean for ever.
    let time = time.max(Duration::from_millis(1));
    if told.set_read_timeout(Some(time)).is_err() {
        return true;
    }
    match told.read_exact(&mut [0]) {
        Ok(()) => true,
        Err(error) => !matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
        ),
    }
}

/// Works until somebody wants the process to end. Returns how the device stands then.
pub fn run(agent: &mut Agent, stop: &mut Stop) -> Status {
    loop {
        let mut nap = agent.turn_until(stop);
        while !nap.is_zero() {
            let part = nap.min(LOOK);
            if stop.wait(part) {
                return agent.status();
            }
            nap = match agent.is_called() {
                true => Duration::ZERO,
                false => nap - part,
            };
        }
    }
}

/// Does what is due now, if anything, and returns how the device stands.
///
/// As often as cron likes: nothing is due but at the moments that were drawn. What is due is put off by
/// the start's delay, because cron starts everybody at once.
pub fn once(agent: &mut Agent, stop: &mut Stop) -> Status {
    let delay = agent.start_delay();
    if delay.is_zero() || !stop.wait(delay) {
        agent.turn_until(stop);
    }
    agent.status()
}

/// How a device stands, from what is on its disk, while its agent runs or does not. Changes nothing.
///
/// Fails with [`Error::Read`] for whoever may not read the device's files.
pub fn look(config: &Config, clock: &dyn Clock) -> Result<Status, Error> {
    let (_, state, error) = StateFile::open(&config.state);
    if let Some(error @ Error::Pki(dc_pki::Error::Read { .. })) = error {
        return Err(error);
    }
    let Found { unit, fault } = Folder::new(&config.identity).look()?;
    let key = Key::read(&config.state.join(ENROLMENT_KEY));
    let key_fault = key_fault(&key, unit.is_some());
    let checker = |now| Checker {
        roots: &config.roots,
        algorithms: algorithms(),
        now,
    };
    let mut judge = Judge::new(state.told.clone(), clock);
    let began = unit.as_ref().and_then(|unit| {
        let now = judge.read(clock).unix_time();
        checker(now).began(&unit.chain)
    });
    if let Some(began) = began {
        judge.learn(began);
    }
    let reading = judge.read(clock);
    let fault = fault.map(|fault| fault.to_string());
    let facts = Facts {
        unit: unit.as_ref(),
        fault: fault.as_deref(),
        key_fault: key_fault.as_deref(),
        state: &state,
        reading,
    };
    let refusal = |unit: &_| checker(reading.unix_time()).check_unit(unit).err();
    Ok(Status::new(&facts, refusal)
        .with_enrolment_key(key.ok().map(|key| Sha256::of(&key.spki()).to_string())))
}

/// What is wrong with the enrolment key of a device, which has made it if it `is_in`.
pub(super) fn key_fault(key: &Result<Key, Error>, is_in: bool) -> Option<String> {
    let error = match key {
        Err(Error::Pki(dc_pki::Error::Read { source, .. }))
            if source.kind() == ErrorKind::NotFound && !is_in =>
        {
            return None;
        }
        Err(error) => error,
        Ok(_) => return None,
    };
    Some(format!(
        "the key that the signer knows the device by cannot be used, so the device cannot renew: {error}: bring it back from a copy, or remove it and enrol again with another code"
    ))
}

/// How often a daemon looks whether somebody has put right what the device is to get in with.
const LOOK: Duration = Duration::from_secs(25);
