//! Normal certificates: the vendor's service orders one for each device from a public CA, by ACME with dns-01.

use crate::Result;
use crate::acme::client::{ChallengeAnswer, Client, Responder, StarOrder};
use crate::acme::objects::AutoRenewal;
use crate::acme::{AccountKey, Tally};
use crate::dns::Dns;
use crate::leaf::Leaf;
use crate::ledger::Party;
use crate::public_ca::{Changes, PublicCa};
use crate::rows::fleet::Fleet;
use crate::solution::{Identity, Remedy, Solution, Trust};
use crate::vendor::Issuing;
use crate::world::World;

/// The public CA, the vendor's service and its devices.
pub(crate) struct Normal {
    world: World,
    founded: Option<Founded>,
}

struct Founded {
    ca: PublicCa,
    fleet: Fleet,
}

impl Normal {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            founded: None,
        }
    }

    fn founded(&mut self) -> Result<&mut Founded> {
        let founded = self.founded.as_mut();
        founded.ok_or_else(|| "it has to be founded first".into())
    }

    fn fleet(&mut self) -> Result<&mut Fleet> {
        Ok(&mut self.founded()?.fleet)
    }
}

impl Solution for Normal {
    fn found(&mut self) -> Result<()> {
        let dns = Dns::start()?;
        let ca = PublicCa::start(&self.world, "public-ca", &dns, Changes::default())?;
        let account = Account::open(&self.world, &ca, dns)?;
        let fleet = Fleet::found(&self.world, account)?;
        self.founded = Some(Founded { ca, fleet });
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

    fn replace(&mut self, device: usize) -> Result<Identity> {
        self.fleet()?.replace(device)
    }

    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        let Founded { ca, fleet } = self.founded()?;
        fleet.report_theft(device)?;
        Ok(Remedy {
            revocation_list: Some(ca.revocation_list()?),
            // It is the same as for all other sites of the web.
            removal: None,
        })
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        let Founded { ca, fleet } = self.founded()?;
        match (party, reachable) {
            (Party::PublicCa, true) => ca.resume(),
            (Party::PublicCa, false) => {
                ca.stop();
                Ok(())
            }
            (Party::Vendor, _) => fleet.vendor.reach(reachable),
            (Party::Home | Party::User, _) => Ok(()),
        }
    }

    fn trust(&self, _: usize) -> Trust {
        let root = { self.founded.as_ref() }.map(|founded| founded.ca.root().certificate.clone());
        Trust {
            delivered: root.into_iter().collect(),
            ..Trust::default()
        }
    }

    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        self.fleet()?.pose(twin, victim)
    }

    /// A public CA logs all that it signs.
    fn published(&self) -> Vec<String> {
        let names = { self.founded.as_ref() }.map(|founded| founded.ca.names());
        names.and_then(Result::ok).unwrap_or_default()
    }
}

/// A vendor's account at a public CA.
#[derive(Debug)]
pub(crate) struct Account {
    client: Client,
    dns: Dns,
}

impl Account {
    pub(crate) fn open(world: &World, ca: &PublicCa, dns: Dns) -> Result<Self> {
        let tally = Tally::new(&world.ledger, Party::PublicCa);
        let key = AccountKey::generate()?;
        let client = Client::register(&ca.directory(), key, None, tally)?.counting_signatures();
        Ok(Self { client, dns })
    }

    /// What the CA says that it can do.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Orders a certificate that the CA renews by itself until the end of `renewal`.
    pub(crate) fn order_star(
        &mut self,
        name: &str,
        renewal: AutoRenewal,
        request: &[u8],
    ) -> Result<StarOrder> {
        self.with_records(|client, records| client.order_star(&[name], renewal, request, records))
    }

    fn with_records<T>(
        &mut self,
        order: impl FnOnce(&mut Client, &mut Records<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut records = Records {
            dns: &self.dns,
            names: Vec::new(),
        };
        let ordered = order(&mut self.client, &mut records);
        for name in &records.names {
            self.dns.remove_texts(name);
        }
        ordered
    }
}

impl Issuing for Account {
    fn issue(&mut self, name: &str, request: &[u8]) -> Result<String> {
        let ordered = self.with_records(|client, records| client.order(&[name], request, records));
        Ok(ordered?.pem().to_owned())
    }

    fn revoke(&mut self, chain: &str) -> Result<()> {
        let leaf = Leaf::read(chain)?;
        self.client.revoke(&leaf.der.into(), KEY_COMPROMISE)
    }
}

/// The answers to challenges in the vendor's zone.
struct Records<'a> {
    dns: &'a Dns,
    names: Vec<String>,
}

impl Responder for Records<'_> {
    fn kind(&self) -> &'static str {
        "dns-01"
    }

    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()> {
        self.dns.add_text(&answer.place, &answer.content);
        self.names.push(answer.place.clone());
        Ok(())
    }
}

/// RFC 5280 §5.3.1.
const KEY_COMPROMISE: u8 = 1;
