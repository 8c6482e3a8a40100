//! The JSON that devices and a signer exchange over HTTPS, as Rust types.
//!
//! Times are whole seconds since 1970-01-01T00:00:00Z, hashes are SHA-256 in lower-case hexadecimal,
//! certificates, requests and credentials are PEM. Either side may send fields that the other does not
//! know, because devices are updated at other times than the service.

mod device;
mod problem;
mod window;

pub use device::{Credential, Credentials, EnrollRequest, RenewRequest, RenewalInfo};
pub use problem::{Kind, Problem, Severity};
pub use window::RenewalWindow;

/// Where devices enrol.
pub const ENROLL: &str = "/v1/enroll";
/// Where devices renew.
pub const RENEW: &str = "/v1/renew";
/// Where devices ask whether to renew earlier; the zone follows.
pub const RENEWAL_INFO: &str = "/v1/renewal-info/";
/// Where clients get the list of withdrawn names; the zone follows.
pub const WITHDRAWN: &str = "/v1/withdrawn/";

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
