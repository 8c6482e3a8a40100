//! Devices as operators see them: found, listed, counted, with their history; and changes of a device's state.

use pki_types::UnixTime;

use super::{Authority, Error};
use dc_store::registry::{Change, Device, DeviceId};
use dc_store::{Act, Filter, Find, Fleet, History, Listed, Page};

impl Authority {
    /// The one device that fits.
    ///
    /// Fails with [`Error::Store`].
    pub async fn find_device(&self, by: &Find) -> Result<Option<Device>, Error> {
        Ok(self.store.find_device(by).await?)
    }

    /// Devices in the order of their external ids.
    ///
    /// Fails with [`Error::Store`].
    pub async fn list_devices(&self, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        Ok(self.store.pages().await.list_devices(filter, page).await?)
    }

    /// A device's history: issuances and acts, newest first, at most `limit` of each.
    ///
    /// Fails with [`Error::Store`].
    pub async fn history(&self, device: DeviceId, limit: u32) -> Result<History, Error> {
        Ok(self.store.pages().await.history(device, limit).await?)
    }

    /// Changes a device's state, and says how it is now. What is so already is left alone.
    ///
    /// Fails as [`Store::change_device`](dc_store::Store::change_device) does.
    pub async fn change_device(
        &self,
        device: DeviceId,
        change: &Change,
        by: &Act,
    ) -> Result<Device, Error> {
        Ok(self.store.change_device(device, change, by).await?)
    }

    /// Counts over all devices. Reads much of the database: ask once a minute, not for each request.
    ///
    /// Fails with [`Error::Store`].
    pub async fn fleet(&self, now: UnixTime) -> Result<Fleet, Error> {
        Ok(self.store.pages().await.fleet(now).await?)
    }

    /// Adds to the numbers of refused requests, each by its reason.
    ///
    /// Fails with [`Error::Store`].
    pub async fn count_refused(&self, refused: &[(&str, u64)], now: UnixTime) -> Result<(), Error> {
        Ok(self.store.count_refused(refused, now).await?)
    }

    /// True if a write has failed because the database cannot write, since this was asked last.
    #[must_use]
    pub fn could_not_write(&self) -> bool {
        self.store.could_not_write()
    }

    /// Tries a write to the database, with room for so many bytes.
    ///
    /// Fails with [`Error::Store`].
    pub async fn ping(&self, room: usize) -> Result<(), Error> {
        Ok(self.store.ping(room).await?)
    }
}
