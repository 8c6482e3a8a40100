//! Where a database is, and opening it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::engine::Engine;
use super::postgres::Postgres;
use super::schema::{self, Schema};
use super::sqlite::Sqlite;
use super::{Error, Store};

/// Where a database is.
#[derive(Clone)]
pub enum Location {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, by its URL, which may have a password in it.
    Postgres(Zeroizing<String>),
}

impl FromStr for Location {
    type Err = std::convert::Infallible;

    /// `postgres://…` and `postgresql://…` are URLs, `sqlite:…` and everything else is a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        Ok(match url {
            true => Self::Postgres(Zeroizing::new(text.to_owned())),
            false => Self::File(text.strip_prefix("sqlite:").unwrap_or(text).into()),
        })
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// Opens a database whose tables are those of this version. `node` is how the audit log calls this
/// signer.
///
/// Fails with [`Error::SchemaTooOld`], [`Error::SchemaUnknown`], and with [`Error::Unavailable`] if
/// it does not answer. Needs a tokio runtime, as long as the store is used.
pub async fn open(location: &Location, node: &str) -> Result<Arc<dyn Store>, Error> {
    Ok(match location {
        Location::File(path) if !path.exists() => {
            return Err(Error::SchemaTooOld {
                found: 0,
                needed: schema::newest::<Sqlite>(),
            });
        }
        Location::File(path) => Arc::new(Engine::open(Sqlite::open(path), node).await?),
        Location::Postgres(url) => Arc::new(Engine::open(Postgres::open(url)?, node).await?),
    })
}

/// Looks at the versions of a database's tables.
///
/// Fails with [`Error::SchemaUnknown`], and with [`Error::Unavailable`] if it does not answer.
pub async fn look(location: &Location) -> Result<Schema, Error> {
    match location {
        Location::File(path) if !path.exists() => Ok(Schema {
            found: 0,
            needed: schema::newest::<Sqlite>(),
        }),
        Location::File(path) => schema::look(&Sqlite::open(path)).await,
        Location::Postgres(url) => schema::look(&Postgres::open(url)?).await,
    }
}

/// Brings a database's tables to what this version needs; makes them, and an SQLite file, if there
/// are none. Says which version they had.
///
/// Fails with [`Error::SchemaUnknown`], [`Error::CannotWrite`] and [`Error::Unavailable`].
pub async fn migrate(location: &Location) -> Result<Schema, Error> {
    match location {
        Location::File(path) => {
            super::sqlite::create(path)?;
            schema::migrate(&Sqlite::open(path)).await
        }
        Location::Postgres(url) => schema::migrate(&Postgres::open(url)?).await,
    }
}
