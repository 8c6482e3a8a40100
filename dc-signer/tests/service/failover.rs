//! A primary that dies or is stopped, and a standby that takes over: nothing that was confirmed is lost.

mod load;
pub(crate) mod pair;

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use crate::postgres::Own;
use crate::ready::command;
use crate::rig::Rig;
use crate::router::{Router, csr};
use load::Load;
use pair::Pair;

/// Two servers with a service that knows both, unless tests with PostgreSQL are skipped.
fn served() -> Option<(Pair, Rig)> {
    let pair = Pair::migrated()?;
    let rig = Rig::start_with(&format!("[database]\npostgres = {:?}\n", pair.url()));
    Some((pair, rig))
}

fn is_ready(rig: &Rig) -> bool {
    rig.client().get("/readyz").status == 200
}

const RECORDS: &str = "SELECT seq FROM audit_head";

/// All that was given is in the log of a server, and its log and database are as they should be.
fn has_all(given: &BTreeSet<String>, rig: &Rig, pair: &Pair, server: &Own) {
    let issued = "SELECT encode(credential_sha256, 'hex') FROM audit WHERE action LIKE 'issue%'";
    let recorded: BTreeSet<String> = pair.texts(server, issued).into_iter().collect();
    let lost: Vec<&String> = given.difference(&recorded).collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost",
        lost.len(),
        given.len()
    );
    let two =
        "SELECT count(*) FROM (SELECT name FROM names GROUP BY name HAVING count(*) > 1) AS two";
    assert_eq!(pair.number(server, two), 0);
    let (verified, said) = command(&["audit", "verify"], &rig.data().join("config.toml"));
    assert!(verified, "{said}");
}

#[test]
fn nothing_that_was_confirmed_is_lost_when_the_primary_dies_and_the_old_one_is_never_used_again() {
    let Some((pair, rig)) = served() else { return };
    let load = Load::new(&rig);
    let old = std::thread::scope(|scope| {
        load.begin(scope);
        let _until = load.until();
        load.goes_on();
        pair.primary.kill();
        load.is_refused();
        assert!(!is_ready(&rig));
        let began = Instant::now();
        pair.standby.order("promote", "promoted");
        rig.wait_until("it is ready again", || is_ready(&rig));
        println!("ready {:?} after the promotion", began.elapsed());
        load.goes_on();
        // It says that it is the primary, waits for no standby, and is the first in the configuration.
        pair.primary.start_again();
        pair.wait_for_nobody(&pair.primary);
        let old = pair.number(&pair.primary, RECORDS);
        load.goes_on();
        pair.standby.kill();
        load.is_refused();
        rig.wait_until("the old one is looked at", || {
            rig.log()
                .contains("on timeline 1, and one on timeline 2 was promoted since")
        });
        pair.standby.start_again();
        load.goes_on();
        old
    });
    println!("{}", load.report());
    let given = load.credentials();
    let rig = rig.restart();
    assert_eq!(pair.number(&pair.primary, RECORDS), old);
    assert!(pair.number(&pair.standby, RECORDS) > old);
    has_all(&given, &rig, &pair, &pair.standby);
    pair.standby.kill();
    let config = rig.data().join("config.toml");
    let add = ["devices", "add", "lost", "--zone", "cpe.example.com"];
    let (added, said) = command(&add, &config);
    let newer = "on timeline 1, and one on timeline 2 was promoted since";
    assert!(!added && said.contains(newer), "{said}");
    // Nor without that knowledge: its log is shorter than it was.
    let known = rig.data().join("data/database-timeline.json");
    assert!(
        said.contains(&format!("remove {}", known.display())),
        "{said}"
    );
    std::fs::remove_file(known).unwrap();
    let (added, said) = command(&add, &config);
    assert!(!added && said.contains("older copy"), "{said}");
    assert_eq!(pair.number(&pair.primary, RECORDS), old);
}

#[test]
fn what_a_primary_comes_back_with_is_told_to_nobody_before_its_standby_has_it() {
    let Some((pair, rig)) = served() else { return };
    let (router, _) = Router::enrolled(&rig, "renews");
    let (stolen, enrolled) = Router::enrolled(&rig, "stolen");
    let suspend = format!(
        "/v1/admin/devices/{}/suspend",
        enrolled["device"].as_str().unwrap()
    );
    let csr = csr();
    let renew = || router.renew(&csr, "later");
    let because = json!({"reason": "it was stolen"});
    let suspend = || rig.admin().post(&suspend, &because);
    pair.standby.kill();
    let records = pair.number(&pair.primary, RECORDS);
    std::thread::scope(|scope| {
        scope.spawn(renew);
        scope.spawn(suspend);
        rig.wait_until("both wait for the standby", || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            pair.number(&pair.primary, waiting) > 0
        });
        assert_eq!(pair.number(&pair.primary, RECORDS), records);
        pair.primary.kill();
    });
    pair.primary.start_again();
    // It has what it confirmed to nobody.
    assert!(pair.number(&pair.primary, RECORDS) > records);
    for _ in 0..3 {
        renew().refused(503, "storage-unavailable");
        suspend().refused(503, "storage-unavailable");
        stolen
            .renew(&csr, "mine")
            .refused(503, "storage-unavailable");
    }
    rig.wait_until("it says why", || {
        rig.log().contains("does not confirm what it shows")
    });
    pair.standby.start_again();
    rig.wait_until("it has it", || renew().status == 200);
    let given = renew().ok()["credentials"][0]["sha256"].clone();
    assert!(matches!(suspend().status, 200 | 409));
    pair.primary.kill();
    pair.standby.order("promote", "promoted");
    rig.wait_until("the other one is used", || {
        stolen.renew(&csr, "mine").status != 503
    });
    stolen.renew(&csr, "mine").refused(403, "device-suspended");
    let given = BTreeSet::from([given.as_str().unwrap().to_owned()]);
    has_all(&given, &rig, &pair, &pair.standby);
}

