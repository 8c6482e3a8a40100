//! Devices that get certificates from their vendor's service: the same whoever signs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use dc_pki::Sha256;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::Result;
use crate::leaf::Leaf;
use crate::ledger::{Act, Party};
use crate::solution::{Identity, Proof};
use crate::vendor::{Issuing, Made, Vendor};
use crate::world::World;

/// The vendor's service and the devices.
pub(crate) struct Fleet {
    world: World,
    pub(crate) vendor: Vendor,
    devices: BTreeMap<usize, Device>,
    /// How many chains were written, each into a file of its own: a thief keeps the ones that were stolen.
    written: usize,
}

struct Device {
    name: String,
    made: Made,
    key: KeyPair,
    key_file: PathBuf,
    chain_file: PathBuf,
    leaf: Leaf,
}

impl Fleet {
    pub(crate) fn found(world: &World, issuing: impl Issuing) -> Result<Self> {
        Ok(Self {
            vendor: Vendor::start(world.ledger.clone(), issuing)?,
            world: world.clone(),
            devices: BTreeMap::new(),
            written: 0,
        })
    }

    /// A new device makes its key and gets its first certificate.
    pub(crate) fn enrol(&mut self, number: usize) -> Result<Identity> {
        let name = name_of(number);
        let made = self.vendor.make(&name)?;
        self.begin(number, name, made)
    }

    /// The device gets its next certificate, for the key that it has.
    pub(crate) fn renew(&mut self, number: usize) -> Result<Identity> {
        let device = self.device(number)?;
        let request = request(&device.key, &device.name)?;
        let chain = self.vendor.certify(&device.made.device, &request)?;
        let (chain_file, leaf) = self.keep(&chain)?;
        let device = self.devices.get_mut(&number).ok_or("it was there")?;
        device.chain_file = chain_file;
        device.leaf = leaf;
        Ok(device.identity())
    }

    /// The owner moves the name to a new device, at the vendor; the vendor does not know the old one any more.
    pub(crate) fn replace(&mut self, number: usize) -> Result<Identity> {
        let old = self.device(number)?;
        let name = old.name.clone();
        let new = self.vendor.make(NAMELESS)?;
        self.world.ledger.count(Party::User, Act::Request);
        self.vendor.move_name(&old.made, &new)?;
        self.begin(number, name, new)
    }

    /// The owner tells the vendor.
    pub(crate) fn report_theft(&self, number: usize) -> Result<()> {
        self.world.ledger.count(Party::User, Act::Request);
        self.vendor.report_theft(&self.device(number)?.made)
    }

    /// When the device renews.
    pub(crate) fn due(&self, number: usize) -> Option<u64> {
        self.devices.get(&number).map(|device| device.leaf.due())
    }

    /// The twin asks the vendor for the victim's name. It presents what it gets, if it is in that name, or else its own.
    pub(crate) fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        let name = self.device(victim)?.name.clone();
        let device = self.device(twin)?;
        let request = request(&device.key, &name)?;
        let asked = self.vendor.certify(&device.made.device, &request);
        let mut identity = device.identity();
        identity.name.clone_from(&name);
        // A refusal is what should come.
        if let Ok(chain) = asked {
            let (file, leaf) = self.keep(&chain)?;
            if leaf.names.contains(&name) {
                identity.proof = Proof::Certificate {
                    chain: file,
                    key: self.device(twin)?.key_file.clone(),
                };
            }
        }
        Ok(identity)
    }

    /// The names of all devices.
    pub(crate) fn names(&self) -> Vec<String> {
        self.devices
            .values()
            .map(|device| device.name.clone())
            .collect()
    }

    fn begin(&mut self, number: usize, name: String, made: Made) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let chain = self.vendor.certify(&made.device, &request(&key, &name)?)?;
        let (chain_file, leaf) = self.keep(&chain)?;
        let key_file = chain_file.with_extension("key.pem");
        fs::write(&key_file, key.serialize_pem())?;
        let device = Device {
            name,
            made,
            key,
            key_file,
            chain_file,
            leaf,
        };
        let identity = device.identity();
        self.devices.insert(number, device);
        Ok(identity)
    }

    fn keep(&mut self, chain: &str) -> Result<(PathBuf, Leaf)> {
        let leaf = Leaf::read(chain)?;
        let file = self.world.folder("devices")?;
        let file = file.join(format!("{}.pem", self.written));
        self.written += 1;
        fs::write(&file, chain)?;
        Ok((file, leaf))
    }

    fn device(&self, number: usize) -> Result<&Device> {
        let device = self.devices.get(&number);
        device.ok_or_else(|| format!("there is no device number {number}: enrol it first").into())
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
            ends: Some(self.leaf.ends),
        }
    }
}

/// A name that tells nothing to who does not know the serial number already.
fn name_of(number: usize) -> String {
    let serial = format!("home server, serial number {number}");
    let mut label = Sha256::of(serial.as_bytes()).to_string();
    label.truncate(16);
    format!("{label}.{ZONE}")
}

/// A request in DER (PKCS #10) for a certificate with this name.
fn request(key: &KeyPair, name: &str) -> Result<Vec<u8>> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    // With an empty subject, the alternative name has to be critical (RFC 5280 §4.2.1.6), which Chromium checks and not
    // every CA knows.
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// Where the devices of the vendor have their names.
pub(crate) const ZONE: &str = "cpe.example.com";
/// A device that was bought to replace another.
const NAMELESS: &str = "unused.cpe.example.com";
