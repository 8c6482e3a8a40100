//! Operators and acts that take two of them, as JSON.

use std::fmt;

use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use super::Device;
use crate::authority::approvals::{Asked, word};
use crate::authority::new_access::NewAccess;
use dc_protocol::Problem;
use dc_store::registry;

/// An act that takes two operators.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Approval {
    /// Its number, under which another operator agrees to it or refuses it: that of the audit record that asks.
    pub number: u64,
    /// `retire`, `new-name`, `rollover`, `end-slot`, `add-operator`, `enable-operator`, `renew-operator`, `disable-operator` or
    /// `lower-approval`.
    pub act: String,
    /// The act in words.
    pub what: String,
    /// The ids of the devices that are to be retired, or to get a new name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// The zone that is to move on, or of which a slot is to be ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The slot that is to be ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// The SHA-256 of the certificate that it is to move on to, or that is to be ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
    /// Set if signers that have not got its key are to be left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_signers_out: Option<bool>,
    /// The operator who is to get a right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<NewAccess>,
    /// The reason, in the words of whoever asked.
    pub reason: String,
    /// The operator who asked.
    pub asked_by: String,
    /// When.
    pub asked: u64,
    /// When it can be agreed to no more.
    pub ends: u64,
    /// `waiting`, `approved` while it is being done or if something was in its way, `done`, `refused`, or `ended` if it was not done in
    /// time.
    pub state: String,
    /// The operator who agreed or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}

impl Approval {
    /// As it is at a time; none if this version does not know the act.
    #[must_use]
    pub fn at(now: UnixTime, approval: &registry::Approval) -> Option<Self> {
        let what = Asked::of(approval).ok()?;
        let mut shown = Self {
            number: approval.number,
            act: String::new(),
            what: what.to_string(),
            devices: Vec::new(),
            zone: None,
            slot: None,
            certificate_sha256: None,
            leave_signers_out: None,
            operator: None,
            reason: approval.reason.to_string(),
            asked_by: approval.asked_by.to_string(),
            asked: approval.asked.as_secs(),
            ends: approval.ends.as_secs(),
            state: word(approval, now).to_owned(),
            decided_by: approval.decided_by.as_ref().map(ToString::to_string),
        };
        let act = match what {
            Asked::AddOperator(new) => shown.about(new, "add-operator"),
            Asked::EnableOperator(new) => shown.about(new, "enable-operator"),
            Asked::RenewOperator(new) => shown.about(new, "renew-operator"),
            Asked::DisableOperator { .. } => "disable-operator",
            Asked::LowerApproval { .. } => "lower-approval",
            Asked::NewName { device } => {
                shown.devices = vec![device];
                "new-name"
            }
            Asked::EndSlot {
                zone,
                slot,
                certificate_sha256,
            } => {
                (shown.zone, shown.slot) = (Some(zone), Some(slot));
                shown.certificate_sha256 = Some(certificate_sha256);
                "end-slot"
            }
            Asked::Retire { devices } => {
                shown.devices = devices;
                "retire"
            }
            Asked::Rollover {
                zone,
                certificate_sha256,
                leave_signers_out,
            } => {
                shown.leave_signers_out = leave_signers_out.then_some(true);
                shown.zone = Some(zone);
                shown.certificate_sha256 = Some(certificate_sha256);
                "rollover"
            }
        };
        act.clone_into(&mut shown.act);
        Some(shown)
    }

    fn about(&mut self, operator: NewAccess, act: &'static str) -> &'static str {
        self.operator = Some(operator);
        act
    }
}

/// Devices to be retired for good.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireDevices {
    /// Their ids.
    #[schema(min_items = 1, max_items = 10000)]
    pub devices: Vec<String>,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// Devices that were retired, and those that were not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RetiredDevices {
    /// Those that are retired now.
    pub retired: Vec<Device>,
    /// Those that are not.
    pub refused: Vec<RefusedDevice>,
}

/// A device that something was not done to, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RefusedDevice {
    /// Its id.
    pub device: String,
    /// The problem with it.
    #[schema(schema_with = super::problem)]
    pub problem: Problem,
}

/// The act that was done because a second operator agreed: one of them, or none if it was about what takes two.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Approved {
    /// The devices, if it was about devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<RetiredDevices>,
    /// The device that has a new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The zone, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<super::Zone>,
    /// The operator, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// Sentences about what somebody has to see to: after the end of a slot, the signing processes that do not know of it yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// An operator.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Operator {
    /// The name in the audit log.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// `token` or `certificate`.
    pub access: String,
    /// True while they are kept out.
    pub disabled: bool,
    /// When the token or certificate ends; none if it was made before they did.
    pub expires: Option<u64>,
    /// Until when the one before is good too, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<u64>,
}

impl From<&registry::Operator> for Operator {
    fn from(operator: &registry::Operator) -> Self {
        Self {
            name: operator.name.to_string(),
            role: operator.role.to_string(),
            access: operator.access.kind().to_owned(),
            disabled: operator.disabled,
            expires: operator.expires.as_ref().map(UnixTime::as_secs),
            previous_until: operator.previous.map(|previous| previous.expires.as_secs()),
        }
    }
}

/// Another token for an operator.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewToken {
    /// For how many seconds it is to be good; the usual time if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<u64>,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// The token that an operator got.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct NewToken {
    /// The token, shown this once. The service keeps only its hash.
    pub token: String,
    /// The operator.
    pub operator: Operator,
}

/// The token that an operator gets when a second operator agrees.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct WaitingToken {
    /// The token, shown this once, which lets nobody in yet. The service keeps only its hash.
    pub token: String,
    /// The act that waits.
    pub approval: Approval,
}

/// The token lets its holder in, so it is not shown.
impl fmt::Debug for WaitingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, approval } = self;
        f.debug_struct("WaitingToken")
            .field("approval", approval)
            .finish_non_exhaustive()
    }
}

/// The token lets its holder in, so it is not shown.
impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, operator } = self;
        f.debug_struct("NewToken")
            .field("operator", operator)
            .finish_non_exhaustive()
    }
}
