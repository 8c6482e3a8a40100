//! Operators: their tokens and certificates, and their authentication by either.

use std::mem::discriminant;
use std::path::Path;

use data_encoding::BASE32_NOPAD;
use pki_types::CertificateDer;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::PkiError;
use super::{Authority, Error};
use crate::registry::{Access, Operator, Role};
use dc_pki::{files, pem};

/// An operator who has authenticated: only [`Authority::authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct Authenticated(Operator);

impl Authenticated {
    /// Their name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// Their role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// The token or certificate that they have shown.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// Their name in the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("operator:{}", self.0.name)
    }
}

impl Authority {
    /// Authenticates an operator by a token or a certificate; none if nobody has it, or whoever has is kept out.
    ///
    /// Fails with [`Error::Store`].
    pub async fn authenticate(&self, shown: &Access) -> Result<Option<Authenticated>, Error> {
        let found = self.store.find_operator(shown).await?;
        let found = found.filter(|operator| !operator.disabled && same(&operator.access, shown));
        Ok(found.map(Authenticated))
    }
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
