//! Clients that nobody here wrote, as they are delivered; and rustls with verifiers of ours, for what no client does.

mod browser;
pub(crate) mod by_key;
mod chromium;
mod curl;
pub(crate) mod dc_rustls;
mod files;
mod firefox;
mod gnutls;
pub(crate) mod key_hash;
mod nss;
mod openssl;
mod program;
mod python;
pub(crate) mod raw_key;
pub(crate) mod raw_key_peers;
pub(crate) mod referee;
mod rustls;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use crate::clock::Clock;
use crate::setup::{self, LEFT_OUT};

pub(crate) use self::dc_rustls::DcRustls;
pub(crate) use self::program::version;

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

    /// Whether it is a program to be installed, and no library in this one.
    fn is_foreign(&self) -> bool {
        true
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
    /// Whether the user goes on after a warning: the outcome is the same, and the page was had.
    pub(crate) accepts_warning: bool,
    /// Whether the user tells it to take raw public keys (RFC 7250), if it can be told.
    pub(crate) raw_keys: bool,
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
    /// The visit was not made, so it says nothing about the client: why.
    Failed(String),
}

/// All of the unmodified ones, as the table has them; their programs are installed if they are missing.
pub(crate) fn all() -> Vec<Box<dyn Client>> {
    let all: Vec<Box<dyn Client>> = vec![
        Box::new(curl::Curl),
        Box::new(openssl::OpenSsl),
        Box::new(gnutls::GnuTls),
        Box::<nss::Tstclnt>::default(),
        Box::<firefox::Firefox>::default(),
        Box::<chromium::Chromium>::default(),
        Box::new(rustls::Rustls),
        Box::new(python::Python),
    ];
    let left_out = !setup::foreign_programs();
    let client = |client: Box<dyn Client>| -> Box<dyn Client> {
        match left_out && client.is_foreign() {
            true => Box::new(LeftOut(client)),
            false => client,
        }
    };
    all.into_iter().map(client).collect()
}

/// A client that is not to be run.
struct LeftOut(Box<dyn Client>);

impl Client for LeftOut {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn version(&self) -> Result<String, String> {
        Err(LEFT_OUT.to_owned())
    }

    fn visit(&self, _: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        let outcome = |_| Outcome::Failed(LEFT_OUT.to_owned());
        visits.iter().map(outcome).collect()
    }
}

/// Makes these visits one after the other.
fn each(
    visits: &[Visit<'_>],
    mut visit: impl FnMut(&Visit<'_>) -> crate::Result<Outcome>,
) -> Vec<Outcome> {
    let outcome = |one| visit(one).unwrap_or_else(|error| Outcome::Failed(error.to_string()));
    visits.iter().map(outcome).collect()
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
