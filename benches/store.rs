//! The signer's database: credentials recorded a second by 64 callers at once, each on the disk
//! before its caller goes on.
//!
//! SQLite writes to a temporary folder. PostgreSQL takes part if `DC_SIGNER_TEST_POSTGRES` is the
//! URL of an empty database.

// A benchmark that cannot be set up should stop.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use dc_pki::Forms;
use dc_pki::names::{self, ZoneName};
use dc_store::registry::{DeviceId, Sha256};
use dc_store::{
    Act, Find, Idempotency, Issuance, Location, NewDevice, NewZone, Store, migrate, open,
};
use pki_types::UnixTime;
use tokio::runtime::{Builder, Runtime};

const CALLERS: u64 = 64;
const DEVICES: u32 = 20_000;
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
/// Two credentials and a chain of two certificates, in JSON.
const ANSWER: usize = 4096;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(10))
        .configure_from_args();
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let file = Location::File(folder.path().join("signer.db"));
    measure(&mut criterion, &runtime, "sqlite", &file);
    if let Ok(url) = std::env::var("DC_SIGNER_TEST_POSTGRES") {
        measure(&mut criterion, &runtime, "postgres", &url.parse().unwrap());
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, location: &Location) {
    let store = runtime.block_on(prepare(location));
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(1));
    let next = Arc::new(AtomicU64::new(0));
    group.bench_function(format!("record/{name}"), |bencher| {
        bencher.iter_custom(|times| runtime.block_on(record(&store, &next, times)));
    });
    group.bench_function(format!("find/{name}"), |bencher| {
        bencher.iter_custom(|times| runtime.block_on(find(&store, &next, times)));
    });
    group.finish();
    runtime.block_on(store.close());
}

async fn prepare(location: &Location) -> Arc<Store> {
    migrate(location).await.unwrap();
    let store = open(location, "bench").await.unwrap();
    let zone = NewZone {
        zone: zone(),
        forms: Forms::Named,
        roles: dc_pki::Roles::Server,
    };
    store.add_zone(&zone, &by()).await.unwrap();
    let devices: Vec<NewDevice> = (0..DEVICES).map(device).collect();
    store.add_devices(&devices, &by()).await.unwrap();
    store
}

/// How long it takes all callers to record so many together.
async fn record(store: &Arc<Store>, next: &Arc<AtomicU64>, times: u64) -> Duration {
    let start = Instant::now();
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let (store, next) = (Arc::clone(store), Arc::clone(next));
        callers.push(tokio::spawn(async move {
            for _ in 0..share(times, caller) {
                let issuance = issuance(next.fetch_add(1, Ordering::Relaxed));
                black_box(store.record(issuance).await.unwrap());
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    start.elapsed()
}

async fn find(store: &Arc<Store>, next: &Arc<AtomicU64>, times: u64) -> Duration {
    let start = Instant::now();
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let (store, next) = (Arc::clone(store), Arc::clone(next));
        callers.push(tokio::spawn(async move {
            for _ in 0..share(times, caller) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let key = Find::Key(key(spread(number)));
                black_box(store.find_device(&key).await.unwrap().unwrap());
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    start.elapsed()
}

fn share(times: u64, caller: u64) -> u64 {
    times / CALLERS + u64::from(caller < times % CALLERS)
}

/// A device that is not next to the last one.
fn spread(number: u64) -> u32 {
    let devices = u64::from(DEVICES);
    u32::try_from(number % devices * 7919 % devices).unwrap()
}

fn by() -> Act {
    Act::new("device", NOW)
}

fn zone() -> ZoneName {
    ZoneName::parse("cpe.example.com").unwrap()
}

fn key(number: u32) -> Sha256 {
    Sha256::of(&number.to_be_bytes())
}

fn device(number: u32) -> NewDevice {
    let mut id = [0; 16];
    id.copy_from_slice(&key(number).as_bytes()[..16]);
    NewDevice {
        id: DeviceId::from_bytes(id),
        external_id: format!("customer-{number}").parse().unwrap(),
        zone: zone(),
        name: names::parse(&format!("d{number}.cpe.example.com")).unwrap(),
        slot: 0,
        epoch: 0,
        key: Some(key(number)),
        manufactured: None,
    }
}

fn issuance(number: u64) -> Issuance {
    let device = device(spread(number));
    let hash = |what: u8| Sha256::of(&[&[what][..], &number.to_be_bytes()].concat());
    Issuance {
        device: device.id,
        name: device.name,
        key: device.key.unwrap(),
        spki_sha256: hash(1),
        credentials: vec![hash(2)],
        client: None,
        delegation_sha256: hash(3),
        issued: NOW,
        expires: NOW,
        shown: None,
        idempotency: Some(Idempotency {
            key: hash(4),
            request: hash(5),
        }),
        answer: vec![b'x'; ANSWER],
        by: by(),
    }
}
