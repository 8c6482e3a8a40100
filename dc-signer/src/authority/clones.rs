//! Telling that two devices seem to use one name: whoever looks at the device is to decide. It still gets its credentials, because
//! a flag must not be a way to lock somebody out.

use super::acts::Visit;
use super::{Authority, Error};
use dc_store::registry::{Change, Device, DeviceId};

impl Authority {
    /// Flags a device as possibly cloned.
    pub(super) async fn flag(&self, device: &Device, visit: Visit) -> Result<(), Error> {
        if !device.possible_clone {
            tell(device.id, device.name.as_str());
            let by = visit.act();
            let flag = Change::FlagClone;
            self.store.change_device(device.id, &flag, &by).await?;
        }
        Ok(())
    }
}

pub(super) fn tell(device: DeviceId, name: &str) {
    tracing::warn!(%device, name, "two devices seem to use one name");
}
