//! Delegated credentials: a vendor's signer issues to its devices, under one certificate of a public CA. With a unique name in
//! each credential, and as RFC 9345 has them.

mod ca;
mod device;
mod line;
#[cfg(test)]
mod own_ca;
mod service;
mod signer;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dc_core::Role;
use dc_inspect::delegation_csr::{self, KeySource, NewKey};
use dc_pki::Forms;
use dc_pki::names::ZoneName;
use der::Decode as _;
use pki_types::CertificateDer;
use pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::Result;
use crate::clients::{Client, DcRustls};
use crate::ledger::{Act, Party};
use crate::solution::{Identity, Remedy, Solution, Trust};
use crate::world::World;

use ca::{Foreign, PublicCa};
use device::{Device, Made};
use line::Line;
pub(crate) use service::serve as serve_signer;
use signer::Signer;
use task::Task;

/// The vendor with its signer, and its devices in their homes.
#[derive(Debug)]
pub(crate) struct Delegated {
    world: World,
    folder: PathBuf,
    forms: Forms,
    zone: ZoneName,
    /// None before the vendor has an account there.
    ca: Option<Box<dyn PublicCa>>,
    signer: Signer,
    line: Line,
    devices: BTreeMap<usize, Slot>,
    /// How many folders of boxes and of delegation certificates there are.
    made: usize,
    /// When the next delegation certificate is ordered.
    order_at: Option<u64>,
}

/// A place in a home, and the box that stands there.
#[derive(Debug)]
struct Slot {
    device: Device,
    is_stolen: bool,
}

impl Delegated {
    /// With a name in each credential that no other device has, and in no other form.
    pub(crate) fn named(world: &World) -> Result<Self> {
        Self::new(world, Forms::Named)
    }

    /// As RFC 9345 has it, for clients such as Firefox: every credential is good for all names of the certificate.
    pub(crate) fn rfc9345(world: &World) -> Result<Self> {
        Self::new(world, Forms::Rfc9345)
    }

    fn new(world: &World, forms: Forms) -> Result<Self> {
        let folder = world.folder(&format!("delegated-{}", forms.as_str()))?;
        let zone = ZoneName::parse(ZONE)?;
        Ok(Self {
            ca: None,
            signer: Signer::new(world, folder.join("signer"))?,
            line: Line::new(&world.ledger)?,
            world: world.clone(),
            folder,
            forms,
            zone,
            devices: BTreeMap::new(),
            made: 0,
            order_at: None,
        })
    }

    /// Under a root of our own, which needs no foreign program.
    #[cfg(test)]
    fn under_own_root(mut self) -> Result<Self> {
        let own = own_ca::Own::new(&self.world, &self.zone, &self.folder)?;
        self.ca = Some(Box::new(own));
        Ok(self)
    }

    fn ca(&mut self) -> Result<&mut dyn PublicCa> {
        match &mut self.ca {
            Some(ca) => Ok(ca.as_mut()),
            None => Err("it has to be founded first".into()),
        }
    }

    /// Orders a delegation certificate with a new key, as the output of `dc-signer csr`, and imports it.
    fn order(&mut self) -> Result<()> {
        let folder = self.new_folder("delegation");
        let key = KeySource::New(NewKey::P256);
        let written = delegation_csr::write(&folder, &self.zone, &[Role::Server], key)?;
        let chain = self.ca()?.order(&written.request)?;
        let certificate = folder.join("chain.pem");
        fs::write(&certificate, chain)?;
        let (begins, ends) = validity(&certificate)?;
        self.signer.work(&Task::Import {
            zone: self.zone.to_string(),
            folder: text(&folder)?,
        })?;
        self.order_at = Some(begins + (ends - begins) * 2 / 3);
        Ok(())
    }

    /// A box out of its packing, which gets its first identity with the code.
    fn install(&mut self, device: usize, id: &str, code: &str) -> Result<Identity> {
        let folder = self.new_folder("device");
        let root = self.ca()?.root().to_owned();
        let made = Made {
            port: self.line.port,
            signer_root: &self.signer.root(),
            root: &root,
        };
        let mut new = Device::new(&self.world, folder, &made, id, code)?;
        let identity = new.turn()?;
        let slot = Slot {
            device: new,
            is_stolen: false,
        };
        self.devices.insert(device, slot);
        Ok(identity)
    }

    fn new_folder(&mut self, what: &str) -> PathBuf {
        self.made += 1;
        self.folder.join(format!("{what}-{}", self.made))
    }

    fn slot(&self, device: usize) -> Result<&Slot> {
        let missing = || format!("there is no device {device}: let it enrol first");
        Ok(self.devices.get(&device).ok_or_else(missing)?)
    }

    fn slot_mut(&mut self, device: usize) -> Result<&mut Slot> {
        let missing = || format!("there is no device {device}: let it enrol first");
        Ok(self.devices.get_mut(&device).ok_or_else(missing)?)
    }

    fn serve(&mut self) -> Result<()> {
        let port = self.signer.work(&Task::Serve)?;
        let port = port.as_u64().ok_or("the signer does not say its port")?;
        self.signer.catch_up()?;
        self.line.lead_to(Some(port.try_into()?));
        Ok(())
    }
}

