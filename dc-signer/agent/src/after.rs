//! The steps after a renewal, when the new generation is current: the hook that tells a server, and a look at what the
//! server then serves. Neither undoes a renewal.

use super::device::Agent;
use super::event::Event;
use super::hook::{self, HookError};
use super::schedule;
#[cfg(feature = "self-check")]
use super::self_check;
use super::state::HookFailure;
#[cfg(feature = "self-check")]
use super::state::SelfCheck;
use super::stop::Stop;

impl Agent {
    /// Does what is due for the current generation.
    pub(super) fn after_renewal(&mut self, stop: &mut Stop) {
        self.run_hook(stop);
        #[cfg(feature = "self-check")]
        self.check_what_is_served();
        #[cfg(not(feature = "self-check"))]
        {
            self.state.self_check = None;
        }
    }

    /// When something of it is due again.
    pub(super) fn after_renewal_at(&self) -> u64 {
        let hook = self.state.hook_failure.as_ref().map(|failed| failed.next);
        let check = self.state.self_check.as_ref().map(|check| check.next);
        hook.into_iter().chain(check).min().unwrap_or(u64::MAX)
    }

    fn run_hook(&mut self, stop: &mut Stop) {
        let (Some(hook), Some(generation)) = (self.config.hook.clone(), &self.generation) else {
            // The operator may have taken away one that failed.
            self.state.hook_failure = None;
            return;
        };
        let (number, now) = (generation.number, self.reading().now);
        let failed = self.state.hook_failure.as_ref();
        let next = failed.map_or(0, |failed| schedule::believable(failed.next, now, AN_HOUR));
        if self.state.hooked == Some(number) || now < next {
            return;
        }
        let failures = failed.map_or(0, |failed| failed.failures).saturating_add(1);
        match hook.run(&self.config.identity, stop) {
            // Nothing is wrong with it, so it runs first thing when the agent is back.
            Err(HookError::Stopped) => {}
            Ok(()) => {
                self.state.hooked = Some(number);
                self.state.hook_failure = None;
                self.tell(&Event::HookRan);
            }
            Err(error) => {
                let next = hook::again_at(now, failures);
                self.state.hook_failure = Some(HookFailure {
                    failures,
                    next,
                    detail: error.to_string(),
                });
                self.tell(&Event::HookFailed { error, next });
            }
        }
    }

    #[cfg(feature = "self-check")]
    fn check_what_is_served(&mut self) {
        let (Some(address), Some(generation)) = (self.config.self_check, &self.generation) else {
            self.state.self_check = None;
            return;
        };
        let (number, reading) = (generation.number, self.reading());
        if self.state.checked == Some(number) {
            return;
        }
        let planned = self.state.self_check.as_ref();
        let Some(planned) = planned.filter(|planned| planned.generation == number) else {
            self.state.self_check = Some(SelfCheck {
                generation: number,
                failures: 0,
                next: reading.now.saturating_add(TIME_TO_FOLLOW),
                detail: None,
            });
            return;
        };
        if reading.now < schedule::believable(planned.next, reading.now, AN_HOUR) {
            return;
        }
        let failures = planned.failures.saturating_add(1);
        match self_check::run(address, &self.config.roots, generation, reading.unix_time()) {
            Ok(()) => {
                self.state.checked = Some(number);
                self.state.self_check = None;
                self.tell(&Event::Served { number });
            }
            Err(error) => {
                let next = hook::again_at(reading.now, failures);
                self.state.self_check = Some(SelfCheck {
                    generation: number,
                    failures,
                    next,
                    detail: Some(error.to_string()),
                });
                self.tell(&Event::NotServed { error, next });
            }
        }
    }
}

/// The longest that either waits before it is tried again, in seconds.
const AN_HOUR: u64 = 3600;
/// How long a server gets that looks at the folder now and then, in seconds.
#[cfg(feature = "self-check")]
const TIME_TO_FOLLOW: u64 = 60;
