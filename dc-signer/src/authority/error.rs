//! The authority's error.

use std::path::PathBuf;
use std::time::Duration;

use dc_core::UniqueName;
use pki_types::UnixTime;

use super::guard::ClockError;
use super::policy::PolicyError;
use super::setup::SetupError;
use dc_pki::device_csr::CsrError;
use dc_pki::keyd::Pause;
use dc_pki::keys::ProcessFault;
use dc_pki::names::ZoneName;
use dc_pki::time::{Moment, Span};
use dc_store::Conflict;
use dc_store::registry::{self, CodeError, OperatorName, Role};

/// The error of reading files and keys and of drawing random numbers.
pub(super) use dc_pki::Error as PkiError;

/// A use case that did not succeed, with the reason.
///
/// [`Error::kind`] says how devices and operators are told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The zone was to move on to what it issues from.
    #[error("slot {number} is what the zone issues from: nothing is to be done")]
    AlreadyActive {
        /// Its number.
        number: u32,
    },
    /// Whoever asked for an act that takes two operators may not do it any more.
    #[error(
        "{name}, who asked for this, may not do it any more: refuse it, and ask yourself if it is to be done"
    )]
    AskerGone {
        /// The operator who asked.
        name: OperatorName,
    },
    /// A certificate signing request proves nothing.
    #[error(transparent)]
    BadCsr(#[from] CsrError),
    /// The zone that was named is no zone, or is not written as one.
    #[error("the zone is wrong: {0}")]
    BadZone(#[source] PkiError),
    /// An idempotency key is empty or too long.
    #[error("an idempotency key has 1 to {max} characters")]
    BadIdempotencyKey {
        /// The most characters.
        max: usize,
    },
    /// Too much is being signed, or checked for callers whom nobody knows.
    #[error("too much has to be checked now: send the same request again later")]
    Busy,
    /// The clock cannot be right.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The activation code enrols nobody.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Activation codes are not taken here.
    #[error("activation codes are not taken here: see enrolment.codes")]
    CodesOff,
    /// The token or certificate of an operator had its time.
    #[error(
        "this token or certificate has ended on {}: ask an admin for 'dc-signer operators renew NAME', and renew the next one before its end",
        Moment(*at)
    )]
    CredentialEnded {
        /// When it ended.
        at: UnixTime,
    },
    /// A device cannot be added.
    #[error("{}", conflict_text(*.0))]
    Conflict(Conflict),
    /// Somebody agrees to a rollover where the certificate's key is not.
    #[error(
        "{why}: agree to it on a signer that has the key, or have it brought here first; nothing is agreed to yet"
    )]
    KeyElsewhere {
        /// The reason.
        why: String,
    },
    /// An idempotency key came with another request before.
    #[error("this idempotency key came with another request: use a new one for each new request")]
    KeyOfOtherRequest,
    /// Other signers of this database cannot sign with the next delegation certificate yet.
    #[error(
        "slot {slot} of {zone} stays next, because signers would be left behind that cannot sign with it yet ({}): run 'dc-signer zones rollover {zone} --import DIR --reason WHY --config FILE' there too, or, if that was done, look at the log there; one that was killed counts for 3 min. A signer that does not matter is left behind by --leave-signers-out, and issues nothing in the zone until it has the key",
        nodes.join(", ")
    )]
    KeyNotEverywhere {
        /// The zone.
        zone: ZoneName,
        /// The certificate's slot.
        slot: u32,
        /// The signers' nodes.
        nodes: Vec<String>,
    },
    /// The key of the zone's active delegation certificate cannot be used on this machine.
    #[error("the key of {zone}'s delegation certificate cannot be used on this machine: {why}")]
    KeyNotHere {
        /// The zone.
        zone: ZoneName,
        /// The reason.
        why: String,
    },
    /// The name of a suspended device would go to another box, and nobody has said that it may.
    #[error(
        "{name} is suspended: if its box was stolen, retire it and add the new box as another device, which gets another name; if its box has another owner, give it a new name (--new-name, new_name); if neither, say that the name stays (--keep-name, keep_name)"
    )]
    NameOfSuspended {
        /// The name.
        name: UniqueName<'static>,
    },
    /// The manufacturer is none of the configuration.
    #[error("there is no manufacturer {given:?}: add it to the configuration")]
    NoManufacturer {
        /// The name that was given.
        given: String,
    },
    /// An act takes two operators, and there is no other who could agree to it.
    #[error(
        "this takes two operators, and no other is {needed} or more and let in: somebody made an operator after it was asked for could not agree to it, so make them first, or do it with --as-root-because REASON on the machine, which raises an alert"
    )]
    NobodyElse {
        /// The least role of the other.
        needed: Role,
    },
    /// The zone has no other delegation certificate that could be used now.
    #[error(
        "{zone} has no other delegation certificate that has begun and has 8 d left, or a quarter of its life: import one with 'dc-signer zones rollover {zone} --import DIR --reason WHY --config FILE'"
    )]
    NoNextDelegation {
        /// The zone.
        zone: ZoneName,
    },
    /// A zone is to issue for clients, and a certificate of its is for servers alone.
    #[error(
        "{}: servers would accept nothing under this certificate from a client: get one whose extKeyUsage has clientAuth as well ('dc-signer csr --role server,client')",
        .path.display()
    )]
    NotForClients {
        /// The file of the certificate.
        path: PathBuf,
    },
    /// An operator got another role after something was asked for that is about them.
    #[error("{name} got another role after this was asked for: refuse it, and ask for it anew")]
    OtherRole {
        /// The operator.
        name: OperatorName,
    },
    /// A list of withdrawn names cannot be written, because it would be too long.
    #[error("the list of withdrawn names cannot be written: {0}")]
    ListTooLong(#[source] dc_core::Error),
    /// The signing process that has the zone's key issues nothing for a while.
    #[error(
        "{pause}: 'Signing process issues nothing' in docs/runbook.md says what to do about {zone}"
    )]
    Paused {
        /// The zone.
        zone: ZoneName,
        /// The time, and the reason.
        pause: Pause,
    },
    /// A file or a key failed, or the machine had no random numbers: a bug, or a file that somebody changed.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The device gets no credentials.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A zone is to issue what the signing process that has its key does not.
    #[error(
        "{zone} stays as it is: {source}: change forms and roles of the zone in its configuration and start it anew, then say this again"
    )]
    ProcessRefuses {
        /// The zone.
        zone: ZoneName,
        /// The process's own words.
        source: ProcessFault,
    },
    /// An operator renews with the token of before, and has a newer one.
    #[error("this is your token of before: renew with the newer one, or ask an admin to")]
    RenewWithNewer,
    /// The operator's role does not allow it.
    #[error("your role is {role}, and this takes {needed}: ask an admin")]
    RoleTooLow {
        /// The operator's role.
        role: Role,
        /// The least role that is needed.
        needed: Role,
    },
    /// A new device got a serial number without its manufacturer, or the other way round.
    #[error("a serial number needs its manufacturer, and a manufacturer a serial")]
    SerialAlone,
    /// The signer cannot work as it is set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No manufacturer's anchors lead to the client certificate, it is no enrolled device's, and no
    /// activation code came with it.
    #[error(
        "the client certificate is no known device's and no manufacturer's: send an activation code, or have the device added"
    )]
    Stranger,
    /// The database did not do it, or the domain forbids it.
    #[error(transparent)]
    Store(#[from] dc_store::Error),
    /// Too many devices for one act.
    #[error("these are too many devices for one act: give at most {max} at once")]
    TooManyDevices {
        /// The most.
        max: usize,
    },
    /// A new name excludes a known key, because whoever gets one enrols anew, and needs nobody's name at once.
    #[error(
        "a new name, an enrolment key and a serial number exclude each other: give one of them; and a new name is nobody's, so it is there at once and keeps no other"
    )]
    TwoWays,
    /// The manufacturer's certificate names a device that nobody has registered.
    #[error("nobody has registered a device with this serial number: add it first")]
    UnknownSerial,
    /// A token is to be good for longer than the configuration allows.
    #[error("a token is good for at most {}: see operators.max_valid", Span::new(*max))]
    ValidTooLong {
        /// The longest.
        max: Duration,
    },
    /// There are several zones, or none, and none was named.
    #[error(
        "there is not exactly one zone: name the one that is meant; 'dc-signer zones remove' takes one away that was added by mistake"
    )]
    WhichZone,
    /// The manufacturer's certificate has no serial number that can be read.
    #[error(
        "the manufacturer's certificate has no serial number: it needs serialNumber in its subject, or a hardwareModuleName"
    )]
    WithoutSerial,
}

