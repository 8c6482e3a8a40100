//! Operators: people and programs that manage devices.

use std::fmt;
use std::str::FromStr;

use pki_types::UnixTime;

use super::fields::Fields;
use super::{Error, Sha256};

/// The rights of an operator.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Look.
    Viewer,
    /// Also manage devices.
    Operator,
    /// Also manage zones and operators.
    Admin,
}

impl Role {
    /// All of them, each may what the one before may.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    /// Fails with [`Error::BadRole`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(Error::BadRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an operator proves who it is. What is kept here lets nobody in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// A bearer token, of which this is the SHA-256.
    Token(Sha256),
    /// A client certificate that has this SHA-256, with its end in it: its key alone could be in another one.
    Certificate(Sha256),
}

impl Access {
    /// The hash, whichever it is of.
    #[must_use]
    pub const fn sha256(&self) -> &Sha256 {
        match self {
            Self::Token(sha256) | Self::Certificate(sha256) => sha256,
        }
    }

    /// `token` or `certificate`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Certificate(_) => "certificate",
        }
    }
}

/// An operator's name: 1 to 64 of `a-z 0-9 . _ -`, so that it can be told apart in a log.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OperatorName(String);

impl OperatorName {
    /// The most characters.
    pub const MAX_LEN: usize = 64;

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorName {
    type Err = Error;

    /// Fails with [`Error::BadOperatorName`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        match (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::BadOperatorName),
        }
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody who manages devices.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operator {
    /// The name in the audit log.
    pub name: OperatorName,
    /// Their rights.
    pub role: Role,
    /// How they prove who they are.
    pub access: Access,
    /// When that lets them in no more; none if it was made before there was an end, or is a certificate with its own.
    pub expires: Option<UnixTime>,
    /// The token or certificate before, as long as both are good.
    pub previous: Option<Previous>,
    /// Set while they are kept out.
    pub disabled: bool,
}

/// The acts of people at the machine without an operator's credential.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BrokenGlass {
    /// How many there were.
    pub acts: u64,
    /// When the last one was, by whoever did it.
    pub last: Option<UnixTime>,
    /// The newest record of one; 0 if there is none.
    pub newest: u64,
}

/// A token or certificate that another one follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Previous {
    /// The token or certificate.
    pub access: Access,
    /// When it lets nobody in any more.
    pub expires: UnixTime,
}

/// The right of whoever shows a token or a certificate of an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// They may come in.
    Good {
        /// Until when; none if that has no end.
        expires: Option<UnixTime>,
        /// True if it is the one before, and the operator has a newer one.
        previous: bool,
    },
    /// It had its time.
    Ended {
        /// When it ended.
        at: UnixTime,
    },
    /// The operator is kept out.
    Disabled,
}

impl Operator {
    /// An enabled one, with what lets them in until a time.
    #[must_use]
    pub const fn new(
        name: OperatorName,
        role: Role,
        access: Access,
        expires: Option<UnixTime>,
    ) -> Self {
        Self {
            name,
            role,
            access,
            expires,
            previous: None,
            disabled: false,
        }
    }

    /// The same with another token or certificate; the one of now is good for a while longer, and never beyond its end.
    #[must_use]
    pub fn renewed(&self, access: Access, expires: Option<UnixTime>, overlap: UnixTime) -> Self {
        let until = self.expires.map_or(overlap, |end| end.min(overlap));
        Self {
            access,
            expires,
            previous: Some(Previous {
                access: self.access,
                expires: until,
            }),
            ..self.clone()
        }
    }

    /// Checks what may take the place of this.
    ///
    /// Fails with [`Error::AccessKeptOut`] if it lets somebody in with what they had when they were kept out.
    pub fn may_become(&self, next: &Self) -> Result<(), Error> {
        let previous = self.previous.map(|previous| previous.access);
        let is_old = next.access == self.access || previous == Some(next.access);
        match self.disabled && !next.disabled && is_old {
            true => Err(Error::AccessKeptOut),
            false => Ok(()),
        }
    }

    /// The right of whoever shows one of the operator's; none if this is none of theirs.
    ///
    /// The hashes are compared in constant time by whoever looked it up.
    #[must_use]
    pub fn standing(&self, shown: &Access, now: UnixTime) -> Option<Standing> {
        let previous = self.previous.filter(|previous| previous.access == *shown);
        let (expires, is_previous) = match previous {
            _ if self.access == *shown => (self.expires, false),
            Some(previous) => (Some(previous.expires), true),
            None => return None,
        };
        Some(match expires {
            _ if self.disabled => Standing::Disabled,
            Some(at) if at <= now => Standing::Ended { at },
            expires => Standing::Good {
                expires,
                previous: is_previous,
            },
        })
    }

