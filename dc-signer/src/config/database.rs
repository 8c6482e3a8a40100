//! `[database]`: a SQLite file or a PostgreSQL server.

use std::fmt;
use std::path::{Path, PathBuf};

use super::problem::Wrong;
use super::reader::Section;
use super::values::{count, path, text};

/// Where the service keeps what it knows.
#[derive(Clone, Eq, PartialEq)]
pub enum Database {
    /// A file on this machine.
    Sqlite {
        /// The file.
        file: PathBuf,
    },
    /// A server.
    Postgres {
        /// Its URL, which may have a password in it.
        url: String,
        /// The most connections to it.
        connections: u32,
    },
}

impl Database {
    pub(super) fn read(mut section: Section<'_, '_>, data: &Path) -> Option<Self> {
        let file = section.optional("sqlite", path(data));
        let url = section.optional("postgres", |value| match text(value)? {
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => Ok(url),
            // Not shown: there may be a password in it.
            _ => Err(Wrong::Value {
                given: "…".to_owned(),
                wanted: "a URL that begins with postgres://",
            }),
        });
        let connections = section
            .optional("connections", count(1..=1000))
            .unwrap_or(8);
        if file.is_some() && url.is_some() {
            let keys = ["sqlite", "postgres"];
            section.wrong("", Wrong::OneOf { keys });
        }
        section.finish();
        Some(match url {
            Some(url) => Self::Postgres {
                url,
                connections: u32::try_from(connections).unwrap_or(u32::MAX),
            },
            None => Self::Sqlite {
                file: file.unwrap_or_else(|| data.join("dc-signer.db")),
            },
        })
    }
}

/// Without the URL: there may be a password in it.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { file } => f.debug_struct("Sqlite").field("file", file).finish(),
            Self::Postgres {
                url: _,
                connections,
            } => f
                .debug_struct("Postgres")
                .field("connections", connections)
                .finish_non_exhaustive(),
        }
    }
}
