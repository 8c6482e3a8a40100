//! Why the authority did not do what it was asked, for whoever asked.

use std::fmt;

use pki_types::UnixTime;

use super::guard::Clock;
use crate::authority::policy::Denied;
use crate::error::Error;

use crate::registry::{self, CodeRefusal};
use crate::store::{self, Conflict};
use dc_pki::device_csr::CsrError;
use dc_pki::names::ZoneName;

/// Why the authority did not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A certificate signing request proves nothing.
    BadCsr(CsrError),
    /// An idempotency key is empty or too long.
    BadIdempotencyKey {
        /// The most characters.
        max: usize,
    },
    /// Too many callers whom nobody knows want something checked.
    Busy,
    /// The clock cannot be right.
    Clock(Clock),
    /// The activation code enrols nobody.
    Code(CodeRefusal),
    /// Activation codes are not taken here.
    CodesOff,
    /// A device cannot be added.
    Conflict(Conflict),
    /// The device gets no credentials.
    Denied(Denied),
    /// Something went wrong that should not: a bug, or a file that somebody changed.
    Internal(Error),
    /// An idempotency key came with another request before.
    KeyOfOtherRequest,
    /// Other signers of this database cannot sign with the next delegation certificate yet.
    KeyNotEverywhere {
        /// The zone.
        zone: ZoneName,
        /// The certificate's slot.
        slot: u32,
        /// Which signers.
        nodes: Vec<String>,
    },
    /// The key of the zone's active delegation certificate cannot be used on this machine.
    KeyNotHere {
        /// The zone.
        zone: ZoneName,
        /// Why.
        why: String,
    },
    /// The manufacturer is none of the configuration.
    NoManufacturer {
        /// What was given.
        given: String,
    },
    /// The zone has no other delegation certificate that could be used now.
    NoNextSlot {
        /// The zone.
        zone: ZoneName,
    },
    /// A new device got a serial number without its manufacturer, or the other way round.
    SerialAlone,
    /// No manufacturer's anchors lead to the client certificate, it is no enrolled device's, and no
    /// activation code came with it.
    Stranger,
    /// The database did not do it, or the domain forbids it.
    Store(store::Error),
    /// A new name excludes a known key, because whoever gets one enrols anew, and needs nobody's name at once.
    TwoWays,
    /// The manufacturer's certificate names a device that nobody has registered.
    UnknownSerial,
    /// There are several zones, or none, and none was named.
    WhichZone,
    /// The manufacturer's certificate has no serial number that can be read.
    WithoutSerial,
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<registry::NoRandomness> for Refusal {
    fn from(error: registry::NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl From<registry::Error> for Refusal {
    fn from(source: registry::Error) -> Self {
        Self::Store(store::Error::Refused { source })
    }
}

impl From<CsrError> for Refusal {
    fn from(error: CsrError) -> Self {
        Self::BadCsr(error)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<Clock> for Refusal {
    fn from(clock: Clock) -> Self {
        Self::Clock(clock)
    }
}

impl From<CodeRefusal> for Refusal {
    fn from(refusal: CodeRefusal) -> Self {
        Self::Code(refusal)
    }
}

impl From<dc_pki::Error> for Refusal {
    fn from(error: dc_pki::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Store { source } => Self::Store(source),
            error => Self::Internal(error),
        }
    }
}

impl Refusal {
    /// Whether the same request may work later, with nothing done about the request itself.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            held if held.available_from().is_some() => true,
            Self::Store(error) => error.is_temporary(),
            Self::Busy | Self::Clock(_) | Self::KeyNotHere { .. } => true,
            Self::Denied(denied) => {
                matches!(
                    denied,
                    Denied::NoDelegation | Denied::NotBegun { .. } | Denied::TooLittleLeft { .. }
                )
            }
            _ => false,
        }
    }
}

impl Refusal {
    /// From when on the device gets what it asked for, if that is all that is in its way.
    #[must_use]
    pub fn available_from(&self) -> Option<UnixTime> {
        match self {
            Self::Denied(Denied::NotAllowed(registry::Error::NameHeld { from }))
            | Self::Store(store::Error::Refused {
                source: registry::Error::NameHeld { from },
            }) => Some(*from),
            _ => None,
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadCsr(source) => Some(source),
            Self::Code(source) => Some(source),
            Self::Denied(source) => Some(source),
            Self::Internal(source) => Some(source),
            Self::Store(source) => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCsr(source) => fmt::Display::fmt(source, f),
            Self::BadIdempotencyKey { max } => {
                write!(f, "an idempotency key has 1 to {max} characters")
            }
            Self::Busy => {
                f.write_str("too much has to be checked now: send the same request again later")
            }
            Self::Clock(clock) => fmt::Display::fmt(clock, f),
            Self::Code(refusal) => fmt::Display::fmt(refusal, f),
            Self::Conflict(conflict) => f.write_str(conflict_text(*conflict)),
            Self::Denied(denied) => fmt::Display::fmt(denied, f),
            Self::Internal(error) => fmt::Display::fmt(error, f),
            Self::KeyNotEverywhere { zone, slot, nodes } => write!(
                f,
                "slot {slot} of {zone} stays next, because signers would be left behind that cannot sign with it yet ({}): run 'dc-signer zones rollover {zone} --import DIR --config FILE' there too, or, if that was done, look at the log there; one that was killed counts for 3 min",
                nodes.join(", ")
            ),
            Self::KeyNotHere { zone, why } => write!(
                f,
                "the key of {zone}'s delegation certificate cannot be used on this machine: {why}"
            ),
            Self::NoManufacturer { given } => write!(
                f,
                "there is no manufacturer {given:?}: add it to the configuration"
            ),
            Self::NoNextSlot { zone } => write!(
                f,
                "{zone} has no other delegation certificate that has begun and has 8 d left: import one with 'dc-signer zones rollover {zone} --import DIR --config FILE'"
            ),
            Self::Store(source) => fmt::Display::fmt(source, f),
            other => f.write_str(other.text()),
        }
    }
}

impl Refusal {
    /// What needs no value to be said.
    const fn text(&self) -> &'static str {
        match self {
            Self::CodesOff => "activation codes are not taken here: see enrolment.codes",
            Self::KeyOfOtherRequest => {
                "this idempotency key came with another request: use a new one for each new request"
            }
            Self::SerialAlone => {
                "a serial number needs its manufacturer, and a manufacturer a serial"
            }
            Self::Stranger => {
                "the client certificate is no known device's and no manufacturer's: send an activation code, or have the device added"
            }
            Self::TwoWays => {
                "a new name, an enrolment key and a serial number exclude each other: give one of them; and a new name is nobody's, so it is there at once"
            }
            Self::UnknownSerial => {
                "nobody has registered a device with this serial number: add it first"
            }
            Self::WhichZone => "there is not exactly one zone: name the one that is meant",
            Self::WithoutSerial => {
                "the manufacturer's certificate has no serial number: it needs serialNumber in its subject, or a hardwareModuleName"
            }
            _ => "not done",
        }
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
