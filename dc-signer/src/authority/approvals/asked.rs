//! The act that was asked for, as it is kept, hashed and shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::new_access::NewAccess;
use super::NAMED;
use dc_store::registry::{Approval, Role};

/// Exactly what is to be done, as it is kept and hashed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Asked {
    /// To add an operator, or to give one another role.
    AddOperator(NewAccess),
    /// To keep an operator out.
    DisableOperator {
        /// Their name.
        operator: String,
    },
    /// To let an operator in again who was kept out.
    EnableOperator(NewAccess),
    /// To end a slot of a zone.
    EndSlot {
        /// The zone.
        zone: String,
        /// The slot.
        slot: u32,
        /// The SHA-256 of its certificate.
        certificate_sha256: String,
    },
    /// To have fewer acts take two operators, or none.
    LowerApproval {
        /// The acts that take two then.
        policy: String,
    },
    /// To give a device a name that nobody has had, and take the one of now away for good.
    NewName {
        /// The device, by its id.
        device: String,
    },
    /// To give an operator another token or certificate.
    RenewOperator(NewAccess),
    /// To retire devices, by their ids.
    Retire {
        /// The devices.
        devices: Vec<String>,
    },
    /// To issue from a delegation certificate from now on.
    Rollover {
        /// The zone.
        zone: String,
        /// The SHA-256 of the certificate.
        certificate_sha256: String,
        /// Set if signers that have not got its key are left behind.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        leave_signers_out: bool,
    },
}

impl Asked {
    /// Reads what is kept.
    ///
    /// Fails with [`Error::Store`] if that was never written.
    pub fn of(approval: &Approval) -> Result<Self, Error> {
        let read = serde_json::from_str(&approval.what);
        Ok(read.map_err(|_| dc_store::Error::Corrupt { place: "approvals" })?)
    }

    /// The least role of whoever asks and of whoever agrees.
    #[must_use]
    pub const fn needed(&self) -> Role {
        match self {
            Self::NewName { .. } | Self::Retire { .. } => Role::Operator,
            Self::AddOperator(_)
            | Self::DisableOperator { .. }
            | Self::LowerApproval { .. }
            | Self::EnableOperator(_)
            | Self::EndSlot { .. }
            | Self::RenewOperator(_)
            | Self::Rollover { .. } => Role::Admin,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddOperator(new) => write!(f, "let {new}"),
            Self::EnableOperator(new) => write!(f, "let in again {new}"),
            Self::RenewOperator(new) => write!(f, "renew what lets in {new}"),
            Self::DisableOperator { operator } => write!(f, "keep out {operator}"),
            Self::LowerApproval { policy } => {
                write!(f, "have less take two operators: {policy} from then on")
            }
            Self::NewName { device } => write!(
                f,
                "give device {device} a new name, and take the one of now away for good"
            ),
            Self::EndSlot {
                zone,
                slot,
                certificate_sha256,
            } => write!(
                f,
                "end slot {slot} of {zone}, with certificate {certificate_sha256}"
            ),
            Self::Retire { devices } => {
                let some: Vec<&str> = devices.iter().take(NAMED).map(String::as_str).collect();
                write!(f, "retire {} devices: {}", devices.len(), some.join(", "))?;
                match devices.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Rollover {
                zone,
                certificate_sha256,
                leave_signers_out,
            } => {
                write!(f, "issue in {zone} from certificate {certificate_sha256}")?;
                match leave_signers_out {
                    true => f.write_str(", and leave signers behind that have not got its key"),
                    false => Ok(()),
                }
            }
        }
    }
}
