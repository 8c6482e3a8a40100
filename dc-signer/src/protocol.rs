//! The JSON of the service's API for operators, as Rust types; devices' is [`dc_protocol`]'s.
//!
//! An operator may not send fields that this version does not know, because a field that is silently
//! ignored is a typing error.

mod operator;
mod registry;

pub use dc_protocol::{
    Credential, Credentials, ENROLL, EnrollRequest, Kind, MAX_TIME, PROBLEM_JSON, Problem, RENEW,
    RENEWAL_INFO, RenewRequest, RenewalInfo, WITHDRAWN,
};
pub use operator::{
    AddLine, AddedDevice, Code, Device, DeviceHistory, DevicePage, HeldCredential, HistoryEntry,
    IssuedCredential, NewDevice, NewZone, PullRenewals, RefusedLine, Replace, Replaced, Slot, Zone,
    ZoneForms,
};

/// The media type of one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";
