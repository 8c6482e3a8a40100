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

    /// The key, from the label or from the first connection.
    fn trust(&self, device: usize) -> Trust {
        let known = self.devices.get(&device);
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
        Ok(Some(Box::new(RawKey)))
    }
}

fn identity(name: &str, key: &DeviceKey) -> Identity {
    Identity {
        name: name.to_owned(),
        proof: Proof::RawKey { key: key.path() },
        ends: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::by_key::refusal;
    use crate::clients::raw_key::KnownKeys;
    use crate::clients::{Outcome, Visit};
    use crate::ledger::Phase;
    use crate::rows::device_key::fingerprint_of;
    use crate::rows::lab::{Lab, key};
    use crate::rows::self_signed::SelfSigned;
    use crate::solution::serve;

    fn refused() -> Outcome {
        Outcome::Refused("another key".to_owned())
    }

    fn with(pin: &[u8; 32]) -> Visit<'_> {
        Visit {
            accepted: Some((pin, None)),
            ..Visit::default()
        }
    }

    #[test]
    fn a_client_with_the_label_s_key_takes_that_device_and_no_other() {
        let lab = Lab::new();
        let mut row = RawKeys::new(&lab.world, Meeting::Label);
        let device = row.enrol(0).unwrap();
        let pin = row.trust(0).pin.unwrap();
        assert_eq!(pin, fingerprint_of(key(&device)));
        assert_eq!(lab.visit(&RawKey, &device, with(&pin)), Outcome::Connected);
        let twin = row.pose(1, 0).unwrap();
        assert_eq!(twin.name, device.name);
        assert_eq!(lab.visit(&RawKey, &twin, with(&pin)), refused());
        assert_eq!(lab.steps(Phase::FirstIssue), 1);
    }

    #[test]
    fn at_first_use_the_twin_gets_in_and_later_not() {
        let lab = Lab::new();
        let mut row = RawKeys::new(&lab.world, Meeting::FirstUse);
        let device = row.enrol(0).unwrap();
        let twin = row.pose(1, 0).unwrap();
        let warned = Outcome::Warned("unknown key".to_owned());
        assert_eq!(lab.visit(&RawKey, &twin, Visit::default()), warned);
        let accepts = Visit {
            accepts_warning: true,
            ..Visit::default()
        };
        assert_eq!(lab.visit(&RawKey, &twin, accepts), warned);

        let known = KnownKeys::in_file(&lab.folder().join("known keys"));
        let visit = |identity: &Identity, accepts| {
            let server = serve(identity).unwrap();
            known.visit(&identity.name, server.port(), accepts)
        };
        assert_eq!(visit(&device, true).unwrap(), warned);
        assert_eq!(visit(&device, false).unwrap(), Outcome::Connected);
        let error = visit(&twin, true).unwrap_err();
        assert_eq!(refusal(&*error), "another key");
    }

    #[test]
    fn a_stolen_key_is_refused_as_soon_as_the_user_has_scanned_the_new_one() {
        let lab = Lab::new();
        let mut row = RawKeys::new(&lab.world, Meeting::Label);
        let stolen = row.enrol(0).unwrap();
        assert!(row.report_theft(0).unwrap().revocation_list.is_none());
        lab.world.ledger.enter(Phase::Replacement);
        let device = row.replace(0).unwrap();
        let pin = row.trust(0).pin.unwrap();
        assert_eq!(device.name, stolen.name);
        assert_eq!(lab.visit(&RawKey, &device, with(&pin)), Outcome::Connected);
        assert_eq!(lab.visit(&RawKey, &stolen, with(&pin)), refused());
        assert_eq!(lab.steps(Phase::Replacement), 1);
    }

    #[test]
    fn certificates_are_no_raw_keys() {
        let lab = Lab::new();
        let device = SelfSigned::new(&lab.world).enrol(0).unwrap();
        let pin = fingerprint_of(key(&device));
        let outcome = lab.visit(&RawKey, &device, with(&pin));
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
}
