//! The errors of the service's rooms, as errors of the crate.

use super::Error;
use crate::{authority, config, owner, server, store};

impl From<config::Error> for Error {
    fn from(source: config::Error) -> Self {
        Self::Config { source }
    }
}

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
            error @ (authority::Error::BadCsr(_)
            | authority::Error::BadIdempotencyKey { .. }
            | authority::Error::Busy
            | authority::Error::Clock(_)
            | authority::Error::Code(_)
            | authority::Error::CodesOff
            | authority::Error::Conflict(_)
            | authority::Error::KeyOfOtherRequest
            | authority::Error::KeyNotEverywhere { .. }
            | authority::Error::KeyNotHere { .. }
            | authority::Error::NoManufacturer { .. }
            | authority::Error::NoNextDelegation { .. }
            | authority::Error::Policy(_)
            | authority::Error::SerialAlone
            | authority::Error::Stranger
            | authority::Error::TwoWays
            | authority::Error::UnknownSerial
            | authority::Error::WhichZone
            | authority::Error::WithoutSerial) => Self::NotDone {
                source: Box::new(error),
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

impl From<owner::Error> for Error {
    fn from(source: owner::Error) -> Self {
        Self::Owner { source }
    }
}
