//! A checkpoint at once, for a command of somebody without a credential: until there is one, whoever has the database can take the
//! record of it out unnoticed.

use std::sync::Arc;
use std::time::Duration;

use dc_pki::clock;
use dc_store::Store;
use rustls::crypto::ring;
use tokio::time::sleep;

use super::{Checkpoints, Error, Told};
use crate::config::Config;
use crate::server::telemetry::Metrics;

/// How far a checkpoint of the log has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AtOnce {
    /// The last record when it was asked for.
    pub wanted: u64,
    /// How many records the last checkpoint has.
    pub signed: u64,
}

/// Sees to it that the log as it is now has a checkpoint that was sent: a service that works on the database signs one within
/// seconds, and where there is none this process does. None if no checkpoints are configured.
///
/// Fails as [`Checkpoints::open`] and [`Checkpoints::step`] do.
pub async fn at_once(config: &Config, store: &Arc<Store>) -> Result<Option<AtOnce>, Error> {
    if config.checkpoints.is_none() {
        return Ok(None);
    }
    let wanted = store.audit_head().await?.seq;
    let now = clock::now()?;
    let is_served = store.replicas(now).await?.iter().any(|one| one.live);
    let signed = match is_served {
        true => wait(store, wanted).await?,
        false => sign(config, store).await?,
    };
    Ok(Some(AtOnce { wanted, signed }))
}

/// Waits for the service's; says how many records its last one has.
async fn wait(store: &Store, wanted: u64) -> Result<u64, Error> {
    let mut signed = 0;
    for _ in 0..TRIES {
        let note = store.turn().await?.and_then(|turn| turn.note);
        signed = note.map_or(0, |note| size(&note));
        if signed >= wanted {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(signed)
}

async fn sign(config: &Config, store: &Arc<Store>) -> Result<u64, Error> {
    let provider = Arc::new(ring::default_provider());
    let opened = Checkpoints::open(
        config,
        store.clone(),
        &provider,
        Metrics::new(),
        Told::default(),
    )?;
    let Some(mut checkpoints) = opened else {
        return Ok(0);
    };
    // A record without a credential is due at once.
    checkpoints.step(clock::now()?).await?;
    Ok(checkpoints.state.signed_size())
}

/// The size that a note says; whoever has the database may have written it, and gains seconds in which this does not wait.
fn size(note: &str) -> u64 {
    let size = note.lines().nth(1).and_then(|line| line.parse().ok());
    size.unwrap_or(0)
}

/// A service looks every five seconds.
const PAUSE: Duration = Duration::from_millis(250);
const TRIES: u32 = 60;
