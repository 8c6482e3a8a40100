//! rustls with raw public keys (RFC 7250): knows servers by pinned keys, or by those of their first connection.

use std::fs;
use std::path::{Path, PathBuf};

use dc_pki::Sha256;

use crate::Result;
use crate::clients::by_key::{Connection, Form, refusal};
use crate::clients::{Client, Outcome, Visit, rustls_version};
use crate::clock::Clock;

/// A client that remembers keys. At each visit it is as new, and has in its memory what the user accepted before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawKey;

impl RawKey {
    fn connect(visit: &Visit<'_>) -> Result<Outcome> {
        let folder = tempfile::tempdir()?;
        let known = KnownKeys::in_file(&folder.path().join("known keys"));
        if let Some((key, _)) = visit.accepted {
            known.remember(visit.name, *key)?;
        }
        let outcome = known.visit(visit.name, visit.port, visit.accepts_warning)?;
        if visit.accepts_warning {
            // The page comes from a connection to the key that it has in memory by now.
            known.visit(visit.name, visit.port, false)?;
        }
        Ok(outcome)
    }
}

impl Client for RawKey {
    fn name(&self) -> &'static str {
        "rustls, raw keys"
    }

    fn version(&self) -> std::result::Result<String, String> {
        Ok(format!("{} with a verifier of ours", rustls_version()))
    }

    /// Roots are of no use to it.
    fn visit(&self, _clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        let connect = |visit: &Visit<'_>| match visit.revocation_list {
            Some(_) => Outcome::Unable("there are no revocation lists of raw keys"),
            None => Self::connect(visit).unwrap_or_else(|error| Outcome::Refused(refusal(&*error))),
        };
        visits.iter().map(connect).collect()
    }
}

/// A client's memory: a file with a line for each name, and the SHA-256 of its SubjectPublicKeyInfo.
#[derive(Debug)]
pub(crate) struct KnownKeys(PathBuf);

impl KnownKeys {
    /// The memory in this file, which need not be there.
    pub(crate) fn in_file(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Visits a server on this port of loopback. One whose key is known is trusted, one with another key refused; a name
    /// that is not known is warned of, and its key remembered if the user accepts that.
    ///
    /// Fails with the refusal.
    pub(crate) fn visit(&self, name: &str, port: u16, accepts: bool) -> Result<Outcome> {
        let pin = self.recall(name)?;
        let connection = Connection::open(name, port, Form::RawKey, pin)?;
        if pin.is_some() {
            connection.get("/")?.success()?;
            return Ok(Outcome::Connected);
        }
        if accepts {
            self.remember(name, connection.fingerprint)?;
        }
        Ok(Outcome::Warned("unknown key".to_owned()))
    }

    fn remember(&self, name: &str, key: [u8; 32]) -> Result<()> {
        let line = format!("{name} {}\n", Sha256::from_bytes(key));
        Ok(fs::write(&self.0, self.text()? + &line)?)
    }

    fn recall(&self, name: &str) -> Result<Option<[u8; 32]>> {
        let text = self.text()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        match lines.find(|(known, _)| *known == name) {
            Some((_, key)) => Ok(Some(*key.parse::<Sha256>()?.as_bytes())),
            None => Ok(None),
        }
    }

    fn text(&self) -> Result<String> {
        match self.0.exists() {
            true => Ok(fs::read_to_string(&self.0)?),
            false => Ok(String::new()),
        }
    }
}
