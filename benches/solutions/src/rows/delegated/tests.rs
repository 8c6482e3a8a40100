//! The row, with the real signer, agents and clocks.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use dc_rustls::client::{self, NamePolicy};
use dc_rustls::server::{Acceptor, Identity as Served, Settings, Store};
use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use tempfile::TempDir;

use super::*;
use crate::ledger::Phase;
use crate::setup;
use crate::solution::Proof;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

struct Home {
    _folder: TempDir,
    world: World,
    row: Delegated,
}

fn home(make: fn(&World) -> Result<Delegated>) -> Home {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), &setup::virtual_clock().unwrap(), 47).unwrap();
    let mut row = make(&world).unwrap().under_own_root().unwrap();
    row.found().unwrap();
    Home {
        _folder: folder,
        world,
        row,
    }
}

impl Home {
    fn enter(&self, phase: Phase) {
        self.world.ledger.enter(phase);
    }

    fn requests(&self, party: Party, phase: Phase) -> u64 {
        self.world.ledger.get(party, phase, Act::Request)
    }

    fn signatures(&self, party: Party, phase: Phase) -> u64 {
        self.world.ledger.get(party, phase, Act::Signature)
    }

    fn pass(&self, seconds: u64) {
        let later = self.world.now() + seconds;
        self.world.clock.advance_to(later).unwrap();
    }

    fn advance_to_due(&self, device: usize) {
        let due = self.row.due(device).unwrap();
        self.world.clock.advance_to(due).unwrap();
    }

    /// Lets time pass, and does everything when it is due. Whatever fails is tried again when the row says so.
    fn live(&mut self, seconds: u64, devices: &[usize]) {
        let end = self.world.now() + seconds;
        loop {
            let renewal = devices
                .iter()
                .map(|it| (self.row.due(*it), What::Renew(*it)));
            let news = devices
                .iter()
                .map(|it| (self.row.news_due(*it), What::Ask(*it)));
            let fleet = std::iter::once((self.row.fleet_due(), What::Order));
            let next = renewal.chain(news).chain(fleet);
            let next = next.filter_map(|(at, what)| Some((at?, what)));
            let (at, what) = next.min_by_key(|(at, _)| *at).unwrap();
            if at > end {
                break;
            }
            self.world.clock.advance_to(at).unwrap();
            let now = self.world.now();
            match what {
                What::Renew(device) => {
                    self.enter(Phase::Renewal);
                    if let Err(error) = self.row.renew(device) {
                        eprintln!("{device}: {error}");
                    }
                    assert!(self.row.due(device).unwrap() > now);
                }
                What::Ask(device) => {
                    self.enter(Phase::News);
                    self.row.ask_for_news(device).unwrap();
                    assert!(self.row.news_due(device).is_none_or(|next| next > now));
                }
                What::Order => {
                    self.enter(Phase::Fleet);
                    if let Err(error) = self.row.renew_fleet() {
                        eprintln!("{error}");
                    }
                }
            }
        }
        self.world.clock.advance_to(end).unwrap();
    }

    /// What a client makes of a device that serves this: its unique name, if it has been told one.
    fn visit(&self, identity: &Identity, policy: NamePolicy) -> Result<Option<String>> {
        let Proof::Credential { folder } = &identity.proof else {
            panic!("{identity:?}")
        };
        let provider = Arc::new(default_provider());
        let settings = Settings::new(provider.clone()).time_provider(self.world.clock.clone());
        let store = Store::with_settings(settings);
        store.install(Served::load(folder)?)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let server = thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            if let Ok(mut tls) = Acceptor::new(store).accept(tcp) {
                let _ = tls.write_all(b"hello");
            }
        });
        let mut roots = RootCertStore::empty();
        for root in self.row.trust(0).delivered {
            roots.add(CertificateDer::from_pem_file(root)?)?;
        }
        let config = client::Config::builder(provider)
            .roots(roots)
            .unique_name(policy)
            .time_provider(self.world.clock.clone())
            .build()?;
        let tcp = TcpStream::connect(address)?;
        let connected = config.connect(identity.name.clone().try_into()?, tcp);
        let seen = connected.map(|mut stream| {
            stream.read_exact(&mut [0; 5]).unwrap();
            stream.peer().clone()
        });
        server.join().unwrap();
        match seen? {
            client::Peer::Delegated { unique_name, .. } => {
                Ok(unique_name.map(|name| name.to_string()))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Clone, Copy)]
enum What {
    Renew(usize),
    Ask(usize),
    Order,
}

