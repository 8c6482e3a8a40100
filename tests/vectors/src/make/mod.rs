//! Makes the vectors, the same bytes each time: every key comes from one byte, ECDSA takes its number from the message
//! (RFC 6979), RSASSA-PSS has a fixed salt, and no clock is read.
//!
//! Nothing of dc-core is used: the bytes are put together here a second time.

// All of it serves tests, and what goes wrong here is a mistake of this module.
#![allow(clippy::unwrap_used)]

mod alerts;
mod boundaries;
mod certificates;
mod credentials;
mod der;
mod draft;
mod files;
mod handshakes;
mod keys;
mod requests;
mod rsa;
mod selection;

use std::path::Path;

use crate::format::credentials::Credentials;
use crate::format::handshakes::Handshakes;
use crate::format::selection::Selections;

/// The three files.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// `credentials.json`
    pub credentials: Credentials,
    /// `selection.json`
    pub selection: Selections,
    /// `handshakes.json`
    pub handshakes: Handshakes,
}

impl Files {
    /// Name and text of each file.
    #[must_use]
    pub fn texts(&self) -> [(&'static str, String); 3] {
        [
            ("credentials.json", text(&self.credentials)),
            ("selection.json", text(&self.selection)),
            ("handshakes.json", text(&self.handshakes)),
        ]
    }
}

fn text(file: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(file).unwrap() + "\n"
}

/// Makes the three files.
#[must_use]
pub fn all() -> Files {
    let mut files = Files {
        credentials: credentials::all(),
        selection: selection::all(),
        handshakes: handshakes::all(),
    };
    boundaries::add(&mut files);
    files
}

/// Makes the three files and writes them into a folder, `docs/vectors`.
///
/// Fails if a file cannot be written.
pub fn write(folder: &Path) -> std::io::Result<()> {
    for (name, text) in all().texts() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// 2026-01-01 00:00:00 UTC.
const NOW: u64 = 1_767_225_600;
const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;
/// 30 days before, so that a `valid_time` taken for a lifetime shows.
const NOT_BEFORE: u64 = NOW - 30 * DAY;
const NOT_AFTER: u64 = NOW + 335 * DAY;
const NAME: &str = "k3v.cpe.example.com";