    /// SHA-256 of all of it, which its audit record has: the text `dc-operator-v1`, the name, the role, `token` or
    /// `certificate`, the 32 bytes of that one's hash, and a byte 1 if it is disabled and 0 if not; each with its length in 8
    /// bytes in front.
    ///
    /// If it has an end or one before, the text is `dc-operator-v2`, and there follow in the same way the end in 8 bytes, or nothing,
    /// and of the one before `token` or `certificate`, its hash and its end, or three times nothing.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let Self {
            name,
            role,
            access,
            expires,
            previous,
            disabled,
        } = self;
        let disabled = [u8::from(*disabled)];
        let mut fields: Vec<&[u8]> = vec![
            name.as_str().as_bytes(),
            role.as_str().as_bytes(),
            access.kind().as_bytes(),
            access.sha256().as_bytes(),
            &disabled,
        ];
        if expires.is_none() && previous.is_none() {
            return Fields::hash("dc-operator-v1", &fields);
        }
        let secs = |time: UnixTime| time.as_secs().to_be_bytes();
        let expires = expires.map(secs);
        let until = previous.map(|previous| secs(previous.expires));
        fields.push(expires.as_ref().map_or(&[], |secs| &secs[..]));
        match (previous, &until) {
            (Some(Previous { access, .. }), Some(until)) => {
                fields.extend([access.kind().as_bytes(), access.sha256().as_bytes(), until]);
            }
            _ => fields.extend([&[][..]; 3]),
        }
        Fields::hash("dc-operator-v2", &fields)
    }
}

/// Checks that after a change of an operator somebody is still let in as an admin, and for some time, if anybody was before.
///
/// Fails with [`Error::LastAdmin`], and never for whoever acts at the machine without a credential.
pub(crate) fn keeps_an_admin(
    all: &[Operator],
    changed: &Operator,
    now: UnixTime,
    is_without_credential: bool,
) -> Result<(), Error> {
    let end = |operator: &Operator| {
        let end = operator.expires.map_or(u64::MAX, |end| end.as_secs());
        let is_admin = operator.role == Role::Admin && !operator.disabled;
        (is_admin && end > now.as_secs()).then_some(end)
    };
    let before = all.iter().filter_map(end).max();
    let others = all.iter().filter(|one| one.name != changed.name);
    let after = others.chain([changed]).filter_map(end).max();
    let is_enough = |end: u64| end >= now.as_secs().saturating_add(LEAST_ADMIN);
    match before {
        _ if is_without_credential || after >= before || after.is_some_and(is_enough) => Ok(()),
        _ => Err(Error::LastAdmin),
    }
}

/// Checks that a change of an operator leaves two who are let in as admins, if there were two.
///
/// Fails with [`Error::TooFewAdmins`].
pub(crate) fn keeps_two_admins(
    all: &[Operator],
    changed: &Operator,
    now: UnixTime,
) -> Result<(), Error> {
    let is_one = |operator: &&Operator| {
        let is_in = !operator.disabled && operator.expires.is_none_or(|end| end > now);
        operator.role == Role::Admin && is_in
    };
    let before = all.iter().filter(is_one).count();
    let others = all.iter().filter(|one| one.name != changed.name);
    let after = others.chain([changed]).filter(is_one).count();
    match after < 2 && after < before {
        true => Err(Error::TooFewAdmins),
        false => Ok(()),
    }
}

