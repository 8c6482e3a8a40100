//! What the authority and the store refuse, as problems.

use super::problem::Refused;
use crate::authority::Refusal;
use crate::authority::policy::Denied;
use crate::registry;
use crate::store;
use dc_protocol::Kind;

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Refused { source } => source.into(),
            store::Error::CannotWrite { .. }
            | store::Error::OlderThanSeen { .. }
            | store::Error::Unavailable { .. } => {
                // What the database said is for whoever runs it, not for who asks.
                tracing::warn!(%error, "the database does not work");
                Self::new(
                    Kind::StorageUnavailable,
                    "nothing can be stored now, and nothing was: send the same request again later",
                )
            }
            error => bug(&error),
        }
    }
}

impl From<registry::Error> for Refused {
    fn from(error: registry::Error) -> Self {
        let kind = match error {
            registry::Error::AlreadyEnrolled
            | registry::Error::EpochNotHigher { .. }
            | registry::Error::NameTaken
            | registry::Error::NameWithdrawn { .. }
            | registry::Error::NotInState { .. }
            | registry::Error::OtherName
            | registry::Error::SerialTaken
            | registry::Error::SlotExists { .. }
            | registry::Error::SlotOrder { .. }
            | registry::Error::TooLittleLeft { .. }
            | registry::Error::ZoneExists => Kind::Conflict,
            registry::Error::NameHeld { .. } => Kind::NameHeld,
            registry::Error::KeyEnded | registry::Error::KeyTaken | registry::Error::UnknownKey => {
                Kind::KeyRefused
            }
            registry::Error::UnknownDevice
            | registry::Error::UnknownOperator
            | registry::Error::UnknownSlot { .. }
            | registry::Error::UnknownZone => Kind::NotFound,
            registry::Error::NotActive { state } => match state {
                registry::State::Retired => Kind::DeviceRetired,
                registry::State::Suspended => Kind::DeviceSuspended,
                _ => Kind::UnknownDevice,
            },
            registry::Error::BadDeviceId => Kind::NotFound,
            registry::Error::AuditLink { .. } | registry::Error::AuditSequence { .. } => {
                return bug(&error);
            }
            _ => Kind::BadRequest,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<dc_pki::Error> for Refused {
    fn from(error: dc_pki::Error) -> Self {
        bug(&error)
    }
}

impl From<crate::Error> for Refused {
    fn from(error: crate::Error) -> Self {
        bug(&error)
    }
}

/// Something that should not happen: the log has it, the answer only says so.
pub(super) fn bug(error: &dyn std::error::Error) -> Refused {
    tracing::error!(%error, "this should not happen");
    Refused::new(
        Kind::Internal,
        "something went wrong that should not: the log has it under this request's id",
    )
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Store(source) => return source.into(),
            Refusal::Internal(error) => return bug(&error),
            Refusal::Denied(denied) => return denied.into(),
            Refusal::BadCsr(_) => Kind::BadCsr,
            Refusal::Busy => Kind::Busy,
            Refusal::Clock(_) => Kind::ClockWrong,
            Refusal::Code(_) | Refusal::CodesOff => Kind::CodeRefused,
            Refusal::Conflict(_)
            | Refusal::KeyNotEverywhere { .. }
            | Refusal::KeyOfOtherRequest
            | Refusal::NoNextSlot { .. } => Kind::Conflict,
            Refusal::KeyNotHere { .. } => Kind::ZoneNotReady,
            Refusal::Stranger | Refusal::UnknownSerial | Refusal::WithoutSerial => {
                Kind::UnknownDevice
            }
            _ => Kind::BadRequest,
        };
        Self::new(kind, refusal.to_string())
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        let kind = match denied {
            Denied::NotAllowed(source) => return source.into(),
            Denied::CloneSuspected => Kind::CloneSuspected,
            Denied::DelegationKey | Denied::EnrolmentKey | Denied::KeyType(_) => Kind::KeyRefused,
            Denied::NoDelegation | Denied::NotBegun { .. } | Denied::TooLittleLeft { .. } => {
                Kind::ZoneNotReady
            }
            _ => Kind::Conflict,
        };
        Self::new(kind, denied.to_string())
    }
}
