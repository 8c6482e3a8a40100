use std::path::Path;

use super::*;
use crate::ledger::Phase;

fn founded() -> (tempfile::TempDir, World, AcmeDelegated) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), Path::new("none"), 47).unwrap();
    let mut row = AcmeDelegated::new(&world);
    world.ledger.enter(Phase::Fleet);
    row.found().unwrap();
    (folder, world, row)
}

fn chain(identity: &Identity) -> String {
    match &identity.proof {
        Proof::Certificate { chain, .. } => fs::read_to_string(chain).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_year_needs_the_ca_alone_until_the_order_ends() {
    let (_folder, world, mut row) = founded();
    world.ledger.enter(Phase::FirstIssue);
    row.enrol(0).unwrap();
    let start = world.now();
    let first = |act| world.ledger.get(Party::Vendor, Phase::FirstIssue, act);
    // directory, nonce, account, delegations, delegation, order, finalize.
    assert_eq!(first(Act::Request), 7);
    world.ledger.enter(Phase::Renewal);
    let mut renewals = 0;
    while let Some(due) = row.due(0).filter(|due| *due < start + 365 * DAY - 7 * DAY) {
        world.clock.advance_to(due).unwrap();
        let ends = row.renew(0).unwrap().ends.unwrap();
        assert!(ends > due && ends <= due + LIFETIME);
        renewals += 1;
    }
    assert!((100..=105).contains(&renewals), "{renewals}");
    let of = |party, act| world.ledger.get(party, Phase::Renewal, act);
    assert_eq!(of(Party::Vendor, Act::Request), 0);
    assert_eq!(of(Party::PublicCa, Act::Request), renewals);
    assert_eq!(of(Party::PublicCa, Act::Signature), renewals);
    while of(Party::Vendor, Act::Request) == 0 {
        world.clock.advance_to(row.due(0).unwrap()).unwrap();
        assert!(row.renew(0).unwrap().ends.unwrap() > world.now());
        assert!(world.now() < start + 365 * DAY);
    }
}

#[test]
fn a_thief_keeps_what_was_fetched_and_no_more() {
    let (_folder, world, mut row) = founded();
    let stolen = row.enrol(0).unwrap();
    world.ledger.enter(Phase::Theft);
    row.report_theft(0).unwrap();
    assert_eq!(
        world
            .ledger
            .get(Party::PublicCa, Phase::Theft, Act::Request),
        1
    );
    world.clock.advance_to(row.due(0).unwrap()).unwrap();
    row.renew(0).unwrap_err();
    assert!(stolen.ends.unwrap() <= world.now() + LIFETIME);
}

#[test]
fn a_replacement_has_the_name_and_the_old_device_gets_nothing() {
    let (_folder, _, mut row) = founded();
    let old = row.enrol(0).unwrap();
    let new = row.replace(0).unwrap();
    assert_eq!(old.name, new.name);
    assert_ne!(chain(&old), chain(&new));
    row.renew(0).unwrap();
}

#[test]
fn a_twin_presents_its_own_name() {
    let (_folder, _, mut row) = founded();
    let victim = row.enrol(0).unwrap();
    let twin = row.enrol(1).unwrap();
    let posed = row.pose(1, 0).unwrap();
    assert_eq!(posed.name, victim.name);
    assert_eq!(chain(&posed), chain(&twin));
    assert_eq!(row.published().len(), 2);
}

#[test]
fn renews_without_the_vendor_and_not_without_the_ca() {
    let (_folder, world, mut row) = founded();
    row.enrol(0).unwrap();
    row.reach(Party::Vendor, false).unwrap();
    world.clock.advance_to(row.due(0).unwrap()).unwrap();
    row.renew(0).unwrap();
    row.enrol(1).unwrap_err();
    row.reach(Party::Vendor, true).unwrap();
    row.enrol(1).unwrap();
    row.reach(Party::PublicCa, false).unwrap();
    world.clock.advance_to(row.due(0).unwrap()).unwrap();
    row.renew(0).unwrap_err();
    // Longer than any certificate that was signed before.
    world.clock.advance_to(world.now() + 30 * DAY).unwrap();
    row.reach(Party::PublicCa, true).unwrap();
    assert!(row.renew(0).unwrap().ends.unwrap() > world.now());
}
