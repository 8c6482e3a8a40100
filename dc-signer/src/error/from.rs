//! The errors of the service's rooms, as errors of the crate.

use super::Error;
use crate::{authority, owner, store};

impl From<authority::Fault> for Error {
    fn from(source: authority::Fault) -> Self {
        Self::Authority { source }
    }
}

impl From<authority::Refusal> for Error {
    fn from(refusal: authority::Refusal) -> Self {
        match refusal {
            authority::Refusal::Internal(error) => error,
            authority::Refusal::Store(source) => Self::Store { source },
            refusal => Self::NotDone {
                source: Box::new(refusal),
            },
        }
    }
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Self::Store { source }
    }
}

impl From<owner::Problem> for Error {
    fn from(source: owner::Problem) -> Self {
        Self::Owner { source }
    }
}
