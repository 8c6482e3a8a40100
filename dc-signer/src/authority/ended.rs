//! Signing processes, told that nothing is to be signed under a certificate any more: so that nothing is either if this signer is
//! taken over later.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Authority;
use dc_pki::delegation::{KEY_KEYD, file_of_place, key_location};
use dc_pki::keys::{KeyLocation, ProcessFault, Refusal, Unlock};
use dc_store::registry::Sha256;

/// A signing process that was not told, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Untold {
    socket: PathBuf,
    certificate: Sha256,
    fault: ProcessFault,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            socket,
            certificate,
            fault,
        } = self;
        write!(
            f,
            "{}: {fault}; so it may still sign under certificate {certificate}: do 'dc-signer keyd end {certificate} --reason WHY' on its machine, unless the service tells it within some minutes",
            socket.display()
        )
    }
}

/// The signing processes that were not told yet.
#[derive(Debug, Default)]
pub(super) struct Untolds(Mutex<BTreeMap<Sha256, Untold>>);

impl Untolds {
    /// Tells the process behind a socket; says whether it knows.
    pub(super) async fn tell(&self, unlock: &Unlock, socket: &Path, certificate: Sha256) -> bool {
        let keyd = unlock.process(socket);
        let telling = tokio::task::spawn_blocking(move || keyd.end(certificate)).await;
        // Nobody has to be told whose process is ending.
        let fault = telling
            .unwrap_or(Ok(()))
            .err()
            .filter(|fault| !is_unknown(fault));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fault) = fault else {
            all.remove(&certificate);
            return true;
        };
        let untold = Untold {
            socket: socket.into(),
            certificate,
            fault,
        };
        // Once, as long as it is the same.
        if all.get(&certificate) != Some(&untold) {
            tracing::warn!(%untold, "a signing process does not know that a certificate has ended");
        }
        all.insert(certificate, untold);
        false
    }

    fn all(&self) -> Vec<Untold> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }
}

impl Authority {
    /// The signing processes that this process could not tell yet that a certificate has ended.
    #[must_use]
    pub fn untold(&self) -> Vec<Untold> {
        self.delegations.untold.all()
    }
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

/// It holds no such certificate: whoever runs it has taken it away.
fn is_unknown(fault: &ProcessFault) -> bool {
    let unknown = Refusal::Certificate;
    matches!(fault, ProcessFault::Refused { reason, .. } if *reason == unknown)
}
