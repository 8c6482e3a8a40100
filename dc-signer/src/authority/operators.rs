//! Operators: their tokens and certificates, and their authentication by either.

use std::mem::discriminant;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use pki_types::{CertificateDer, UnixTime};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::PkiError;
use super::{Authority, Error};
use crate::config::Operators;
use dc_pki::{files, pem};
use dc_store::Act;
use dc_store::registry::{
    self, Access, BrokenGlass, Operator, OperatorName, Role, Sha256, Standing,
};

/// An operator who has authenticated: only this file makes one.
#[derive(Clone, Debug)]
pub struct Authenticated {
    operator: Operator,
    shown: Access,
    expires: Option<UnixTime>,
    previous: bool,
    /// The address that records of their acts have.
    from: Option<IpAddr>,
}

impl Authenticated {
    /// The operator who shows this, if it is theirs, good, and they are not kept out.
    ///
    /// Fails with [`Error::CredentialEnded`] if it had its time.
    pub(super) fn of(
        operator: Operator,
        shown: &Access,
        now: UnixTime,
    ) -> Result<Option<Self>, Error> {
        let of_before = operator.previous.map(|previous| previous.access);
        let is_theirs = same(&operator.access, shown)
            || of_before.is_some_and(|previous| same(&previous, shown));
        match operator.standing(shown, now).filter(|_| is_theirs) {
            None | Some(Standing::Disabled) => Ok(None),
            Some(Standing::Ended { at }) => Err(Error::CredentialEnded { at }),
            Some(Standing::Good { expires, previous }) => Ok(Some(Self {
                operator,
                shown: *shown,
                expires,
                previous,
                from: None,
            })),
        }
    }

    /// Their name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.operator.name.as_str()
    }

    /// The same as a name.
    #[must_use]
    pub fn operator_name(&self) -> &OperatorName {
        &self.operator.name
    }

    /// Their role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.operator.role
    }

    /// The token or certificate that they have shown.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.shown
    }

    /// When what they have shown ends, if it does.
    #[must_use]
    pub fn expires(&self) -> Option<UnixTime> {
        self.expires
    }

    /// True if they have a newer one than they have shown.
    #[must_use]
    pub fn shows_previous(&self) -> bool {
        self.previous
    }

    /// Their name in the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("operator:{}", self.operator.name)
    }

    /// The same operator at an address, as far as records are to have those.
    #[must_use]
    pub(crate) fn at_address(self, from: Option<IpAddr>) -> Self {
        Self { from, ..self }
    }

    /// The address that records of their acts have.
    #[must_use]
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.from
    }

    /// An act of theirs.
    #[must_use]
    pub fn act(&self, now: UnixTime) -> Act {
        Act::new(self.actor(), now).coming_from(self.from)
    }
}

impl Authority {
    /// Authenticates an operator by a token or a certificate; none if nobody has it, or whoever has is kept out.
    ///
    /// Fails with [`Error::Store`], and with [`Error::CredentialEnded`] if it had its time.
    pub async fn authenticate(
        &self,
        shown: &Access,
        now: UnixTime,
    ) -> Result<Option<Authenticated>, Error> {
        match self.store.find_operator(shown).await? {
            Some(operator) => Authenticated::of(operator, shown, now),
            None => Ok(None),
        }
    }

    /// All operators, by name.
    ///
    /// Fails with [`Error::Store`].
    pub async fn operators(&self) -> Result<Vec<Operator>, Error> {
        Ok(self.store.operators().await?)
    }

    /// Keeps an operator out from now on.
    ///
    /// Fails with [`UnknownOperator`](registry::Error::UnknownOperator), and with [`LastAdmin`](registry::Error::LastAdmin).
    pub async fn keep_out(&self, name: &OperatorName, by: &Act) -> Result<Operator, Error> {
        self.store.disable_operator(name, by).await?;
        let operator = self.store.operator(name).await?;
        Ok(operator.ok_or(registry::Error::UnknownOperator)?)
    }

    /// The acts on the command line without a credential.
    ///
    /// Fails with [`Error::Store`].
    pub async fn broken_glass(&self) -> Result<BrokenGlass, Error> {
        Ok(self.store.broken_glass().await?)
    }

    /// The last record that this machine had seen before this process began; none if it had seen none.
    #[must_use]
    pub fn seen_before(&self) -> Option<u64> {
        self.store.seen_before()
    }

    /// How long before the end of a token or a certificate it is warned of.
    #[must_use]
    pub fn warn_before(&self) -> Duration {
        self.settings.load().operators.warn
    }

    /// When what an operator has shown ends, if that is so soon that it is warned of.
    #[must_use]
    pub fn ends_soon(&self, operator: &Authenticated, now: UnixTime) -> Option<UnixTime> {
        let warn = later(now, self.settings.load().operators.warn);
        let soon = |end: &UnixTime| *end <= warn && !operator.shows_previous();
        operator.expires().filter(soon)
    }

    /// The end of a token that is made now for a time, or for the usual one.
    ///
    /// Fails with [`Error::ValidTooLong`].
    pub fn token_ends(&self, valid: Option<Duration>, now: UnixTime) -> Result<UnixTime, Error> {
        ends(&self.settings.load().operators, valid, now)
    }

    /// A token that is made now, which is shown once, with what is kept of it and its end.
    ///
    /// Fails with [`Error::ValidTooLong`].
    pub fn make_token(
        &self,
        valid: Option<Duration>,
        now: UnixTime,
    ) -> Result<(Zeroizing<String>, (Access, UnixTime)), Error> {
        let token = new_token()?;
        let access = Access::Token(Sha256::of(token.as_bytes()));
        Ok((token, (access, self.token_ends(valid, now)?)))
    }

    /// Until when a token is good beside the next one.
    pub(super) fn overlap(&self, now: UnixTime) -> UnixTime {
        later(now, self.settings.load().operators.overlap)
    }
}

/// The end of a token for a time, or for the usual one.
///
/// Fails with [`Error::ValidTooLong`].
pub fn ends(
    operators: &Operators,
    valid: Option<Duration>,
    now: UnixTime,
) -> Result<UnixTime, Error> {
    let max = operators.max_valid;
    let valid = valid.unwrap_or_else(|| operators.valid.min(max));
    match valid <= max {
        true => Ok(later(now, valid)),
        false => Err(Error::ValidTooLong { max }),
    }
}

fn later(now: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        now.as_secs().saturating_add(by.as_secs()),
    ))
}

/// The database has found it by its hash; this does not say by its time how much of it was right.
fn same(kept: &Access, shown: &Access) -> bool {
    let [kept_hash, shown_hash] = [kept, shown].map(|access| access.sha256().as_bytes());
    discriminant(kept) == discriminant(shown) && bool::from(kept_hash.ct_eq(shown_hash))
}

/// A bearer token: 256 random bits behind `dcs_`, by which scanners find one that got loose.
///
/// Fails with [`dc_pki::Error::Randomness`].
pub fn new_token() -> Result<Zeroizing<String>, PkiError> {
    let random = Zeroizing::new(dc_pki::random::<32>()?);
    let text = Zeroizing::new(BASE32_NOPAD.encode(&*random));
    Ok(Zeroizing::new(format!("dcs_{}", text.to_ascii_lowercase())))
}

/// The certificates of a PEM file, at least one.
///
/// Fails with what reading files and PEM fails with.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    pem::certificates(path, &files::read(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_the_same_and_each_is_one_word() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 4 + 52);
        assert!(
            one.starts_with("dcs_") && one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        );
    }
}
