//! Those that may ask.

use std::fmt;
use std::net::SocketAddr;

use dc_pki::{Sha256, keyd};
use nix::unistd::{Uid, User};
use pki_types::CertificateDer;
use serde_json::{Map, Value};
use tokio::net::unix::UCred;

use super::error::Error;
use crate::config::KeydCaller;

/// Whoever asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// A process of this machine, as the kernel knows it.
    Process {
        /// The number of its user.
        uid: u32,
        /// Its process id, 0 if the system does not say.
        pid: i32,
    },
    /// Somebody on another machine, who has shown that he has a certificate's key.
    Remote {
        /// SHA-256 of the certificate.
        certificate: Sha256,
        /// From where.
        address: SocketAddr,
    },
    /// Somebody on another machine who has shown nothing.
    Stranger {
        /// From where.
        address: SocketAddr,
    },
}

/// Whoever has connections of its own, from wherever it connects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    /// A user of this machine.
    User(u32),
    /// Whoever has a certificate's key.
    Certificate(Sha256),
    /// Somebody who has shown nothing.
    Stranger,
}

impl Caller {
    /// True for root of this machine, who could be anybody there.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        matches!(self, Self::Process { uid: ROOT, .. })
    }

    pub(super) const fn who(&self) -> Who {
        match self {
            Self::Process { uid, .. } => Who::User(*uid),
            Self::Remote { certificate, .. } => Who::Certificate(*certificate),
            Self::Stranger { .. } => Who::Stranger,
        }
    }

    /// Puts down who it is.
    pub(super) fn write(&self, line: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        match self {
            Self::Process { uid, pid } => {
                put("uid", (*uid).into());
                put("pid", (*pid).into());
            }
            Self::Remote {
                certificate,
                address,
            } => {
                put("caller", certificate.to_string().into());
                put("address", address.to_string().into());
            }
            Self::Stranger { address } => {
                put("address", address.to_string().into());
            }
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { uid, pid } => write!(f, "user {uid}, process {pid}"),
            Self::Remote {
                certificate,
                address,
            } => write!(f, "certificate {certificate} at {address}"),
            Self::Stranger { address } => write!(f, "somebody at {address}"),
        }
    }
}

impl From<UCred> for Caller {
    fn from(peer: UCred) -> Self {
        Self::Process {
            uid: peer.uid(),
            pid: peer.pid().unwrap_or(0),
        }
    }
}

/// The users whose processes may ask, besides root, who could be any of them, and the certificates of those on other machines.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Callers {
    /// By number, and as the configuration has them.
    users: Vec<(u32, String)>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Callers {
    /// Fails with [`Error::Missing`] if there are none, with [`Error::Unknown`] if the machine does not know one, and as reading a
    /// certificate does.
    pub fn find(callers: &[KeydCaller]) -> Result<Self, Error> {
        if callers.is_empty() {
            return Err(Error::Missing { table: "callers" });
        }
        let mut found = Self::default();
        for caller in callers {
            match caller {
                KeydCaller::User(user) => found.users.push((uid(user)?, user.clone())),
                KeydCaller::Certificate(path) => found.certificates.push(keyd::pinned(path)?),
            }
        }
        Ok(found)
    }

    /// The certificates of those on other machines.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// How many there are, root among them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.users.len() + self.certificates.len() + 1
    }

    /// True if this one may.
    #[must_use]
    pub fn has(&self, caller: Caller) -> bool {
        match caller {
            Caller::Process { uid, .. } => {
                uid == ROOT || self.users.iter().any(|(known, _)| *known == uid)
            }
            Caller::Remote { certificate, .. } => {
                let mut known = self.certificates.iter();
                known.any(|known| Sha256::of(known) == certificate)
            }
            Caller::Stranger { .. } => false,
        }
    }

    /// The words for one who may not.
    #[must_use]
    pub fn refusal(&self, caller: Caller) -> String {
        let Caller::Process { uid, .. } = caller else {
            return "only those may ask whose certificates [[callers]] in its configuration name"
                .to_owned();
        };
        let names: Vec<&str> = self.users.iter().map(|(_, name)| &**name).collect();
        let first = names.first().unwrap_or(&"root");
        format!(
            "the user {uid} may ask for nothing: only root may, and those that [[callers]] in its configuration name ({}), as with 'runuser -u {first} -- COMMAND'",
            names.join(", ")
        )
    }
}

const ROOT: u32 = 0;

fn uid(user: &str) -> Result<u32, Error> {
    if let Ok(number) = user.parse() {
        return Ok(number);
    }
    let known = User::from_name(user).ok().flatten();
    let uid = known.map(|known| known.uid);
    uid.map(Uid::as_raw).ok_or_else(|| Error::Unknown {
        what: "user",
        name: user.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers(users: &[&str]) -> Result<Callers, Error> {
        let user = |user: &&str| KeydCaller::User((*user).to_owned());
        Callers::find(&users.iter().map(user).collect::<Vec<_>>())
    }

    #[test]
    fn users_are_known_by_name_and_number_and_nobody_else_may_ask() {
        let known = callers(&["1234567", "daemon"]).unwrap();
        let process = |uid| Caller::Process { uid, pid: 1 };
        let may = |uid| known.has(process(uid));
        assert!(may(0) && may(1) && may(1_234_567) && !may(2) && !may(1_234_568));
        let told = known.refusal(process(2));
        assert!(
            told.contains("(1234567, daemon)") && told.contains("runuser -u 1234567 --"),
            "{told}"
        );
        let address = "[::1]:1".parse().unwrap();
        let certificate = Sha256::ZERO;
        assert!(!known.has(Caller::Stranger { address }));
        assert!(!known.has(Caller::Remote {
            certificate,
            address
        }));
        let error = callers(&["nobody-has-this-name"]).unwrap_err();
        assert!(matches!(error, Error::Unknown { what: "user", .. }));
        assert!(matches!(callers(&[]), Err(Error::Missing { .. })));
    }
}
