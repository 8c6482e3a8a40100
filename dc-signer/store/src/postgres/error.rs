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
        // Connection lost, shut down, starting up; a lock or a transaction that lost against another.
        (Some("08" | "57" | "40"), _) | (_, "55P03" | "25P03") => Error::Unavailable { source },
        // Data or an index is corrupted.
        (Some("XX"), "XX001" | "XX002") => Error::Corrupt {
            place: "the server's files",
        },
        _ => Error::without_code(source),
    }
}
