//! A database server that is not up yet, because after a power cut the signer may be the faster one; or a full disk, on which SQLite
//! opens nothing.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep};

use super::lifecycle::tell;
use crate::authority::{self, database};
use crate::config::Config;
use crate::server::check::is_full;
use dc_store::{InUse, Location, Observer, Store};

/// Opens the database as [`database::open_to_serve`] does, and waits for a server that does not answer yet, and for room on a full disk.
///
/// Fails at once with what waiting does not mend, such as a wrong password.
pub(super) async fn open(
    config: &Config,
    observer: Arc<dyn Observer>,
) -> Result<(Arc<Store>, InUse), authority::Error> {
    let mut said: Option<Instant> = None;
    loop {
        let error = match database::open_to_serve(config, observer.clone()).await {
            Err(authority::Error::Store(source)) if may_come_up(&config.database, &source) => {
                source
            }
            opened => return opened,
        };
        if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            match config.database {
                Location::File(_) => {
                    tracing::error!("the disk is full, and {error}: waiting for room");
                }
                Location::Postgres(_) => tracing::warn!("{error}: waiting for it"),
            }
            said = Some(Instant::now());
        }
        let longer = u32::try_from(LONGER.as_micros()).unwrap_or(u32::MAX);
        tell(vec![
            NotifyState::Status("waiting for the database"),
            NotifyState::ExtendTimeoutUsec(longer),
        ])
        .await;
        sleep(TRY_AGAIN).await;
    }
}

fn may_come_up(location: &Location, error: &dc_store::Error) -> bool {
    match location {
        Location::File(path) => {
            matches!(error, dc_store::Error::CannotWrite { .. }) && is_full(path)
        }
        Location::Postgres(_) => error.is_of_a_server_that_may_come_up(),
    }
}

const TRY_AGAIN: Duration = Duration::from_secs(1);
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// The time that the service manager is asked to wait beyond the last try.
const LONGER: Duration = Duration::from_secs(30);
