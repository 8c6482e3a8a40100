//! A device's agent as a daemon, or once from cron; ended by SIGTERM and SIGINT.

use std::time::Duration;

use dc_core::Role;

use super::clock::{Clock, Judge};
use super::config::Config;
use super::current::Found;
use super::device::{Agent, algorithms};
use super::event::Event;
use super::folder::Folder;
use super::generation::Generation;
use super::keys::{ENROLMENT_KEY, Key, key_fault};
use super::room::disk_fault;
use super::state::StateFile;
use super::status::{Facts, Status};
use super::stop::Stop;
use super::verify::Checker;
use crate::error::Error;
use dc_pki::Sha256;

/// Works until somebody wants the process to end. Returns how the device stands then.
pub fn run(agent: &mut Agent, stop: &mut Stop) -> Status {
    tell_delay(agent);
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
    let delay = tell_delay(agent);
    if delay.is_zero() || !stop.wait(delay) {
        agent.turn_until(stop);
    }
    agent.status()
}

/// The start's delay, which somebody who looks on is told of.
fn tell_delay(agent: &mut Agent) -> Duration {
    let delay = agent.start_delay();
    if !delay.is_zero() {
        let seconds = delay.as_secs();
        agent.tell(&Event::PutOff { seconds });
    }
    delay
}

/// How a device stands, from what is on its disk, while its agent runs or does not. Changes nothing.
///
/// Fails with [`Error::Read`](dc_pki::Error::Read) for whoever may not read the device's files.
pub fn look(config: &Config, clock: &dyn Clock) -> Result<Status, Error> {
    let (_, state, error) = StateFile::open(&config.state);
    if let Some(error @ Error::Pki(dc_pki::Error::Read { .. })) = error {
        return Err(error);
    }
    let Found { generation, fault } = Folder::new(&config.identity).look()?;
    let key = Key::read(&config.state.join(ENROLMENT_KEY));
    let key_fault = key_fault(&key, generation.is_some());
    let checker = |now| Checker {
        roots: &config.roots,
        algorithms: algorithms(),
        now,
    };
    let mut judge = Judge::new(state.told.clone(), clock);
    let began = generation.as_ref().and_then(|generation| {
        let now = judge.read(clock).unix_time();
        checker(now).began(&generation.server.chain)
    });
    if let Some(began) = began {
        judge.learn(began);
    }
    let reading = judge.read(clock);
    let fault = fault.map(|fault| fault.to_string());
    let client_fault = config.client_fault(generation.as_ref(), &checker(reading.unix_time()));
    let client_fault = client_fault.map(|fault| fault.to_string());
    let disk_fault = disk_fault(config);
    let facts = Facts {
        generation: generation.as_ref(),
        fault: fault.as_deref(),
        key_fault: key_fault.as_deref(),
        client_fault: client_fault.as_deref(),
        disk_fault: disk_fault.as_deref(),
        state: &state,
        reading,
    };
    let refusal = |generation: &Generation| {
        checker(reading.unix_time())
            .check_part(Role::Server, &generation.server)
            .err()
    };
    Ok(Status::new(&facts, refusal)
        .with_enrolment_key(key.ok().map(|key| Sha256::of(&key.spki()).to_string())))
}

/// How often a daemon looks whether somebody has put right what the device is to get in with.
const LOOK: Duration = Duration::from_secs(25);
