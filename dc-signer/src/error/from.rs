//! The errors of the service's rooms, as errors of the crate.

use super::Error;
use crate::{config, desk, owner, server, store};

impl From<config::Error> for Error {
    fn from(source: config::Error) -> Self {
        Self::Config { source }
    }
}

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

impl From<server::Error> for Error {
    fn from(source: server::Error) -> Self {
        Self::Server { source }
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
