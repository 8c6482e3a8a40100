//! A referee (draft-wing-settle-referee-01): a server in the home that clients trust says which key belongs to which name.
//!
//! Number n is a device of home n. The referee answers over HTTPS with the 32 bytes of a fingerprint; devices have
//! certificates that they sign themselves, of which clients take the key alone. The draft's change of a key (A.5.1) is not
//! run: it leaves open how a device proves that it has the old one.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;
use rustls::crypto::ring;

use crate::Result;
use crate::clients::referee::Approved;
use crate::clients::referee::Memory;
use crate::clients::{self, Client};
use crate::http::{Answer, Request};
use crate::ledger::{Act, Party};
use crate::rows::device_key::{DeviceKey, Factory, label, unknown};
use crate::rows::self_signed::certify;
use crate::service::Service;
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::world::World;

/// Homes with a referee each.
#[derive(Debug)]
pub(crate) struct Referees {
    factory: Factory,
    homes: BTreeMap<usize, Home>,
    is_reachable: bool,
}

#[derive(Debug)]
struct Home {
    service: Service,
    fingerprint: [u8; 32],
    enrolled: Enrolled,
    /// The device that is looked at.
    identity: Identity,
}

/// The names of a home and their keys' fingerprints.
#[derive(Clone, Debug, Default)]
struct Enrolled(Arc<Mutex<BTreeMap<String, [u8; 32]>>>);

impl Referees {
    /// No home yet.
    pub(crate) fn new(world: &World) -> Self {
        Self {
            factory: Factory::new(world, "referee"),
            homes: BTreeMap::new(),
            is_reachable: true,
        }
    }

    /// What a client of this device's home knows of its referee.
    pub(crate) fn approved(&self, device: usize) -> Result<Approved> {
        let home = self.home(device)?;
        Ok(Approved {
            port: home.service.port(),
            fingerprint: home.fingerprint,
        })
    }

    fn home(&self, device: usize) -> Result<&Home> {
        Ok(self.homes.get(&device).ok_or_else(|| unknown(device))?)
    }

    /// Switches a device on, and the user scans its code with the referee's app.
    fn admit(&mut self, name: &str, enrolled: &Enrolled) -> Result<Identity> {
        let key = self.factory.make()?;
        enrolled.names().insert(name.to_owned(), key.fingerprint());
        self.user_does(1);
        certify(&key, name, self.factory.world.now())
    }

    fn user_does(&self, steps: u64) {
        let ledger = &self.factory.world.ledger;
        ledger.add(Party::User, Act::Request, steps);
    }
}

impl Solution for Referees {
    /// Nothing: each home is by itself.
    fn found(&mut self) -> Result<()> {
        Ok(())
    }

    /// The user approves the referee in each client, once for all devices, and enrols the device with the referee.
    fn enrol(&mut self, device: usize) -> Result<Identity> {
        let (own, enrolled) = (self.factory.make()?, Enrolled::default());
        let service = start(&own, &enrolled, self.factory.world.now())?;
        service.reach(self.is_reachable);
        self.user_does(1);
        let identity = self.admit(&format!("{}.internal", label()?), &enrolled)?;
        let home = Home {
            service,
            fingerprint: own.fingerprint(),
            enrolled,
            identity: identity.clone(),
        };
        self.homes.insert(device, home);
        Ok(identity)
    }

    /// Never: clients ignore the dates of certificates.
    fn due(&self, _device: usize) -> Option<u64> {
        None
    }

    /// The same key and certificate again.
    fn renew(&mut self, device: usize) -> Result<Identity> {
        Ok(self.home(device)?.identity.clone())
    }

    /// The user enrols the new device under the old one's name; nothing is to be done in clients.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        let home = self.home(device)?;
        let (name, enrolled) = (home.identity.name.clone(), home.enrolled.clone());
        let identity = self.admit(&name, &enrolled)?;
        let home = self.homes.get_mut(&device);
        home.ok_or_else(|| unknown(device))?.identity = identity.clone();
        Ok(identity)
    }

    /// The user removes the key from the referee: that is all, and nothing is to be removed from clients. One that
    /// remembers keys goes on with the thief, as it sees no other key and so does not ask.
    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        let home = self.home(device)?;
        home.enrolled.names().remove(&home.identity.name);
        self.user_does(1);
        Ok(Remedy::default())
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        if party == Party::Home {
            self.is_reachable = reachable;
            { self.homes.values() }.for_each(|home| home.service.reach(reachable));
        }
        Ok(())
    }

    /// Nothing but the referee, see [`Self::approved`].
    fn trust(&self, _device: usize) -> Trust {
        Trust::default()
    }

    /// A key of the twin's own for the victim's name, of which the victim's referee knows nothing.
    fn pose(&mut self, _twin: usize, victim: usize) -> Result<Identity> {
        let key = self.factory.make()?;
        let name = &self.home(victim)?.identity.name;
        certify(&key, name, self.factory.world.now())
    }

    fn published(&self) -> Vec<String> {
        Vec::new()
    }

    fn own_client(&self, device: usize) -> Result<Option<Box<dyn Client>>> {
        let client = clients::referee::Referee::new(self.approved(device)?, Memory::None);
        Ok(Some(Box::new(client)))
    }
}

impl Enrolled {
    fn answer(&self, request: &Request) -> Answer {
        let name = request.path.strip_prefix("/.well-known/referee/sha256/");
        match name.and_then(|name| self.names().get(name).copied()) {
            Some(fingerprint) => Answer::new(200, fingerprint),
            None => Answer::new(404, "not enrolled"),
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, [u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A referee, which has a certificate that it signs itself.
fn start(key: &DeviceKey, enrolled: &Enrolled, now: u64) -> Result<Service> {
    let identity = certify(key, "referee.internal", now)?;
    let Proof::Certificate { chain, key } = &identity.proof else {
        return Err("a referee has a certificate".into());
    };
    let chain = CertificateDer::from_pem_slice(&fs::read(chain)?)?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)?;
    let enrolled = enrolled.clone();
    Service::https(Arc::new(config), move |request| enrolled.answer(request))
}
