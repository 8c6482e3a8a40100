//! Acts that no operator asks for, as the audit log names their actors; and whose address its records have.

use std::net::IpAddr;

use pki_types::UnixTime;

use super::Authority;
use dc_store::Act;

/// A device's request: its time, and the address that it came from.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// By this machine's clock.
    pub now: UnixTime,
    /// The device's, or that of whatever is before it; none if no record is to have it.
    pub from: Option<IpAddr>,
}

impl From<UnixTime> for Visit {
    fn from(now: UnixTime) -> Self {
        Self { now, from: None }
    }
}

impl Visit {
    /// An act of the device: the record has its name beside it.
    pub(super) fn act(self) -> Act {
        Act::new("device", self.now).coming_from(self.from)
    }
}

/// An act of the signer itself.
pub(crate) fn by_signer(now: UnixTime) -> Act {
    Act::new("signer", now)
}

impl Authority {
    /// The address that an operator comes from, if the audit log is to have it.
    pub(crate) fn of_operator(&self, from: IpAddr) -> Option<IpAddr> {
        let kept = self.settings.load().addresses;
        kept.of_operators().then_some(from)
    }

    /// The address that a device comes from, if the audit log is to have it.
    pub(crate) fn of_device(&self, from: IpAddr) -> Option<IpAddr> {
        let kept = self.settings.load().addresses;
        kept.of_devices().then_some(from)
    }
}
