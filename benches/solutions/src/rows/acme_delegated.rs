//! ACME delegated certificates (RFC 9115): the vendor owns the names, devices order under its delegations, and a public
//! CA renews by itself (RFC 8739).
//!
//! A device leaves the factory with a key that binds its account at the vendor (RFC 8555 §7.3.4), and makes the key of its
//! certificate and of its account itself. The vendor proves to the CA with TXT records in its zone that the names are its
//! own. After that the device fetches its certificate from the CA, without an account there, and needs the vendor again
//! only when the order ends.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rcgen::KeyPair;

use crate::Result;
use crate::acme::authority::{Authority, Plan};
use crate::acme::client::{Chain, ChallengeAnswer, Responder, StarOrder, fetch_star};
use crate::acme::delegation::{Owner, Template};
use crate::acme::jws::BindingKey;
use crate::acme::objects::{AutoRenewal, to_date};
use crate::acme::server::Server;
use crate::acme::{AccountKey, Client, Tally};
use crate::ca::{self, Validity};
use crate::dns::Dns;
use crate::ledger::{Act, Party};
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::world::World;

/// The CA, the vendor and its devices.
pub(crate) struct AcmeDelegated {
    world: World,
    founded: Option<Founded>,
    devices: BTreeMap<usize, Device>,
    /// How many devices were made, and how many chains were written: each has files of its own, so that a thief keeps what
    /// was stolen.
    made: usize,
    written: usize,
}

struct Founded {
    ca: Server<Authority>,
    vendor: Server<Owner>,
    root: PathBuf,
}

struct Device {
    name: String,
    /// The name of the key that it left the factory with.
    kid: String,
    account: Client,
    /// What it orders under.
    delegation: String,
    key: KeyPair,
    key_file: PathBuf,
    chain_file: PathBuf,
    order: Order,
    validity: Validity,
}

/// What the CA renews for a device.
struct Order {
    star: StarOrder,
    /// When the CA stops.
    ends: u64,
}

impl AcmeDelegated {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            world: world.clone(),
            founded: None,
            devices: BTreeMap::new(),
            made: 0,
            written: 0,
        }
    }

    /// Makes a device in the factory: the key that it will open its account with.
    fn make(&mut self) -> Result<BindingKey> {
        let kid = format!("device-{}", self.made);
        self.made += 1;
        self.founded()?.vendor.service().admit(&kid)
    }

    /// A device that nobody has used yet opens its account, and gets its first certificate.
    fn begin(&mut self, number: usize, name: String, binding: &BindingKey) -> Result<Identity> {
        let tally = self.tally(Party::Vendor);
        let directory = self.founded()?.vendor.directory();
        let mut account =
            Client::register(&directory, AccountKey::generate()?, Some(binding), tally)?;
        let delegation = account.delegations()?.into_iter().next();
        let delegation = delegation.ok_or("the vendor delegates nothing to this device")?;
        let key = KeyPair::generate()?;
        let csr = csr(&mut account, &delegation, &key)?;
        let order = order(&mut account, &delegation, &name, &csr, self.world.now())?;
        let chain = fetch_star(&order.star.certificate_url, &self.tally(Party::PublicCa))?;
        let chain_file = self.keep(&chain)?;
        let key_file = chain_file.with_extension("key.pem");
        fs::write(&key_file, key.serialize_pem())?;
        let device = Device {
            name,
            kid: binding.kid.clone(),
            account,
            delegation,
            key,
            key_file,
            chain_file,
            validity: chain.validity()?,
            order,
        };
        let identity = device.identity();
        self.devices.insert(number, device);
        Ok(identity)
    }

    fn keep(&mut self, chain: &Chain) -> Result<PathBuf> {
        let folder = self.world.folder("devices")?;
        let file = folder.join(format!("{}.pem", self.written));
        self.written += 1;
        fs::write(&file, chain.pem())?;
        Ok(file)
    }

    fn tally(&self, party: Party) -> Tally {
        Tally::new(&self.world.ledger, party)
    }

    fn founded(&self) -> Result<&Founded> {
        let founded = self.founded.as_ref();
        founded.ok_or_else(|| "it has to be founded first".into())
    }

    fn device(&mut self, number: usize) -> Result<&mut Device> {
        let device = self.devices.get_mut(&number);
        device.ok_or_else(|| format!("there is no device number {number}: enrol it first").into())
    }

    /// The owner tells the vendor something about a device. It is counted as a step of the user and a request, in which
    /// nothing of it is ACME.
    fn told_by_owner(&self) {
        self.world.ledger.count(Party::User, Act::Request);
        self.world.ledger.count(Party::Vendor, Act::Request);
    }
}

