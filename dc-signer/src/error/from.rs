//! The errors of the service's rooms, as errors of the crate.

use super::Error;
use crate::{desk, owner, registry, store};

impl From<desk::Fault> for Error {
    fn from(source: desk::Fault) -> Self {
        Self::Desk { source }
    }
}

impl From<desk::Refusal> for Error {
    fn from(refusal: desk::Refusal) -> Self {
        match refusal {
            desk::Refusal::Internal(error) => error,
            desk::Refusal::Store(source) => Self::Store { source },
            refusal => Self::NotDone {
                source: Box::new(refusal),
            },
        }
    }
}

impl From<registry::NoRandomness> for Error {
    fn from(_: registry::NoRandomness) -> Self {
        dc_pki::Error::Randomness.into()
    }
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Self::Store { source }
    }
}

impl From<owner::Error> for Error {
    fn from(source: owner::Error) -> Self {
        Self::Owner { source }
    }
}
