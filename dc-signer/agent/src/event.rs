//! The events that an agent reports to its log.

use std::fmt;

use super::client::ClientError;
use super::clock::Verdict;
use super::hook::HookError;
use super::status::Level;
use super::verify::UntrustedError;
use crate::error::Error;
use dc_pki::time::Moment;

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The judgement of the clock has changed.
    Clock(Verdict),
    /// The device renews without its activation code, which is good for nothing.
    Code {
        /// The cause.
        why: String,
    },
    /// A request failed.
    Failed {
        /// The cause.
        trouble: ClientError,
        /// When to try again.
        next: u64,
    },
    /// The hook failed; the renewal stands.
    HookFailed {
        /// The cause.
        error: HookError,
        /// When to run it again.
        next: u64,
    },
    /// The hook did its work.
    HookRan,
    /// A new generation is being served.
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
    /// The list of withdrawn names cannot be fetched or is not used; the one before it stays.
    ListFailed {
        /// The cause.
        why: String,
    },
    /// There is another list of withdrawn names.
    ListFetched {
        /// How many names it has.
        names: usize,
    },
    /// Clients do not get the current generation from the device's server. The renewal stands.
    #[cfg(feature = "self-check")]
    NotServed {
        /// The cause.
        error: super::self_check::SelfCheckError,
        /// When to look again.
        next: u64,
    },
    /// Servers would not accept what came for the device as a client; what it serves with is installed.
    NoClient {
        /// The cause.
        why: UntrustedError,
    },
    /// The generation behind `current` is not as it should be, and cannot be mended.
    NotMended {
        /// The fault.
        fault: String,
        /// The reason that it stays so.
        why: String,
    },
    /// The operator wants it renewed before its time.
    Pulled {
        /// When it will be.
        at: u64,
    },
    /// Something is due, and waits because the device or the agent has just started.
    PutOff {
        /// For how many seconds.
        seconds: u64,
    },
    /// The generation behind `current` was not as it should be, and it leads to a generation again.
    Recovered {
        /// The generation.
        number: u64,
        /// The fault that there was.
        why: String,
    },
    /// The device's server serves the current generation.
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
        /// The reason that it is not fine, or the last failure.
        reason: Option<String>,
    },
    /// Something of the agent's own could not be read or written. It goes on without.
    Setback {
        /// The error.
        error: Error,
    },
}

impl Event {
    /// True if somebody has to do something, or else this goes on.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        match self {
            Self::Clock(verdict) => !verdict.is_good(),
            Self::Failed { trouble, .. } => {
                trouble.failure() == super::schedule::Failure::Permanent
            }
            Self::Code { .. }
            | Self::HookFailed { .. }
            | Self::ListFailed { .. }
            | Self::NoClient { .. }
            | Self::NotMended { .. }
            | Self::Recovered { .. }
            | Self::Setback { .. }
            | Self::SignersClock { .. } => true,
            Self::Stands { level, .. } => *level != Level::Fine,
            #[cfg(feature = "self-check")]
            Self::NotServed { .. } => true,
            #[cfg(feature = "self-check")]
            Self::Served { .. } => false,
            Self::HookRan
            | Self::Installed { .. }
            | Self::KeySwitched
            | Self::ListFetched { .. }
            | Self::Pulled { .. }
            | Self::PutOff { .. } => false,
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
            Self::ListFailed { why } => f.write_str(why),
            Self::ListFetched { names } => write!(f, "{names} names are withdrawn now"),
            Self::KeySwitched => f.write_str("the device has another enrolment key"),
            #[cfg(feature = "self-check")]
            Self::NotServed { error, next } => write!(f, "{error}; again at {}", Moment::at(*next)),
            Self::Pulled { at } => write!(
                f,
                "the operator wants this zone renewed: at {}",
                Moment::at(*at)
            ),
            Self::PutOff { seconds } => write!(
                f,
                "what is due waits for {seconds} s, so that devices that start together do not come together (start_delay)"
            ),
            Self::NoClient { why } => {
                write!(f, "what came for the device as a client is no good: {why}")
            }
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
