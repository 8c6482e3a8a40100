//! An operator whom an act makes or lets in, as it is kept until another operator agrees.

use std::fmt;
use std::time::Duration;

use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use super::Error;
use dc_pki::time::Moment;
use dc_store::registry::{Access, Operator};

/// An operator with a token or certificate, as what is asked for is kept and hashed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccess {
    /// Their name.
    pub operator: String,
    /// Their role.
    pub role: String,
    /// `token` or `certificate`.
    pub access: String,
    /// Its SHA-256, which lets nobody in.
    pub sha256: String,
    /// When it ends.
    pub expires: Option<u64>,
}

impl NewAccess {
    pub(super) fn of(operator: &Operator) -> Self {
        Self {
            operator: operator.name.to_string(),
            role: operator.role.to_string(),
            access: operator.access.kind().to_owned(),
            sha256: operator.access.sha256().to_string(),
            expires: operator.expires.map(|end| end.as_secs()),
        }
    }

    /// Fails with [`dc_store::Error::Corrupt`] if that was never written.
    pub(super) fn read(&self) -> Result<Operator, Error> {
        let sha256 = self.sha256.parse()?;
        let access = match self.access.as_str() {
            "token" => Access::Token(sha256),
            "certificate" => Access::Certificate(sha256),
            _ => return Err(dc_store::Error::Corrupt { place: "approvals" }.into()),
        };
        let (name, role) = (self.operator.parse()?, self.role.parse()?);
        let expires = self.expires.map(Duration::from_secs);
        let expires = expires.map(UnixTime::since_unix_epoch);
        Ok(Operator::new(name, role, access, expires))
    }
}

impl fmt::Display for NewAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operator,
            role,
            access,
            sha256,
            expires,
        } = self;
        write!(f, "{operator} do what role {role} may, with a new {access}")?;
        if access == "certificate" {
            write!(f, " (SHA-256 {sha256})")?;
        }
        match expires.map(Duration::from_secs) {
            Some(end) => write!(f, " until {}", Moment(UnixTime::since_unix_epoch(end))),
            None => Ok(()),
        }
    }
}
