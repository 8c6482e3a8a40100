//! The time in which a signing process issues nothing, asked for without opening any key: for a list of the zones.

use dc_core::Role;

use super::{Authority, Error, places};
use dc_store::registry::Zone;

impl Authority {
    /// The zones whose active certificate's key is in a signing process that issues nothing now, or does not answer, each with the
    /// reason.
    ///
    /// Fails with [`Error::Store`].
    pub async fn pauses(&self, zones: &[Zone]) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for zone in zones {
            let Some(slot) = zone.active() else { continue };
            let certificate = slot.certificate_sha256;
            let shared = self.store.shared_delegation(&certificate).await?;
            let place = shared.and_then(|shared| shared.location);
            let folder = self.delegations.folder(&certificate);
            let Some(socket) = places::place(place.as_deref(), &folder) else {
                continue;
            };
            let keyd = self.unlock().process(&socket);
            let asking = move || keyd.try_key((certificate, Role::Server), None);
            let said = match tokio::task::spawn_blocking(asking).await {
                Ok(Ok(Some(pause))) => pause.to_string(),
                Ok(Err(fault)) => fault.to_string(),
                Ok(Ok(None)) | Err(_) => continue,
            };
            found.push(format!("zone {}: {said}", zone.zone));
        }
        Ok(found)
    }
}
