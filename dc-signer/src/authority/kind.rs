//! The kind of problem that an error is for whoever asked, and with that its HTTP status: the one table, for API and pages.
//!
//! There is no catch-all, so that nothing new is answered before somebody has thought about it.

use super::error::PkiError;
use super::policy::PolicyError;
use super::{Error, SetupError};
use dc_pki::keys::{KeyFault, NotSigned, ProcessFault};
use dc_protocol::Kind;
use dc_store::registry::{self, Mismatch, State};

impl Error {
    /// The kind of problem that it is; [`Kind::Internal`] is a bug, or for whoever runs the signer.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadCsr(_) => Kind::BadCsr,
            Self::BadIdempotencyKey { .. }
            | Self::BadZone(_)
            | Self::NoManufacturer { .. }
            | Self::SerialAlone
            | Self::TooManyDevices { .. }
            | Self::TwoWays
            | Self::ValidTooLong { .. }
            | Self::WhichZone => Kind::BadRequest,
            Self::Busy => Kind::Busy,
            Self::Clock(_) => Kind::ClockWrong,
            Self::CredentialEnded { .. } => Kind::TokenRequired,
            Self::RenewWithNewer | Self::RoleTooLow { .. } => Kind::Forbidden,
            Self::Code(_) | Self::CodesOff => Kind::CodeRefused,
            Self::AlreadyActive { .. }
            | Self::AskerGone { .. }
            | Self::Conflict(_)
            | Self::KeyElsewhere { .. }
            | Self::KeyNotEverywhere { .. }
            | Self::KeyOfOtherRequest
            | Self::NameOfSuspended { .. }
            | Self::NobodyElse { .. }
            | Self::NotForClients { .. }
            | Self::NoNextDelegation { .. }
            | Self::ProcessRefuses { .. }
            | Self::OtherRole { .. } => Kind::Conflict,
            Self::KeyNotHere { .. } | Self::Paused { .. } => Kind::ZoneNotReady,
            // A token that is away comes back, and so does the device.
            Self::Pki(PkiError::Sign { source }) if source.fault.is_temporary() => {
                Kind::ZoneNotReady
            }
            // Whatever a signing process refuses, or says: the device has done nothing wrong, nor has the service.
            Self::Pki(PkiError::Sign { source }) if is_of_process(source) => Kind::ZoneNotReady,
            Self::Pki(PkiError::Process { fault, .. }) if *fault != ProcessFault::NoMessages => {
                Kind::ZoneNotReady
            }
            // It is not valid now, by the clock of whoever has looked: no device can do anything about that.
            Self::Pki(PkiError::Refused {
                source:
                    dc_core::Error::CertificateNotValid { .. }
                    | dc_core::Error::ExpiryAfterCertificate { .. }
                    | dc_core::Error::ValidityTooLong { .. },
            }) => Kind::ZoneNotReady,
            // Another signer has the key, or this one will.
            Self::Setup(SetupError::SecretsNotHere { .. }) => Kind::NotReady,
            Self::ListTooLong(_) | Self::Pki(_) | Self::Setup(_) => Kind::Internal,
            Self::Policy(error) => of_policy(error),
            Self::Store(error) => of_store(error),
            Self::Stranger | Self::UnknownSerial | Self::WithoutSerial => Kind::UnknownDevice,
        }
    }

    /// True if the same request may work later, with nothing done about the request itself.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        let kind = self.kind();
        kind.is_transient() && kind != Kind::Internal
    }
}

/// True unless it was asked for what it does for nobody, which would be a bug.
fn is_of_process(source: &NotSigned) -> bool {
    matches!(&source.fault, KeyFault::Process { fault } if *fault != ProcessFault::NoMessages)
}

fn of_policy(error: &PolicyError) -> Kind {
    match error {
        PolicyError::CloneSuspected => Kind::CloneSuspected,
        PolicyError::DelegationKey
        | PolicyError::EnrolmentKey
        | PolicyError::KeyType(_)
        | PolicyError::OneKey => Kind::KeyRefused,
        PolicyError::NoDelegation
        | PolicyError::NotBegun { .. }
        | PolicyError::TooLittleLeft { .. } => Kind::ZoneNotReady,
        PolicyError::OtherZone => Kind::Conflict,
    }
}

fn of_store(error: &dc_store::Error) -> Kind {
    match error {
        dc_store::Error::CannotWrite { .. }
        | dc_store::Error::NotWritten { .. }
        | dc_store::Error::OlderThanSeen { .. }
        | dc_store::Error::SchemaChanged { .. }
        | dc_store::Error::Unavailable { .. } => Kind::StorageUnavailable,
        dc_store::Error::MayNot { .. }
        | dc_store::Error::NotAsAudited {
            source:
                Mismatch::OperatorChanged { .. }
                | Mismatch::OperatorEnabled { .. }
                | Mismatch::OperatorMadeWrongly { .. }
                | Mismatch::NoRecord {
                    what: "the operator",
                    ..
                },
        } => Kind::Forbidden,
        dc_store::Error::Archived { .. }
        | dc_store::Error::NoSuchMismatch
        | dc_store::Error::OlderSigner => Kind::Conflict,
        dc_store::Error::ArchiveFile { .. }
        | dc_store::Error::ArchivesEnd { .. }
        | dc_store::Error::BadPages { .. }
        | dc_store::Error::BackupElsewhere
        | dc_store::Error::BackupExists { .. }
        | dc_store::Error::BeingReplaced { .. }
        | dc_store::Error::Corrupt { .. }
        | dc_store::Error::Cut { .. }
        | dc_store::Error::Database { .. }
        | dc_store::Error::Gone { .. }
        | dc_store::Error::InUse { .. }
        | dc_store::Error::NoOlderCopy { .. }
        | dc_store::Error::NotAsAudited { .. }
        | dc_store::Error::NotInCheckpoint { .. }
        | dc_store::Error::NotPermitted { .. }
        | dc_store::Error::OutOfRange { .. }
        | dc_store::Error::Rewritten { .. }
        | dc_store::Error::SchemaTooOld { .. }
        | dc_store::Error::SchemaUnknown { .. }
        | dc_store::Error::StateNotInAudit { .. }
        | dc_store::Error::Url { .. } => Kind::Internal,
        dc_store::Error::ListNumber { .. } => Kind::ZoneNotReady,
        dc_store::Error::Refused { source } => of_registry(*source),
    }
}

