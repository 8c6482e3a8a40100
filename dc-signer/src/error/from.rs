//! The errors of the service's rooms, as errors of the crate.

use super::Error;
use crate::{authority, owner, store};

impl From<authority::SetupError> for Error {
    fn from(source: authority::SetupError) -> Self {
        Self::Authority { source }
    }
}

impl From<authority::Error> for Error {
    fn from(error: authority::Error) -> Self {
        match error {
            authority::Error::Pki(error) => Self::Pki(error),
            authority::Error::Setup(source) => Self::Authority { source },
            authority::Error::Store(source) => Self::Store { source },
            error => Self::NotDone {
                source: Box::new(error),
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
