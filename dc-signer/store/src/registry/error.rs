//! The domain's refusals, each naming the limit and what to do next.

use pki_types::UnixTime;

use super::{DelegationState, State};
use dc_pki::time::Moment;

/// A refusal: of a text that is no value of its type, or of something that is not allowed now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The token or certificate that is to let an operator in did so before they were kept out.
    #[error(
        "this token or certificate let them in before they were kept out, and lets nobody in again: give another one"
    )]
    AccessKeptOut,
    /// The device has an enrolment key already, and it is not this one.
    #[error("the device is enrolled with another key: replace it first if that key is lost")]
    AlreadyEnrolled,
    /// An act that waited for a second operator was done, was refused, or had its time.
    #[error("this waits for nobody any more: list what does, and ask again if it is to be done")]
    ApprovalOver,
    /// Whoever agrees to an act got the right to it after it was asked for.
    #[error(
        "record {seq} of the audit log made you an operator, or gave you another role or token, after this was asked for: who was an operator before has to agree, or it is asked for anew"
    )]
    ApproverIsNewer {
        /// The record.
        seq: u64,
    },
    /// Whoever asked for an act was kept out afterwards, so that somebody else may have asked with their token.
    #[error(
        "record {seq} of the audit log kept whoever asked for this out: refuse it, and let them ask for it anew if they meant it"
    )]
    AskerKeptOut {
        /// The record.
        seq: u64,
    },
    /// The hash of an audit record is not the one that the next record, or the head, has.
    #[error(
        "the audit log is not what was written: record {seq} does not fit what follows it; compare it with a backup"
    )]
    AuditLink {
        /// The record behind which the chain is broken.
        seq: u64,
    },
    /// An audit record is missing, or one too many.
    #[error(
        "the audit log is not what was written: record {expected} should come, but {found} does; compare it with a backup"
    )]
    AuditSequence {
        /// The sequence number that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// An action of an audit record is none that this version knows.
    #[error("an audit record has an unknown action: use the newest version")]
    BadAction,
    /// An activation code is mistyped.
    #[error("this is no activation code: it has 36 characters of a-z and 2-7")]
    BadCode,
    /// A device id is none.
    #[error("this is no device id: it has 26 characters of a-z and 2-7, in lower case")]
    BadDeviceId,
    /// An external id is empty, too long, or not printable ASCII.
    #[error("an external id has 1 to 128 printable ASCII characters and no space at either end")]
    BadExternalId,
    /// Forms of credentials are none of the known ones.
    #[error(transparent)]
    BadForms(#[from] dc_pki::UnknownForms),
    /// An operator's name has other characters, or too many.
    #[error("an operator's name has 1 to 64 characters of a-z, 0-9, '.', '_' and '-'")]
    BadOperatorName,
    /// A reason is empty, too long, or breaks the line.
    #[error("a reason has 3 to 200 characters in one line: say why, or which ticket")]
    BadReason,
    /// A role is none of the known ones.
    #[error("a role is one of viewer, operator, admin")]
    BadRole,
    /// The roles of a zone are none of the known ones.
    #[error(transparent)]
    BadRoles(#[from] dc_pki::UnknownRoles),
    /// A search is empty, too long, or of several lines.
    #[error("a search has 1 to 256 characters in one line")]
    BadSearch,
    /// A SHA-256 is not 64 hexadecimal digits in lower case.
    #[error(transparent)]
    BadSha256(#[from] dc_pki::BadSha256),
    /// A state is none of the known ones.
    #[error("this is none of the states there are")]
    BadState,
    /// Another activation code has this public part.
    #[error("another activation code has this public part: make another one")]
    CodeTaken,
    /// A new name must come with a higher epoch.
    #[error("a new name needs an epoch above {epoch}: read the device again")]
    EpochNotHigher {
        /// The device's epoch now.
        epoch: u32,
    },
    /// The old enrolment key of a switch has had its time.
    #[error("a newer enrolment key took over more than 24 h ago: use that key, or enrol again")]
    KeyEnded,
    /// Another device has this enrolment key.
    #[error("another device has this enrolment key: every device must make its own")]
    KeyTaken,
    /// One operator alone was to have fewer acts take two.
    #[error(
        "this takes two operators: ask another admin with 'dc-signer approvals lower --reason WHY --config FILE'"
    )]
    TakesTwo,
    /// Fewer than two admins would be left, while acts take two operators.
    #[error(
        "fewer than two admins would be let in, and acts take two operators here: another admin has to agree to it"
    )]
    TooFewAdmins,
    /// Nobody would be let in as an admin any more, or only for some days.
    #[error(
        "nobody would be let in as an admin any more, or for less than 14 d: make another admin first, or renew for longer; if it is meant, --as-root-because REASON does it on the machine, and raises an alert"
    )]
    LastAdmin,
    /// Another box has a valid credential for the name of the device.
    #[error(
        "the box that had this name before may have a valid credential for it until {0}, clocks that differ included: this one gets its own from {0} on, so try again then",
        Moment(*from)
    )]
    NameHeld {
        /// From when on it has not.
        from: UnixTime,
    },
    /// Another device has or had this unique name.
    #[error("another device has or had this name: take the next epoch")]
    NameTaken,
    /// The name is withdrawn, and a credential that was issued for it before is valid.
    #[error(
        "the name is withdrawn, and the box that had it may have a valid credential until {}: give a new name, wait until then, or resume the device first if its box is in good hands",
        Moment(*from)
    )]
    NameWithdrawn {
        /// From when on none is.
        from: UnixTime,
    },
    /// Somebody takes rights away or gives them back without saying why.
    #[error(
        "say why, or which ticket: this takes rights away or gives them back, and the audit log has the reason"
    )]
    NoReason,
    /// No device can get credentials in this state.
    #[error(
        "the device is {state}, and only active ones get credentials{}",
        state_fix(*state)
    )]
    NotActive {
        /// The state.
        state: State,
    },
    /// A device cannot be changed in this way in this state.
    #[error(
        "this cannot be done to a device that is {state}{}",
        state_fix(*state)
    )]
    NotInState {
        /// The state.
        state: State,
    },
    /// The operator is kept out.
    #[error("the operator is disabled: enable them first")]
    OperatorDisabled,
    /// The operator is not kept out.
    #[error("the operator is not disabled: renew their token or certificate instead")]
    OperatorEnabled,
    /// A log that is to continue this one has another past.
    #[error(
        "the other log does not continue this one: record {seq} is another one there, so they parted before it. Name the database that this one is an older copy of; if both were worked on, go on with one of them, and do anew what 'dc-signer audit list' shows of the other"
    )]
    OtherLog {
        /// The last record of this log.
        seq: u64,
    },
    /// The device got another name in the meantime.
    #[error("the device got another name in the meantime: ask again")]
    OtherName,
    /// The secrets that signers share are others than they were a moment ago.
    #[error(
        "somebody else has changed the secrets: look at them with 'dc-signer secrets show', and try again"
    )]
    SecretsChanged,
    /// Whoever asked for an act agrees to it.
    #[error("you have asked for this yourself: another operator has to agree to it")]
    OwnApproval,
    /// Another device is expected to have this manufacturer's serial number.
    #[error("another device is expected to have this serial number")]
    SerialTaken,
    /// The zone issues from the delegation that was to be ended.
    #[error(
        "slot {number} is what the zone issues from: roll over to another certificate first, then end it"
    )]
    SlotIsActive {
        /// Its number.
        number: u32,
    },
    /// The delegation with this delegation certificate has ended.
    #[error(
        "slot {number} of the zone has ended for good, and nothing is issued from its delegation certificate again: what is issued from next is another one, from the CA"
    )]
    SlotIsGone {
        /// Its number.
        number: u32,
    },
    /// A delegation holds this delegation certificate already.
    #[error("slot {number} of the zone has this delegation certificate already")]
    DelegationExists {
        /// Its number.
        number: u32,
    },
    /// A delegation moves forward, one step at a time, or back from draining to active.
    #[error(
        "a slot that is {from} cannot become {to}: the order is next, active, draining, gone, and only what drains becomes active again"
    )]
    DelegationOrder {
        /// Its state.
        from: DelegationState,
        /// The state that was asked for.
        to: DelegationState,
    },
    /// A delegation certificate is not valid yet, or too little of it is left.
    #[error(
        "the delegation certificate is valid from {} to {}: to be active it must have begun and have 8 d left, or a quarter of its life if that is less; import a newer one",
        Moment(*not_before),
        Moment(*not_after)
    )]
    TooLittleLeft {
        /// When it begins.
        not_before: UnixTime,
        /// When it ends.
        not_after: UnixTime,
    },
    /// Nothing waits for a second operator under this number.
    #[error("nothing waits under this number: list what does")]
    UnknownApproval,
    /// There is no such device.
    #[error("there is no such device: add it first")]
    UnknownDevice,
    /// The enrolment key is not the device's.
    #[error("this enrolment key is not the device's: enrol first")]
    UnknownKey,
    /// There is no such operator.
    #[error("there is no such operator: list them")]
    UnknownOperator,
    /// The zone has no delegation with this number.
    #[error("the zone has no slot {number}: list them")]
    UnknownDelegation {
        /// The number.
        number: u32,
    },
    /// A shared secret is none of the known ones.
    #[error("a shared secret is one of codes, lists, names")]
    UnknownSecret,
    /// The signer does not have this zone.
    #[error("there is no such zone: add it first")]
    UnknownZone,
    /// The zone is there already.
    #[error("the zone is there already")]
    ZoneExists,
    /// A zone that is to be removed has or had a delegation certificate or a device.
    #[error(
        "the zone has or had a delegation certificate or a device, so what was issued in it may be asked about: only one that never had either can be removed"
    )]
    ZoneWasUsed,
}

fn state_fix(state: State) -> &'static str {
    match state {
        State::Preregistered => ": it must enrol first",
        State::Active => "",
        State::Suspended => ": resume it first",
        State::Retired => " for good: add a new one",
    }
}
