//! The audit log: how long `audit verify` takes for a log of so many records, and the memory it needs.
//!
//! `cargo bench -p dc-benches --bench audit -- --records 10000000` fills a SQLite database (2 GB for 10^7 records, and as much
//! for the issued credentials that they are compared with), and verifies it in a process of its own, whose memory is what the
//! kernel says of it. Each size is ten times the one before, so that growth shows.

// A benchmark that cannot be set up should stop.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use dc_benches::most_memory;
use dc_pki::Forms;
use dc_pki::names::{self, ZoneName};
use dc_store::registry::{DeviceId, Sha256};
use dc_store::{Act, Issuance, Location, NewDevice, NewZone, Store, migrate, open};
use pki_types::UnixTime;
use tokio::runtime::{Builder, Runtime};

/// Enough for the store to write a thousand records in each transaction.
const CALLERS: u64 = 2048;
/// What a device asks for in a year: its log is that of a year of so many devices.
const EACH: u64 = 95;
const START: Duration = Duration::from_secs(1_800_000_000);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[derive(Debug, Parser)]
struct Args {
    /// Records of the largest log
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Verify the database in this folder, and say how it went
    #[arg(long, value_name = "FOLDER")]
    verify: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(folder) = &args.verify {
        return runtime.block_on(verify(folder));
    }
    println!(
        "{:>10}  {:>12}  {:>10}  {:>10}  {:>9}  {:>8}",
        "records", "written in", "bytes each", "verified in", "records/s", "memory"
    );
    let mut records = 10_000;
    while records <= args.records {
        measure(&runtime, records);
        records *= 10;
    }
}

fn measure(runtime: &Runtime, records: u64) {
    let folder = tempfile::TempDir::new().unwrap();
    let start = Instant::now();
    runtime.block_on(write(folder.path(), records));
    let written = start.elapsed();
    let bytes = std::fs::metadata(database(folder.path())).unwrap().len();
    print!(
        "{records:>10}  {:>10.1} s  {:>10}  ",
        written.as_secs_f64(),
        bytes / records
    );
    std::io::stdout().flush().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .arg("--verify")
        .arg(folder.path())
        .status();
    assert!(status.unwrap().success());
}

/// A year of so many devices that it has about so many records, spread over its weeks.
async fn write(folder: &Path, records: u64) {
    let location = Location::File(database(folder));
    migrate(&location).await.unwrap();
    let store = open(&location, "bench").await.unwrap();
    let zone = NewZone {
        zone: zone(),
        forms: Forms::Named,
        roles: dc_pki::Roles::Server,
    };
    let root = Act::new("root:uid=0,login=none", UnixTime::since_unix_epoch(START));
    let root = root.because("a benchmark".parse().ok());
    store.break_glass(&root).await.unwrap();
    store.add_zone(&zone, &root).await.unwrap();
    let devices = (records / EACH).max(1);
    for first in (0..devices).step_by(1000) {
        let some: Vec<_> = (first..devices.min(first + 1000)).map(device).collect();
        store.add_devices(&some, &by(START)).await.unwrap();
    }
    // Two records say who has added the zone.
    let next = Arc::new(AtomicU64::new(devices + 2));
    let mut callers = Vec::new();
    for _ in 0..CALLERS.min(records) {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        callers.push(tokio::spawn(issue(store, next, records, devices)));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    store.close().await;
}

async fn issue(store: Arc<Store>, next: Arc<AtomicU64>, records: u64, devices: u64) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= records {
            return;
        }
        let at = START + YEAR * u32::try_from(number * 1000 / records).unwrap() / 1000;
        let issuance = issuance(number, devices, at);
        store.record(issuance).await.unwrap();
    }
}

async fn verify(folder: &Path) {
    let store = open(&Location::File(database(folder)), "bench")
        .await
        .unwrap();
    let start = Instant::now();
    let end = store.verify_audit().await.unwrap();
    let took = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = end.seq as f64 / took;
    println!("{took:>9.1} s  {rate:>9.0}  {:>5} MB", most_memory("self"));
}

fn database(folder: &Path) -> PathBuf {
    folder.join("signer.db")
}

fn by(time: Duration) -> Act {
    Act::new("device", UnixTime::since_unix_epoch(time))
}

fn zone() -> ZoneName {
    ZoneName::parse("cpe.example.com").unwrap()
}

fn hash(what: u8, number: u64) -> Sha256 {
    Sha256::of(&[&[what][..], &number.to_be_bytes()].concat())
}

fn device(number: u64) -> NewDevice {
    let mut id = [0; 16];
    id.copy_from_slice(&hash(0, number).as_bytes()[..16]);
    NewDevice {
        id: DeviceId::from_bytes(id),
        external_id: format!("customer-{number}").parse().unwrap(),
        zone: zone(),
        name: names::parse(&format!("d{number}.cpe.example.com")).unwrap(),
        slot: 0,
        epoch: 0,
        key: Some(hash(0, number)),
        manufactured: None,
    }
}

fn issuance(number: u64, devices: u64, at: Duration) -> Issuance {
    let device = device(number % devices);
    Issuance {
        device: device.id,
        name: device.name,
        key: device.key.unwrap(),
        spki_sha256: hash(1, number),
        credentials: vec![hash(2, number)],
        client: None,
        delegation_sha256: hash(3, number),
        issued: UnixTime::since_unix_epoch(at),
        expires: UnixTime::since_unix_epoch(at + Duration::from_secs(7 * 86_400)),
        shown: None,
        idempotency: None,
        answer: Vec::new(),
        by: by(at),
    }
}
