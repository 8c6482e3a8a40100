//! A local certificate authority: the router is the CA of its home, and certifies itself, a printer and a disk (NAS).
//!
//! Number n is the router, the printer or the disk of home n, so that a twin is a device of another home. Certificates are
//! valid for a week, and devices get them from the router over HTTP.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};

use crate::Result;
use crate::http;
use crate::ledger::{Act, Party};
use crate::rows::device_key::{DeviceKey, Factory, label, unknown};
use crate::rows::home_ca::{HomeCa, LIFETIME, Limits, request};
use crate::service::limit;
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::world::World;

/// Which device of each home is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    /// The CPE, which is the CA.
    Router,
    /// A device that asks the router for certificates.
    Printer,
}

/// Homes with a CA each.
#[derive(Debug)]
pub(crate) struct LocalCa {
    factory: Factory,
    thing: Thing,
    limits: Limits,
    homes: BTreeMap<usize, Home>,
    is_reachable: bool,
}

#[derive(Debug)]
struct Home {
    zone: String,
    ca: HomeCa,
    /// The device that is looked at.
    key: DeviceKey,
    name: String,
    ends: u64,
}

impl LocalCa {
    /// No home yet.
    pub(crate) fn new(world: &World, thing: Thing, limits: Limits) -> Self {
        Self {
            factory: Factory::new(world, "local-ca"),
            thing,
            limits,
            homes: BTreeMap::new(),
            is_reachable: true,
        }
    }

    /// What a thief of the router makes of its root's key: an identity for any name at all.
    pub(crate) fn forge(&mut self, device: usize, name: &str) -> Result<Identity> {
        let key = self.factory.make()?;
        let home = self.home(device)?;
        let certificate = home.ca.certify_itself(name, &key.pair)?;
        identity(
            &key,
            name,
            &certificate,
            self.factory.world.now() + LIFETIME,
        )
    }

    /// Another device of the same home, the disk, asks the CA for the name of the one that is looked at.
    ///
    /// Fails with the CA's words if it gets nothing.
    pub(crate) fn pose_at_home(&mut self, device: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        let home = self.home(device)?;
        let certificate = self.ask(&home.ca, &home.name, &key)?;
        identity(
            &key,
            &home.name,
            &certificate,
            self.factory.world.now() + LIFETIME,
        )
    }

    fn home(&self, device: usize) -> Result<&Home> {
        Ok(self.homes.get(&device).ok_or_else(|| unknown(device))?)
    }

    fn user_does(&self, steps: u64) {
        let ledger = &self.factory.world.ledger;
        ledger.add(Party::User, Act::Request, steps);
    }

    /// Sets a home up: its router, and the device that is looked at.
    fn furnish(&mut self, device: usize, zone: String) -> Result<Identity> {
        let ca = HomeCa::start(&self.factory.world, &zone, self.limits)?;
        ca.reach(self.is_reachable);
        let name = match self.thing {
            Thing::Router => format!("router.{zone}"),
            Thing::Printer => format!("printer.{zone}"),
        };
        let key = self.factory.make()?;
        let home = Home {
            zone,
            ca,
            key,
            name,
            ends: 0,
        };
        self.homes.insert(device, home);
        if self.thing == Thing::Printer {
            self.admit(device)?;
        }
        self.renew(device)
    }

    /// The user approves the device on the router's page.
    fn admit(&self, device: usize) -> Result<()> {
        let home = self.home(device)?;
        home.ca.approve(&home.name);
        self.user_does(1);
        Ok(())
    }

    /// A certificate for this key from the home's CA, in PEM, over HTTP.
    fn ask(&self, ca: &HomeCa, name: &str, key: &DeviceKey) -> Result<String> {
        let body = request(name, &key.pair)?;
        self.factory.world.ledger.count(Party::Home, Act::Request);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ca.port()))?;
        limit(&stream)?;
        let answer = http::ask(stream, "router", "POST", "/certificate", body.as_bytes());
        let answer = answer.map_err(|error| format!("the home's CA does not answer: {error}"))?;
        Ok(String::from_utf8(answer.success()?)?)
    }
}

impl Solution for LocalCa {
    /// Nothing: each home is by itself.
    fn found(&mut self) -> Result<()> {
        Ok(())
    }

    /// The user imports the home's root into each client, once for all devices; and approves a device that is not the
    /// router on the router's page.
    fn enrol(&mut self, device: usize) -> Result<Identity> {
        self.user_does(1);
        self.furnish(device, format!("{}.home.arpa", label()?))
    }

    /// When a third of the lifetime is left.
    fn due(&self, device: usize) -> Option<u64> {
        Some(self.homes.get(&device)?.ends - LIFETIME / 3)
    }

    /// The router signs for itself; all others ask it.
    fn renew(&mut self, device: usize) -> Result<Identity> {
        let home = self.home(device)?;
        let certificate = match self.thing {
            Thing::Router => home.ca.certify_itself(&home.name, &home.key.pair)?,
            Thing::Printer => self.ask(&home.ca, &home.name, &home.key)?,
        };
        let ends = self.factory.world.now() + LIFETIME;
        let home = self.homes.get_mut(&device);
        let home = home.ok_or_else(|| unknown(device))?;
        home.ends = ends;
        identity(&home.key, &home.name, &certificate, ends)
    }

    /// A new router has a new root: in each client the user removes the old one and imports the new one, and on the new
    /// router's page approves the home's other two devices. A new printer takes two steps on the router's page, whatever
    /// the number of clients.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        if self.thing == Thing::Router {
            self.user_does(2 + OTHER_DEVICES);
            let zone = self.home(device)?.zone.clone();
            return self.furnish(device, zone);
        }
        let key = self.factory.make()?;
        let home = self.homes.get_mut(&device);
        let home = home.ok_or_else(|| unknown(device))?;
        home.key = key;
        home.ca.revoke(&home.name);
        self.user_does(1);
        self.admit(device)?;
        self.renew(device)
    }

    /// A printer's certificate is put on the router's list by the user. A router takes its root's key along: no list
    /// helps, as the thief can sign one too, and users remove the root from each client.
    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        let home = self.home(device)?;
        self.user_does(1);
        match self.thing {
            Thing::Router => Ok(Remedy {
                revocation_list: None,
                removal: Some("the home's root certificate"),
            }),
            Thing::Printer => {
                home.ca.revoke(&home.name);
                Ok(Remedy {
                    revocation_list: Some(home.ca.write_list()?),
                    removal: None,
                })
            }
        }
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        if party == Party::Home {
            self.is_reachable = reachable;
            self.homes
                .values()
                .for_each(|home| home.ca.reach(reachable));
        }
        Ok(())
    }

    fn trust(&self, device: usize) -> Trust {
        let root = self.homes.get(&device).map(|home| home.ca.root());
        Trust {
            imported: root.into_iter().collect(),
            ..Trust::default()
        }
    }

    /// The twin's home has a CA too, which signs the victim's name; only the victim's clients do not trust it.
    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        let name = self.home(victim)?.name.clone();
        self.forge(twin, &name)
    }

    fn published(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The chain has the leaf alone, as the root signed it.
fn identity(key: &DeviceKey, name: &str, certificate: &str, ends: u64) -> Result<Identity> {
    Ok(Identity {
        name: name.to_owned(),
        proof: Proof::Certificate {
            chain: key.write_chain(&[certificate])?,
            key: key.path(),
        },
        ends: Some(ends),
    })
}

/// The printer and the disk.
const OTHER_DEVICES: u64 = 2;
