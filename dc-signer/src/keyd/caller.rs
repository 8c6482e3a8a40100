//! Whose processes may ask.

use nix::unistd::{Uid, User};
use tokio::net::unix::UCred;

use super::error::Error;
use crate::config::KeydCaller;

/// The process that asks, as the kernel knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The number of its user.
    pub uid: u32,
    /// Its process id, 0 if the system does not say.
    pub pid: i32,
}

impl From<UCred> for Caller {
    fn from(peer: UCred) -> Self {
        let pid = peer.pid().unwrap_or(0);
        Self {
            uid: peer.uid(),
            pid,
        }
    }
}

/// The users whose processes may ask, besides root, who could be any of them: by number, and as the configuration has them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Callers(Vec<(u32, String)>);

impl Callers {
    /// Fails with [`Error::Missing`] if there are none, and with [`Error::Unknown`] if the machine does not know one.
    pub fn find(callers: &[KeydCaller]) -> Result<Self, Error> {
        if callers.is_empty() {
            return Err(Error::Missing { table: "callers" });
        }
        let known = callers
            .iter()
            .map(|caller| Ok((uid(&caller.user)?, caller.user.clone())));
        known.collect::<Result<_, _>>().map(Self)
    }

    /// True if this one may.
    #[must_use]
    pub fn has(&self, caller: Caller) -> bool {
        caller.uid == ROOT || self.0.iter().any(|(uid, _)| *uid == caller.uid)
    }

    /// What one is told who may not.
    #[must_use]
    pub fn refusal(&self, caller: Caller) -> String {
        let names: Vec<&str> = self.0.iter().map(|(_, name)| &**name).collect();
        let first = names.first().unwrap_or(&"root");
        format!(
            "the user {} may ask for nothing: only root may, and those that [[callers]] in its configuration name ({}), as with 'runuser -u {first} -- COMMAND'",
            caller.uid,
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
        let user = |user: &&str| KeydCaller {
            user: (*user).to_owned(),
        };
        Callers::find(&users.iter().map(user).collect::<Vec<_>>())
    }

    #[test]
    fn users_are_known_by_name_and_number_and_nobody_else_may_ask() {
        let known = callers(&["1234567", "daemon"]).unwrap();
        let may = |uid| known.has(Caller { uid, pid: 1 });
        assert!(may(0) && may(1) && may(1_234_567) && !may(2) && !may(1_234_568));
        let told = known.refusal(Caller { uid: 2, pid: 1 });
        assert!(
            told.contains("(1234567, daemon)") && told.contains("runuser -u 1234567 --"),
            "{told}"
        );
        let error = callers(&["nobody-has-this-name"]).unwrap_err();
        assert!(matches!(error, Error::Unknown { what: "user", .. }));
        assert!(matches!(callers(&[]), Err(Error::Missing { .. })));
    }
}