#[test]
fn a_device_lives_for_months_while_its_vendor_gets_new_certificates() {
    for (make, policy) in [
        (Delegated::named as fn(&World) -> _, NamePolicy::Required),
        (Delegated::rfc9345, NamePolicy::Ignored),
    ] {
        let mut home = home(make);
        home.enter(Phase::FirstIssue);
        let first = home.row.enrol(0).unwrap();
        let chain = |home: &Home| {
            fs::read(
                home.row
                    .slot(0)
                    .unwrap()
                    .device
                    .folder
                    .join("identity/current/chain.pem"),
            )
            .unwrap()
        };
        let first_chain = chain(&home);
        assert_eq!(home.requests(Party::Vendor, Phase::FirstIssue), 1);
        assert_eq!(home.requests(Party::User, Phase::FirstIssue), 1);
        home.live(100 * DAY, &[0]);
        let last = home.row.slot(0).unwrap().device.identity().unwrap();
        assert_eq!(last.name, first.name);
        let seen = home.visit(&last, policy).unwrap();
        assert_eq!(seen, (policy == NamePolicy::Required).then_some(first.name));
        // Of 47 days each, ordered at two thirds.
        assert_eq!(home.signatures(Party::PublicCa, Phase::Fleet), 4);
        assert!(chain(&home) != first_chain);
        // A renewal each 66 to 90 hours, and a question for news each 10 to 14.
        let renewals = home.signatures(Party::Vendor, Phase::Renewal);
        assert!((26..=37).contains(&renewals), "{renewals}");
        let news = home.requests(Party::Vendor, Phase::News);
        assert!((171..=241).contains(&news), "{news}");
    }
}

#[test]
#[ignore = "a measurement: three devices for a year"]
fn a_year_of_three_devices() {
    let mut home = home(Delegated::named);
    let began = std::time::Instant::now();
    home.enter(Phase::FirstIssue);
    for device in 0..3 {
        home.row.enrol(device).unwrap();
    }
    let enrolled = began.elapsed();
    home.live(365 * DAY, &[0, 1, 2]);
    println!("{enrolled:?} to enrol, {:?} in all", began.elapsed());
    for phase in [Phase::Fleet, Phase::FirstIssue, Phase::Renewal] {
        for party in [Party::PublicCa, Party::Vendor, Party::User] {
            let (requests, signatures) =
                (home.requests(party, phase), home.signatures(party, phase));
            println!("{phase:?} {party:?}: {requests} requests, {signatures} signatures");
        }
    }
}

#[test]
fn a_device_lives_without_its_vendor_until_its_credential_ends() {
    let mut home = home(Delegated::named);
    let identity = home.row.enrol(0).unwrap();
    let ends = identity.ends.unwrap();
    let left = ends - home.row.due(0).unwrap();
    // 164 hours, less 40 to 55 % of them.
    assert!((73 * HOUR..=99 * HOUR).contains(&left), "{left}");
    home.advance_to_due(0);
    home.row.reach(Party::Vendor, false).unwrap();
    let error = home.row.renew(0).unwrap_err().to_string();
    assert!(error.contains("signer"), "{error}");
    assert!(home.row.due(0).unwrap() > home.world.now());
    // The server sends no credential in its last five minutes.
    home.world.clock.advance_to(ends - 6 * 60).unwrap();
    home.visit(&identity, NamePolicy::Required).unwrap();
    home.world.clock.advance_to(ends + 1).unwrap();
    home.visit(&identity, NamePolicy::Required).unwrap_err();
    home.row.renew(0).unwrap_err();
    home.row.reach(Party::Vendor, true).unwrap();
    home.advance_to_due(0);
    let identity = home.row.renew(0).unwrap();
    home.visit(&identity, NamePolicy::Required).unwrap();
}

#[test]
fn devices_renew_while_the_public_ca_is_away_and_its_certificate_lasts() {
    let mut home = home(Delegated::named);
    home.row.enrol(0).unwrap();
    home.row.reach(Party::PublicCa, false).unwrap();
    let ordered = home.signatures(Party::PublicCa, Phase::Fleet);
    home.live(38 * DAY, &[0]);
    let identity = home.row.slot(0).unwrap().device.identity().unwrap();
    home.visit(&identity, NamePolicy::Required).unwrap();
    // Nothing is issued under a certificate with less than eight days left.
    home.pass(9 * DAY);
    let error = home.row.renew(0).unwrap_err().to_string();
    assert!(error.contains("too early to issue under it"), "{error}");
    home.visit(&identity, NamePolicy::Required).unwrap_err();
    assert_eq!(home.signatures(Party::PublicCa, Phase::Fleet), ordered);
    home.row.reach(Party::PublicCa, true).unwrap();
    home.row.renew_fleet().unwrap();
    home.advance_to_due(0);
    let identity = home.row.renew(0).unwrap();
    home.visit(&identity, NamePolicy::Required).unwrap();
}

