//! SQLite's errors, as the errors of the store.

use std::sync::Arc;

use crate::Error;

/// Result codes of SQLite, without what the higher bits add.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const IO: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;

pub(super) fn classify(error: sqlx::Error) -> Error {
    let code = error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok());
    let source = Arc::new(error);
    match code.map(|code| code & 0xff) {
        Some(READ_ONLY | IO | FULL | CANNOT_OPEN) => Error::CannotWrite { source },
        Some(BUSY | LOCKED) => Error::Unavailable { source },
        Some(CORRUPT | NOT_A_DATABASE) => Error::Corrupt {
            place: "the file itself",
        },
        _ => Error::without_code(source),
    }
}
