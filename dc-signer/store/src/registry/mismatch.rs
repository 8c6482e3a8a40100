//! The places in which a registry is not as its audit log says.

use super::{Action, ActorFault, Record};

/// Something in the registry is not as the audit log says.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// An operator did what they could not do, by the records before.
    #[error(
        "record {seq} of the audit log says that {actor} did it ({action}), who could not: {why}"
    )]
    Actor {
        /// The actor.
        actor: String,
        /// The act.
        action: Action,
        /// The record.
        seq: u64,
        /// The reason that they could not.
        why: ActorFault,
    },
    /// An act that waits for a second operator is not what was asked for.
    #[error("what waits under {seq} is not what record {seq} of the audit log asks for")]
    Approval {
        /// The record.
        seq: u64,
    },
    /// A record does not say what it set, and one before it does.
    #[error(
        "record {seq} of the audit log ({action}) has no hash of what it set, and record {first} before it has one: no signer that can work here writes such a record"
    )]
    Bare {
        /// The act.
        action: Action,
        /// The record.
        seq: u64,
        /// The first record that has a hash.
        first: u64,
    },
    /// A part of the log is said to be archived, and what is here of it, or its record, is not as it was.
    #[error(
        "records {first} to {last} of the audit log are said to be archived, and no record says so, or what was kept of them has changed"
    )]
    Archive {
        /// Its first record.
        first: u64,
        /// Its last record.
        last: u64,
    },
    /// A device enrolled with an activation code that was not made for it.
    #[error(
        "{name} enrolled in record {seq} of the audit log with an activation code that no record before makes for it"
    )]
    CodeOfNobody {
        /// The device's name.
        name: String,
        /// The record.
        seq: u64,
    },
    /// A column of a row is not as the log says.
    #[error(
        "{table} {row}: {column} is {found}, and record {seq} of the audit log says {expected}"
    )]
    Changed {
        /// The table.
        table: &'static str,
        /// The row, by what tells it from others.
        row: String,
        /// The column.
        column: &'static str,
        /// The record.
        seq: u64,
        /// The value by the log.
        expected: String,
        /// The value in the database.
        found: String,
    },
    /// A device has another enrolment key than its last record that is about one.
    #[error("{name} has another enrolment key than record {seq} of the audit log says")]
    EnrolmentKey {
        /// The device's name.
        name: String,
        /// The record.
        seq: u64,
    },
    /// One name was given to two devices.
    #[error(
        "the name {name} was given by record {first} of the audit log, and to another device by record {second}: a name is given once"
    )]
    GivenTwice {
        /// The name.
        name: String,
        /// The record that gave it.
        first: u64,
        /// The record that gave it again.
        second: u64,
    },
    /// Something was done to a device, or issued for it, that its state did not allow.
    #[error(
        "record {seq} of the audit log is '{action}' for {name}, which is {state} since record {since}: that is not allowed, and was not done by a signer on rows as the log has them"
    )]
    Forbidden {
        /// The name.
        name: String,
        /// The record.
        seq: u64,
        /// Its action.
        action: Action,
        /// The state of the device by the log.
        state: &'static str,
        /// The record that says so.
        since: u64,
    },
    /// A device has another id, external id, manufacturer or serial number than its last record that is about those.
    #[error(
        "{name} has another id, external id, manufacturer or serial number than record {seq} of the audit log says"
    )]
    Identity {
        /// The device's name.
        name: String,
        /// The record.
        seq: u64,
    },
    /// A credential ends later than any may.
    #[error(
        "the credential of record {seq} of the audit log, for {name}, ends at {expires} (seconds since 1970), and none that was issued then ends later than {latest}"
    )]
    IssueTooLong {
        /// The name that it was issued for.
        name: String,
        /// The record.
        seq: u64,
        /// When it ends, in seconds since 1970.
        expires: u64,
        /// The last second that it may have, in seconds since 1970.
        latest: u64,
    },
    /// A credential is in the audit log and not among those that were issued.
    #[error(
        "the credential of record {seq} of the audit log, for {name}, is not among those that were issued"
    )]
    IssueMissing {
        /// The name that it was issued for.
        name: String,
        /// The record.
        seq: u64,
    },
    /// More credentials were issued in a week than the audit log says.
    #[error(
        "{rows} credentials were issued from {since} to 7 days later (seconds since 1970), and the audit log has {records}"
    )]
    IssuesWithoutRecord {
        /// When the week began, in seconds since 1970.
        since: u64,
        /// How many were issued.
        rows: u64,
        /// How many are in the audit log.
        records: u64,
    },
    /// A device, its next key, an operator or a zone is in no record.
    #[error("the audit log has no record that {what} {name} was put there")]
    NoRecord {
        /// The kind of what is there.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A record is in an archive, and here it is missing or another one.
    #[error(
        "record {seq} of the audit log is missing in the database, or not as it is in the archive"
    )]
    NotAsArchived {
        /// The record.
        seq: u64,
    },
    /// An operator has another role, token or certificate than the audit log says.
    #[error(
        "the operator {name} has another role, token or certificate than record {seq} of the audit log says"
    )]
    OperatorChanged {
        /// The operator.
        name: String,
        /// The record.
        seq: u64,
    },
    /// An operator who was disabled may act again; a restored backup may have brought them back.
    #[error(
        "record {seq} of the audit log disables the operator {name}, who is not disabled: use 'dc-signer operators disable {name} --reason WHY --config FILE'"
    )]
    OperatorEnabled {
        /// The operator.
        name: String,
        /// The record.
        seq: u64,
    },
    /// An operator is what a record says of somebody who could not do that.
    #[error(
        "the operator {name} is what record {seq} of the audit log says, and {actor}, whose act that is, could not do it: {why}; see 'Audit mismatch' in the runbook, and keep them out with 'dc-signer operators disable {name}', or give them a new token or certificate with 'dc-signer operators add {name}'"
    )]
    OperatorMadeWrongly {
        /// The operator.
        name: String,
        /// The record.
        seq: u64,
        /// The actor.
        actor: String,
        /// The reason that they could not.
        why: ActorFault,
    },
    /// A zone has other forms, roles or renewals than the audit log says.
    #[error(
        "the zone {name} has other forms, roles or renewals than record {seq} of the audit log says"
    )]
    ZoneChanged {
        /// The zone.
        name: String,
        /// The record.
        seq: u64,
    },
    /// An operator or a zone is in the audit log, and not there.
    #[error("the {what} {name} of record {seq} of the audit log is not there")]
    Removed {
        /// The kind of what is missing.
        what: &'static str,
        /// Its name.
        name: String,
        /// The record.
        seq: u64,
    },
    /// A secret that signers share has another newest version than the audit log says.
    #[error(
        "the secret {name} has another newest version than record {seq} of the audit log says: it was put back or replaced by hand"
    )]
    SecretChanged {
        /// The secret.
        name: String,
        /// The record.
        seq: u64,
    },
}

impl Mismatch {
    /// A record whose actor could not do what it says.
    pub(crate) fn of_actor(record: &Record, why: ActorFault) -> Self {
        Self::Actor {
            actor: record.entry.actor.clone(),
            action: record.entry.action,
            seq: record.seq,
            why,
        }
    }
}
