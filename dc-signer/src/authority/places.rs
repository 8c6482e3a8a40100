//! Places of signing processes: where the key of a delegation certificate is, if one has it. Whoever has to tell a process that a
//! certificate has ended finds it here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pki_types::UnixTime;

use super::folders::{delegation_folder, keep_line, kept_line};
use super::view::View;
use dc_pki::delegation::{KEY_KEYD, file_of_place, key_location};
use dc_pki::keys::KeyLocation;
use dc_store::Store;
use dc_store::registry::{Sha256, ZoneDelegation};

/// The signing processes that may have the key of a slot that has ended, until its certificate is over.
///
/// Fails as the store does.
pub(super) async fn places(
    store: &Store,
    folder: &Path,
    slot: &ZoneDelegation,
    now: UnixTime,
) -> Result<BTreeSet<PathBuf>, dc_store::Error> {
    let mut places: BTreeSet<PathBuf> = place(None, folder).into_iter().collect();
    if now < slot.not_after {
        let shared = store.shared_delegation(&slot.certificate_sha256).await?;
        let shared = shared.and_then(|shared| shared.location);
        places.extend(shared.and_then(|shared| place(Some(&shared), folder)));
        places.extend(remembered(folder));
    }
    Ok(places)
}

/// The socket of the signing process at a place that the database has, or in the folder of a certificate.
pub(super) fn place(shared: Option<&str>, folder: &Path) -> Option<PathBuf> {
    match shared {
        Some(place) => (file_of_place(place) == KEY_KEYD).then(|| place.trim().into()),
        None => match key_location(folder) {
            Ok(KeyLocation::Process(socket)) => Some(socket),
            _ => None,
        },
    }
}

/// The certificates whose places this process has kept on its own disk.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<BTreeSet<Sha256>>);

impl Places {
    /// Keeps the places of the processes whose keys were opened: a row of the database that somebody removes takes none of them from
    /// those that are told of an end.
    pub(super) fn remember(&self, view: &View, data: &Path) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in view.opened() {
            if let KeyLocation::Process(socket) = key.delegation.key().location()
                && kept.insert(key.certificate_sha256)
            {
                let folder = delegation_folder(data, &key.certificate_sha256);
                let is_known = place(None, &folder).is_some();
                if !is_known && remembered(&folder).as_ref() != Some(socket) {
                    keep_line(&folder, PLACE, &socket.display().to_string());
                }
            }
        }
    }
}

fn remembered(folder: &Path) -> Option<PathBuf> {
    place(Some(&kept_line(folder, PLACE)?), folder)
}

/// The place of the process, as it was when this signer issued with it.
pub(super) const PLACE: &str = "place";