impl Solution for AcmeDelegated {
    fn found(&mut self) -> Result<()> {
        let folder = self.world.folder("public-ca")?;
        let [root, issuing] = ca::Authority::public(&folder, self.world.now())?;
        let dns = Dns::start()?;
        let ca = Authority::start(Plan {
            issuing,
            clock: self.world.clock.clone(),
            tally: self.tally(Party::PublicCa),
            days: self.world.certificate_days,
            dns: SocketAddr::from((Ipv4Addr::LOCALHOST, dns.port())),
        })?;
        let tally = self.tally(Party::PublicCa);
        let account = Client::register(&ca.directory(), AccountKey::generate()?, None, tally)?;
        let vendor = Owner::start(account, Box::new(Zone { dns }))?;
        self.founded = Some(Founded {
            ca,
            vendor,
            root: root.certificate,
        });
        Ok(())
    }

    fn enrol(&mut self, device: usize) -> Result<Identity> {
        let binding = self.make()?;
        let name = fresh_name()?;
        let vendor = self.founded()?.vendor.service();
        vendor.delegate(&binding.kid, Template::server(&name))?;
        self.begin(device, name, &binding)
    }

    /// RFC 8739 §3.3: the next certificate is there halfway through the life of this one.
    fn due(&self, device: usize) -> Option<u64> {
        Some(self.devices.get(&device)?.validity.halfway())
    }

    fn renew(&mut self, device: usize) -> Result<Identity> {
        let (now, tally) = (self.world.now(), self.tally(Party::PublicCa));
        let of = self.device(device)?;
        if of.validity.last + 1 >= of.order.ends {
            // The CA has no further one.
            let csr = csr(&mut of.account, &of.delegation, &of.key)?;
            of.order = order(&mut of.account, &of.delegation, &of.name, &csr, now)?;
        }
        let chain = fetch_star(&of.order.star.certificate_url, &tally)?;
        let validity = chain.validity()?;
        let chain_file = self.keep(&chain)?;
        let of = self.device(device)?;
        of.chain_file = chain_file;
        of.validity = validity;
        Ok(of.identity())
    }