impl Solution for Delegated {
    fn found(&mut self) -> Result<()> {
        if self.ca.is_none() {
            self.ca = Some(Box::new(Foreign::start(&self.world, &self.zone)?));
        }
        self.signer.start()?;
        self.signer.work(&Task::AddZone {
            zone: self.zone.to_string(),
            forms: self.forms.as_str().to_owned(),
        })?;
        self.order()?;
        self.serve()
    }

    fn enrol(&mut self, device: usize) -> Result<Identity> {
        self.signer.catch_up()?;
        let added = self.signer.work(&Task::AddDevice {
            external_id: format!("router-{device}"),
        })?;
        let (id, code) = (field(&added, "/id")?, field(&added, "/code/code")?);
        self.install(device, &id, &code)
    }

    fn due(&self, device: usize) -> Option<u64> {
        self.slot(device).ok()?.device.due()
    }

    fn renew(&mut self, device: usize) -> Result<Identity> {
        self.signer.catch_up()?;
        self.slot_mut(device)?.device.turn()
    }

    fn news_due(&self, device: usize) -> Option<u64> {
        self.slot(device).ok()?.device.news_due()
    }

    fn ask_for_news(&mut self, device: usize) -> Result<()> {
        self.slot_mut(device)?.device.ask_for_news();
        Ok(())
    }

    fn fleet_due(&self) -> Option<u64> {
        self.order_at
    }

    fn renew_fleet(&mut self) -> Result<()> {
        self.signer.catch_up()?;
        self.order().inspect_err(|_| {
            self.order_at = Some(self.world.now() + ORDER_AGAIN);
        })
    }

    /// With the same name at once, which the vendor's operator does for a box that is broken: the old one can use what it has
    /// until that ends. For one that was stolen the signer refuses that, so the new box gets a new name.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        self.signer.catch_up()?;
        let slot = self.slot(device)?;
        let (id, new_name) = (slot.device.id.clone(), slot.is_stolen);
        // Asks the vendor for it.
        self.world.ledger.count(Party::User, Act::Request);
        let replaced = self.signer.work(&Task::Replace {
            device: id.clone(),
            new_name,
        })?;
        if new_name {
            // Calls the device by its new name.
            self.world.ledger.count(Party::User, Act::Request);
        }
        let code = field(&replaced, "/code/code")?;
        self.install(device, &id, &code)
    }

    /// The owner tells the vendor, whose operator suspends the device: it gets nothing more, and its name is on the signer's
    /// list of withdrawn names, which no client here loads. The CA could revoke nothing but the certificate of all devices.
    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        self.signer.catch_up()?;
        self.world.ledger.count(Party::User, Act::Request);
        let id = self.slot(device)?.device.id.clone();
        self.signer.work(&Task::Suspend { device: id })?;
        self.slot_mut(device)?.is_stolen = true;
        Ok(Remedy::default())
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        match party {
            Party::PublicCa => self.ca()?.reach(reachable)?,
            Party::Vendor if reachable && !self.signer.runs() => {
                self.signer.start()?;
                self.serve()?;
            }
            Party::Vendor if !reachable => {
                self.line.lead_to(None);
                self.signer.stop();
            }
            Party::Vendor | Party::Home | Party::User => {}
        }
        Ok(())
    }

    fn trust(&self, _device: usize) -> Trust {
        Trust {
            delivered: { self.ca.iter() }.map(|ca| ca.root().to_owned()).collect(),
            ..Trust::default()
        }
    }

    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        let name = self.slot(victim)?.device.identity()?.name;
        let own = self.slot(twin)?.device.identity()?;
        Ok(Identity { name, ..own })
    }

    fn published(&self) -> Vec<String> {
        let names = { self.ca.as_ref() }.map(|ca| ca.names());
        names.and_then(Result::ok).unwrap_or_default()
    }

    fn own_client(&self, _device: usize) -> Result<Option<Box<dyn Client>>> {
        Ok(Some(Box::new(match self.forms {
            Forms::Named => DcRustls::new(),
            _ => DcRustls::without_names(),
        })))
    }
}

/// When the first certificate of a file begins and ends, in Unix seconds.
fn validity(path: &Path) -> Result<(u64, u64)> {
    let certificate = CertificateDer::from_pem_file(path)?;
    let certificate = x509_cert::Certificate::from_der(&certificate)?;
    let validity = certificate.tbs_certificate().validity();
    let [begins, ends] =
        [validity.not_before, validity.not_after].map(|time| time.to_unix_duration().as_secs());
    Ok((begins, ends))
}

/// A text in an answer of the signer.
fn field(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    let found = found.ok_or_else(|| format!("the signer's answer has no {pointer}"))?;
    Ok(found.to_owned())
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str();
    let text = text.ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text.to_owned())
}

const ZONE: &str = "cpe.example.com";
/// As long as ACME clients are usually run apart, twice a day.
const ORDER_AGAIN: u64 = 12 * 3600;
