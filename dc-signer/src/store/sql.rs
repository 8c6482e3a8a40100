//! The little that SQL needs of a database: bind, run, read a column. The statements themselves are
//! the same for SQLite and PostgreSQL, but for where the rows of a batch come from.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use pki_types::UnixTime;
use sqlx::migrate::Migrator;

use super::Error;
use crate::registry::Sha256;

/// What is bound to a parameter.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Blob(Option<Vec<u8>>),
    Int(Option<i64>),
    Text(Option<String>),
}

/// Rows that one statement takes all at once: `{rows}` in its text stands for them, as `r`.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) rows: Vec<Vec<Value>>,
}

/// What is in a column of a [`Batch`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Blob,
    Int,
    Text,
}

/// A database that sessions can be opened on.
pub(super) trait Database: fmt::Debug + Send + Sync + 'static {
    type Session: Session;

    /// A transaction that is alone in writing, from the start.
    fn write(&self) -> impl Future<Output = Result<Self::Session, Error>> + Send;

    /// A connection to read from, each statement for itself.
    fn read(&self) -> impl Future<Output = Result<Self::Session, Error>> + Send;

    /// A connection for a short read: there may be only one, for which the next waits.
    fn look(&self) -> impl Future<Output = Result<Self::Session, Error>> + Send {
        self.read()
    }

    /// A transaction whose statements all see the database as it is now.
    fn snapshot(&self) -> impl Future<Output = Result<Self::Session, Error>> + Send;

    /// The migrations that this version knows.
    fn migrator() -> &'static Migrator;

    /// Applies the migrations that are missing.
    fn migrate(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Writes a consistent copy to a new file.
    fn back_up(&self, to: &Path) -> impl Future<Output = Result<(), Error>> + Send;

    /// Reads everything and checks how it is laid out.
    fn check_pages(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Closes all connections when they are idle.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// A connection on which statements run, or a transaction.
pub(super) trait Session: Send + Sized {
    type Row: Row;

    /// A query for the server's clock, in microseconds since 1970, and whether it is this machine's, if there is a server.
    const CLOCK: Option<&'static str>;

    /// The type of a column of bytes.
    const BLOB: &'static str;

    /// Appended to a select of rows that are to be locked.
    const FOR_UPDATE: &'static str;

    /// A query that has a row if there is a table of migrations.
    const IS_MIGRATED: &'static str;

    fn fetch(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    /// Says how many rows were written.
    fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    fn fetch_batch(
        &mut self,
        sql: &str,
        batch: Batch,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    fn execute_batch(
        &mut self,
        sql: &str,
        batch: Batch,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send;

    fn roll_back(self) -> impl Future<Output = ()> + Send;

    /// The first row, if there is one.
    fn fetch_one(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Option<Self::Row>, Error>> + Send {
        async move { Ok(self.fetch(sql, values).await?.into_iter().next()) }
    }
}

/// A row of a result. Everything but the first three methods says [`Error::Corrupt`] with the column
/// if it holds something else than was written.
pub(super) trait Row: Send {
    fn maybe_blob(&self, column: &'static str) -> Result<Option<Vec<u8>>, Error>;

    fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, Error>;

    fn maybe_text(&self, column: &'static str) -> Result<Option<String>, Error>;

    fn blob(&self, column: &'static str) -> Result<Vec<u8>, Error> {
        self.maybe_blob(column)?.ok_or_else(|| corrupt(column))
    }

    fn text(&self, column: &'static str) -> Result<String, Error> {
        self.maybe_text(column)?.ok_or_else(|| corrupt(column))
    }

    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, Error> {
        let number = self.maybe_int(column)?.ok_or_else(|| corrupt(column))?;
        T::try_from(number).map_err(|_| corrupt(column))
    }

    fn bytes<const N: usize>(&self, column: &'static str) -> Result<[u8; N], Error> {
        self.blob(column)?.try_into().map_err(|_| corrupt(column))
    }

    fn hash(&self, column: &'static str) -> Result<Sha256, Error> {
        self.bytes(column).map(Sha256::from_bytes)
    }

    fn maybe_hash(&self, column: &'static str) -> Result<Option<Sha256>, Error> {
        let Some(blob) = self.maybe_blob(column)? else {
            return Ok(None);
        };
        let bytes = blob.try_into().map_err(|_| corrupt(column))?;
        Ok(Some(Sha256::from_bytes(bytes)))
    }

    fn time(&self, column: &'static str) -> Result<UnixTime, Error> {
        self.maybe_time(column)?.ok_or_else(|| corrupt(column))
    }

    fn maybe_time(&self, column: &'static str) -> Result<Option<UnixTime>, Error> {
        let Some(seconds) = self.maybe_int(column)? else {
            return Ok(None);
        };
        let seconds = u64::try_from(seconds).map_err(|_| corrupt(column))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Ok(Some(time))
    }

    fn flag(&self, column: &'static str) -> Result<bool, Error> {
        self.number::<i64>(column).map(|number| number != 0)
    }

    fn parse<T: FromStr>(&self, column: &'static str) -> Result<T, Error> {
        self.text(column)?.parse().map_err(|_| corrupt(column))
    }
}

/// Something in this column was never written there.
pub(super) const fn corrupt(place: &'static str) -> Error {
    Error::Corrupt { place }
}

/// A time as it is stored; what is out of range ends where the range ends.
pub(super) fn seconds(time: UnixTime) -> i64 {
    int(time.as_secs())
}

/// A number as it is stored; what is out of range ends where the range ends.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(Some(bytes.to_vec()))
    }
}

impl From<&Sha256> for Value {
    fn from(hash: &Sha256) -> Self {
        Self::from(&hash.as_bytes()[..])
    }
}

impl From<Option<&Sha256>> for Value {
    fn from(hash: Option<&Sha256>) -> Self {
        Self::Blob(hash.map(|hash| hash.as_bytes().to_vec()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(Some(int(number)))
    }
}

impl From<UnixTime> for Value {
    fn from(time: UnixTime) -> Self {
        Self::Int(Some(seconds(time)))
    }
}

impl From<Option<UnixTime>> for Value {
    fn from(time: Option<UnixTime>) -> Self {
        Self::Int(time.map(seconds))
    }
}