impl From<registry::Error> for Error {
    fn from(source: registry::Error) -> Self {
        Self::Store(source.into())
    }
}

impl From<dc_pki::BadSha256> for Error {
    fn from(source: dc_pki::BadSha256) -> Self {
        registry::Error::from(source).into()
    }
}

impl Error {
    /// From when on the device gets what it asked for, if that is all that is in its way.
    #[must_use]
    pub fn available_from(&self) -> Option<UnixTime> {
        let Self::Store(dc_store::Error::Refused {
            source: registry::Error::NameHeld { from },
        }) = self
        else {
            return None;
        };
        Some(*from)
    }

    /// True if the database is an older copy than was seen before, or has something in it that was not made: neither a disk nor a server is
    /// to blame for that.
    pub(crate) fn is_of_older_copy(&self) -> bool {
        let Self::Store(error) = self else {
            return false;
        };
        matches!(
            error,
            dc_store::Error::OlderThanSeen { .. } | dc_store::Error::SchemaChanged { .. }
        )
    }

    /// True if too few admins would be left for acts that take two.
    pub(super) fn is_of_too_few_admins(&self) -> bool {
        let source = registry::Error::TooFewAdmins;
        matches!(self, Self::Store(dc_store::Error::Refused { source: why }) if *why == source)
    }

    /// True if the database answers, and what it says is not what it should: waiting does not mend that.
    pub(crate) fn is_of_broken_database(&self) -> bool {
        use dc_store::Error::{Corrupt, Database};
        matches!(self, Self::Store(Corrupt { .. } | Database { .. }))
    }
}

const fn conflict_text(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::ExternalId => {
            "a device with this external id is there and differs: change that one, or use another id"
        }
        Conflict::Key => "another device has this enrolment key: every device must make its own",
        Conflict::Name => "no name could be made for it that nobody has had: try again",
        Conflict::Serial => {
            "another device is expected to have this serial number, or no certificate has such a one"
        }
        Conflict::Zone => "there is no such zone: add it first",
    }
}
