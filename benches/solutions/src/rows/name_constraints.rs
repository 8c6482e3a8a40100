//! Name constraints: a public CA signs one authority of the vendor's, for the vendor's zone only, which signs each device.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::KeyPair;

use crate::Result;
use crate::ca::{Authority, Plan, Validity};
use crate::leaf::Leaf;
use crate::ledger::{Act, Party};
use crate::rows::fleet::{Fleet, ZONE};
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::vendor::Issuing;
use crate::world::World;

/// The public CA's root, the vendor's service with an authority of its own, and its devices.
pub(crate) struct NameConstraints {
    world: World,
    /// Whether the public CA does what vendors ask it for.
    ca_works: bool,
    founded: Option<Founded>,
}

struct Founded {
    root: Authority,
    signing: Signing,
    fleet: Fleet,
}

impl NameConstraints {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            ca_works: true,
            founded: None,
        }
    }

    /// The public CA signs the vendor's authority. This is a contract and a ceremony, not a protocol.
    fn authorize(&self, root: &Authority) -> Result<Authority> {
        if !self.ca_works {
            return Err("the public CA cannot be reached".into());
        }
        let ledger = &self.world.ledger;
        ledger.count(Party::PublicCa, Act::Request);
        ledger.count(Party::PublicCa, Act::Signature);
        root.subordinate(Plan {
            folder: &self.world.folder("vendor-ca")?,
            name: "Vendor Issuer",
            now: self.world.now(),
            days: AUTHORITY_DAYS,
            only: Some(ZONE),
        })
    }

    fn founded(&mut self) -> Result<&mut Founded> {
        let founded = self.founded.as_mut();
        founded.ok_or_else(|| "it has to be founded first".into())
    }

    fn fleet(&mut self) -> Result<&mut Fleet> {
        Ok(&mut self.founded()?.fleet)
    }
}

impl Solution for NameConstraints {
    fn found(&mut self) -> Result<()> {
        let root = Authority::root(Plan {
            folder: &self.world.folder("public-ca")?,
            name: "Public Root",
            now: self.world.now(),
            days: 20 * 365,
            only: None,
        })?;
        let signing = Signing(Arc::new(Mutex::new(VendorCa {
            authority: self.authorize(&root)?,
            world: self.world.clone(),
            revoked: Vec::new(),
        })));
        self.founded = Some(Founded {
            fleet: Fleet::found(&self.world, signing.clone())?,
            root,
            signing,
        });
        Ok(())
    }

    fn enrol(&mut self, device: usize) -> Result<Identity> {
        self.fleet()?.enrol(device)
    }

    fn due(&self, device: usize) -> Option<u64> {
        self.founded.as_ref()?.fleet.due(device)
    }

    fn renew(&mut self, device: usize) -> Result<Identity> {
        self.fleet()?.renew(device)
    }

    /// After two thirds of the authority's life: long before what it signs would end later than itself.
    fn fleet_due(&self) -> Option<u64> {
        let ends = self.founded.as_ref()?.signing.get().authority.ends;
        Some(ends + 1 - AUTHORITY_DAYS * 86_400 / 3)
    }

    /// With a new key. What the old one has signed stays valid, and cannot be revoked any more: a real vendor would
    /// keep the key for its lists.
    fn renew_fleet(&mut self) -> Result<()> {
        let Some(founded) = &self.founded else {
            return self.founded().map(drop);
        };
        let authority = self.authorize(&founded.root)?;
        founded.signing.get().authority = authority;
        Ok(())
    }

    fn replace(&mut self, device: usize) -> Result<Identity> {
        self.fleet()?.replace(device)
    }

    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        let Founded {
            root,
            signing,
            fleet,
        } = self.founded()?;
        fleet.report_theft(device)?;
        Ok(Remedy {
            revocation_list: Some(signing.get().revocation_list(root)?),
            removal: None,
        })
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        match party {
            Party::PublicCa => self.ca_works = reachable,
            Party::Vendor => self.fleet()?.vendor.reach(reachable)?,
            Party::Home | Party::User => {}
        }
        Ok(())
    }

    fn trust(&self, _: usize) -> Trust {
        let root = { self.founded.as_ref() }.map(|founded| founded.root.certificate.clone());
        Trust {
            delivered: root.into_iter().collect(),
            ..Trust::default()
        }
    }

    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        self.fleet()?.pose(twin, victim)
    }

    /// All: browsers want certificates under public roots to be in public logs, whoever signs them, so the vendor has
    /// to log what it signs.
    fn published(&self) -> Vec<String> {
        let founded = self.founded.as_ref();
        founded.map_or_else(Vec::new, |founded| founded.fleet.names())
    }

    fn outside(&mut self) -> Result<Option<Identity>> {
        let folder = self.world.folder("outside")?;
        let key = KeyPair::generate()?;
        let (chain, leaf) = self.founded()?.signing.get().certify(&key, OUTSIDE)?;
        let [chain_file, key_file] = ["chain.pem", "key.pem"].map(|name| folder.join(name));
        fs::write(&chain_file, chain)?;
        fs::write(&key_file, key.serialize_pem())?;
        Ok(Some(Identity {
            name: OUTSIDE.into(),
            proof: Proof::Certificate {
                chain: chain_file,
                key: key_file,
            },
            ends: Some(leaf.ends),
        }))
    }
}

/// The vendor's authority, which its service signs with.
#[derive(Clone, Debug)]
struct Signing(Arc<Mutex<VendorCa>>);

#[derive(Debug)]
struct VendorCa {
    authority: Authority,
    world: World,
    /// Serial numbers, and since when.
    revoked: Vec<(Vec<u8>, u64)>,
}

impl Signing {
    fn get(&self) -> MutexGuard<'_, VendorCa> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuing for Signing {
    fn issue(&mut self, name: &str, request: &[u8]) -> Result<String> {
        let ca = self.get();
        let leaf = ca.authority.sign(request, &[name], ca.validity())?;
        ca.world.ledger.count(Party::Vendor, Act::Signature);
        Ok(leaf + &ca.authority.pem)
    }

    fn revoke(&mut self, chain: &str) -> Result<()> {
        let mut ca = self.get();
        if !chain.ends_with(&ca.authority.pem) {
            return Err("its authority has been renewed, and signs no more lists".into());
        }
        let since = ca.world.now();
        ca.revoked.push((Leaf::read(chain)?.serial, since));
        Ok(())
    }
}

impl VendorCa {
    /// A chain for this name and key.
    fn certify(&self, key: &KeyPair, name: &str) -> Result<(String, Leaf)> {
        let chain = self.authority.certify(key, &[name], self.validity())?;
        let leaf = Leaf::read(&chain)?;
        Ok((chain + &self.authority.pem, leaf))
    }

    /// How long a device's certificate lives: as long as the vendor likes, and not longer than the rules for public
    /// CAs allow, which hold for authorities below their roots too.
    fn validity(&self) -> Validity {
        let days = LIKED_DAYS.min(self.world.certificate_days);
        Validity::days(self.world.now(), days)
    }

    /// Its list, and then that of the root above it.
    fn revocation_list(&self, root: &Authority) -> Result<PathBuf> {
        let file = self.world.folder("vendor-ca")?.join("revoked.crl.pem");
        let now = self.world.now();
        let own = self.authority.list(now, &self.revoked)?.pem()?;
        fs::write(&file, own + &root.list(now, &[])?.pem()?)?;
        Ok(file)
    }
}

const AUTHORITY_DAYS: u64 = 3 * 365;
const LIKED_DAYS: u64 = 90;
const OUTSIDE: &str = "www.bank.example";
