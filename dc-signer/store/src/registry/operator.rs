//! Operators: people and programs that manage devices.

use std::fmt;
use std::str::FromStr;

use super::record::Fields;
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
    /// Set while they are kept out.
    pub disabled: bool,
}

impl Operator {
    /// SHA-256 of all of it, which its audit record has: the text `dc-operator-v1`, the name, the role, `token` or
    /// `certificate`, the 32 bytes of that one's hash, and a byte 1 if it is disabled and 0 if not; each with its length in 8
    /// bytes in front.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let Self {
            name,
            role,
            access,
            disabled,
        } = self;
        let kind = match access {
            Access::Token(_) => "token",
            Access::Certificate(_) => "certificate",
        };
        let fields: [&[u8]; 5] = [
            name.as_str().as_bytes(),
            role.as_str().as_bytes(),
            kind.as_bytes(),
            access.sha256().as_bytes(),
            &[u8::from(*disabled)],
        ];
        Fields::hash("dc-operator-v1", &fields)
    }
}

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
