//! Opens the database that a configuration names.

use std::sync::Arc;

use crate::config::Config;
use crate::error::Error;
use crate::store::{self, Location, Store};

/// Opens the database of a configuration; makes an SQLite file that is not there.
///
/// Older tables are left to `dc-signer migrate`. Needs a tokio runtime as long as the store is used.
/// Fails with [`Error::Store`].
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, Error> {
    let location = &config.database;
    if let Location::File(path) = location
        && !path.exists()
    {
        tracing::info!(path = %path.display(), "the database is made");
        store::migrate(location).await?;
    }
    Ok(store::open(location, &config.node).await?)
}
