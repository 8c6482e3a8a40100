//! rustls with raw public keys (RFC 7250): knows servers by pinned keys, or by those of their first connection.

use std::fs;
use std::path::{Path, PathBuf};

use dc_pki::Sha256;

use crate::Result;
use crate::clients::by_key::{Connection, Form, refusal};
use crate::clients::{Client, Outcome, Visit, rustls_version};
use crate::clock::Clock;

/// A client that remembers keys in a file: a line for each, the name and the SHA-256.
#[derive(Debug)]
pub(crate) struct RawKey {
    known: PathBuf,
}

impl RawKey {
    /// One that remembers in this file, which need not be there.
    pub(crate) fn new(known: &Path) -> Self {
        Self {
            known: known.to_owned(),
        }
    }

    /// The user removes what the client remembers of a name.
    pub(crate) fn forget(&self, name: &str) -> Result<()> {
        let others = self.lines()?.into_iter().filter(|(known, _)| known != name);
        let lines: Vec<String> = others.map(|(name, key)| line(&name, &key)).collect();
        Ok(fs::write(&self.known, lines.concat())?)
    }

    fn remember(&self, name: &str, key: [u8; 32]) -> Result<()> {
        let mut text = match self.known.exists() {
            true => fs::read_to_string(&self.known)?,
            false => String::new(),
        };
        text.push_str(&line(name, &Sha256::from_bytes(key)));
        Ok(fs::write(&self.known, text)?)
    }

    fn recall(&self, name: &str) -> Result<Option<[u8; 32]>> {
        let mut lines = self.lines()?.into_iter();
        Ok(lines
            .find(|(known, _)| known == name)
            .map(|(_, key)| *key.as_bytes()))
    }

    fn lines(&self) -> Result<Vec<(String, Sha256)>> {
        if !self.known.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&self.known)?;
        let known = text.lines().filter_map(|line| line.split_once(' '));
        { known }
            .map(|(name, key)| Ok((name.to_owned(), key.parse()?)))
            .collect()
    }

    fn connect(&self, visit: &Visit<'_>) -> Result<Outcome> {
        let pin = match visit.accepted {
            Some((key, _)) => Some(*key),
            None => self.recall(visit.name)?,
        };
        let connection = Connection::open(visit.name, visit.port, Form::RawKey, pin)?;
        let seen = connection.fingerprint;
        if pin.is_some() || visit.accepts_warning {
            connection.get("/")?.success()?;
        }
        if pin.is_some() {
            return Ok(Outcome::Connected);
        }
        if visit.accepts_warning {
            self.remember(visit.name, seen)?;
        }
        Ok(Outcome::Warned("unknown key".to_owned()))
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
            None => self
                .connect(visit)
                .unwrap_or_else(|error| Outcome::Refused(refusal(&*error))),
        };
        visits.iter().map(connect).collect()
    }
}

fn line(name: &str, key: &Sha256) -> String {
    format!("{name} {key}\n")
}
