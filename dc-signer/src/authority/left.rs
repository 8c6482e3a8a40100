//! How long a device's credential is valid: what its renewal is ordered by when more come than can be answered.

use dc_admission::Left;
use pki_types::UnixTime;

use super::{Authority, Error};
use dc_store::Find;
use dc_store::registry::{Sha256, State};

impl Authority {
    /// The time for which the credential is valid that the device with this enrolment key holds, as the database has it; none if
    /// nothing is issued to whoever has this key, so that they need not wait for their refusal.
    ///
    /// Fails with what the database fails with.
    pub(crate) async fn left(
        &self,
        enrolment_key: Sha256,
        now: UnixTime,
    ) -> Result<Option<Left>, Error> {
        let found = self.store.find_device(&Find::Key(enrolment_key)).await?;
        let active = found.filter(|device| device.state == State::Active);
        Ok(active.map(|device| {
            let expires = device.credential.map(|held| held.expires.as_secs());
            let left = expires.and_then(|expires| expires.checked_sub(now.as_secs()));
            match left {
                None | Some(0) => Left::Ended,
                Some(seconds) => Left::For(std::time::Duration::from_secs(seconds)),
            }
        }))
    }
}
