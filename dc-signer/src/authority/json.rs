//! Operators' requests and answers as JSON, for the API and the command line alike.
//!
//! Times are whole seconds since 1970-01-01T00:00:00Z, hashes are SHA-256 in lower-case hexadecimal. A field that this version
//! does not know is refused, because one that is silently ignored is a typing error.

mod audit;
mod object;
mod people;
mod registry;
mod zones;

use std::fmt;

use serde::{Deserialize, Serialize};

use dc_protocol::Problem;
pub use object::{read_body, read_line};
pub use people::{
    Approval, Approved, NewToken, Operator, RefusedDevice, RenewToken, RetireDevices,
    RetiredDevices, WaitingToken,
};

pub use audit::{AuditCheckpoint, AuditRecord, AuditRecords, CheckpointPlaceStatus};
pub use zones::{MoveOn, NewZone, PullRenewals, Slot, Zone, ZoneForms, ZoneRenewal, ZoneRoles};

/// A device to be known before it first connects; one a line when many are added.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// The operator's own id for it: 1 to 128 printable ASCII characters, unique, no space at either
    /// end. Adding the same one again changes nothing and says so.
    #[schema(pattern = "^[!-~]([ -~]{0,126}[!-~])?$")]
    pub external_id: String,
    /// The zone of its name, for life; may be left out when there is one zone only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Tells several devices of one customer apart.
    #[serde(default)]
    pub slot: u32,
    /// The manufacturer, as the configuration calls it, whose certificate it will enrol with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[!-~]{1,64}$")]
    pub manufacturer: Option<String>,
    /// The serial number in that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[ -~]{1,128}$")]
    pub serial: Option<String>,
    /// The SHA-256 of its enrolment key's SubjectPublicKeyInfo, if that is known: then it needs not
    /// enrol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub enrolment_key: Option<String>,
    /// Makes an activation code, which is in the answer and nowhere else. If the device has one that is good, that
    /// one stays, and none is made: `POST /v1/admin/devices/{id}/code` makes another in its place.
    #[serde(default)]
    pub code: bool,
}

/// One line of the answer to a bulk addition, in the order of the request's lines.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum AddLine {
    /// The device is known now.
    Added(AddedDevice),
    /// It is not.
    Refused(RefusedLine),
}

/// A device that is known now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AddedDevice {
    /// The line of the request, from 1 on.
    pub line: usize,
    /// Its id here.
    pub id: String,
    /// The operator's own id for it.
    pub external_id: String,
    /// Its unique name.
    pub name: String,
    /// `preregistered`, `active`, `suspended` or `retired`.
    #[serde(default)]
    pub state: String,
    /// True if this request added it; else it was known already, and nothing changed.
    pub created: bool,
    /// Its activation code, if one was asked for, the device has not enrolled yet, and has no other code that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Until when the code is good that was made for it before. It is kept nowhere and cannot be shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_code_until: Option<u64>,
}

/// A device that is not known, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RefusedLine {
    /// The line of the request, from 1 on.
    pub line: usize,
    /// The problem with it.
    #[schema(schema_with = problem)]
    pub problem: Problem,
}

/// Problems go to devices too, so their schema is kept with those of devices.
fn problem() -> utoipa::openapi::Ref {
    utoipa::openapi::schema::RefBuilder::new()
        .ref_location_from_schema_name("Problem")
        .description(Some("The problem with it."))
        .build()
}

/// An activation code: good once, for a week.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Code {
    /// The code. The service keeps only a keyed hash of it.
    pub code: String,
    /// Until when it is good.
    pub expires: u64,
}

/// The code lets anybody enrol, so it is not shown.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code: _, expires } = self;
        f.debug_struct("Code")
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}

/// A device, as the service knows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Device {
    /// Its id here.
    pub id: String,
    /// The operator's own id for it.
    pub external_id: String,
    /// `preregistered`, `active`, `suspended` or `retired`.
    pub state: String,
    /// The zone of its name.
    pub zone: String,
    /// Its unique name.
    pub name: String,
    /// Tells several devices of one customer apart.
    pub slot: u32,
    /// The number of names that the device had before this one.
    pub epoch: u32,
    /// The SHA-256 of its enrolment key's SubjectPublicKeyInfo.
    pub enrolment_key: Option<String>,
    /// The same of the key that it is changing to.
    pub next_enrolment_key: Option<String>,
    /// The manufacturer whose certificate it enrols with.
    pub manufacturer: Option<String>,
    /// The serial number in that certificate.
    pub serial: Option<String>,
    /// The credential that it holds.
    pub credential: Option<HeldCredential>,
    /// When the last credential for its name ends or ended, those of the boxes before it included; none if none was issued.
    #[serde(default)]
    pub name_held_until: Option<u64>,
    /// From when on it gets credentials, as long as it has got none: it replaces a box whose credentials are over by then, whichever
    /// signer's clock says so; that may have been long ago. None if it waits for nobody's.
    #[serde(default)]
    pub available_from: Option<u64>,
    /// True if two devices seem to use its key or its name.
    pub possible_clone: bool,
    /// When it became known.
    pub created: u64,
    /// When anything but its credential last changed.
    pub changed: u64,
}

