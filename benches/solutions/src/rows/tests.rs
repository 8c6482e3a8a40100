//! Facts of the solutions in which a vendor's service gets certificates for its devices.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apparatus::Part;
use der::Decode as _;
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use tempfile::TempDir;
use x509_cert::Certificate;

use super::acme_delegated::AcmeDelegated;
use super::home_ca::Limits;
use super::local_ca::{LocalCa, Thing};
use super::name_constraints::NameConstraints;
use super::normal::Normal;
use super::self_signed::SelfSigned;
use crate::clients::{self, Outcome, Visit};
use crate::ledger::{Act, Party, Phase};
use crate::rows::lab::{certificates, chain};
use crate::setup;
use crate::solution::{Identity, Proof, Remedy, Solution, serve};
use crate::world::World;

/// The folder goes when this is dropped.
struct Lab {
    world: World,
    _folder: TempDir,
}

fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let library = setup::virtual_clock().unwrap();
    Lab {
        world: World::new(folder.path(), &library, DAYS).unwrap(),
        _folder: folder,
    }
}

/// What a client says that trusts what it is delivered with, and loads a list if there is one.
fn verdict(
    solution: &dyn Solution,
    world: &World,
    identity: &Identity,
    remedy: &Remedy,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for root in solution.trust(0).delivered {
        roots
            .add(CertificateDer::from_pem_file(root).unwrap())
            .unwrap();
    }
    let lists = { remedy.revocation_list.iter() }.flat_map(|file| {
        CertificateRevocationListDer::pem_file_iter(file)
            .unwrap()
            .map(Result::unwrap)
    });
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .only_check_end_entity_revocation()
        .enforce_revocation_expiration()
        .build()
        .unwrap();
    let Proof::Certificate { chain, .. } = &identity.proof else {
        panic!("{identity:?}");
    };
    let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_file_iter(chain)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let (leaf, rest) = chain.split_first().unwrap();
    let name = ServerName::try_from(identity.name.as_str()).unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(world.now()));
    let verified = verifier.verify_server_cert(leaf, rest, &name, &[], now);
    verified.map(drop).map_err(|error| error.to_string())
}

fn each(check: impl Fn(&mut dyn Solution, &World)) {
    if !apparatus::have(Part::Solutions) {
        return;
    }
    let normal = lab();
    check(&mut Normal::new(normal.world.clone()), &normal.world);
    let constrained = lab();
    check(
        &mut NameConstraints::new(constrained.world.clone()),
        &constrained.world,
    );
}

#[test]
fn a_device_is_accepted_all_year_and_renews_by_itself() {
    each(|solution, world| {
        solution.found().unwrap();
        world.ledger.enter(Phase::FirstIssue);
        let mut identity = solution.enrol(1).unwrap();
        world.ledger.enter(Phase::Renewal);
        let end = world.now() + 365 * DAY;
        let mut renewals = 0;
        while let Some(due) = solution.due(1).filter(|due| *due < end) {
            world.clock.advance_to(due).unwrap();
            identity = solution.renew(1).unwrap();
            assert_eq!(
                verdict(solution, world, &identity, &Remedy::default()),
                Ok(())
            );
            renewals += 1;
        }
        // Two thirds of 47 days are 31.3.
        assert_eq!(renewals, 11);
        let count = |phase, act| world.ledger.get(Party::Vendor, phase, act);
        assert_eq!(count(Phase::FirstIssue, Act::Request), 1);
        assert_eq!(count(Phase::Renewal, Act::Request), renewals);
        let signed = |party| world.ledger.get(party, Phase::Renewal, Act::Signature);
        assert_eq!(signed(Party::PublicCa) + signed(Party::Vendor), renewals);
        world.clock.advance_to(identity.ends.unwrap() + 1).unwrap();
        let expired = verdict(solution, world, &identity, &Remedy::default()).unwrap_err();
        assert!(expired.contains("expired"), "{expired}");
    });
}

#[test]
fn a_stolen_device_is_on_the_list_and_gets_nothing_more() {
    each(|solution, world| {
        solution.found().unwrap();
        let kept = solution.enrol(1).unwrap();
        let stolen = solution.enrol(2).unwrap();
        world.clock.advance_to(world.now() + 10 * DAY).unwrap();
        let remedy = solution.report_theft(2).unwrap();
        assert_eq!(
            verdict(solution, world, &stolen, &Remedy::default()),
            Ok(())
        );
        let revoked = verdict(solution, world, &stolen, &remedy).unwrap_err();
        assert!(revoked.contains("Revoked"), "{revoked}");
        assert_eq!(verdict(solution, world, &kept, &remedy), Ok(()));
        let refused = solution.renew(2).unwrap_err().to_string();
        assert!(refused.contains("nobody's secret"), "{refused}");
    });
}

