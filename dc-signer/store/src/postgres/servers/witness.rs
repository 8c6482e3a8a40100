//! A primary that is used shows nothing that its standby has not.
//!
//! A primary that died and came back shows all that it had written, also what it had confirmed to nobody because no standby had it yet. An
//! answer that only reads that would promise what is lost when the standby is promoted next. So before a primary is used, it has to
//! confirm something that is written behind all that, which it does when its standby has it. The connection on which it did stays
//! open: it breaks when the server ends, so while it is there, the server shows nothing that its standby has not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::timeout;

use crate::Error;
use crate::postgres::error::classify;
use crate::postgres::pool::{DURABLE_ON_BOTH, MOMENT};

/// A connection that a server has confirmed something on since it was started.
#[derive(Default)]
pub(super) struct Witness {
    connection: tokio::sync::Mutex<Option<PgConnection>>,
    /// How many connections the pool has opened, and with how many of them it was looked whether the witness is there.
    opened: Arc<AtomicUsize>,
    looked: AtomicUsize,
}

impl Witness {
    /// Counts what a pool opens.
    pub(super) fn counter(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.opened)
    }

    /// True if all connections that were opened until now are to a server that has confirmed what it shows. A connection that was opened
    /// before the server ended is of no use to anybody, so it is looked only after another one was opened.
    pub(super) async fn has_seen_all(&self) -> bool {
        let opened = self.opened.load(Ordering::Acquire);
        if self.looked.load(Ordering::Acquire) == opened {
            return true;
        }
        let is_there = self.is_there().await;
        if is_there {
            self.looked.store(opened, Ordering::Release);
        }
        is_there
    }

    pub(super) async fn is_there(&self) -> bool {
        let mut connection = self.connection.lock().await;
        let Some(there) = connection.as_mut() else {
            return false;
        };
        let is_there = matches!(timeout(MOMENT, there.ping()).await, Ok(Ok(())));
        if !is_there {
            *connection = None;
        }
        is_there
    }

    pub(super) async fn set(&self, connection: PgConnection) {
        *self.connection.lock().await = Some(connection);
    }
}

/// Has a server confirm something, and returns the connection on which it did; none if it does not in time.
///
/// Goes on when nobody waits for the result any more, so that the server does not wait for its standby when nobody listens: it does
/// not notice that, and has a limit of connections.
///
/// Fails with what keeps the server from answering.
pub(super) async fn confirmed(options: &PgConnectOptions) -> Result<Option<PgConnection>, Error> {
    let confirmed = tokio::spawn(confirm(options.clone())).await;
    let confirmed = confirmed.unwrap_or(Err(sqlx::Error::WorkerCrashed));
    confirmed.map_err(classify)
}

async fn confirm(options: PgConnectOptions) -> Result<Option<PgConnection>, sqlx::Error> {
    let begun = async {
        let mut connection = options.connect().await?;
        connection.execute(DURABLE_ON_BOTH).await?;
        let pid = sqlx::query_scalar(PID).fetch_one(&mut connection).await?;
        Ok::<(PgConnection, i32), sqlx::Error>((connection, pid))
    };
    let Ok(begun) = timeout(LIMIT, begun).await else {
        return Ok(None);
    };
    let (mut connection, pid) = begun?;
    match timeout(LIMIT, connection.execute(MESSAGE)).await {
        Ok(Ok(_)) => Ok(Some(connection)),
        Ok(Err(error)) if cannot_say(&error) => Ok(Some(connection)),
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let _ = timeout(LIMIT, end(&options, pid)).await;
            Ok(None)
        }
    }
}

/// True of servers that others run, and that do not have this function, or not for everybody.
fn cannot_say(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // Not supported, not permitted, not there.
    matches!(code.as_deref(), Some("0A000" | "42501" | "42883"))
}

/// Ends what waits for a standby. What it has written says nothing, so that it is no harm if it is never there.
async fn end(options: &PgConnectOptions, pid: i32) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    let ended = sqlx::query(END).bind(pid);
    ended.execute(&mut connection).await?;
    connection.close().await
}

/// Changes nothing, and is written in a transaction, which is confirmed as all are.
const MESSAGE: &str = "SELECT pg_logical_emit_message(true, 'dc-signer', '')";
const PID: &str = "SELECT pg_backend_pid()";
const END: &str = "SELECT pg_terminate_backend($1)";
const LIMIT: Duration = Duration::from_secs(2);
