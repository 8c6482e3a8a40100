//! Delegation certificates that cannot be used or become active yet, with the reason.

use std::fmt;
use std::io::ErrorKind;

use super::error::PkiError;
use super::{Error, SetupError};
use dc_pki::keys::KeyFault;
use dc_pki::names::ZoneName;
use dc_store::registry::{DelegationState, ZoneDelegation};

/// A slot whose key cannot be used on this machine.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The zone.
    pub zone: ZoneName,
    /// The slot's number.
    pub slot: u32,
    /// Its state.
    pub state: DelegationState,
    /// The reason, with the file.
    pub reason: String,
    /// The same for strangers.
    pub(super) brief: String,
}

impl Missing {
    pub(super) fn new(zone: &ZoneName, slot: &ZoneDelegation, error: &Error) -> Self {
        Self {
            zone: zone.clone(),
            slot: slot.number,
            state: slot.state,
            reason: reason(zone, error),
            brief: brief(zone, error),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            zone,
            slot,
            state,
            reason,
            brief: _,
        } = self;
        write!(
            f,
            "slot {slot} of {zone}, which is {state}, cannot be used: {reason}"
        )
    }
}

/// A slot whose time has come, and that other signers cannot sign with yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// The zone.
    pub zone: ZoneName,
    /// The slot's number.
    pub slot: u32,
    /// The signers that it waits for; none if it waits for two operators.
    pub nodes: Vec<String>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zone, slot, nodes } = self;
        if nodes.is_empty() {
            return write!(
                f,
                "slot {slot} of {zone} was imported by hand, and is used when two operators agree: 'dc-signer zones rollover {zone} --to {slot} --reason WHY --config FILE'"
            );
        }
        let nodes = nodes.join(", ");
        write!(
            f,
            "slot {slot} of {zone} becomes active when its key is imported on {nodes} too"
        )
    }
}

fn reason(zone: &ZoneName, error: &Error) -> String {
    match error {
        Error::Pki(PkiError::MissingDelegation { folder }) => {
            format!("{} has no key: {}", folder.display(), import(zone))
        }
        error => error.to_string(),
    }
}

/// The reason as strangers may know it: no paths.
fn brief(zone: &ZoneName, error: &Error) -> String {
    match error {
        Error::Pki(error) => brief_of_files(zone, error),
        Error::Setup(error) => brief_of_setup(error),
        Error::AlreadyActive { .. }
        | Error::AskerGone { .. }
        | Error::BadCsr(_)
        | Error::BadIdempotencyKey { .. }
        | Error::BadZone(_)
        | Error::Busy
        | Error::Clock(_)
        | Error::Code(_)
        | Error::CodesOff
        | Error::Conflict(_)
        | Error::CredentialEnded { .. }
        | Error::KeyElsewhere { .. }
        | Error::KeyNotEverywhere { .. }
        | Error::KeyNotHere { .. }
        | Error::KeyOfOtherRequest
        | Error::ListTooLong(_)
        | Error::NameOfSuspended { .. }
        | Error::NoManufacturer { .. }
        | Error::NoNextDelegation { .. }
        | Error::NotForClients { .. }
        | Error::Paused { .. }
        | Error::Policy(_)
        | Error::ProcessRefuses { .. }
        | Error::RenewWithNewer
        | Error::RoleTooLow { .. }
        | Error::SerialAlone
        | Error::Stranger
        | Error::Store(_)
        | Error::TooManyDevices { .. }
        | Error::TwoWays
        | Error::UnknownSerial
        | Error::ValidTooLong { .. }
        | Error::WhichZone
        | Error::NobodyElse { .. }
        | Error::OtherRole { .. }
        | Error::WithoutSerial => CHANGED.to_owned(),
    }
}

fn brief_of_setup(error: &SetupError) -> String {
    match error {
        SetupError::NoSealingKey { .. }
        | SetupError::Sealed { .. }
        | SetupError::SealingKey { .. } => {
            "it is sealed in the database, and cannot be opened here: the log says more".to_owned()
        }
        SetupError::SelfTest { .. } => "it does not sign: the log says more".to_owned(),
        SetupError::BadAnchors { .. }
        | SetupError::BadSecret { .. }
        | SetupError::MissingSecrets { .. }
        | SetupError::NoKeyGiven
        | SetupError::NoOlderSecret { .. }
        | SetupError::NotReady { .. }
        | SetupError::NotSealed
        | SetupError::OldSecret { .. }
        | SetupError::SecretPutBack { .. }
        | SetupError::OtherCertificate { .. }
        | SetupError::OtherSecrets { .. }
        | SetupError::OtherThanDatabase { .. }
        | SetupError::SameKeys
        | SetupError::SecretsNotHere { .. }
        | SetupError::TakenBack { .. }
        | SetupError::SignersLackKey { .. } => CHANGED.to_owned(),
    }
}

fn brief_of_files(zone: &ZoneName, error: &PkiError) -> String {
    match error {
        PkiError::MissingDelegation { .. } => format!("it is not there: {}", import(zone)),
        PkiError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
            format!("a file of it is not there: {}", import(zone))
        }
        PkiError::Read { source, .. } => format!("it cannot be read: {source}"),
        PkiError::LockedKey { .. } | PkiError::Secret(_) => {
            "its key is encrypted, and not decrypted: the log says more".to_owned()
        }
        PkiError::Sign { source } => match &source.fault {
            KeyFault::Token { .. } => IN_TOKEN.to_owned(),
            KeyFault::Process { .. } => IN_PROCESS.to_owned(),
            _ => "it does not sign now: the log says more".to_owned(),
        },
        PkiError::Token { .. } => IN_TOKEN.to_owned(),
        PkiError::Process { .. } => IN_PROCESS.to_owned(),
        // Whatever else is wrong with a file may name its path.
        _ => CHANGED.to_owned(),
    }
}

fn import(zone: &ZoneName) -> String {
    format!(
        "run 'dc-signer zones rollover {zone} --import DIR --reason WHY --config FILE' here too"
    )
}

const IN_TOKEN: &str = "it is in a token that cannot be used now: the log says more";
const IN_PROCESS: &str = "the process that signs with its key does not answer, or refuses: the log of this signer says more";
const CHANGED: &str = "its files are not as they were imported: the log says more";