    /// The owner tells the vendor that a new device takes the place of this one. The vendor cancels the old one's
    /// certificates, and delegates the name to the new one.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        let old = self.device(device)?;
        let (name, old) = (old.name.clone(), old.kid.clone());
        let binding = self.make()?;
        self.told_by_owner();
        let vendor = self.founded()?.vendor.service();
        vendor.end(&old)?;
        vendor.delegate(&binding.kid, Template::server(&name))?;
        self.begin(device, name, &binding)
    }

    /// The owner tells the vendor, who cancels at the CA. The certificate that the thief has stays valid to its end: RFC 8739
    /// has no revocation.
    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        let kid = self.device(device)?.kid.clone();
        self.told_by_owner();
        self.founded()?.vendor.service().end(&kid)?;
        Ok(Remedy::default())
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        let Founded { ca, vendor, .. } = self.founded()?;
        match party {
            Party::PublicCa => {
                if reachable {
                    ca.service().recover();
                } else {
                    ca.service().roll()?;
                }
                ca.reach(reachable);
            }
            Party::Vendor => vendor.reach(reachable),
            Party::Home | Party::User => {}
        }
        Ok(())
    }

    fn trust(&self, _: usize) -> Trust {
        let root = self.founded.as_ref().map(|founded| founded.root.clone());
        Trust {
            delivered: root.into_iter().collect(),
            ..Trust::default()
        }
    }

    /// The twin orders the victim's name under its own delegation, and then its own name with a CSR for the victim's. The
    /// vendor should refuse both, and the twin presents what it has.
    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        let name = self.device(victim)?.name.clone();
        let (now, tally) = (self.world.now(), self.tally(Party::PublicCa));
        let of = self.device(twin)?;
        let csr = Template::server(&name).fill(&of.key)?;
        let (own, delegation) = (of.name.clone(), of.delegation.clone());
        let stolen = order(&mut of.account, &delegation, &name, &csr, now)
            .or_else(|_| order(&mut of.account, &delegation, &own, &csr, now));
        let mut identity = of.identity();
        identity.name = name;
        if let Ok(order) = stolen {
            let key = of.key_file.clone();
            let chain = self.keep(&fetch_star(&order.star.certificate_url, &tally)?)?;
            identity.proof = Proof::Certificate { chain, key };
        }
        Ok(identity)
    }

    /// A public CA logs all that it signs.
    fn published(&self) -> Vec<String> {
        let founded = self.founded.as_ref();
        founded
            .map(|founded| founded.ca.service().names())
            .unwrap_or_default()
    }
}

impl Device {
    fn identity(&self) -> Identity {
        Identity {
            name: self.name.clone(),
            proof: Proof::Certificate {
                chain: self.chain_file.clone(),
                key: self.key_file.clone(),
            },
            ends: Some(self.validity.last),
        }
    }
}

/// A CSR as the vendor's template says.
fn csr(account: &mut Client, delegation: &str, key: &KeyPair) -> Result<Vec<u8>> {
    let object = account.delegation(delegation)?;
    let template = object.get("csr-template").cloned().unwrap_or_default();
    let template: Template = serde_json::from_value(template)?;
    template.fill(key)
}

/// Orders from the vendor what the CA is to renew.
fn order(
    account: &mut Client,
    delegation: &str,
    name: &str,
    csr: &[u8],
    now: u64,
) -> Result<Order> {
    let ends = now + ORDER_DAYS * DAY;
    let renewal = AutoRenewal {
        start_date: None,
        end_date: to_date(ends),
        lifetime: LIFETIME / 2,
        lifetime_adjust: LIFETIME / 2,
        allow_certificate_get: true,
    };
    let star = account.order_delegated(delegation, &[name], renewal, csr)?;
    Ok(Order { star, ends })
}

/// A name under the vendor's zone that says nothing about its owner.
fn fresh_name() -> Result<String> {
    let mut bytes = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| "the system has no randomness")?;
    Ok(format!(
        "{:016x}.cpe.example.com",
        u64::from_be_bytes(bytes)
    ))
}

/// The vendor's zone, where its answers to challenges stand.
struct Zone {
    dns: Dns,
}

impl Responder for Zone {
    fn kind(&self) -> &'static str {
        "dns-01"
    }

    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()> {
        self.dns.remove_texts(&answer.place);
        self.dns.add_text(&answer.place, &answer.content);
        Ok(())
    }
}

/// How long each certificate is valid, in seconds: seven days, as long as a credential of RFC 9345 may be, so that both can
/// be compared. Half of it is what RFC 8739 calls `lifetime`, and half `lifetime-adjust`: the CA signs the next one every
/// three and a half days, and it is valid as soon as it is there.
const LIFETIME: u64 = 7 * DAY;
/// How long the CA renews for one order. It offers a year; with a little less, what a device needs the vendor for comes once
/// within each year, and not just after it.
const ORDER_DAYS: u64 = 360;
const DAY: u64 = 86_400;

#[cfg(test)]
mod tests;
