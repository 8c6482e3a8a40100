//! The published files, read.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::format::credentials::Credentials;
use crate::format::handshakes::Handshakes;
use crate::format::selection::Selections;

/// The three files.
#[derive(Clone, Debug)]
pub struct Published {
    /// `credentials.json`.
    pub credentials: Credentials,
    /// `selection.json`.
    pub selection: Selections,
    /// `handshakes.json`.
    pub handshakes: Handshakes,
}

/// The kinds of vectors.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A credential alone.
    Credential,
    /// A file.
    File,
    /// A request to an issuer.
    Request,
    /// An answer to an offer.
    Selection,
    /// An offer.
    Offer,
    /// A handshake.
    Handshake,
    /// A session that may be resumed or not.
    Session,
    /// A connection that may be used for another origin or not.
    Reuse,
}

/// A file of vectors that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    path: PathBuf,
    why: String,
}

impl Published {
    /// Reads the three files of a folder.
    ///
    /// Fails with [`Unreadable`] if one is missing, or is not what [`format`](crate::format) says.
    pub fn read(folder: &Path) -> Result<Self, Unreadable> {
        Ok(Self {
            credentials: read(folder.join("credentials.json"))?,
            selection: read(folder.join("selection.json"))?,
            handshakes: read(folder.join("handshakes.json"))?,
        })
    }

    /// How many vectors there are of each kind, by the file they are in.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, Kind, usize); 8] {
        let (credentials, selection) = (&self.credentials, &self.selection);
        let handshakes = &self.handshakes;
        [
            (CREDENTIALS, Kind::Credential, credentials.credentials.len()),
            (CREDENTIALS, Kind::File, credentials.files.len()),
            (CREDENTIALS, Kind::Request, credentials.requests.len()),
            (SELECTION, Kind::Selection, selection.selections.len()),
            (SELECTION, Kind::Offer, selection.offers.len()),
            (HANDSHAKES, Kind::Handshake, handshakes.handshakes.len()),
            (HANDSHAKES, Kind::Session, handshakes.sessions.len()),
            (HANDSHAKES, Kind::Reuse, handshakes.reuse.len()),
        ]
    }

    /// The sections of the specification that the vectors show, with repetitions.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        let (credentials, selection) = (&self.credentials, &self.selection);
        let handshakes = &self.handshakes;
        let first = credentials.credentials.values().map(|v| &v.section);
        first
            .chain(credentials.files.values().map(|v| &v.section))
            .chain(credentials.requests.values().map(|v| &v.section))
            .chain(selection.selections.values().map(|v| &v.section))
            .chain(selection.offers.values().map(|v| &v.section))
            .chain(handshakes.handshakes.values().map(|v| &v.section))
            .chain(handshakes.sessions.values().map(|v| &v.section))
            .chain(handshakes.reuse.values().map(|v| &v.section))
            .map(String::as_str)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Credential => "credential",
            Self::File => "file",
            Self::Request => "request",
            Self::Selection => "selection",
            Self::Offer => "offer",
            Self::Handshake => "handshake",
            Self::Session => "session",
            Self::Reuse => "reuse",
        })
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, why } = self;
        write!(
            f,
            "{}: {why}; write the files anew with `write`",
            path.display()
        )
    }
}

impl std::error::Error for Unreadable {}

fn read<T: DeserializeOwned>(path: PathBuf) -> Result<T, Unreadable> {
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let read = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    read.map_err(|why| Unreadable { path, why })
}

const CREDENTIALS: &str = "credentials.json";
const SELECTION: &str = "selection.json";
const HANDSHAKES: &str = "handshakes.json";
