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

/// The users whose processes may ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Callers(Vec<u32>);

impl Callers {
    /// Fails with [`Error::Missing`] if there are none, and with [`Error::Unknown`] if the machine does not know one.
    pub fn find(callers: &[KeydCaller]) -> Result<Self, Error> {
        if callers.is_empty() {
            return Err(Error::Missing { table: "callers" });
        }
        let numbers = callers.iter().map(|caller| uid(&caller.user));
        numbers.collect::<Result<_, _>>().map(Self)
    }

    /// True if this one may.
    #[must_use]
    pub fn has(&self, caller: Caller) -> bool {
        self.0.contains(&caller.uid)
    }
}

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
        let known = callers(&["root", "1234567"]).unwrap();
        let may = |uid| known.has(Caller { uid, pid: 1 });
        assert!(may(0) && may(1_234_567) && !may(1) && !may(1_234_568));
        let error = callers(&["nobody-has-this-name"]).unwrap_err();
        assert!(matches!(error, Error::Unknown { what: "user", .. }));
        assert!(matches!(callers(&[]), Err(Error::Missing { .. })));
    }
}
