//! The versions of the secrets as they are in use, opened from where they are.

use std::path::Path;

use dc_pki::sealing::{Kind, Label, SealError, SealingKeys};
use dc_store::registry::{Purpose, Sha256, SharedSecret};
use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::super::{Error, SetupError};
use super::{Secrets, is_one, newest};

/// A version of a secret that was opened.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) purpose: Purpose,
    pub(super) version: u32,
    pub(super) fingerprint: Sha256,
    pub(super) until: Option<UnixTime>,
    /// As it is written in a folder.
    pub(super) secret: Zeroizing<Vec<u8>>,
}

/// The places that secrets are opened from.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) sealing: Option<&'a SealingKeys>,
    pub(super) tenant: &'a str,
    pub(super) data: &'a Path,
}

impl Places<'_> {
    /// Opens the versions that may be used. What was opened before, under whatever key, is what its fingerprint says.
    ///
    /// Fails with [`SetupError::Sealed`], [`SetupError::NoSealingKey`], [`SetupError::OtherThanDatabase`], and as
    /// [`Secrets::open`] does.
    pub(super) fn open(
        &self,
        known: &[SharedSecret],
        before: &[Version],
    ) -> Result<Vec<Version>, Error> {
        let mut opened = Vec::new();
        let mut folder = None;
        for row in known {
            let is_newest = newest(known, row.purpose) == Some(row);
            // Nothing is made with an older name key any more.
            if row.purpose == Purpose::Names && !is_newest {
                continue;
            }
            let same =
                |old: &&Version| old.purpose == row.purpose && old.fingerprint == row.fingerprint;
            let secret = match (before.iter().find(same), &row.sealed, self.sealing) {
                (Some(old), ..) => old.secret.clone(),
                (None, Some(sealed), Some(keys)) => self.unseal(row, sealed, keys)?,
                // A folder has the newest alone.
                (None, Some(_) | None, _) if !is_newest => continue,
                (None, sealed, _) => {
                    if folder.is_none() {
                        folder = Some(self.folder(known, sealed.as_deref())?);
                    }
                    let secrets = folder
                        .as_ref()
                        .map(|secrets: &Secrets| secrets.of(row.purpose));
                    secrets.cloned().unwrap_or_default()
                }
            };
            opened.push(Version {
                purpose: row.purpose,
                version: row.version,
                fingerprint: row.fingerprint,
                until: row.until,
                secret,
            });
        }
        Ok(opened)
    }

    fn unseal(
        &self,
        row: &SharedSecret,
        sealed: &[u8],
        keys: &SealingKeys,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let what = what(row.purpose);
        let label = self.label(&what, row.version);
        let failed = |source| SetupError::Sealed {
            what: format!("version {} of the secret {}", row.version, row.purpose),
            source,
        };
        let secret = keys.open(&label, sealed).map_err(failed)?;
        // It is the database that says which one it is, and that can be wrong.
        if row.purpose.fingerprint(&secret) != row.fingerprint || !is_one(row.purpose, &secret) {
            let (what, version) = (what, row.version);
            return Err(failed(SealError::Tampered { what, version }).into());
        }
        Ok(secret)
    }

    /// The secrets of the data folder, which must be the newest of the database.
    fn folder(&self, known: &[SharedSecret], sealed: Option<&[u8]>) -> Result<Secrets, Error> {
        let folder = Secrets::folder(self.data);
        if let Some(sealed) = sealed
            && !dc_pki::files::is_there(&folder)?
        {
            return Err(no_key(sealed).into());
        }
        let secrets = Secrets::open(self.data, false)?;
        secrets.check(&folder, known)?;
        Ok(secrets)
    }

    pub(super) fn label<'a>(&'a self, what: &'a str, version: u32) -> Label<'a> {
        Label {
            what,
            tenant: self.tenant,
            version,
        }
    }
}

/// The refusal of one who has no key to open this.
pub(in super::super) fn no_key(sealed: &[u8]) -> SetupError {
    let key = dc_pki::sealing::Sealed::parse(sealed).map_or_else(
        |_| "that is not known".to_owned(),
        |sealed| match sealed.kind() {
            Kind::Key => sealed.key().to_string(),
            kind @ (Kind::Passphrase | Kind::Token) => format!("{}, {kind}", sealed.key()),
        },
    );
    SetupError::NoSealingKey { key }
}

/// The purpose that a secret is sealed for.
pub(super) fn what(purpose: Purpose) -> String {
    format!("secret/{purpose}")
}
