//! Connections to one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::timeout;

/// The options of a URL, and what is told to the server at each connection.
pub(super) fn options(options: PgConnectOptions, is_primary: bool) -> PgConnectOptions {
    // A signer that hangs must not keep the others from writing for long.
    let options = options.application_name("dc-signer").options([
        ("lock_timeout", "10s"),
        // A text in a message ends at its quote, and at nothing else.
        ("standard_conforming_strings", "on"),
        ("idle_in_transaction_session_timeout", "30s"),
        // Longer than anybody waits for an answer here: the server works on for nobody else.
        ("statement_timeout", "60s"),
    ]);
    let options = match is_primary {
        // A server that cannot do that, because it is a standby or reads alone, refuses the connection: nothing is ever read where
        // nothing can be written, and nobody has to ask.
        true => options.options([("transaction_read_only", "off")]),
        false => options,
    };
    options.disable_statement_logging()
}

/// Connects when it is first used, and counts how often. One of several servers is given up sooner.
pub(super) fn open(options: PgConnectOptions, is_only: bool, opened: Arc<AtomicUsize>) -> PgPool {
    let durable = match is_only {
        true => DURABLE,
        false => DURABLE_ON_BOTH,
    };
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(if is_only { PATIENCE } else { MOMENT })
        .after_connect(move |connection, _| {
            opened.fetch_add(1, Ordering::Release);
            Box::pin(async move { connection.execute(durable).await.map(|_| ()) })
        })
        // A round trip for each use is too much; a connection that was just used is most likely
        // there, and what was idle may have lost its server.
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| Box::pin(is_there(connection, metadata.idle_for)))
        .connect_lazy_with(options)
}

/// Asks a connection that was idle whether its server is still there; if not, another one is opened.
async fn is_there(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    match idle < TRUSTED {
        true => Ok(true),
        false => Ok(matches!(
            timeout(MOMENT, connection.ping()).await,
            Ok(Ok(()))
        )),
    }
}

/// Each commit is on the disk before anybody gets an answer, whatever the server's default is; an
/// even stronger default stays.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";
/// The same on the standby that takes over, if there is one that the primary waits for.
pub(super) const DURABLE_ON_BOTH: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                               WHERE current_setting('synchronous_commit') IN ('off', 'local')";
const CONNECTIONS: u32 = 16;
/// How long an idle connection is believed to be there.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long to wait for a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for what a server that works answers at once.
pub(super) const MOMENT: Duration = Duration::from_secs(1);