/// The seconds that the last admin has to be let in for, so that there is time to renew.
const LEAST_ADMIN: u64 = 14 * 86_400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_role_may_what_the_one_before_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert_eq!("root".parse::<Role>().unwrap_err(), Error::BadRole);
    }

    #[test]
    fn the_error_names_the_longest_name() {
        let limit = format!("1 to {} characters", OperatorName::MAX_LEN);
        assert!(Error::BadOperatorName.to_string().contains(&limit));
    }

    #[test]
    fn a_renewed_token_and_the_one_before_are_both_good_for_a_while() {
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let token = |text: &str| Access::Token(Sha256::of(text.as_bytes()));
        let name = "alice".parse().unwrap();
        let first = Operator::new(name, Role::Admin, token("1"), Some(at(100)));
        let good = |expires, previous| {
            let expires = Some(at(expires));
            Some(Standing::Good { expires, previous })
        };
        assert_eq!(first.standing(&token("1"), at(99)), good(100, false));
        let ended = Some(Standing::Ended { at: at(100) });
        assert_eq!(first.standing(&token("1"), at(100)), ended);
        assert_eq!(first.standing(&token("2"), at(1)), None);
        let second = first.renewed(token("2"), Some(at(200)), at(60));
        assert_eq!(second.standing(&token("1"), at(59)), good(60, true));
        assert_eq!(second.standing(&token("2"), at(59)), good(200, false));
        let ended = Some(Standing::Ended { at: at(60) });
        assert_eq!(second.standing(&token("1"), at(60)), ended);
        // The overlap gives nobody more time than they had.
        let late = first.renewed(token("2"), Some(at(200)), at(150));
        assert_eq!(late.standing(&token("1"), at(99)), good(100, true));
        // A third ends the first at once.
        let third = second.renewed(token("3"), Some(at(300)), at(90));
        assert_eq!(third.standing(&token("1"), at(1)), None);
        let out = Operator {
            disabled: true,
            ..second.clone()
        };
        for shown in ["1", "2"] {
            assert_eq!(out.standing(&token(shown), at(1)), Some(Standing::Disabled));
        }
        let all = [&first, &second, &late, &third, &out].map(Operator::commitment);
        let different: std::collections::BTreeSet<_> = all.iter().map(Sha256::as_bytes).collect();
        assert_eq!(different.len(), 5);
    }

    #[test]
    fn an_admin_is_left_for_two_weeks_at_least() {
        let (now, day) = (1_800_000_000, 86_400);
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let admin = |name: &str, days: Option<u64>| {
            let access = Access::Token(Sha256::of(name.as_bytes()));
            let ends = days.map(|days| at(now + days * day));
            Operator::new(name.parse().unwrap(), Role::Admin, access, ends)
        };
        let keeps = |all: &[Operator], changed: &Operator| {
            keeps_an_admin(all, changed, at(now), false).is_ok()
        };
        let [alice, bob] = [admin("alice", Some(90)), admin("bob", Some(90))];
        let (both, alone) = ([alice.clone(), bob], [alice.clone()]);
        let out = Operator {
            disabled: true,
            ..alice.clone()
        };
        let lower = Operator {
            role: Role::Operator,
            ..alice.clone()
        };
        for change in [&out, &lower, &admin("alice", Some(13))] {
            assert!(keeps(&both, change));
            assert!(!keeps(&alone, change));
            assert_eq!(keeps_an_admin(&alone, change, at(now), true), Ok(()));
        }
        assert!(keeps(&alone, &admin("alice", Some(14))));
        // Nobody is worse off than before.
        let late = [admin("alice", Some(3))];
        assert!(keeps(&late, &admin("alice", Some(4))) && keeps(&late, &admin("alice", None)));
        assert!(!keeps(&late, &admin("alice", Some(2))));
        // The first one, and whoever comes after all have ended.
        assert!(keeps(&[], &admin("alice", Some(1))));
        // One who is kept out, or has ended, is none.
        let ended = [
            alice.clone(),
            admin("bob", Some(0)),
            Operator {
                disabled: true,
                ..admin("carol", None)
            },
        ];
        assert!(!keeps(&ended, &out));
    }

    #[test]
    fn whoever_was_kept_out_needs_something_new_to_come_in() {
        let token = |text: &str| Access::Token(Sha256::of(text.as_bytes()));
        let end = UnixTime::since_unix_epoch(std::time::Duration::from_secs(9));
        let first = Operator::new("bob".parse().unwrap(), Role::Admin, token("1"), None);
        let out = Operator {
            disabled: true,
            ..first.renewed(token("2"), None, end)
        };
        for (next, may) in [("1", false), ("2", false), ("3", true)] {
            let next = Operator::new(out.name.clone(), Role::Admin, token(next), None);
            assert_eq!(out.may_become(&next).is_ok(), may);
            assert_eq!(first.may_become(&next), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn an_operators_name_cannot_break_a_line_of_the_log(text in ".{0,70}") {
            match text.parse::<OperatorName>() {
                Ok(name) => prop_assert!(name.as_str().bytes().all(|byte| byte.is_ascii_graphic())),
                Err(error) => prop_assert_eq!(error, Error::BadOperatorName),
            }
        }
    }
}
