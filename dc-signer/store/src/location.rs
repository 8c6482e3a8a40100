//! Where a database is, and opening it.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::connection::Database;
use super::postgres::Postgres;
use super::schema::{self, Schema};
use super::seen::Seen;
use super::sqlite::{self, Sqlite};
use super::timeline::Timelines;
use super::{Error, Observer, Store};

/// Where a database is.
#[derive(Clone, Eq, PartialEq)]
pub enum Location {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(Urls),
}

/// The URLs of a PostgreSQL database, which may have a password in them.
#[derive(Clone, Eq, PartialEq)]
pub struct Urls {
    /// One that names the primary, and may name its standbys.
    primary: Zeroizing<String>,
    /// One of replicas that people's pages and exports are read from.
    read: Option<Zeroizing<String>>,
}

impl Urls {
    /// The URL that names the primary, and one of replicas if there are any.
    #[must_use]
    pub const fn new(primary: Zeroizing<String>, read: Option<Zeroizing<String>>) -> Self {
        Self { primary, read }
    }

    /// The URL of replicas.
    #[must_use]
    pub fn read(&self) -> Option<&str> {
        self.read.as_deref().map(String::as_str)
    }
}

/// The URL that names the primary.
impl Deref for Urls {
    type Target = str;

    fn deref(&self) -> &str {
        &self.primary
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Urls(..)")
    }
}

impl FromStr for Location {
    type Err = std::convert::Infallible;

    /// `postgres://…` and `postgresql://…` are URLs, `sqlite:…` and everything else is a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        Ok(match url {
            true => Self::Postgres(Urls::new(Zeroizing::new(text.to_owned()), None)),
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
pub async fn open(location: &Location, node: &str) -> Result<Arc<Store>, Error> {
    open_with(location, node, None, None).await
}

/// The same for a signer that keeps in a folder how far the audit log has been, so that it notices when the database
/// is an older copy: then nothing can be written until that is dealt with, and whoever opens it is not refused. The
/// observer is told how long each operation took.
///
/// Fails as [`open`] does, and with [`Error::NotPermitted`] and [`Error::Corrupt`] if what is in the folder cannot be read.
pub async fn open_knowing(
    location: &Location,
    node: &str,
    folder: &Path,
    observer: Option<Arc<dyn Observer>>,
) -> Result<Arc<Store>, Error> {
    open_with(location, node, Some(folder), observer).await
}

async fn open_with(
    location: &Location,
    node: &str,
    folder: Option<&Path>,
    observer: Option<Arc<dyn Observer>>,
) -> Result<Arc<Store>, Error> {
    let seen = folder.map(Seen::open).transpose()?;
    let timelines = folder.map(Timelines::open).transpose()?;
    if let Location::File(path) = location {
        if !sqlite::is_there(path)? {
            return Err(Error::SchemaTooOld {
                found: 0,
                needed: schema::newest(&sqlite::MIGRATOR),
            });
        }
        sqlite::check_permissions(path)?;
    }
    let read = match location {
        Location::Postgres(urls) => urls.read().map(Postgres::to_read).transpose()?,
        Location::File(_) => None,
    };
    let read = read.map(|servers| Database::Postgres(Box::new(servers)));
    let database = database(location, timelines.unwrap_or_default()).await?;
    Ok(Arc::new(
        Store::open(database, read, node, seen, observer).await?,
    ))
}

/// A file that exists, or a server that answers.
async fn database(location: &Location, timelines: Timelines) -> Result<Database, Error> {
    Ok(match location {
        Location::File(path) => Database::Sqlite(Box::new(Sqlite::open(path))),
        Location::Postgres(url) => {
            let server = Postgres::open(url, timelines)?;
            server.reach().await?;
            Database::Postgres(Box::new(server))
        }
    })
}

/// Checks that this process may read and write the files of a database, if it has any.
///
/// Fails with [`Error::NotPermitted`].
pub fn check_permissions(location: &Location) -> Result<(), Error> {
    match location {
        Location::File(path) => sqlite::check_permissions(path),
        Location::Postgres(_) => Ok(()),
    }
}

/// Looks at the versions of a database's tables.
///
/// Fails with [`Error::SchemaUnknown`], and with [`Error::Unavailable`] if it does not answer.
pub async fn look(location: &Location) -> Result<Schema, Error> {
    match location {
        Location::File(path) if !sqlite::is_there(path)? => Ok(Schema {
            found: 0,
            needed: schema::newest(&sqlite::MIGRATOR),
        }),
        location => schema::look(&database(location, Timelines::default()).await?).await,
    }
}

/// Brings a database's tables to what this version needs; makes them, and an SQLite file, if there
/// are none. Says which version they had.
///
/// Fails with [`Error::SchemaUnknown`], [`Error::CannotWrite`] and [`Error::Unavailable`].
pub async fn migrate(location: &Location) -> Result<Schema, Error> {
    if let Location::File(path) = location {
        sqlite::create(path)?;
    }
    schema::migrate(&database(location, Timelines::default()).await?).await
}
