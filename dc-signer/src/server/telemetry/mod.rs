//! Logs, request ids and metrics. No key, code or token is ever
//! in any of them.

mod log;
mod metrics;
mod request_id;

pub use log::{LogControl, check_filter, start_log};
pub use metrics::{
    CONTENT_TYPE, DelegationExpiry, Fleet, Gone, Handshake, KeyUsable, Metrics, Path, People,
    RenewalProgress, Shed, ZoneAble,
};
pub use request_id::RequestId;
