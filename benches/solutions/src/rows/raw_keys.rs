//! Raw public keys (RFC 7250): each device makes a key, and clients know it by its fingerprint. No certificate, no CA, no end.

use std::collections::BTreeMap;

use crate::Result;
use crate::clients::Client;
use crate::clients::raw_key::RawKey;
use crate::ledger::{Act, Party};
use crate::rows::device_key::{DeviceKey, Factory, label, unknown};
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::world::World;

/// How a client gets to know a device's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// The user scans the fingerprint from the device's label.
    Label,
    /// The user accepts what answers at the first connection.
    FirstUse,
}

/// Raw public keys in homes.
#[derive(Debug)]
pub(crate) struct RawKeys {
    factory: Factory,
    meeting: Meeting,
    devices: BTreeMap<usize, Device>,
}

#[derive(Debug)]
struct Device {
    name: String,
    key: DeviceKey,
}

impl RawKeys {
    /// No device yet.
    pub(crate) fn new(world: &World, meeting: Meeting) -> Self {
        Self {
            factory: Factory::new(world, "raw-keys"),
            meeting,
            devices: BTreeMap::new(),
        }
    }

    fn identity(&self, device: usize) -> Result<Identity> {
        let device = self.devices.get(&device).ok_or_else(|| unknown(device))?;
        Ok(identity(&device.name, &device.key))
    }

    fn user_does(&self, steps: u64) {
        let ledger = &self.factory.world.ledger;
        ledger.add(Party::User, Act::Request, steps);
    }
}

impl Solution for RawKeys {
    /// Nothing: there is no fleet.
    fn found(&mut self) -> Result<()> {
        Ok(())
    }

    /// The user does one step in each client: scans the label, or accepts the first connection.
    fn enrol(&mut self, device: usize) -> Result<Identity> {
        let (name, key) = (format!("{}.home.arpa", label()?), self.factory.make()?);
        self.user_does(1);
        self.devices.insert(device, Device { name, key });
        self.identity(device)
    }

    /// Never: a raw key has no end.
    fn due(&self, _device: usize) -> Option<u64> {
        None
    }

    /// The same key again.
    fn renew(&mut self, device: usize) -> Result<Identity> {
        self.identity(device)
    }

    /// The new device takes the name; in each client the user scans its label, which replaces the key; or removes the
    /// old key, without which a client that met it by itself refuses the new one, and accepts that.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        self.user_does(match self.meeting {
            Meeting::Label => 1,
            Meeting::FirstUse => 2,
        });
        let old = self.devices.get_mut(&device);
        old.ok_or_else(|| unknown(device))?.key = key;
        self.identity(device)
    }

    /// There is nobody to tell; only the user can do something, in each client.
    fn report_theft(&mut self, _device: usize) -> Result<Remedy> {
        Ok(Remedy {
            revocation_list: None,
            removal: Some("the device's key"),
        })
    }

    /// Nobody is asked for anything.
    fn reach(&mut self, _party: Party, _reachable: bool) -> Result<()> {
        Ok(())
    }

    fn trust(&self, device: usize) -> Trust {
        let known = self.devices.get(&device);
        let known = known.filter(|_| self.meeting == Meeting::Label);
        Trust {
            pin: known.map(|device| device.key.fingerprint()),
            ..Trust::default()
        }
    }

    /// A key of the twin's own: nothing in it says whose it is, so only clients that know the victim's can tell.
    fn pose(&mut self, _twin: usize, victim: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        let victim = self.devices.get(&victim).ok_or_else(|| unknown(victim))?;
        Ok(identity(&victim.name, &key))
    }

    fn published(&self) -> Vec<String> {
        Vec::new()
    }

    fn own_client(&self, _device: usize) -> Result<Option<Box<dyn Client>>> {
        let folder = self.factory.world.folder("raw-key-client")?;
        Ok(Some(Box::new(RawKey::new(&folder.join("known")))))
    }
}

fn identity(name: &str, key: &DeviceKey) -> Identity {
    Identity {
        name: name.to_owned(),
        proof: Proof::RawKey { key: key.path() },
        ends: None,
    }
}
