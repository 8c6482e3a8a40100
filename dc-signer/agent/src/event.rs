//! What an agent tells whoever reads its log.

use std::fmt;

use super::client::Trouble;
use super::clock::Verdict;
use super::hook::HookError;
use super::status::Level;
use crate::error::Error;
use dc_pki::time::Moment;

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// What is thought of the clock has changed.
    Clock(Verdict),
    /// The device renews without its activation code, which is good for nothing.
    Code {
        /// Why.
        why: String,
    },
    /// A request failed.
    Failed {
        /// Why.
        trouble: Trouble,
        /// When to try again.
        next: u64,
    },
    /// The hook failed; the renewal stands.
    HookFailed {
        /// Why.
        error: HookError,
        /// When to run it again.
        next: u64,
    },
    /// The hook did its work.
    HookRan,
    /// A new unit is being served.
    Installed {
        /// Its number.
        number: u64,
        /// The device's name.
        name: String,
        /// When the credentials end.
        expires: u64,
        /// When to renew.
        renew_at: u64,
    },
    /// The signer knows the device by another enrolment key from now on.
    KeySwitched,
    /// Clients do not get the current unit from the device's server. The renewal stands.
    #[cfg(feature = "self-check")]
    NotServed {
        /// Why.
        error: super::self_check::SelfCheckError,
        /// When to look again.
        next: u64,
    },
    /// What is behind `current` is not as it should be, and cannot be mended.
    NotMended {
        /// What is wrong.
        fault: String,
        /// Why it stays so.
        why: String,
    },
    /// The operator wants it renewed before its time.
    Pulled {
        /// When it will be.
        at: u64,
    },
    /// What is behind `current` was not as it should be, and it leads to a unit again.
    Recovered {
        /// The unit.
        number: u64,
        /// What was wrong.
        why: String,
    },
    /// The device's server serves the current unit.
    #[cfg(feature = "self-check")]
    Served {
        /// Its number.
        number: u64,
    },
    /// The signer's clock, or its certificate, is wrong for certain.
    SignersClock {
        /// How that is known.
        why: String,
    },
    /// How the device stands has changed.
    Stands {
        /// In one word.
        level: Level,
        /// Why it is not fine, or what failed last.
        reason: Option<String>,
    },
    /// Something of the agent's own could not be read or written. It goes on without.
    Setback {
        /// What.
        error: Error,
    },
}

impl Event {
    /// Whether somebody has to do something, or else this goes on.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        match self {
            Self::Clock(verdict) => !verdict.is_good(),
            Self::Failed { trouble, .. } => {
                trouble.failure() == super::schedule::Failure::Permanent
            }
            Self::Code { .. }
            | Self::HookFailed { .. }
            | Self::NotMended { .. }
            | Self::Recovered { .. }
            | Self::Setback { .. }
            | Self::SignersClock { .. } => true,
            Self::Stands { level, .. } => *level != Level::Fine,
            #[cfg(feature = "self-check")]
            Self::NotServed { .. } => true,
            #[cfg(feature = "self-check")]
            Self::Served { .. } => false,
            Self::HookRan | Self::Installed { .. } | Self::KeySwitched | Self::Pulled { .. } => {
                false
            }
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(verdict) => fmt::Display::fmt(verdict, f),
            Self::Failed { trouble, next } => {
                write!(f, "{trouble}; next try at {}", Moment::at(*next))
            }
            Self::HookFailed { error, next } => {
                write!(f, "{error}; again at {}", Moment::at(*next))
            }
            Self::HookRan => f.write_str("the hook ran"),
            Self::Installed {
                number,
                name,
                expires,
                renew_at,
            } => write!(
                f,
                "dc-{number} is current: {name} until {}, to be renewed at {}",
                Moment::at(*expires),
                Moment::at(*renew_at)
            ),
            Self::KeySwitched => f.write_str("the device has another enrolment key"),
            #[cfg(feature = "self-check")]
            Self::NotServed { error, next } => write!(f, "{error}; again at {}", Moment::at(*next)),
            Self::Pulled { at } => write!(
                f,
                "the operator wants this zone renewed: at {}",
                Moment::at(*at)
            ),
            Self::NotMended { fault, why } => {
                write!(f, "{fault}, and it cannot be mended: {why}")
            }
            Self::Recovered { number, why } => {
                write!(
                    f,
                    "{why}, and dc-{number} is current now: check the storage"
                )
            }
            #[cfg(feature = "self-check")]
            Self::Served { number } => write!(f, "the server serves dc-{number}"),
            Self::Code { why } | Self::SignersClock { why } => f.write_str(why),
            Self::Stands { level, reason } => {
                write!(f, "the device is {level}")?;
                match reason {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
            Self::Setback { error } => fmt::Display::fmt(error, f),
        }
    }
}
