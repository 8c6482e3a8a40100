//! Self-signed certificates: each device certifies itself for ten years, and users accept the warning once in each client.

use std::collections::BTreeMap;

use crate::Result;
use crate::ledger::{Act, Party};
use crate::rows::device_key::{
    CLOCK_SKEW, DAY, DeviceKey, Factory, TEN_YEARS, label, server_params, unknown,
};
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::world::World;

/// Devices that certify themselves.
#[derive(Debug)]
pub(crate) struct SelfSigned {
    factory: Factory,
    devices: BTreeMap<usize, Device>,
}

#[derive(Debug)]
struct Device {
    key: DeviceKey,
    identity: Identity,
}

impl SelfSigned {
    /// No device yet.
    pub(crate) fn new(world: &World) -> Self {
        Self {
            factory: Factory::new(world, "self-signed"),
            devices: BTreeMap::new(),
        }
    }

    fn device(&self, device: usize) -> Result<&Device> {
        let found = self.devices.get(&device);
        Ok(found.ok_or_else(|| unknown(device))?)
    }

    fn user_does(&self, steps: u64) {
        let ledger = &self.factory.world.ledger;
        ledger.add(Party::User, Act::Request, steps);
    }

    /// Switches a device of this name on.
    fn start(&mut self, device: usize, name: &str) -> Result<Identity> {
        let key = self.factory.make()?;
        let identity = certify(&key, name, self.factory.world.now())?;
        let started = Device { key, identity };
        self.devices.insert(device, started);
        Ok(self.device(device)?.identity.clone())
    }
}

impl Solution for SelfSigned {
    /// Nothing: there is no fleet.
    fn found(&mut self) -> Result<()> {
        Ok(())
    }

    /// The user does one step in each client: accepts the warning.
    fn enrol(&mut self, device: usize) -> Result<Identity> {
        self.user_does(1);
        self.start(device, &format!("{}.home.arpa", label()?))
    }

    /// A month before ten years are over. A device that has no clock, or forgets it, goes on with a certificate that has
    /// ended: a warning of another kind, which users also have to accept.
    fn due(&self, device: usize) -> Option<u64> {
        let ends = self.devices.get(&device)?.identity.ends?;
        Some(ends - 30 * DAY)
    }

    /// A new certificate for the same key. Clients that remember the key notice nothing; in those that remember the
    /// certificate, as browsers do, the user accepts a warning again, which the ledger counts.
    fn renew(&mut self, device: usize) -> Result<Identity> {
        let now = self.factory.world.now();
        self.user_does(1);
        let found = self.devices.get_mut(&device);
        let found = found.ok_or_else(|| unknown(device))?;
        found.identity = certify(&found.key, &found.identity.name, now)?;
        Ok(found.identity.clone())
    }

    /// The new device takes the name; in each client the user removes the old exception and accepts a warning.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        let name = self.device(device)?.identity.name.clone();
        self.user_does(2);
        self.start(device, &name)
    }

    /// There is nobody to tell; only the user can do something, in each client.
    fn report_theft(&mut self, _device: usize) -> Result<Remedy> {
        Ok(Remedy {
            revocation_list: None,
            removal: Some("the exception for the device's certificate"),
        })
    }

    /// Nobody is asked for anything.
    fn reach(&mut self, _party: Party, _reachable: bool) -> Result<()> {
        Ok(())
    }

    /// Nothing: clients learn the certificate at the first connection.
    fn trust(&self, _device: usize) -> Trust {
        Trust::default()
    }

    /// The twin certifies itself for the victim's name: at first contact nobody can tell.
    fn pose(&mut self, _twin: usize, victim: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        let now = self.factory.world.now();
        certify(&key, &self.device(victim)?.identity.name, now)
    }

    fn published(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A certificate that this key signs for itself, for ten years from now.
pub(crate) fn certify(key: &DeviceKey, name: &str, now: u64) -> Result<Identity> {
    let ends = now + TEN_YEARS;
    let certificate = server_params(name, now - CLOCK_SKEW, ends)?.self_signed(&key.pair)?;
    Ok(Identity {
        name: name.to_owned(),
        proof: Proof::Certificate {
            chain: key.write_chain(&[&certificate.pem()])?,
            key: key.path(),
        },
        ends: Some(ends),
    })
}
