#![doc = include_str!("../README.md")]

mod device;
mod problem;
mod window;

pub use device::{Credential, Credentials, DeviceRecord, EnrollRequest, RenewRequest, RenewalInfo};
pub use problem::{Kind, Problem, Severity};
pub use window::RenewalWindow;

/// Where devices enrol.
pub const ENROLL: &str = "/v1/enroll";
/// Where devices renew.
pub const RENEW: &str = "/v1/renew";
/// Where devices read what is on record about them, at the address of `[credential_listener]`.
pub const DEVICE: &str = "/v1/device";
/// Where devices ask whether to renew earlier; the zone follows.
pub const RENEWAL_INFO: &str = "/v1/renewal-info/";
/// Where clients get the list of withdrawn names; the zone follows.
pub const WITHDRAWN: &str = "/v1/withdrawn/";

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
