//! Exports of the audit log: one JSON object a line, which anybody can check without the database.
//!
//! The first line says what is before the first record: `{"log":"dc-audit","version":1,"after":{"seq":0,"hash":"…","tree":[]}}`,
//! with the number and the hash of the record before it (0 and zeros if there is none) and the roots of the perfect subtrees of
//! the Merkle tree up to there, the largest first, in base64. Each other line is a record: `seq`, `time`, `node`, `actor`,
//! `action`, `name`, `spki_sha256`, `credential_sha256`, `zone`, `expires`, `detail_sha256` and `prev_hash`, as
//! [`Record`](crate::registry::Record) has them; what a record does not have is left out. Hashes are in lower-case hexadecimal,
//! times are seconds since 1970. Later versions may add fields to the first line; a record has no others, because its hash is
//! made of these.

mod check;
mod error;
mod files;
mod line;
mod read;

pub use check::{Checked, LogCheck};
pub use error::ExportError;
pub(crate) use files::ExportFiles;
pub use line::{first_line, record_line};
pub use read::ExportReader;

#[cfg(test)]
mod tests;
