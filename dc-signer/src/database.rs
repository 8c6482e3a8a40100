//! Opens the database that a configuration names.

use std::sync::Arc;

use crate::config::Config;
use crate::error::Error;
use crate::files::{self, Access};
use crate::store::{self, Location, Store};

/// Opens the database of a configuration; makes the data folder and an SQLite file if they are not there.
///
/// Older tables are left to `dc-signer migrate`. Needs a tokio runtime as long as the store is used.
/// Fails with [`Error::Write`] and [`Error::Store`].
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, Error> {
    if !files::exists(&config.data) {
        files::create_folder(&config.data, Access::Owner, &[])?;
    }
    let location = &config.database;
    if let Location::File(path) = location
        && !path.exists()
    {
        tracing::info!(path = %path.display(), "the database is made");
        store::migrate(location).await?;
    }
    Ok(store::open(location, &config.node).await?)
}
