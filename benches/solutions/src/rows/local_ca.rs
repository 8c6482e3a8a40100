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

    /// Another device of the same home, the disk, asks the CA for the name of the one that is looked at.
    ///
    /// Fails with the CA's words if it gets nothing.
    #[cfg(test)]
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

    /// A certificate that the root's key signs, for any name at all.
    fn misuse_root(&mut self, device: usize, name: &str) -> Result<Identity> {
        let key = self.factory.make()?;
        let home = self.home(device)?;
        let certificate = home.ca.certify_itself(name, &key.pair)?;
        let ends = self.factory.world.now() + LIFETIME;
        identity(&key, name, &certificate, ends)
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
        self.misuse_root(twin, &name)
    }

    /// A router's thief has the root's key.
    fn forge(&mut self, device: usize, name: &str) -> Result<Option<Identity>> {
        match self.thing {
            Thing::Router => self.misuse_root(device, name).map(Some),
            Thing::Printer => Ok(None),
        }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use der::Decode as _;
    use pki_types::pem::PemObject as _;
    use x509_cert::Certificate;
    use x509_cert::crl::CertificateList;
    use x509_cert::ext::pkix::NameConstraints;

    use super::*;
    use crate::ledger::Phase;
    use crate::rows::device_key::DAY;
    use crate::rows::lab::{Lab, certificates, chain};

    const OWN: Limits = Limits::OwnZone;

    fn printer(lab: &Lab) -> LocalCa {
        LocalCa::new(&lab.world, Thing::Printer, OWN)
    }

    #[test]
    fn the_root_has_a_critical_constraint_to_its_home() {
        let lab = Lab::new();
        let mut row = printer(&lab);
        let device = row.enrol(0).unwrap();
        let root = certificates(&row.trust(0).imported[0]).remove(0);
        let root = Certificate::from_der(&root).unwrap();
        let found = root.tbs_certificate().get_extension::<NameConstraints>();
        let (critical, constraints) = found.unwrap().unwrap();
        assert!(critical);
        let zone = device.name.strip_prefix("printer.").unwrap();
        let permitted = format!("{:?}", constraints.permitted_subtrees.unwrap());
        assert!(permitted.contains(zone), "{permitted}");
        lab.verify(&device, &row.trust(0), None).unwrap();
        assert_eq!(lab.steps(Phase::FirstIssue), 2);
        let requests = |act| lab.count(Party::Home, Phase::FirstIssue, act);
        assert_eq!([requests(Act::Request), requests(Act::Signature)], [1, 1]);
    }

    #[test]
    fn a_thief_of_the_router_is_everybody_only_without_the_constraint() {
        let lab = Lab::new();
        for (limits, gets_in) in [(OWN, false), (Limits::Unconstrained, true)] {
            let mut row = LocalCa::new(&lab.world, Thing::Router, limits);
            let device = row.enrol(0).unwrap();
            lab.verify(&device, &row.trust(0), None).unwrap();
            let bank = row.forge(0, "bank.example").unwrap().unwrap();
            let verdict = lab.verify(&bank, &row.trust(0), None);
            assert_eq!(verdict.is_ok(), gets_in, "{limits:?}: {verdict:?}");
        }
    }

    #[test]
    fn a_twin_from_another_home_is_not_trusted_and_a_neighbour_gets_no_certificate() {
        let lab = Lab::new();
        let mut row = printer(&lab);
        row.enrol(0).unwrap();
        row.enrol(1).unwrap();
        let twin = row.pose(1, 0).unwrap();
        let error = lab.verify(&twin, &row.trust(0), None).unwrap_err();
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        let said = row.pose_at_home(0).unwrap_err().to_string();
        assert!(said.contains("belongs to another key"), "{said}");
    }

    #[test]
    fn devices_renew_each_week_while_their_router_answers() {
        let lab = Lab::new();
        let mut row = printer(&lab);
        let first = row.enrol(0).unwrap();
        row.reach(Party::Home, false).unwrap();
        lab.world.clock.advance_to(row.due(0).unwrap()).unwrap();
        let said = row.renew(0).unwrap_err().to_string();
        assert!(said.contains("the home's CA does not answer"), "{said}");
        lab.verify(&first, &row.trust(0), None).unwrap();
        lab.world
            .clock
            .advance_to(lab.world.now() + 7 * DAY)
            .unwrap();
        lab.verify(&first, &row.trust(0), None).unwrap_err();
        row.reach(Party::Home, true).unwrap();
        let next = row.renew(0).unwrap();
        lab.verify(&next, &row.trust(0), None).unwrap();
    }

    #[test]
    fn a_stolen_printer_is_on_the_list_and_gets_nothing_more() {
        let lab = Lab::new();
        let mut row = printer(&lab);
        let stolen = row.enrol(0).unwrap();
        let remedy = row.report_theft(0).unwrap();
        let list = remedy.revocation_list.unwrap();
        lab.verify(&stolen, &row.trust(0), None).unwrap();
        let error = lab.verify(&stolen, &row.trust(0), Some(&list)).unwrap_err();
        assert!(error.to_string().contains("Revoked"), "{error}");
        assert!(
            row.renew(0)
                .unwrap_err()
                .to_string()
                .contains("not approved")
        );

        let stolen_serial = certificates(chain(&stolen)).remove(0);
        let stolen_serial = Certificate::from_der(&stolen_serial).unwrap();
        let port = row.home(0).unwrap().ca.port();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let served = http::ask(stream, "router", "GET", "/crl", b"").unwrap();
        let served = served.success().unwrap();
        let served = CertificateList::from_der(&served).unwrap();
        let revoked = served.tbs_cert_list.revoked_certificates.unwrap();
        let serial = stolen_serial.tbs_certificate().serial_number();
        assert_eq!(&revoked[0].serial_number, serial);

        let new = row.replace(0).unwrap();
        assert_eq!(new.name, stolen.name);
        lab.verify(&new, &row.trust(0), Some(&list)).unwrap();
    }

    #[test]
    fn a_new_router_is_a_new_root_in_every_client() {
        let lab = Lab::new();
        let mut row = LocalCa::new(&lab.world, Thing::Router, OWN);
        let stolen = row.enrol(0).unwrap();
        let before = row.trust(0);
        assert!(row.report_theft(0).unwrap().revocation_list.is_none());
        lab.world.ledger.enter(Phase::Replacement);
        let new = row.replace(0).unwrap();
        assert_eq!(new.name, stolen.name);
        lab.verify(&new, &row.trust(0), None).unwrap();
        lab.verify(&new, &before, None).unwrap_err();
        lab.verify(&stolen, &row.trust(0), None).unwrap_err();
        assert_eq!(lab.steps(Phase::Replacement), 4);
        let key = fs::read(crate::rows::lab::key(&new)).unwrap();
        pki_types::PrivateKeyDer::from_pem_slice(&key).unwrap();
    }
}
