//! Everything at once: devices enrol and renew at two signers of one database, which is a primary and its standby, while one signer and
//! the primary are killed, the standby is promoted, disks are full, the delegation certificate changes, a clock steps, and strangers come
//! in floods. At the end all that was promised is there.
//!
//! `cargo test --workspace --test service soak -- --ignored`: for ten minutes, or as many as `DC_SOAK_MINUTES` says.

mod chaos;
mod database;
mod fleet;
mod process;
mod withdrawn;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use apparatus::{Part, have};

use self::chaos::Signers;
use self::database::Database;
use self::fleet::Fleet;
use self::process::Grown;
use crate::ready::{command, stop};
use crate::rig::Rig;

#[test]
#[ignore = "takes ten minutes"]
fn nothing_that_was_promised_is_lost_whatever_happens_at_once() {
    if !have(Part::Tools) {
        return;
    }
    let Some(database) = Database::start(256 + 32 * minutes()) else {
        return;
    };
    let mut rig = Rig::start_with(&format!("[database]\npostgres = {:?}\n", database.url()));
    rig.edit_config("device_burst = 100", "device_burst = 100000");
    rig.edit_config("filter = \"debug\"", "filter = \"info\"");
    let config = stop(&mut rig);
    let signers = Signers::start(&rig.root(), &config);
    let fleet = Fleet::new(&signers, &rig.token());
    let before = live(&signers, &fleet, &database);
    signers.are_ready();
    database.is_followed();
    let after = signers.kept().at_rest();
    println!(
        "{} failovers; {fleet}; the signer that was never killed had {before:?} before and {after:?} after",
        database.failovers()
    );
    grows_not(before, after);
    fleet.withdrawn.are_refused(&signers);
    is_as_promised(&fleet, &database, &config);
    signers.saw_no_older_copy();
}

/// Until the time is up; says what the signer that is never killed had when there had been each kind of trouble once.
fn live(signers: &Signers, fleet: &Fleet<'_>, database: &Database) -> Grown {
    let over = AtomicBool::new(false);
    let end = Instant::now() + Duration::from_secs(60 * minutes());
    let over = &over;
    std::thread::scope(|scope| {
        let _over = apparatus::Over(over);
        for number in 0..DEVICES_AT_ONCE {
            scope.spawn(move || until_over(over, || fleet.live(number, over)));
        }
        scope.spawn(|| until_over(over, || fleet.come_withdrawn(over)));
        scope.spawn(|| until_over(over, || signers.flood(over)));
        scope.spawn(|| until_over(over, || signers.change_certificates(over)));
        scope.spawn(|| until_over(over, || signers.step_clocks(over)));
        let mut before = None;
        for round in 0.. {
            signers.trouble(database, round);
            before.get_or_insert_with(|| signers.kept().at_rest());
            println!("round {round} is over: {fleet}");
            if Instant::now() > end || over.load(Ordering::Relaxed) {
                break;
            }
        }
        before.unwrap()
    })
}

/// Each kind of trouble was there before: from then on nothing may grow, but for what the allocator keeps.
fn grows_not(before: Grown, after: Grown) {
    let has_grown = after.files > before.files + 16 || after.megabytes > before.megabytes * 3 / 2;
    assert!(!has_grown, "{before:?} {after:?}");
}

/// What devices have is what the database says, and the log of that verifies.
fn is_as_promised(fleet: &Fleet<'_>, database: &Database, config: &Path) {
    let (verified, said) = command(&["audit", "verify"], config);
    assert!(verified, "{said}");
    let recorded = "SELECT encode(credential_sha256, 'hex') FROM audit WHERE action = 'issue'";
    lost(&fleet.credentials(), database.texts(recorded), "issued");
    let named = "SELECT external_id || ' ' || name FROM devices";
    lost(&fleet.named(), database.texts(named), "named");
    let withdrawals =
        "SELECT count(DISTINCT name) FROM audit WHERE action IN ('retire', 'suspend')";
    let withdrawals = usize::try_from(database.number(withdrawals)).unwrap();
    assert!(fleet.withdrawn.count() > 0 && withdrawals >= fleet.withdrawn.count());
    let served = "SELECT count(*) FROM audit AS issued JOIN audit AS act USING (name) \
                  WHERE issued.action LIKE 'issue%' AND act.action IN ('retire', 'suspend') AND act.seq < issued.seq";
    assert_eq!(database.number(served), 0, "withdrawn devices were served");
}

/// Nothing may be missing where it has to be.
fn lost(promised: &BTreeSet<String>, there: Vec<String>, what: &str) {
    let there: BTreeSet<String> = there.into_iter().collect();
    let lost: Vec<&String> = promised.difference(&there).collect();
    assert!(
        !promised.is_empty() && lost.is_empty(),
        "{} of {} were {what}, and that is not recorded: {lost:?}",
        lost.len(),
        promised.len()
    );
}

fn minutes() -> u64 {
    let minutes = std::env::var("DC_SOAK_MINUTES").map(|minutes| minutes.parse());
    minutes.unwrap_or(Ok(10)).unwrap()
}

/// What ends in whatever way, ends all.
fn until_over(over: &AtomicBool, work: impl FnOnce()) {
    let _over = apparatus::Over(over);
    work();
}

/// So many live at a time; when one has had its life, another takes its place.
const DEVICES_AT_ONCE: usize = 6;

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}
