//! The record of one device, for itself: read, and nothing else.

use dc_core::UniqueName;

use super::{Authority, Error};
use dc_protocol::{DeviceRecord, RenewalWindow};
use dc_store::Find;
use dc_store::registry::{self, Device, State};

impl Authority {
    /// The record of the device that has this name now.
    ///
    /// Fails with [`Error::Store`]: with [`UnknownDevice`](registry::Error::UnknownDevice) if no device has it, or one that
    /// has another by now, and with [`NotActive`](registry::Error::NotActive) if the device gets no credentials.
    pub async fn record_of(&self, name: &UniqueName<'_>) -> Result<DeviceRecord, Error> {
        let by_name = Find::Name(name.clone().into_owned());
        let found = self.store.find_device(&by_name).await?;
        Ok(record(found, name)?)
    }
}

fn record(found: Option<Device>, name: &UniqueName<'_>) -> Result<DeviceRecord, registry::Error> {
    // Whoever still has a credential for a name of before is not told about the one of now.
    let found = found.filter(|device| device.name == *name);
    let device = found.ok_or(registry::Error::UnknownDevice)?;
    let state = device.state;
    if state != State::Active {
        return Err(registry::Error::NotActive { state });
    }
    let held = device.credential;
    let window = held.map(|held| {
        let (issued, expires) = (held.issued.as_secs(), held.expires.as_secs());
        RenewalWindow::of_life(issued, expires)
    });
    Ok(DeviceRecord {
        name: device.name.to_string(),
        zone: device.zone.to_string(),
        state: state.to_string(),
        issued: held.map(|held| held.issued.as_secs()),
        expires: held.map(|held| held.expires.as_secs()),
        renew_from: window.map(|window| window.from),
        renew_until: window.map(|window| window.until),
        possible_clone: device.possible_clone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::{at, device};
    use dc_store::registry::{Held, Sha256};

    #[test]
    fn only_an_active_device_is_told_and_under_its_name_of_now() {
        let mut device = device();
        device.state = State::Active;
        let name = device.name.clone();
        let told = record(Some(device.clone()), &name).unwrap();
        assert_eq!((told.name, told.expires), (name.to_string(), None));
        for state in [State::Suspended, State::Retired, State::Preregistered] {
            device.state = state;
            let refused = record(Some(device.clone()), &name).unwrap_err();
            assert_eq!(refused, registry::Error::NotActive { state });
        }
        device.state = State::Active;
        let other = dc_pki::names::parse("other.cpe.example.com").unwrap();
        for found in [Some(device), None] {
            let refused = record(found, &other).unwrap_err();
            assert_eq!(refused, registry::Error::UnknownDevice);
        }
    }

    #[test]
    fn the_window_is_the_one_that_the_device_was_told() {
        let mut device = device();
        device.state = State::Active;
        device.credential = Some(Held {
            sha256: Sha256::of(b"credential"),
            spki_sha256: Sha256::of(b"key"),
            issued: at(1000),
            expires: at(2000),
        });
        let name = device.name.clone();
        let told = record(Some(device), &name).unwrap();
        assert_eq!((told.issued, told.expires), (Some(1000), Some(2000)));
        assert_eq!(
            (told.renew_from, told.renew_until),
            (Some(1400), Some(1550))
        );
    }
}
