//! What the domain refuses, naming the limit and what to do next.

use std::fmt;

use pki_types::UnixTime;

use super::{OperatorName, SlotState, State};
use dc_pki::human::Moment;

/// Why a value is none, or why something is not allowed now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The device has an enrolment key already, and it is not this one.
    AlreadyEnrolled,
    /// The hash of an audit record is not the one that the next record, or the head, has.
    AuditLink {
        /// The record behind which the chain is broken.
        seq: u64,
    },
    /// An audit record is missing, or one too many.
    AuditSequence {
        /// The sequence number that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// An action of an audit record is none that this version knows.
    BadAction,
    /// An activation code is mistyped.
    BadCode,
    /// A device id is none.
    BadDeviceId,
    /// An external id is empty, too long, or not printable ASCII.
    BadExternalId,
    /// Forms of credentials are none of the known ones.
    BadForms,
    /// An operator's name has other characters, or too many.
    BadOperatorName,
    /// A role is none of the known ones.
    BadRole,
    /// A SHA-256 is not 64 hexadecimal digits in lower case.
    BadSha256,
    /// A state is none of the known ones.
    BadState,
    /// Another activation code has this public part.
    CodeTaken,
    /// A new name must come with a higher epoch.
    EpochNotHigher {
        /// The device's epoch now.
        epoch: u32,
    },
    /// The old enrolment key of a switch has had its time.
    KeyEnded,
    /// Another device has this enrolment key.
    KeyTaken,
    /// Another box has a valid credential for the name of the device.
    NameHeld {
        /// From when on it has not.
        from: UnixTime,
    },
    /// Another device has or had this unique name.
    NameTaken,
    /// The name is withdrawn, and a credential that was issued for it before is valid.
    NameWithdrawn {
        /// From when on none is.
        from: UnixTime,
    },
    /// No device can get credentials in this state.
    NotActive {
        /// The state.
        state: State,
    },
    /// A device cannot be changed in this way in this state.
    NotInState {
        /// The state.
        state: State,
    },
    /// The device got another name in the meantime.
    OtherName,
    /// Another device is expected to have this manufacturer's serial number.
    SerialTaken,
    /// A slot holds this delegation certificate already.
    SlotExists {
        /// Its number.
        number: u32,
    },
    /// A slot moves forward only, one step at a time.
    SlotOrder {
        /// Its state.
        from: SlotState,
        /// What was asked for.
        to: SlotState,
    },
    /// A delegation certificate is not valid yet, or not for eight days more.
    TooLittleLeft {
        /// When it begins.
        not_before: UnixTime,
        /// When it ends.
        not_after: UnixTime,
    },
    /// There is no such device.
    UnknownDevice,
    /// The enrolment key is not the device's.
    UnknownKey,
    /// There is no such operator.
    UnknownOperator,
    /// The zone has no slot with this number.
    UnknownSlot {
        /// The number.
        number: u32,
    },
    /// The signer does not have this zone.
    UnknownZone,
    /// The zone is there already.
    ZoneExists,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuditLink { seq } => write!(
                f,
                "the audit log is not what was written: record {seq} does not fit what follows it; compare it with a backup"
            ),
            Self::AuditSequence { expected, found } => write!(
                f,
                "the audit log is not what was written: record {expected} should come, but {found} does; compare it with a backup"
            ),
            Self::BadOperatorName => write!(
                f,
                "an operator's name has 1 to {} characters of a-z, 0-9, '.', '_' and '-'",
                OperatorName::MAX_LEN
            ),
            Self::EpochNotHigher { epoch } => write!(
                f,
                "a new name needs an epoch above {epoch}: read the device again"
            ),
            Self::NameHeld { from } => write!(
                f,
                "the box that had this name before may have a valid credential for it until {0}, clocks that differ included: this one gets its own from {0} on, so try again then",
                Moment(*from)
            ),
            Self::NameWithdrawn { from } => write!(
                f,
                "the name is withdrawn, and the box that had it may have a valid credential until {}: give a new name, wait until then, or resume the device first if its box is in good hands",
                Moment(*from)
            ),
            Self::NotActive { state } => write!(
                f,
                "the device is {state}, and only active ones get credentials{}",
                state_fix(*state)
            ),
            Self::NotInState { state } => write!(
                f,
                "this cannot be done to a device that is {state}{}",
                state_fix(*state)
            ),
            Self::SlotExists { number } => write!(
                f,
                "slot {number} of the zone has this delegation certificate already"
            ),
            Self::SlotOrder { from, to } => write!(
                f,
                "a slot that is {from} cannot become {to}: the order is next, active, draining, gone"
            ),
            Self::TooLittleLeft {
                not_before,
                not_after,
            } => write!(
                f,
                "the delegation certificate is valid from {} to {}: to be active it must have begun and have 8 d left; import a newer one",
                Moment(*not_before),
                Moment(*not_after)
            ),
            Self::UnknownSlot { number } => write!(f, "the zone has no slot {number}: list them"),
            other => f.write_str(other.text()),
        }
    }
}

impl Error {
    /// What needs no number to be said.
    const fn text(&self) -> &'static str {
        match self {
            Self::AlreadyEnrolled => {
                "the device is enrolled with another key: replace it first if that key is lost"
            }
            Self::BadAction => "an audit record has an unknown action: use the newest version",
            Self::BadCode => "this is no activation code: it has 36 characters of a-z and 2-7",
            Self::BadDeviceId => {
                "this is no device id: it has 26 characters of a-z and 2-7, in lower case"
            }
            Self::BadExternalId => {
                "an external id has 1 to 128 printable ASCII characters and no space at either end"
            }
            Self::BadForms => "forms are one of named, both, rfc9345",
            Self::BadRole => "a role is one of viewer, operator, admin",
            Self::BadSha256 => "a SHA-256 is 64 hexadecimal digits in lower case",
            Self::BadState => "this is none of the states there are",
            Self::CodeTaken => "another activation code has this public part: make another one",
            Self::KeyEnded => {
                "a newer enrolment key took over more than 24 h ago: use that key, or enrol again"
            }
            Self::KeyTaken => {
                "another device has this enrolment key: every device must make its own"
            }
            Self::NameTaken => "another device has or had this name: take the next epoch",
            Self::OtherName => "the device got another name in the meantime: ask again",
            Self::SerialTaken => "another device is expected to have this serial number",
            Self::UnknownDevice => "there is no such device: add it first",
            Self::UnknownKey => "this enrolment key is not the device's: enrol first",
            Self::UnknownOperator => "there is no such operator: list them",
            Self::UnknownZone => "there is no such zone: add it first",
            Self::ZoneExists => "the zone is there already",
            _ => "not allowed",
        }
    }
}

fn state_fix(state: State) -> &'static str {
    match state {
        State::Preregistered => ": it must enrol first",
        State::Active => "",
        State::Suspended => ": resume it first",
        State::Retired => " for good: add a new one",
    }
}
