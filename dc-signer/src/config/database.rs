//! `[database]`: a SQLite file or a PostgreSQL server.

use std::path::Path;

use zeroize::Zeroizing;

use super::problem::Wrong;
use super::reader::Section;
use super::values::{path, text};
use crate::store::Location;

/// Where the service keeps what it knows; a file in `data` unless something else is said.
pub(super) fn read(mut section: Section<'_, '_>, data: &Path) -> Location {
    let file = section.optional("sqlite", path(data));
    let url = section.optional("postgres", |value| match text(value)? {
        url if url.starts_with("postgres://") || url.starts_with("postgresql://") => Ok(url),
        // Not shown: there may be a password in it.
        _ => Err(Wrong::Value {
            given: "…".to_owned(),
            wanted: "a URL that begins with postgres://",
        }),
    });
    if file.is_some() && url.is_some() {
        let keys = ["sqlite", "postgres"];
        section.wrong("", Wrong::OneOf { keys });
    }
    section.finish();
    match url {
        Some(url) => Location::Postgres(Zeroizing::new(url)),
        None => Location::File(file.unwrap_or_else(|| data.join("dc-signer.db"))),
    }
}
