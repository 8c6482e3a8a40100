//! The clock of somebody's command, beside the database server's.

use pki_types::UnixTime;

use super::Error;
use super::guard::{ClockError, RELEASED, is_apart};
use dc_store::Store;

/// Checks a time of somebody's command by the database server's clock, which a service would not work against either; where there is no
/// server, by the time that a service on the same file has taken for right.
///
/// Fails with [`Error::Clock`].
pub async fn clock_agrees(store: &Store, now: UnixTime) -> Result<(), Error> {
    if now.as_secs() < RELEASED {
        return Err(ClockError::BeforeRelease { now }.into());
    }
    let Some(said) = store.clock().await? else {
        return not_behind(store, now).await;
    };
    let database = said.time.as_secs();
    match is_apart(now.as_secs(), database) {
        true => Err(ClockError::Apart {
            now,
            database: UnixTime::since_unix_epoch(said.time),
        }
        .into()),
        false => Ok(()),
    }
}

async fn not_behind(store: &Store, now: UnixTime) -> Result<(), Error> {
    let replicas = store.replicas(now).await?;
    let believed = replicas.iter().filter_map(|replica| replica.clock).max();
    match believed.filter(|latest| is_apart(now.as_secs(), latest.as_secs()) && now < *latest) {
        Some(latest) => Err(ClockError::Behind { now, latest }.into()),
        None => Ok(()),
    }
}
