//! What goes over the wire between devices, operators and the service: JSON, as Rust types.
//!
//! Times are whole seconds since 1970-01-01T00:00:00Z, hashes are SHA-256 in lower-case hexadecimal,
//! certificates, requests and credentials are PEM. A device may send fields that this version does
//! not know, because devices are updated at other times than the service; an operator may not,
//! because a field that is silently ignored is a typing error.

mod device;
mod operator;
mod problem;
#[cfg(feature = "service")]
mod registry;

pub use device::{Credential, Credentials, EnrollRequest, RenewRequest, RenewalInfo};
pub use operator::{
    AddLine, AddedDevice, Code, Device, DeviceHistory, DevicePage, HeldCredential, HistoryEntry,
    IssuedCredential, NewDevice, NewZone, PullRenewals, RefusedLine, Replace, Replaced, Slot, Zone,
    ZoneForms,
};
pub use problem::{Kind, Problem};

/// Where devices enrol.
pub const ENROLL: &str = "/v1/enroll";
/// Where devices renew.
pub const RENEW: &str = "/v1/renew";
/// Where devices ask whether to renew earlier; the zone follows.
pub const RENEWAL_INFO: &str = "/v1/renewal-info/";
/// Where clients get the list of withdrawn names; the zone follows.
pub const WITHDRAWN: &str = "/v1/withdrawn/";

/// The last second of the year 9999, after which no certificate can end.
pub const MAX_TIME: u64 = 253_402_300_799;

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The media type of one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";
