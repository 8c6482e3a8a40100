use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use rcgen::KeyPair;

use super::*;
use crate::acme::authority::{Authority, Plan};
use crate::acme::client::{ChallengeAnswer, fetch_star};
use crate::acme::objects::{AutoRenewal, to_date};
use crate::acme::{AccountKey, Tally};
use crate::ca;
use crate::dns::Dns;
use crate::ledger::Party;
use crate::world::World;

const DAY: u64 = 86_400;
const MINE: &str = "a.cpe.example.com";
const OTHER: &str = "b.cpe.example.com";

struct Zone(Dns);

impl Responder for Zone {
    fn kind(&self) -> &'static str {
        "dns-01"
    }

    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()> {
        self.0.add_text(&answer.place, &answer.content);
        Ok(())
    }
}

struct Scene {
    world: World,
    ca: Server<Authority>,
    owner: Server<Owner>,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path(), Path::new("none"), 47).unwrap();
        let [_, issuing] = ca::Authority::public(folder.path(), world.now()).unwrap();
        let dns = Dns::start().unwrap();
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, dns.port()));
        let ca = Authority::start(Plan {
            issuing,
            clock: world.clock.clone(),
            tally: Tally::new(&world.ledger, Party::PublicCa),
            days: 47,
            dns: server,
        })
        .unwrap();
        let tally = Tally::new(&world.ledger, Party::PublicCa);
        let key = AccountKey::generate().unwrap();
        let account = Client::register(&ca.directory(), key, None, tally).unwrap();
        let owner = Owner::start(account, Box::new(Zone(dns))).unwrap();
        Self {
            world,
            ca,
            owner,
            _folder: folder,
        }
    }

    /// A device that may have this name, and its account.
    fn device(&self, kid: &str, name: &str) -> Client {
        let binding = self.owner.service().admit(kid).unwrap();
        { self.owner.service().delegate(kid, Template::server(name)) }.unwrap();
        let key = AccountKey::generate().unwrap();
        let tally = Tally::new(&self.world.ledger, Party::Vendor);
        Client::register(&self.owner.directory(), key, Some(&binding), tally).unwrap()
    }

    fn renewal(&self) -> AutoRenewal {
        AutoRenewal {
            end_date: to_date(self.world.now() + 100 * DAY),
            lifetime: 4 * DAY,
            lifetime_adjust: 3 * DAY,
            allow_certificate_get: true,
            ..AutoRenewal::default()
        }
    }

    fn order(&self, device: &mut Client, name: &str, csr: &[u8]) -> Result<StarOrder> {
        let delegation = device.delegations()?.remove(0);
        device.order_delegated(&delegation, &[name], self.renewal(), csr)
    }

    fn tally(&self) -> Tally {
        Tally::new(&self.world.ledger, Party::PublicCa)
    }
}

fn csr(name: &str) -> Vec<u8> {
    Template::server(name)
        .fill(&KeyPair::generate().unwrap())
        .unwrap()
}

fn problem<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    match error.downcast::<Problem>() {
        Ok(problem) => problem.name().to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_device_gets_what_the_ca_renews_and_does_not_need_the_owner_again() {
    let scene = Scene::new();
    let mut device = scene.device("one", MINE);
    assert!(device.directory().meta.delegation_enabled);
    let star = scene.order(&mut device, MINE, &csr(MINE)).unwrap();
    scene.owner.reach(false);
    device.delegations().unwrap_err();
    let first = fetch_star(&star.certificate_url, &scene.tally()).unwrap();
    scene
        .world
        .clock
        .advance_to(scene.world.now() + 3 * DAY)
        .unwrap();
    let second = fetch_star(&star.certificate_url, &scene.tally()).unwrap();
    assert_ne!(first, second);
    assert_eq!(scene.ca.service().names(), [MINE]);
}

#[test]
fn refuses_anothers_name_in_the_order_and_in_the_csr() {
    let scene = Scene::new();
    let mut twin = scene.device("one", MINE);
    let mut victim = scene.device("two", OTHER);
    scene.order(&mut victim, OTHER, &csr(OTHER)).unwrap();
    let asked = scene.order(&mut twin, OTHER, &csr(OTHER));
    assert_eq!(problem(asked), "rejectedIdentifier");
    let asked = scene.order(&mut twin, MINE, &csr(OTHER));
    assert_eq!(problem(asked), "rejectedIdentifier");
    let delegation = victim.delegations().unwrap().remove(0);
    let asked = twin.order_delegated(&delegation, &[OTHER], scene.renewal(), &csr(OTHER));
    assert_eq!(problem(asked), "unknownDelegation");
    assert_eq!(problem(twin.delegation(&delegation)), "unknownDelegation");
    assert_eq!(scene.ca.service().names(), [OTHER]);
}

#[test]
fn refuses_a_key_that_the_template_does_not_have() {
    let scene = Scene::new();
    let mut device = scene.device("one", MINE);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let asked = scene.order(
        &mut device,
        MINE,
        &Template::server(MINE).fill(&key).unwrap(),
    );
    assert_eq!(problem(asked), "badCSR");
    assert!(scene.ca.service().names().is_empty());
}

#[test]
fn refuses_accounts_that_it_has_admitted_nobody_for() {
    let scene = Scene::new();
    let register = |binding: Option<&BindingKey>| {
        let key = AccountKey::generate().unwrap();
        Client::register(&scene.owner.directory(), key, binding, scene.tally())
    };
    assert_eq!(problem(register(None)), "externalAccountRequired");
    let stranger = BindingKey {
        kid: "three".into(),
        secret: vec![0; 32],
    };
    assert_eq!(problem(register(Some(&stranger))), "unauthorized");
}

#[test]
fn refuses_orders_that_are_not_renewed_or_that_the_device_could_not_fetch() {
    let scene = Scene::new();
    let mut device = scene.device("one", MINE);
    let delegation = device.delegations().unwrap().remove(0);
    let renewal = AutoRenewal {
        allow_certificate_get: false,
        ..scene.renewal()
    };
    let asked = device.order_delegated(&delegation, &[MINE], renewal, &csr(MINE));
    assert_eq!(problem(asked), "malformed");
    // What the CA refuses comes back to the device.
    let renewal = AutoRenewal {
        lifetime: 60,
        lifetime_adjust: 0,
        ..scene.renewal()
    };
    let asked = device.order_delegated(&delegation, &[MINE], renewal, &csr(MINE));
    assert_eq!(problem(asked), "malformed");
}

#[test]
fn whoever_is_ended_gets_nothing_more_from_either() {
    let scene = Scene::new();
    let mut device = scene.device("one", MINE);
    let star = scene.order(&mut device, MINE, &csr(MINE)).unwrap();
    fetch_star(&star.certificate_url, &scene.tally()).unwrap();
    let delegation = device.delegations().unwrap().remove(0);
    scene.ca.reach(false);
    scene.owner.service().end("one").unwrap_err();
    scene.ca.reach(true);
    scene.owner.service().end("one").unwrap();
    let fetched = fetch_star(&star.certificate_url, &scene.tally());
    assert_eq!(problem(fetched), "autoRenewalCanceled");
    assert!(device.delegations().unwrap().is_empty());
    let asked = device.order_delegated(&delegation, &[MINE], scene.renewal(), &csr(MINE));
    assert_eq!(problem(asked), "unknownDelegation");
}
