//! PostgreSQL's errors, as the errors of the store.

use std::sync::Arc;

use crate::Error;

/// By SQLSTATE, whose first two characters are a class.
pub(super) fn classify(error: sqlx::Error) -> Error {
    let code = error
        .as_database_error()
        .and_then(|error| error.code().map(std::borrow::Cow::into_owned));
    let source = Arc::new(error);
    let code = code.as_deref().unwrap_or_default();
    match (code.get(..2), code) {
        // Insufficient resources: memory, the disk, connections.
        (Some("53"), "53300") => Error::Unavailable { source },
        (Some("53"), _) => Error::CannotWrite { source },
        // Input or output failed; the server is a standby, which only reads.
        (_, "58030" | "25006") => Error::CannotWrite { source },
        // Connection lost, shut down, starting up; a lock or a transaction that lost against another; a standby where the primary was
        // wanted, which may be promoted.
        (Some("08" | "57" | "40"), _) | (_, "55P03" | "25P03" | NOT_PRIMARY) => {
            Error::Unavailable { source }
        }
        // Data or an index is corrupted.
        (Some("XX"), "XX001" | "XX002") => Error::Corrupt {
            place: "the server's files",
        },
        _ => Error::without_code(source),
    }
}

/// The code with which a standby, or a server that reads alone, refuses whoever connects with `transaction_read_only=off`.
pub(super) const NOT_PRIMARY: &str = "25001";

/// True for an error that a connection gives when its server ends, has ended, or is no primary any more.
pub(super) fn is_of_another_primary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // It reads alone; it shuts down, has crashed, or starts.
            matches!(&*code, "25006" | "57P01" | "57P02" | "57P03")
        }
        _ => false,
    }
}