fn of_registry(error: registry::Error) -> Kind {
    match error {
        registry::Error::AccessKeptOut
        | registry::Error::AlreadyEnrolled
        | registry::Error::ApprovalOver
        | registry::Error::EpochNotHigher { .. }
        | registry::Error::LastAdmin
        | registry::Error::TooFewAdmins
        | registry::Error::NameTaken
        | registry::Error::NameWithdrawn { .. }
        | registry::Error::NotInState { .. }
        | registry::Error::OperatorDisabled
        | registry::Error::OperatorEnabled
        | registry::Error::OtherName
        | registry::Error::SecretsChanged
        | registry::Error::SerialTaken
        | registry::Error::SlotIsActive { .. }
        | registry::Error::SlotIsGone { .. }
        | registry::Error::DelegationExists { .. }
        | registry::Error::DelegationOrder { .. }
        | registry::Error::TooLittleLeft { .. }
        | registry::Error::ZoneExists
        | registry::Error::ZoneWasUsed => Kind::Conflict,
        registry::Error::AuditLink { .. }
        | registry::Error::AuditSequence { .. }
        | registry::Error::OtherLog { .. } => Kind::Internal,
        registry::Error::BadAction
        | registry::Error::BadCode
        | registry::Error::BadExternalId
        | registry::Error::BadForms(_)
        | registry::Error::BadOperatorName
        | registry::Error::BadReason
        | registry::Error::BadRole
        | registry::Error::BadRoles(_)
        | registry::Error::BadSearch
        | registry::Error::BadSha256(_)
        | registry::Error::BadState
        | registry::Error::CodeTaken
        | registry::Error::NoReason => Kind::BadRequest,
        registry::Error::BadDeviceId
        | registry::Error::UnknownApproval
        | registry::Error::UnknownDevice
        | registry::Error::UnknownOperator
        | registry::Error::UnknownDelegation { .. }
        | registry::Error::UnknownSecret
        | registry::Error::UnknownZone => Kind::NotFound,
        registry::Error::KeyEnded | registry::Error::KeyTaken | registry::Error::UnknownKey => {
            Kind::KeyRefused
        }
        registry::Error::ApproverIsNewer { .. }
        | registry::Error::AskerKeptOut { .. }
        | registry::Error::OwnApproval
        | registry::Error::TakesTwo => Kind::Forbidden,
        registry::Error::NameHeld { .. } => Kind::NameHeld,
        registry::Error::NotActive { state } => of_state(state),
    }
}

/// Of a device that is not active.
fn of_state(state: State) -> Kind {
    match state {
        State::Active | State::Preregistered => Kind::UnknownDevice,
        State::Retired => Kind::DeviceRetired,
        State::Suspended => Kind::DeviceSuspended,
    }
}

#[cfg(test)]
mod tests {
    use pki_types::UnixTime;

    use super::*;
    use dc_pki::keys::{KeyLocation, Refusal, TokenFault};

    #[test]
    fn what_ends_by_itself_is_temporary_and_a_bug_is_not() {
        let from = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
        let held = Error::from(registry::Error::NameHeld { from });
        assert!(held.is_temporary() && held.available_from() == Some(from));
        assert!(Error::Busy.is_temporary());
        assert!(!Error::from(registry::Error::UnknownDevice).is_temporary());
        let corrupt = Error::from(dc_store::Error::Corrupt { place: "a row" });
        assert!(corrupt.kind() == Kind::Internal && !corrupt.is_temporary());
        for (fault, is_temporary) in [(TokenFault::Away, true), (TokenFault::PinLocked, false)] {
            let source = NotSigned {
                key: KeyLocation::File("key.pem".into()),
                fault: KeyFault::Token { fault },
            };
            let error = Error::from(PkiError::Sign { source });
            assert_eq!(error.is_temporary(), is_temporary, "{error}");
        }
    }

    #[test]
    fn no_refusal_of_a_signing_process_is_called_a_bug() {
        let of = |fault: ProcessFault| {
            let key = KeyLocation::Process("socket".into());
            let opened = Error::from(PkiError::Process {
                key: key.clone(),
                fault: fault.clone(),
            });
            let fault = KeyFault::Process { fault };
            let source = NotSigned { key, fault };
            [opened.kind(), Error::from(PkiError::Sign { source }).kind()]
        };
        for reason in Refusal::ALL.into_iter().chain([Refusal::Other(99)]) {
            let detail = "why".to_owned();
            let refused = ProcessFault::Refused { reason, detail };
            assert_eq!(of(refused), [Kind::ZoneNotReady; 2], "{reason:?}");
        }
        assert_eq!(of(ProcessFault::Malformed), [Kind::ZoneNotReady; 2]);
        assert_eq!(of(ProcessFault::NoMessages), [Kind::Internal; 2]);
    }
}
