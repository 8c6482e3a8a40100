//! rustls with the rule of draft-wing-settle-referee-01: a server has the key that the home's referee says it has.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::clients::by_key::{Connection, Form, refusal};
use crate::clients::{Client, Outcome, Visit, rustls_version};
use crate::clock::Clock;

/// A referee that the user has approved, once for each client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Approved {
    pub(crate) port: u16,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub(crate) fingerprint: [u8; 32],
}

/// Whether a client remembers what the referee said, which the draft leaves to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It asks at each connection.
    None,
    /// It asks once for each name, and again when the server's key is another one.
    Keys,
}

/// A client that asks a referee.
#[derive(Debug)]
pub(crate) struct Referee {
    approved: Approved,
    memory: Memory,
    known: Mutex<BTreeMap<String, [u8; 32]>>,
}

impl Referee {
    pub(crate) fn new(approved: Approved, memory: Memory) -> Self {
        Self {
            approved,
            memory,
            known: Mutex::default(),
        }
    }

    fn connect(&self, visit: &Visit<'_>) -> Result<Outcome> {
        let name = visit.name;
        let connection = Connection::open(name, visit.port, Form::Certificate, None)?;
        let key = connection.fingerprint;
        if self.known().get(name) != Some(&key) {
            match self.ask(name) {
                Ok(Some(said)) if said == key => {}
                Ok(Some(_)) => return Ok(Outcome::Refused("another key than enrolled".to_owned())),
                Ok(None) => return Ok(Outcome::Refused("not enrolled".to_owned())),
                // §8 of the draft: then clients are where they are today.
                Err(_) => return Ok(Outcome::Warned("no referee: self-signed".to_owned())),
            }
        }
        if self.memory == Memory::Keys {
            self.known().insert(name.to_owned(), key);
        }
        connection.get("/")?.success()?;
        Ok(Outcome::Connected)
    }

    /// The fingerprint that the referee has for a name.
    fn ask(&self, name: &str) -> Result<Option<[u8; 32]>> {
        let Approved { port, fingerprint } = self.approved;
        let pin = Some(fingerprint);
        let connection = Connection::open("referee.internal", port, Form::Certificate, pin)?;
        let answer = connection.get(&format!("/.well-known/referee/sha256/{name}"))?;
        match answer.status {
            404 => Ok(None),
            _ => Ok(Some(answer.success()?.as_slice().try_into()?)),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, [u8; 32]>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client for Referee {
    fn name(&self) -> &'static str {
        "rustls, referee"
    }

    fn version(&self) -> std::result::Result<String, String> {
        Ok(format!("{} with a verifier of ours", rustls_version()))
    }

    /// Roots and what the user accepts are of no use to it.
    fn visit(&self, _clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        let connect = |visit: &Visit<'_>| match visit.revocation_list {
            Some(_) => Outcome::Unable("keys are removed from the referee, not listed"),
            None => self
                .connect(visit)
                .unwrap_or_else(|error| Outcome::Refused(refusal(&*error))),
        };
        visits.iter().map(connect).collect()
    }
}
