//! The only place that reads the clock; everything else is given the time.

use std::time::{SystemTime, UNIX_EPOCH};

use pki_types::UnixTime;

use crate::error::Error;

/// The time now.
///
/// Fails with [`Error::ClockBefore1970`].
pub fn now() -> Result<UnixTime, Error> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(UnixTime::since_unix_epoch)
        .map_err(|_| Error::ClockBefore1970)
}