/// The credential that a device holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct HeldCredential {
    /// The SHA-256 of the first credential.
    pub sha256: String,
    /// The SHA-256 of the SubjectPublicKeyInfo in it.
    pub spki_sha256: String,
    /// When it was issued.
    pub issued: u64,
    /// When it ends.
    pub expires: u64,
}

/// Some of the devices, in the order of their external ids.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DevicePage {
    /// The devices.
    pub devices: Vec<Device>,
    /// The value of `after` for the next page; none on the last.
    pub next: Option<String>,
    /// The value of `before` for the page before; none on the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// How many devices fit, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<DeviceCount>,
    /// In which ways the search means too many devices, so that those are left out and more of it has to be typed: `external-ids`,
    /// `hashes` or `names`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crowded: Vec<String>,
}

/// How many devices fit, as far as they were counted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeviceCount {
    /// So many were counted.
    pub devices: u64,
    /// There are more than those.
    pub more: bool,
}

/// The history of a device, newest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeviceHistory {
    /// The credentials that were issued to it, as long as they are kept.
    pub issued: Vec<IssuedCredential>,
    /// The changes of it, from the audit log.
    pub acts: Vec<HistoryEntry>,
}

/// A credential that was issued.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct IssuedCredential {
    /// The SHA-256 of the credential.
    pub credential_sha256: String,
    /// The SHA-256 of the SubjectPublicKeyInfo in it.
    pub spki_sha256: String,
    /// The SHA-256 of the delegation certificate that it is under.
    pub delegation_sha256: String,
    /// The name that it was issued for.
    pub name: String,
    /// When it was issued.
    pub issued: u64,
    /// When it ends.
    pub expires: u64,
}

/// Something that was done to a device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct HistoryEntry {
    /// Its place in the audit log.
    pub seq: u64,
    /// The time of it.
    pub time: u64,
    /// The operator, the device or the signer that did it.
    pub actor: String,
    /// The action.
    pub action: String,
    /// The reason, if somebody had to give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A replacement of a device.
///
/// A name is one box's alone: as long as a credential of the box before is valid, the new one is refused with `name-held` and
/// told from when on it gets its own, unless it gets a `new_name`, or the name `at_once`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Gives it a new name, because another customer has it now; the old name is withdrawn.
    #[serde(default)]
    pub new_name: bool,
    /// Keeps the name of a device that is suspended, which has to be said: after a theft or a change of owner a name is nobody's
    /// any more, because the box before may still be taken for it. Of no effect for a device that is not suspended, and not
    /// together with `new_name`.
    #[serde(default)]
    pub keep_name: bool,
    /// The SHA-256 of the new box's enrolment key, if that is known: then it needs not enrol. The old one gets nothing from now
    /// on. Not together with `new_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub enrolment_key: Option<String>,
    /// The manufacturer whose certificate the new box enrols with; without it the new box has none that counts, and gets
    /// an activation code. Not together with `new_name` or `enrolment_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// The serial number in that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Issues to the new box while credentials of the old one are valid: until `held_until` of the answer two boxes
    /// have one name, and whoever has the old one can pose as the new one; if it is the same box, which has only lost its keys,
    /// nobody can. The audit log says so. Refused for a device whose
    /// name is withdrawn, and not together with `new_name`.
    #[serde(default)]
    pub at_once: bool,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// The reason of an act that takes rights away or gives them back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// The same where it may be left out.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaybeBecause {
    /// The reason or a ticket, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 3, max_length = 200)]
    pub reason: Option<String>,
}

/// A device that was replaced.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Replaced {
    /// The device as it is now.
    pub device: Device,
    /// From when on the new box gets credentials; none if that is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_from: Option<u64>,
    /// Until when credentials of the old box for the same name are valid; none if none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<u64>,
    /// The activation code of the new box, unless its key or its serial number is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

/// The last second of the year 9999, after which no certificate can end.
pub const MAX_TIME: u64 = 253_402_300_799;
/// The media type of one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";
