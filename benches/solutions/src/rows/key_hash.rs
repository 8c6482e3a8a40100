//! A public key hash in the host name (draft-wing-settle-public-key-hash-01): whoever knows the name knows the key.
//!
//! The name is `router.0HASH.internal`: the second label has a digit for the hash (0: SHA-256) and the hash of the
//! SubjectPublicKeyInfo in base32. The server has a certificate for it, which it signs itself; a client that knows of the
//! draft compares the key with the name, all others see a self-signed certificate.

use std::collections::BTreeMap;

use crate::Result;
use crate::clients::{self, Client};
use crate::ledger::{Act, Party};
use crate::rows::device_key::{DAY, DeviceKey, Factory, base32, unknown};
use crate::rows::self_signed::certify;
use crate::solution::{Identity, Remedy, Solution, Trust};
use crate::world::World;

/// Devices that are named after their keys.
#[derive(Debug)]
pub(crate) struct KeyHash {
    factory: Factory,
    devices: BTreeMap<usize, Device>,
}

#[derive(Debug)]
struct Device {
    key: DeviceKey,
    identity: Identity,
}

impl KeyHash {
    /// No device yet.
    pub(crate) fn new(world: &World) -> Self {
        Self {
            factory: Factory::new(world, "key-hash"),
            devices: BTreeMap::new(),
        }
    }

    /// Switches a device on. That the user opens its name for the first time is no step here, as it is none elsewhere.
    fn start(&mut self, device: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        let now = self.factory.world.now();
        let identity = certify(&key, &unique_name(&key.fingerprint()), now)?;
        let started = Device { key, identity };
        let Device { identity, .. } = self.devices.entry(device).insert_entry(started).into_mut();
        Ok(identity.clone())
    }
}

impl Solution for KeyHash {
    /// Nothing: there is no fleet.
    fn found(&mut self) -> Result<()> {
        Ok(())
    }

    fn enrol(&mut self, device: usize) -> Result<Identity> {
        self.start(device)
    }

    /// A month before ten years are over.
    fn due(&self, device: usize) -> Option<u64> {
        let ends = self.devices.get(&device)?.identity.ends?;
        Some(ends - 30 * DAY)
    }

    /// A new certificate for the same key, and so for the same name: nobody notices.
    fn renew(&mut self, device: usize) -> Result<Identity> {
        let now = self.factory.world.now();
        let found = self.devices.get_mut(&device);
        let found = found.ok_or_else(|| unknown(device))?;
        found.identity = certify(&found.key, &found.identity.name, now)?;
        Ok(found.identity.clone())
    }

    /// A new device has a key of its own, and so another name, which the user has to open: what clients ask for cannot
    /// stay the same.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        let ledger = &self.factory.world.ledger;
        ledger.count(Party::User, Act::Request);
        self.start(device)
    }

    /// Nothing helps: clients take their knowledge from the name alone. The user goes to another name.
    fn report_theft(&mut self, _device: usize) -> Result<Remedy> {
        Ok(Remedy::default())
    }

    /// Nobody is asked for anything.
    fn reach(&mut self, _party: Party, _reachable: bool) -> Result<()> {
        Ok(())
    }

    /// Nothing: the name says it.
    fn trust(&self, _device: usize) -> Trust {
        Trust::default()
    }

    /// The twin certifies itself for the victim's name, which its key does not match.
    fn pose(&mut self, _twin: usize, victim: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        let victim = self.devices.get(&victim).ok_or_else(|| unknown(victim))?;
        certify(&key, &victim.identity.name, self.factory.world.now())
    }

    fn published(&self) -> Vec<String> {
        Vec::new()
    }

    fn own_client(&self, _device: usize) -> Result<Option<Box<dyn Client>>> {
        Ok(Some(Box::new(clients::key_hash::KeyHash)))
    }
}

/// The name of a router with this key.
fn unique_name(fingerprint: &[u8; 32]) -> String {
    format!("router.{}.internal", hash_label(fingerprint))
}

/// The second label of a name: the hash and how it was made (§5 of the draft).
pub(crate) fn hash_label(fingerprint: &[u8; 32]) -> String {
    format!("0{}", base32(fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{self, Outcome, Visit};
    use crate::rows::lab::Lab;

    fn visit(lab: &Lab, identity: &Identity) -> Outcome {
        lab.visit(&clients::key_hash::KeyHash, identity, Visit::default())
    }

    #[test]
    fn a_client_takes_the_key_that_the_name_says_and_no_other() {
        let lab = Lab::new();
        let mut row = KeyHash::new(&lab.world);
        let device = row.enrol(0).unwrap();
        assert_eq!(visit(&lab, &device), Outcome::Connected);
        let twin = row.pose(1, 0).unwrap();
        assert_eq!(twin.name, device.name);
        let refused = Outcome::Refused("another key than the name says".to_owned());
        assert_eq!(visit(&lab, &twin), refused);
    }

    #[test]
    fn renewal_keeps_the_name_and_replacement_does_not() {
        let lab = Lab::new();
        let mut row = KeyHash::new(&lab.world);
        let device = row.enrol(0).unwrap();
        let renewed = row.renew(0).unwrap();
        assert_eq!(renewed.name, device.name);
        assert_eq!(visit(&lab, &renewed), Outcome::Connected);
        let replaced = row.replace(0).unwrap();
        assert_ne!(replaced.name, device.name);
        assert_eq!(visit(&lab, &replaced), Outcome::Connected);
        // Nothing stops the thief.
        row.report_theft(0).unwrap();
        assert_eq!(visit(&lab, &device), Outcome::Connected);
    }
}
