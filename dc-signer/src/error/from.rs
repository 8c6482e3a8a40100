//! The errors of the service's rooms, as errors of the crate.

use super::Error;
use crate::{authority, config, owner, registry, server, store};

impl From<config::Error> for Error {
    fn from(source: config::Error) -> Self {
        Self::Config { source }
    }
}

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

impl From<registry::NoRandomness> for Error {
    fn from(_: registry::NoRandomness) -> Self {
        dc_pki::Error::Randomness.into()
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

impl From<owner::Error> for Error {
    fn from(source: owner::Error) -> Self {
        Self::Owner { source }
    }
}
