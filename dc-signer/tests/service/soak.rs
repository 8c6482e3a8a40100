//! Everything at once: devices enrol and renew at two signers of one database, while one of these is killed, the database too, its disk
//! is full, the delegation certificate changes, a clock steps, and strangers come in floods. At the end all that was promised is there.
//!
//! `cargo test -p dc-signer --test service soak -- --ignored`: for ten minutes, or as many as `DC_SOAK_MINUTES` says.

mod chaos;
mod fleet;
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use apparatus::{Part, have};
use sqlx::{Connection, PgConnection};

use self::chaos::Signers;
use self::fleet::Fleet;
use crate::disk::with_postgres;
use crate::postgres::Own;
use crate::ready::{command, stop};
use crate::small_disk::SmallDisk;

#[test]
#[ignore = "takes ten minutes"]
fn nothing_that_was_promised_is_lost_whatever_happens_at_once() {
    if !have(Part::Tools) {
        return;
    }
    let Some(disk) = SmallDisk::mount("2g") else {
        return;
    };
    let Some((server, mut rig)) = with_postgres(|| Own::start_in(disk.path())) else {
        return;
    };
    rig.edit_config("device_burst = 100", "device_burst = 100000");
    let config = stop(&mut rig);
    let signers = Signers::start(&rig.root(), &config);
    let fleet = Fleet::new(&signers, &rig.token());
    let over = AtomicBool::new(false);
    let end = Instant::now() + minutes();
    let mut before = None;
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for number in 0..DEVICES_AT_ONCE {
            let (fleet, over) = (&fleet, &over);
            scope.spawn(move || fleet.live(number, over));
        }
        scope.spawn(|| signers.flood(&over));
        scope.spawn(|| signers.change_certificates(&over));
        scope.spawn(|| signers.step_clocks(&over));
        while Instant::now() < end {
            signers.trouble(&server, &disk);
            // Each kind has been there once: from here on nothing may grow.
            before.get_or_insert_with(|| signers.kept().grown());
        }
    });
    signers.are_ready();
    let after = signers.kept().grown();
    println!("{fleet}; the signer that was never killed had {before:?} before and {after:?} after");
    let before = before.unwrap();
    assert!(after.files <= before.files + 32, "{before:?} {after:?}");
    assert!(
        after.megabytes <= before.megabytes * 3 / 2 + 64,
        "{before:?} {after:?}"
    );
    let (verified, said) = command(&["audit", "verify"], &config);
    assert!(verified, "{said}");
    let recorded = recorded(&server.url);
    let lost: Vec<_> = fleet
        .credentials()
        .into_iter()
        .filter(|one| !recorded.contains(one))
        .collect();
    assert_eq!(lost, Vec::<String>::new(), "issued and not recorded");
    fleet.names_are_unique();
    drop(signers);
}

/// The SHA-256 of all credentials that the log has.
fn recorded(url: &str) -> BTreeSet<String> {
    const ALL: &str = "SELECT encode(credential_sha256, 'hex') FROM audit WHERE action = 'issue'";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let all: Vec<String> = runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let all = sqlx::query_scalar(ALL).fetch_all(&mut connection).await;
        all.unwrap()
    });
    all.into_iter().collect()
}

fn minutes() -> Duration {
    let minutes = std::env::var("DC_SOAK_MINUTES").map(|minutes| minutes.parse());
    Duration::from_secs(60 * minutes.unwrap_or(Ok(10)).unwrap())
}

/// Ends the threads also if one has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So many live at a time; when one has had its life, another takes its place.
const DEVICES_AT_ONCE: usize = 6;

fn read(path: impl AsRef<std::path::Path>) -> String {
    fs::read_to_string(path).unwrap()
}