#[test]
fn a_switchover_and_the_way_back_need_no_restart_and_lose_nothing() {
    let Some((pair, rig)) = served() else { return };
    let load = Load::new(&rig);
    std::thread::scope(|scope| {
        load.begin(scope);
        let _until = load.until();
        for (from, to, place) in [
            (&pair.primary, &pair.standby, 1),
            (&pair.standby, &pair.primary, 0),
        ] {
            load.goes_on();
            from.order("stop", "stopped");
            to.order("promote", "promoted");
            // It may wait for a standby from before.
            pair.follow(from, "follow", place);
            pair.wait_for_standby(to);
            rig.wait_until("it is ready", || is_ready(&rig));
            load.goes_on();
        }
    });
    println!("{}", load.report());
    has_all(&load.credentials(), &rig, &pair, &pair.primary);
}

#[test]
fn a_primary_that_hangs_is_left_as_soon_as_its_standby_is_promoted() {
    let Some((pair, rig)) = served() else { return };
    let load = Load::new(&rig);
    std::thread::scope(|scope| {
        load.begin(scope);
        let _until = load.until();
        load.goes_on();
        pair.primary.order("freeze", "frozen");
        let began = Instant::now();
        pair.standby.order("promote", "promoted");
        load.goes_on();
        println!("requests go on {:?} after the promotion", began.elapsed());
        // Those who waited for it did not do so until their time was up.
        assert!(rig.log().contains("before another server took over"));
        pair.primary.kill();
    });
    println!("{}", load.report());
    has_all(&load.credentials(), &rig, &pair, &pair.standby);
}

#[test]
fn people_read_from_a_replica_and_always_what_they_have_changed_and_from_the_primary_without_it() {
    let Some(pair) = Pair::migrated() else { return };
    let rig = Rig::start_with(&format!(
        "[database]\npostgres = {:?}\nread = {:?}\n",
        pair.url(),
        pair.standby_url()
    ));
    let (router, enrolled) = Router::enrolled(&rig, "one");
    let history = format!(
        "/v1/admin/devices/{}/history",
        enrolled["device"].as_str().unwrap()
    );
    let issued = || {
        let history = rig.admin().get(&history).ok();
        history["issued"].as_array().unwrap().len()
    };
    let is_left_out = |how: u8| {
        let line = format!("\ndc_database_replica_left_out {how}\n");
        rig.client().get("/metrics").body.contains(&line)
    };
    rig.wait_until("the replica has all", || issued() == 1);
    let records = pair.number(&pair.primary, RECORDS);
    rig.wait_until("the replica has all", || {
        pair.number(&pair.standby, RECORDS) >= records
    });
    assert_eq!(issued(), 1);
    // It receives, so that the primary confirms, and shows nothing of it.
    pair.run(&pair.standby, "SELECT pg_wal_replay_pause()");
    let csr = csr();
    let given = router.renew(&csr, "later").ok();
    assert_eq!(issued(), 1);
    // The device's own requests read from the primary.
    assert_eq!(router.renew(&csr, "later").ok(), given);
    rig.add("two");
    let listed = rig.admin().get("/v1/admin/devices").ok();
    let all = listed["devices"].as_array().unwrap();
    assert!(
        all.iter().any(|device| device["external_id"] == "two"),
        "{all:?}"
    );
    assert_eq!(issued(), 2);
    let log = rig.admin().get("/v1/admin/audit?after=0&limit=100").ok();
    let last = log["records"].as_array().unwrap().last().unwrap()["seq"].as_i64();
    assert!(last > Some(records), "{last:?} of {records}");
    pair.run(&pair.standby, "SELECT pg_wal_replay_resume()");
    pair.wait_for_nobody(&pair.primary);
    pair.standby.kill();
    rig.wait_until("the replica is left out", || is_left_out(1));
    rig.admin().get("/v1/admin/devices").ok();
    assert!(rig.log().contains("the replica is not read from"));
    let (_, said) = command(&["check"], &rig.data().join("config.toml"));
    for words in ["database.read is not read from", "waits for no standby"] {
        assert!(said.contains(words), "{said}");
    }
    pair.standby.start_again();
    rig.wait_until("the replica is read from again", || is_left_out(0));
}
