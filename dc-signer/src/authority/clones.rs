//! Telling that two devices seem to use one name: whoever looks at the device is to decide. It still gets its credentials, because
//! a flag must not be a way to lock somebody out.

use pki_types::UnixTime;

use super::acts::by_device;
use super::{Authority, Error};
use crate::registry::{Change, Device, DeviceId};

impl Authority {
    /// Flags a device as possibly cloned.
    pub(super) async fn flag(&self, device: &Device, now: UnixTime) -> Result<(), Error> {
        if !device.possible_clone {
            tell(device.id, device.name.as_str());
            let by = by_device(now);
            let flag = Change::FlagClone;
            self.store.change_device(device.id, &flag, &by).await?;
        }
        Ok(())
    }
}

pub(super) fn tell(device: DeviceId, name: &str) {
    tracing::warn!(%device, name, "two devices seem to use one name");
}
