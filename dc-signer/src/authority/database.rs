//! Opens the database that a configuration names.

use std::sync::Arc;

use super::Error;
use crate::config::Config;
use dc_pki::files::{self, Access};
use dc_store::registry::Head;
use dc_store::{InUse, Location, Observer, Store};

/// Opens the database of a configuration; makes the data folder and an SQLite file if they are not there.
///
/// As long as the second value is there, nobody puts a backup in its place.
/// Older tables are left to `dc-signer migrate`. Needs a tokio runtime as long as the store is used.
/// Fails with [`Error::Pki`] and [`Error::Store`], with [`Gone`](dc_store::Error::Gone) if the file was there before, and while somebody restores a backup.
pub async fn open(config: &Config) -> Result<(Arc<Store>, InUse), Error> {
    make_folder(config)?;
    // Before it is opened: it might be another one afterwards.
    let in_use = InUse::briefly(&config.database)?;
    Ok((open_there(config, None).await?, in_use))
}

/// The same for whoever changes what a running service has in its memory, such as how far the audit log was seen.
///
/// Fails as [`open`] does, and with [`InUse`](dc_store::Error::InUse) while a service or another command works with an SQLite file. A
/// database server has no such lock: signers that run there notice by themselves.
pub async fn open_alone(config: &Config) -> Result<(Arc<Store>, InUse), Error> {
    make_folder(config)?;
    let in_use = InUse::alone(&config.database)?;
    Ok((open_there(config, None).await?, in_use))
}

/// The same for a service, whose process others are told of, and which measures its operations.
///
/// Fails as [`open`] does.
pub async fn open_to_serve(
    config: &Config,
    observer: Arc<dyn Observer>,
) -> Result<(Arc<Store>, InUse), Error> {
    make_folder(config)?;
    let in_use = InUse::to_serve(&config.database)?;
    Ok((open_there(config, Some(observer)).await?, in_use))
}

fn make_folder(config: &Config) -> Result<(), Error> {
    match files::is_there(&config.data)? {
        true => Ok(()),
        false => Ok(files::create_folder(&config.data, Access::Owner, &[])?),
    }
}

async fn open_there(
    config: &Config,
    observer: Option<Arc<dyn Observer>>,
) -> Result<Arc<Store>, Error> {
    let location = &config.database;
    if let Location::File(path) = location
        && !files::is_there(path)?
    {
        check_unseen(config)?;
        tracing::info!(path = %path.display(), "the database is made");
        dc_store::migrate(location).await?;
    }
    Ok(dc_store::open_knowing(location, &config.node, &config.data, observer).await?)
}

/// An empty database is not made where one was: it would be taken for an older copy.
///
/// Fails with [`Gone`](dc_store::Error::Gone).
pub fn check_unseen(config: &Config) -> Result<(), Error> {
    let Location::File(path) = &config.database else {
        return Ok(());
    };
    match dc_store::seen_in(&config.data)? {
        Some(known) if known != Head::EMPTY && !files::is_there(path)? => {
            Err(dc_store::Error::Gone {
                path: path.clone(),
                known: known.seq,
            }
            .into())
        }
        _ => Ok(()),
    }
}
