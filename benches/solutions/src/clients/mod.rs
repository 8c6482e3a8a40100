//! Clients that nobody here wrote, as they are delivered; and rustls with verifiers of ours, for what no client does.

pub(crate) mod by_key;
pub(crate) mod key_hash;
pub(crate) mod raw_key;
pub(crate) mod referee;

use std::path::Path;

use serde::Serialize;

use crate::clock::Clock;

/// A client program.
pub(crate) trait Client: Send + Sync {
    /// As a table shows it.
    fn name(&self) -> &'static str;

    /// Which one it is, such as `curl 7.88.1`; what is missing if it cannot be run.
    fn version(&self) -> Result<String, String>;

    /// Whether a visit takes seconds, because a browser starts for it.
    fn is_slow(&self) -> bool {
        false
    }

    /// Connects, one visit after the other, each with a session of its own.
    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome>;
}

/// One connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visit<'a> {
    /// What the client asks for; it connects to loopback whatever the name.
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    /// What it trusts, in PEM; nothing else.
    pub(crate) roots: Vec<&'a Path>,
    /// A revocation list, in PEM, that the user gives to it; [`Outcome::Unable`] if it takes none.
    pub(crate) revocation_list: Option<&'a Path>,
    /// The server's key that the user has accepted before, as the SHA-256 of its SubjectPublicKeyInfo, and the
    /// certificate of that connection in PEM, if there was one; [`Outcome::Unable`] if it remembers nothing.
    pub(crate) accepted: Option<(&'a [u8; 32], Option<&'a Path>)>,
    /// Whether the user accepts what the client warns of, if it lets users do so.
    pub(crate) accepts_warning: bool,
}

/// What came of a visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "words")]
pub(crate) enum Outcome {
    /// The page, and no word.
    Connected,
    /// The page can be had after a warning: the words, or their name.
    Warned(String),
    /// No page, and no way to it: the error's name.
    Refused(String),
    /// The client has no way to be told what the visit asks for: what it lacks.
    Unable(&'static str),
}

/// All, in the order of the table.
pub(crate) fn all() -> Vec<Box<dyn Client>> {
    Vec::new()
}

/// Which rustls this program has, from the lock file.
pub(crate) fn rustls_version() -> String {
    const LOCK: &str = include_str!("../../../../Cargo.lock");
    let mut lines = LOCK.lines().skip_while(|line| *line != "name = \"rustls\"");
    let version = lines.nth(1).unwrap_or_default();
    format!(
        "rustls {}",
        version.trim_start_matches("version = ").trim_matches('"')
    )
}
