//! One look at one server.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use crate::Error;
use crate::postgres::error::{NOT_PRIMARY, classify};
use crate::postgres::no_answer;

/// A server that can be used.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Found {
    /// Its timeline; 0 if it is a standby, or does not say.
    pub(super) timeline: u32,
    /// How many records its audit log has; 0 if there is none yet.
    pub(super) records: u64,
    /// Which database it is: primary and standbys have the same number, and no other has; 0 if it does not say.
    pub(super) system_identifier: i64,
}

/// A server that cannot be used.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    Failed(Error),
    /// It reads alone.
    Standby,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(Error::Unavailable { source } | Error::Database { source }) => {
                source.fmt(f)
            }
            Self::Failed(error) => error.fmt(f),
            Self::Standby => f.write_str("it is a standby, or reads alone"),
        }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some(NOT_PRIMARY) => Self::Standby,
            _ => Self::Failed(classify(error)),
        }
    }
}

/// Connects, and asks.
///
/// Fails with what keeps it from being used.
pub(super) async fn probe(options: &PgConnectOptions, is_primary: bool) -> Result<Found, Refused> {
    let asked = async {
        let mut connection = options.connect().await?;
        let found = match is_primary {
            true => ask(&mut connection).await?,
            false => Found::default(),
        };
        // Whether it is said or not: nothing is under way.
        let _ = connection.close().await;
        Ok(found)
    };
    match timeout(LIMIT, asked).await {
        Ok(found) => found,
        Err(_) => Err(Refused::Failed(no_answer(LIMIT))),
    }
}

async fn ask(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    let timeline = number(connection, TIMELINE).await?;
    let records = number(connection, RECORDS).await?;
    let system_identifier = number(connection, SYSTEM).await?;
    Ok(Found {
        timeline: u32::try_from(timeline).unwrap_or(0),
        records: u64::try_from(records).unwrap_or(0),
        system_identifier,
    })
}

/// The number that a server gives; 0 if it has none: some that others run do not have all of these functions.
async fn number(connection: &mut PgConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    match sqlx::query_scalar(sql).fetch_one(connection).await {
        Ok(number) => Ok(number),
        Err(sqlx::Error::Database(_) | sqlx::Error::RowNotFound) => Ok(0),
        Err(error) => Err(error),
    }
}

/// The first eight digits of the name of the file that the next write goes to. What the last checkpoint says is older.
const TIMELINE: &str =
    "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint";
const SYSTEM: &str = "SELECT system_identifier FROM pg_control_system()";
const RECORDS: &str = "SELECT seq FROM audit_head WHERE one = 1";
/// How long a server may take. One that takes longer is of no use to whoever waits.
const LIMIT: Duration = Duration::from_secs(2);
