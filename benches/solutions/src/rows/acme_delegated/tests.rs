use super::*;
use crate::ledger::Phase;
use crate::rows::lab::{Lab, chain};

fn founded() -> (Lab, AcmeDelegated) {
    let lab = Lab::new();
    let mut row = AcmeDelegated::new(&lab.world);
    lab.world.ledger.enter(Phase::Fleet);
    row.found().unwrap();
    (lab, row)
}

#[test]
fn a_year_needs_the_vendor_for_one_order() {
    let (lab, mut row) = founded();
    let world = &lab.world;
    world.ledger.enter(Phase::FirstIssue);
    row.enrol(0).unwrap();
    let start = world.now();
    let first = |act| world.ledger.get(Party::Vendor, Phase::FirstIssue, act);
    // directory, nonce, account, delegations, delegation, order, finalize.
    assert_eq!(first(Act::Request), 7);
    world.ledger.enter(Phase::Renewal);
    let of = |party, act| world.ledger.get(party, Phase::Renewal, act);
    let (mut renewals, mut orders) = (0, Vec::new());
    while let Some(due) = row.due(0).filter(|due| *due < start + 365 * DAY) {
        world.clock.advance_to(due).unwrap();
        let before = of(Party::Vendor, Act::Request);
        let identity = row.renew(0).unwrap();
        lab.verify(&identity, &row.trust(0), None).unwrap();
        let ends = identity.ends.unwrap();
        assert!(ends > due && ends <= due + LIFETIME);
        renewals += 1;
        match of(Party::Vendor, Act::Request) - before {
            0 => {}
            // delegation, order, finalize.
            asked => orders.push((due, asked)),
        }
        if orders.is_empty() {
            assert_eq!(of(Party::PublicCa, Act::Request), renewals);
            assert_eq!(of(Party::PublicCa, Act::Signature), renewals);
        }
    }
    assert!((103..=106).contains(&renewals), "{renewals}");
    let [(due, 3)] = orders[..] else {
        panic!("{orders:?}");
    };
    // While the last certificate of the first order is valid for some days more.
    assert!(due > start + 355 * DAY && due < start + 358 * DAY);
}

#[test]
fn a_vendor_that_is_away_when_the_order_ends_is_missed_until_it_is_back() {
    let (lab, mut row) = founded();
    let world = &lab.world;
    // The clock runs, and the order is made in one of these seconds.
    let earliest = world.now() + ORDER_DAYS * DAY;
    row.enrol(0).unwrap();
    let ends = world.now() + ORDER_DAYS * DAY;
    row.reach(Party::Vendor, false).unwrap();
    let last = loop {
        world.clock.advance_to(row.due(0).unwrap()).unwrap();
        match row.renew(0) {
            Ok(identity) => assert!(identity.ends.unwrap() < ends),
            Err(_) => break row.device(0).unwrap().identity(),
        }
    };
    assert!((earliest..=ends).contains(&(last.ends.unwrap() + 1)));
    lab.verify(&last, &row.trust(0), None).unwrap();
    world.clock.advance_to(ends + DAY).unwrap();
    row.renew(0).unwrap_err();
    lab.verify(&last, &row.trust(0), None).unwrap_err();
    row.reach(Party::Vendor, true).unwrap();
    let renewed = row.renew(0).unwrap();
    lab.verify(&renewed, &row.trust(0), None).unwrap();
    // The new order needs nobody but the CA.
    row.reach(Party::Vendor, false).unwrap();
    world.clock.advance_to(row.due(0).unwrap()).unwrap();
    row.renew(0).unwrap();
}

#[test]
fn a_thief_keeps_what_was_fetched_and_no_more() {
    let (lab, mut row) = founded();
    let world = &lab.world;
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
    lab.verify(&stolen, &row.trust(0), None).unwrap();
    let last = stolen.ends.unwrap();
    assert!(last <= world.now() + LIFETIME);
    world.clock.advance_to(last + 1).unwrap();
    lab.verify(&stolen, &row.trust(0), None).unwrap_err();
}

#[test]
fn a_replacement_has_the_name_and_the_old_device_gets_nothing() {
    let (lab, mut row) = founded();
    let old = row.enrol(0).unwrap();
    let new = row.replace(0).unwrap();
    assert_eq!(old.name, new.name);
    assert_ne!(
        fs::read(chain(&old)).unwrap(),
        fs::read(chain(&new)).unwrap()
    );
    let renewed = row.renew(0).unwrap();
    lab.verify(&renewed, &row.trust(0), None).unwrap();
}

#[test]
fn a_twin_presents_its_own_name() {
    let (lab, mut row) = founded();
    let victim = row.enrol(0).unwrap();
    let twin = row.enrol(1).unwrap();
    let posed = row.pose(1, 0).unwrap();
    assert_eq!(posed.name, victim.name);
    assert_eq!(chain(&posed), chain(&twin));
    assert_eq!(row.published().len(), 2);
    lab.verify(&twin, &row.trust(0), None).unwrap();
    lab.verify(&posed, &row.trust(0), None).unwrap_err();
}

#[test]
fn renews_without_the_vendor_and_not_without_the_ca() {
    let (lab, mut row) = founded();
    let world = &lab.world;
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
