//! The clock of somebody's command, beside the database server's.

use pki_types::UnixTime;

use super::Error;
use super::guard::{ClockError, RELEASED, is_apart};
use dc_store::Store;

/// Checks a time of somebody's command by the database server's clock, which a service would not work against either.
///
/// Where there is no server, it is compared with the time that a service on the same file has taken for right; if it is behind that,
/// one of them is wrong, and nobody here knows which: says so, and whoever corrects what a wrong clock has done is not kept from it.
/// Fails with [`Error::Clock`].
pub async fn clock_agrees(store: &Store, now: UnixTime) -> Result<Option<ClockError>, Error> {
    if now.as_secs() < RELEASED {
        return Err(ClockError::BeforeRelease { now }.into());
    }
    let Some(said) = store.clock().await? else {
        return behind(store, now).await;
    };
    let database = said.time.as_secs();
    match is_apart(now.as_secs(), database) {
        true => Err(ClockError::Apart {
            now,
            database: UnixTime::since_unix_epoch(said.time),
        }
        .into()),
        false => Ok(None),
    }
}

async fn behind(store: &Store, now: UnixTime) -> Result<Option<ClockError>, Error> {
    let replicas = store.replicas(now).await?;
    let believed = replicas.iter().filter_map(|replica| replica.clock).max();
    let is_behind = |latest: &UnixTime| is_apart(now.as_secs(), latest.as_secs()) && now < *latest;
    let behind = believed.filter(is_behind);
    Ok(behind.map(|latest| ClockError::Behind { now, latest }))
}