/// Copies a folder as a thief does who has the box for a minute.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_thief_serves_until_the_credential_ends_and_renews_only_until_the_theft_is_reported() {
    let mut home = home(Delegated::named);
    let stolen = home.row.enrol(0).unwrap();
    let (folder, id) = {
        let device = &home.row.slot(0).unwrap().device;
        (device.folder.clone(), device.id.clone())
    };
    let copied = folder.with_file_name("thief");
    copy(&folder, &copied);
    let mut thief = Device::boot(&home.world, copied, &id).unwrap();
    // Both have the enrolment key, and nobody has said anything.
    home.advance_to_due(0);
    home.row.signer.catch_up().unwrap();
    let theirs = thief.turn().unwrap();
    assert_eq!(theirs.name, stolen.name);
    home.enter(Phase::Theft);
    let remedy = home.row.report_theft(0).unwrap();
    assert!(remedy.revocation_list.is_none() && remedy.removal.is_none());
    assert_eq!(home.requests(Party::User, Phase::Theft), 1);
    home.pass(DAY);
    home.visit(&theirs, NamePolicy::Required).unwrap();
    home.world.clock.advance_to(thief.due().unwrap()).unwrap();
    home.row.signer.catch_up().unwrap();
    let error = thief.turn().unwrap_err().to_string();
    assert!(error.contains("suspended"), "{error}");
    let error = home.row.renew(0).unwrap_err().to_string();
    assert!(error.contains("suspended"), "{error}");
    home.world
        .clock
        .advance_to(theirs.ends.unwrap() + 1)
        .unwrap();
    home.visit(&theirs, NamePolicy::Required).unwrap_err();
    // The owner goes on under another name.
    let new = home.row.replace(0).unwrap();
    assert!(new.name != stolen.name);
    home.visit(&new, NamePolicy::Required).unwrap();
}

#[test]
fn a_replaced_box_gets_nothing_more_and_the_new_one_has_its_name() {
    let mut home = home(Delegated::named);
    let old = home.row.enrol(0).unwrap();
    let mut box_before = {
        let device = &home.row.slot(0).unwrap().device;
        let folder = device.folder.with_file_name("before");
        copy(&device.folder, &folder);
        Device::boot(&home.world, folder, &device.id).unwrap()
    };
    home.enter(Phase::Replacement);
    let new = home.row.replace(0).unwrap();
    assert_eq!(new.name, old.name);
    assert_eq!(home.requests(Party::User, Phase::Replacement), 2);
    assert_eq!(home.requests(Party::Vendor, Phase::Replacement), 1);
    assert_eq!(home.requests(Party::PublicCa, Phase::Replacement), 0);
    home.visit(&new, NamePolicy::Required).unwrap();
    home.pass(100 * HOUR);
    home.row.signer.catch_up().unwrap();
    box_before.turn().unwrap_err();
    home.row.renew(0).unwrap();
}

#[test]
fn a_twin_gets_in_with_the_form_of_rfc_9345_alone() {
    for (make, policy, is_named) in [
        (
            Delegated::named as fn(&World) -> _,
            NamePolicy::Required,
            true,
        ),
        (Delegated::rfc9345, NamePolicy::Ignored, false),
    ] {
        let mut home = home(make);
        let [twin, victim] = [0, 1].map(|device| home.row.enrol(device).unwrap());
        assert!(twin.name != victim.name);
        home.visit(&twin, policy).unwrap();
        let posing = home.row.pose(0, 1).unwrap();
        assert_eq!(posing.name, victim.name);
        let visited = home.visit(&posing, policy);
        match is_named {
            true => assert!(visited.is_err(), "{visited:?}"),
            false => assert_eq!(visited.unwrap(), None),
        }
        assert_eq!(home.row.published(), ["*.cpe.example.com"]);
    }
}

#[test]
fn an_acme_server_signs_the_delegation_certificates() {
    if !apparatus::have(apparatus::Part::Solutions) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), &setup::virtual_clock().unwrap(), 47).unwrap();
    let mut row = Delegated::named(&world).unwrap();
    row.found().unwrap();
    let mut home = Home {
        _folder: folder,
        world,
        row,
    };
    home.row.enrol(0).unwrap();
    let first = home.requests(Party::PublicCa, Phase::Fleet);
    home.row.reach(Party::PublicCa, false).unwrap();
    home.row.renew_fleet().unwrap_err();
    home.row.reach(Party::PublicCa, true).unwrap();
    home.live(45 * DAY, &[0]);
    assert_eq!(home.signatures(Party::PublicCa, Phase::Fleet), 3);
    // An account, and then some requests for each order.
    let later = home.requests(Party::PublicCa, Phase::Fleet) - first;
    assert!((1..first).contains(&(later / 2)), "{first} and {later}");
    println!("{first} requests for account and order, {later} for two orders");
    let identity = home.row.slot(0).unwrap().device.identity().unwrap();
    home.visit(&identity, NamePolicy::Required).unwrap();
}