#[test]
fn a_twin_cannot_have_the_name_of_its_victim() {
    each(|solution, world| {
        solution.found().unwrap();
        let victim = solution.enrol(1).unwrap();
        let own = solution.enrol(2).unwrap();
        let posed = solution.pose(2, 1).unwrap();
        assert_eq!(posed.name, victim.name);
        let refused = verdict(solution, world, &posed, &Remedy::default()).unwrap_err();
        assert!(refused.contains("not valid for name"), "{refused}");
        let mut names = [victim.name, own.name];
        names.sort();
        let mut published = solution.published();
        published.sort();
        assert_eq!(published, names);
    });
}

#[test]
fn a_new_device_has_the_old_name_and_the_old_one_gets_nothing_more() {
    each(|solution, world| {
        solution.found().unwrap();
        let old = solution.enrol(1).unwrap();
        world.ledger.enter(Phase::Replacement);
        let new = solution.replace(1).unwrap();
        assert_eq!(new.name, old.name);
        assert_eq!(verdict(solution, world, &new, &Remedy::default()), Ok(()));
        let count = |party| world.ledger.get(party, Phase::Replacement, Act::Request);
        assert_eq!((count(Party::User), count(Party::Vendor)), (1, 2));
        solution.renew(1).unwrap();
    });
}

#[test]
fn an_outage_of_the_vendor_stops_renewal_and_its_end_resumes_it() {
    each(|solution, _| {
        solution.found().unwrap();
        solution.enrol(1).unwrap();
        solution.reach(Party::Vendor, false).unwrap();
        let down = solution.renew(1).unwrap_err().to_string();
        assert!(down.contains("the vendor's service at"), "{down}");
        solution.reach(Party::Vendor, true).unwrap();
        solution.renew(1).unwrap();
    });
}

#[test]
fn an_outage_of_the_public_ca_stops_renewal_of_normal_certificates() {
    if !apparatus::have(Part::Solutions) {
        return;
    }
    let lab = lab();
    let mut solution = Normal::new(lab.world.clone());
    solution.found().unwrap();
    solution.enrol(1).unwrap();
    solution.reach(Party::PublicCa, false).unwrap();
    let down = solution.renew(1).unwrap_err().to_string();
    assert!(down.contains("503"), "{down}");
    solution.reach(Party::PublicCa, true).unwrap();
    solution.renew(1).unwrap();
}

#[test]
fn with_name_constraints_the_public_ca_is_needed_every_two_years_only() {
    let lab = lab();
    let mut solution = NameConstraints::new(lab.world.clone());
    solution.found().unwrap();
    solution.reach(Party::PublicCa, false).unwrap();
    solution.enrol(1).unwrap();
    let due = solution.fleet_due().unwrap();
    assert_eq!((due - lab.world.now()).div_ceil(DAY), 730);
    lab.world.clock.advance_to(due).unwrap();
    assert!(solution.renew_fleet().is_err());
    solution.reach(Party::PublicCa, true).unwrap();
    solution.renew_fleet().unwrap();
    let identity = solution.renew(1).unwrap();
    assert_eq!(
        verdict(&solution, &lab.world, &identity, &Remedy::default()),
        Ok(())
    );
    assert_eq!(
        lab.world
            .ledger
            .get(Party::PublicCa, Phase::Fleet, Act::Signature),
        2
    );
}

/// Of a certificate: the kinds of its subject, and its extensions with whether they are critical and how long they are.
fn shape(certificate: &CertificateDer<'_>) -> (Vec<String>, Vec<(String, bool, usize)>) {
    let certificate = Certificate::from_der(certificate).unwrap();
    let tbs = certificate.tbs_certificate();
    let kinds = tbs.subject().iter().map(|kind| kind.oid.to_string());
    let extensions = { tbs.extensions().into_iter().flatten() }.map(|extension| {
        let length = extension.extn_value.as_bytes().len();
        (extension.extn_id.to_string(), extension.critical, length)
    });
    let mut extensions: Vec<_> = extensions.collect();
    extensions.sort();
    (kinds.collect(), extensions)
}

/// The table compares how many bytes solutions send, so whoever signs has to write the same.
#[test]
fn certificates_differ_in_nothing_but_what_solutions_change() {
    if !apparatus::have(Part::Solutions) {
        return;
    }
    let first = |solution: &mut dyn Solution| {
        solution.found().unwrap();
        certificates(chain(&solution.enrol(1).unwrap()))
    };
    let [one, two, three, four, five] = [(); 5].map(|()| lab());
    let normal = first(&mut Normal::new(one.world.clone()));
    let constrained = first(&mut NameConstraints::new(two.world.clone()));
    let delegated = first(&mut AcmeDelegated::new(&three.world));
    let [server, issuer] = &normal[..] else {
        panic!("{} certificates", normal.len());
    };
    assert_eq!(shape(server).1.len(), 6);
    for other in [&constrained, &delegated] {
        assert_eq!(other.len(), 2);
        assert_eq!(shape(&other[0]), shape(server));
        // Serial numbers and signatures begin with a zero or not.
        assert!(other[0].len().abs_diff(server.len()) <= 8);
    }
    assert_eq!(shape(&delegated[1]), shape(issuer));
    let [usual, more] = [issuer, &constrained[1]].map(|issuer| shape(issuer).1);
    assert!(usual.iter().all(|extension| more.contains(extension)));
    // What it is for, and the name constraints.
    assert_eq!(more.len(), usual.len() + 2);

    // Names in homes are shorter, and nobody is above who certifies itself.
    let kinds = |certificate| {
        let extensions = shape(certificate).1.into_iter();
        extensions.map(|(kind, critical, _)| (kind, critical))
    };
    let home = first(&mut LocalCa::new(
        &four.world,
        Thing::Printer,
        Limits::OwnZone,
    ));
    assert!(kinds(&home[0]).eq(kinds(server)));
    let alone = first(&mut SelfSigned::new(&five.world));
    let usual = kinds(server).filter(|(kind, _)| kind != AUTHORITY_KEY_IDENTIFIER);
    assert!(kinds(&alone[0]).eq(usual));
}

