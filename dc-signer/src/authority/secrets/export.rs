//! Taking the secrets out of the database as they are.

use std::path::Path;

use dc_pki::delegation::{self, CHAIN, KEY};
use dc_pki::files::{self, Access, NewFile};
use dc_store::registry::{Action, Purpose, SharedDelegation, SharedSecret};
use dc_store::{Act, SecretChange, Store, owner};
use zeroize::Zeroizing;

use super::super::backup_error;
use super::super::error::PkiError;
use super::super::{Error, SetupError};
use super::open::{Open, Vault};
use super::{file, newest};
use crate::config::Config;

/// The result of an export.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exported {
    /// How many secrets were written.
    pub secrets: usize,
    /// How many delegation certificates were written.
    pub delegations: usize,
}

/// Writes the secrets and delegation keys of the database as they are into a new folder that only its owner can read, laid out as
/// in a data folder. With `back_out` they are not in the database any more then.
///
/// The audit log has it before anything is written. Fails with [`SetupError::NotSealed`], [`SetupError::NoKeyGiven`],
/// [`SetupError::Sealed`], and with [`PkiError::Write`].
pub async fn export(
    config: &Config,
    store: &Store,
    to: &Path,
    back_out: bool,
    by: &Act,
) -> Result<Exported, backup_error::Error> {
    let open = Open::sealed(config, store).await?;
    let used = Purpose::ALL.map(|purpose| newest(&open.before, purpose).cloned());
    let used: Vec<SharedSecret> = used.into_iter().flatten().collect();
    let shared = store.shared_delegations().await?;
    let (before, all, rows) = (open.before.clone(), shared.clone(), used.clone());
    let opening = move |vault: &Vault| contents(vault, &before, &rows, &all);
    let contents = open.run(opening).await?;
    let records: Vec<_> = used
        .iter()
        .map(|row| (Action::ExportSecrets, Some(row.clone())))
        .collect();
    open.change(open.before.clone(), records.clone(), by)
        .await?;
    write(to, &contents)?;
    if back_out {
        let unsealed = |row: &SharedSecret| SharedSecret {
            sealed: None,
            ..row.clone()
        };
        let change = SecretChange {
            before: open.before.clone(),
            after: used.iter().map(unsealed).collect(),
            delegations: Vec::new(),
            without: shared.iter().map(|one| one.certificate_sha256).collect(),
            records,
        };
        store.change_secrets(&change, by).await?;
    }
    Ok(Exported {
        secrets: used.len(),
        delegations: shared.len(),
    })
}

/// A file's name in the data folder, and what is in it.
type Contents = (String, Zeroizing<Vec<u8>>);

/// The files of a data folder, by their names in it.
fn contents(
    vault: &Vault,
    before: &[SharedSecret],
    used: &[SharedSecret],
    shared: &[SharedDelegation],
) -> Result<Vec<Contents>, Error> {
    let versions = vault.places().open(before, &[])?;
    let mut contents = Vec::new();
    for row in used {
        let version = versions
            .iter()
            .find(|v| v.purpose == row.purpose && v.version == row.version);
        let version = version.ok_or(SetupError::NotSealed)?;
        let name = format!("secrets/{}", file(row.purpose));
        contents.push((name, version.secret.clone()));
    }
    for one in shared {
        let folder = format!("delegations/{}", one.certificate_sha256);
        let chain = Zeroizing::new(one.chain.clone());
        contents.push((format!("{folder}/{CHAIN}"), chain));
        let name = one
            .location
            .as_deref()
            .map_or(KEY, delegation::file_of_place);
        contents.push((format!("{folder}/{name}"), vault.open_delegation(one)?));
    }
    Ok(contents)
}

/// Writes a folder for whoever runs the command.
fn write(to: &Path, contents: &[Contents]) -> Result<(), backup_error::Error> {
    let _invoker = owner::as_invoker()?;
    if files::is_there(to)? {
        return Err(PkiError::Exists { path: to.into() }.into());
    }
    let files: Vec<NewFile<'_>> = contents
        .iter()
        .map(|(name, contents)| NewFile {
            name,
            contents,
            access: Access::Owner,
        })
        .collect();
    Ok(files::create_folder(to, Access::Owner, &files)?)
}
