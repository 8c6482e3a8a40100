//! The only place that reads the clock; everything else is given the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pki_types::UnixTime;

use crate::error::Error;

/// The time now, to parts of a second, since 1970.
///
/// Fails with [`Error::ClockBefore1970`].
pub fn precise() -> Result<Duration, Error> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| Error::ClockBefore1970)
}

/// The time since the machine was started, suspensions included, by a clock that nobody can set.
pub fn uptime() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(time) = rustix::time::clock_gettime_dynamic(rustix::time::DynamicClockId::Boottime) {
        return Duration::try_from(time).unwrap_or_default();
    }
    // It stands still while the machine is suspended.
    static FIRST: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

/// The time now.
///
/// Fails with [`Error::ClockBefore1970`].
pub fn now() -> Result<UnixTime, Error> {
    precise().map(UnixTime::since_unix_epoch)
}
