//! The request for admission, and the decision.

use std::time::Duration;

use crate::id::Id;
use crate::renewals::Left;
use crate::whence::Whence;

/// The limits of a [`Admission`](crate::Admission).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdmissionLimits {
    /// The most enrolments and renewals a second.
    pub rate: f64,
    /// The most of them at once.
    pub at_once: usize,
    /// The most of them that wait.
    pub waiting: usize,
    /// How long each waits at most.
    pub wait: Duration,
    /// The places that are operators' alone: at least two.
    pub operators: usize,
    /// How long an operator waits at most.
    pub operator_wait: Duration,
}

/// A request, as far as it decides who is next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asks {
    /// The next credential of a device that is known.
    Renewal {
        /// The device's number, which nobody can choose: such as a part of the hash of its key.
        device: u64,
        /// How long the credential that it holds is valid.
        left: Left,
    },
    /// The first credential of a device.
    Enrolment {
        /// The number of what lets it enrol, which nobody can choose either, such as a part of the hash of its activation code: who has one
        /// of these has one place.
        device: u64,
        /// The address that it comes from.
        whence: Whence,
    },
    /// Anything that an operator asks for.
    Operator {
        /// The operator's number.
        operator: u64,
        /// It may take minutes.
        is_long: bool,
    },
}

/// The answer to somebody who has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It is served now.
    Serve(Id),
    /// It is not, and is to come later.
    Later(Id, Later),
}

/// The time to come again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Later {
    /// After how long, in whole seconds.
    pub after: Duration,
    /// This time is kept for it alone.
    pub is_reserved: bool,
    /// It is later than what the device holds allows: there is not enough capacity for all of them.
    pub is_too_late: bool,
}

impl Later {
    /// A reservation. Rounded up: whoever comes too early is told to come again.
    pub(crate) fn at(at: Duration, now: Duration, is_too_late: bool) -> Self {
        let wait = at.saturating_sub(now);
        let more = u64::from(wait.subsec_nanos() > 0);
        Self {
            after: Duration::from_secs(wait.as_secs() + more),
            is_reserved: true,
            is_too_late,
        }
    }
}