#[test]
fn what_the_vendor_signs_outside_its_zone_is_refused() {
    let lab = lab();
    let mut solution = NameConstraints::new(lab.world.clone());
    solution.found().unwrap();
    let outside = solution.outside().unwrap().unwrap();
    let refused = verdict(&solution, &lab.world, &outside, &Remedy::default()).unwrap_err();
    assert!(refused.contains("NameConstraintViolation"), "{refused}");
    let Proof::Certificate { chain, .. } = outside.proof else {
        panic!();
    };
    let chain = fs::read_to_string(chain).unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
}

/// What each client but the browsers, which take seconds, says to a device, by the client's name.
fn visits(
    solution: &dyn Solution,
    world: &World,
    identity: &Identity,
    list: Option<&Path>,
) -> BTreeMap<&'static str, Outcome> {
    let server = serve(identity).unwrap();
    let trust = solution.trust(0);
    let visit = Visit {
        name: &identity.name,
        port: server.port(),
        roots: trust.delivered.iter().map(PathBuf::as_path).collect(),
        revocation_list: list,
        ..Visit::default()
    };
    { clients::all().into_iter() }
        .filter(|client| !BROWSERS.contains(&client.name()))
        .map(|client| {
            let mut outcomes = client.visit(&world.clock, std::slice::from_ref(&visit));
            (client.name(), outcomes.remove(0))
        })
        .collect()
}

#[test]
fn every_client_takes_what_is_in_the_zone_and_refuses_what_is_not() {
    if !apparatus::have(Part::Solutions) {
        return;
    }
    let lab = lab();
    let mut solution = NameConstraints::new(lab.world.clone());
    solution.found().unwrap();
    let inside = solution.enrol(1).unwrap();
    for (client, outcome) in visits(&solution, &lab.world, &inside, None) {
        assert_eq!(outcome, Outcome::Connected, "{client}");
    }
    let outside = solution.outside().unwrap().unwrap();
    for (client, outcome) in visits(&solution, &lab.world, &outside, None) {
        assert!(
            !matches!(outcome, Outcome::Connected | Outcome::Failed(_)),
            "{client}"
        );
    }
}

#[test]
fn clients_that_load_the_published_list_refuse_the_stolen_device_only() {
    each(|solution, world| {
        solution.found().unwrap();
        let kept = solution.enrol(1).unwrap();
        let stolen = solution.enrol(2).unwrap();
        let list = solution.report_theft(2).unwrap().revocation_list.unwrap();
        for (client, outcome) in visits(solution, world, &stolen, Some(&list)) {
            assert!(
                !matches!(outcome, Outcome::Connected | Outcome::Failed(_)),
                "{client}"
            );
        }
        for (client, outcome) in visits(solution, world, &kept, Some(&list)) {
            assert!(
                matches!(outcome, Outcome::Connected | Outcome::Unable(_)),
                "{client}: {outcome:?}"
            );
        }
    });
}

#[test]
fn no_client_can_use_the_list_that_acme2certifier_writes_itself() {
    if !apparatus::have(Part::Solutions) {
        return;
    }
    let lab = lab();
    let mut solution = Normal::new(lab.world.clone());
    solution.found().unwrap();
    let kept = solution.enrol(1).unwrap();
    let stolen = solution.enrol(2).unwrap();
    solution.report_theft(2).unwrap();
    let list = lab.world.folder("public-ca").unwrap().join("own.crl.pem");
    let of_kept = visits(&solution, &lab.world, &kept, Some(&list));
    let of_stolen = visits(&solution, &lab.world, &stolen, Some(&list));
    for (client, of_kept) in of_kept {
        // It refuses both or takes both.
        let connects = |outcome: &Outcome| *outcome == Outcome::Connected;
        assert_eq!(connects(&of_kept), connects(&of_stolen[client]), "{client}");
    }
}

const BROWSERS: [&str; 2] = ["Chromium", "Firefox"];
const DAY: u64 = 86_400;
const DAYS: u64 = 47;
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
