//! The start: one process a folder, and what the log says was issued in the last hour.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use pki_types::UnixTime;
use serde_json::Value;

use super::super::error::Error;
use super::super::policy::Ceilings;
use super::super::rate::Rate;
use dc_pki::time::Moment;

pub(super) fn rates(ceilings: &Ceilings) -> BTreeMap<String, Rate> {
    let rate = |ceiling: &crate::config::Ceiling| {
        let rate = Rate::new(ceiling.per_minute, ceiling.per_hour);
        (ceiling.zone.to_string(), rate)
    };
    ceilings.0.iter().map(rate).collect()
}

/// Counts what the log says was issued in the last hour: whoever makes the process end gains nothing by it.
pub(super) fn recall(rates: &mut BTreeMap<String, Rate>, line: &Value, now: UnixTime, uptime: u64) {
    let zone = line["zone"].as_str().filter(|_| line["act"] == "issue");
    let time = line["time"]
        .as_str()
        .and_then(|time| time.parse::<Moment>().ok());
    let (Some(rate), Some(Moment(time))) = (zone.and_then(|zone| rates.get_mut(zone)), time) else {
        return;
    };
    // What a clock that was ahead has written counts as of now.
    let ago = now.as_secs().saturating_sub(time.as_secs());
    if ago < 3600 {
        rate.add(uptime.saturating_sub(ago));
    }
}

pub(super) fn lock(state: &Path) -> Result<File, Error> {
    let path = state.join("lock");
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { path: state.into() }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

pub(super) fn nobodys_key() -> Result<Vec<u8>, Error> {
    let key = rcgen::KeyPair::generate();
    let key = key.map_err(|source| dc_pki::Error::TestCertificate { source })?;
    Ok(rcgen::PublicKeyData::subject_public_key_info(&key))
}
