//! The signer's database far away: enrolments and renewals a second by the way to a PostgreSQL server, and what a replica that is far
//! away costs two that are near.
//!
//! The way is a proxy that holds back each piece of a connection for half of the round trip, in both directions. An enrolment is two
//! transactions, the use of a code and the record of the first credentials; a renewal is a lookup and a record. `DC_SIGNER_TEST_POSTGRES`
//! is the URL of an empty database, with the server's folder of sockets as `host`.
//!
//! ```text
//! DC_SIGNER_TEST_POSTGRES='postgres://postgres@localhost/bench?host=/run/postgresql' \
//!     cargo bench -p dc-benches --bench distance -- --seconds 10
//! ```

// A benchmark that cannot be set up should stop.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use dc_pki::Forms;
use dc_pki::names::{self, ZoneName};
use dc_store::registry::{CodeId, Device, DeviceId, PendingCode, Sha256};
use dc_store::{
    Act, Find, Idempotency, Issuance, Keep, Location, NewDevice, NewZone, Redeemed, Redemption,
    Store, migrate, open,
};
use pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

#[derive(Debug, Parser)]
#[command(about = "Loads the signer's database from near and far")]
struct Args {
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many devices ask each replica at the same time
    #[arg(long, default_value_t = 500)]
    callers: usize,
    /// How many ask each of three replicas
    #[arg(long, default_value_t = 24)]
    few: usize,
    /// Measure only what a far replica costs near ones
    #[arg(long)]
    beside: bool,
    /// The argument Cargo gives to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// `cargo test --benches` only wants to know whether it runs
    #[arg(long, hide = true)]
    test: bool,
}

fn main() {
    let args = Args::parse();
    let Ok(url) = std::env::var("DC_SIGNER_TEST_POSTGRES") else {
        eprintln!("left out: DC_SIGNER_TEST_POSTGRES is not set");
        return;
    };
    if args.test {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(&args, &url));
}

async fn measure(args: &Args, url: &str) {
    let location: Location = url.parse().unwrap();
    migrate(&location).await.unwrap();
    let near = open(&location, "near-1").await.unwrap();
    let zone = NewZone {
        zone: zone(),
        forms: Forms::Named,
        roles: dc_pki::Roles::Server,
    };
    near.add_zone(&zone, &by()).await.unwrap();
    let fleet = Arc::new(Fleet::default());
    for from in (FIRST..FIRST + RENEWING).step_by(1000) {
        let with_key = |number| NewDevice {
            key: Some(key(number)),
            ..device(number)
        };
        let devices: Vec<NewDevice> = (from..from + 1000).map(with_key).collect();
        near.add_devices(&devices, &by()).await.unwrap();
    }
    if !args.beside {
        by_distance(args, url, &near, &fleet).await;
    }
    beside(args, url, &near, &fleet).await;
}

async fn by_distance(args: &Args, url: &str, near: &Arc<Store>, fleet: &Arc<Fleet>) {
    let time = Duration::from_secs(args.seconds);
    println!("round trip  enrolments a second  renewals a second");
    for ms in [0, 5, 20] {
        let store = match ms {
            0 => Arc::clone(near),
            ms => open(&far(url, ms), "far").await.unwrap(),
        };
        let enrolled = load(
            &[Arc::clone(&store)],
            Kind::Enrol,
            args.callers,
            time,
            near,
            fleet,
        )
        .await[0];
        let renewed = load(&[store], Kind::Renew, args.callers, time, near, fleet).await[0];
        println!("{ms:7} ms  {enrolled:19.0}  {renewed:17.0}");
    }
}

async fn beside(args: &Args, url: &str, near: &Arc<Store>, fleet: &Arc<Fleet>) {
    let time = Duration::from_secs(args.seconds);
    let location: Location = url.parse().unwrap();
    let other = open(&location, "near-2").await.unwrap();
    let distant = open(&far(url, 20), "far-2").await.unwrap();
    let (two, three) = (
        vec![near.clone(), other.clone()],
        vec![near.clone(), other, distant],
    );
    // So few that what is compared is not the processor, which all of them share.
    let callers = args.few;
    for (kind, name) in [(Kind::Enrol, "enrolments"), (Kind::Renew, "renewals")] {
        // In turns, because others use the machine too.
        let (mut alone, mut beside, mut far) = (0.0, 0.0, 0.0);
        for _ in 0..TURNS {
            let rates = load(&two, kind, callers, time, near, fleet).await;
            alone += rates[..2].iter().sum::<f64>() / TURNS as f64;
            let rates = load(&three, kind, callers, time, near, fleet).await;
            beside += rates[..2].iter().sum::<f64>() / TURNS as f64;
            far += rates[2] / TURNS as f64;
        }
        println!(
            "{name}: two near {alone:.0} a second, beside a far one {beside:.0} ({:.2}), which has {far:.0}",
            beside / alone
        );
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Enrol,
    Renew,
}

/// The devices that are there.
#[derive(Default)]
struct Fleet {
    /// With a code that nobody has used.
    made: AtomicU32,
    used: AtomicU32,
    renewals: AtomicU64,
}

/// Operations a second of each store.
async fn load(
    stores: &[Arc<Store>],
    kind: Kind,
    callers: usize,
    time: Duration,
    near: &Arc<Store>,
    fleet: &Arc<Fleet>,
) -> Vec<f64> {
    if kind == Kind::Enrol {
        let spare = u32::try_from(time.as_secs()).unwrap() * MOST * stores.len() as u32;
        while fleet.made.load(Ordering::Relaxed) < fleet.used.load(Ordering::Relaxed) + spare {
            make(near, fleet.made.fetch_add(1000, Ordering::Relaxed)).await;
        }
    }
    let mut loads = JoinSet::new();
    for (place, store) in stores.iter().enumerate() {
        let (store, fleet) = (Arc::clone(store), Arc::clone(fleet));
        loads.spawn(async move { (place, load_one(store, kind, callers, time, fleet).await) });
    }
    let mut rates = loads.join_all().await;
    rates.sort_by_key(|(place, _)| *place);
    rates.into_iter().map(|(_, rate)| rate).collect()
}

async fn load_one(
    store: Arc<Store>,
    kind: Kind,
    callers: usize,
    time: Duration,
    fleet: Arc<Fleet>,
) -> f64 {
    let (start, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..callers {
        let (store, fleet) = (Arc::clone(&store), Arc::clone(&fleet));
        tasks.spawn(async move {
            let mut done = 0_u32;
            while start.elapsed() < time {
                match kind {
                    Kind::Enrol => enrol(&store, fleet.used.fetch_add(1, Ordering::Relaxed)).await,
                    Kind::Renew => {
                        let number = fleet.renewals.fetch_add(1, Ordering::Relaxed);
                        let device = number * 7919 % u64::from(RENEWING);
                        let device = FIRST + u32::try_from(device).unwrap();
                        renew(&store, device, number).await;
                    }
                }
                done += 1;
            }
            done
        });
    }
    let done: u32 = tasks.join_all().await.into_iter().sum();
    f64::from(done) / start.elapsed().as_secs_f64()
}

async fn enrol(store: &Store, number: u32) {
    let pending = store.find_code(code_id(number)).await.unwrap().unwrap();
    let redemption = Redemption {
        code: pending.id,
        mac: pending.mac,
        key: key(number),
    };
    let redeemed = store.redeem_code(&redemption, &by()).await.unwrap();
    let Redeemed::Enrolled(device) = redeemed else {
        panic!("{redeemed:?}");
    };
    let first = Issuance {
        idempotency: None,
        ..issuance(&device, u64::from(number) << 32)
    };
    store.record(first).await.unwrap();
}

async fn renew(store: &Store, device: u32, number: u64) {
    let found = store.find_device(&Find::Key(key(device))).await.unwrap();
    let device = found.unwrap();
    store.record(issuance(&device, number)).await.unwrap();
}

/// Adds a thousand devices with codes.
async fn make(store: &Store, from: u32) {
    let devices: Vec<NewDevice> = (from..from + 1000).map(device).collect();
    store.add_devices(&devices, &by()).await.unwrap();
    let codes: Vec<PendingCode> = (from..from + 1000).map(code).collect();
    for outcome in store.put_codes(&codes, Keep::New, &by()).await.unwrap() {
        outcome.unwrap();
    }
}

/// The database behind a proxy that is so many milliseconds away and back.
fn far(url: &str, ms: u64) -> Location {
    let (address, server) = url.split_once("?host=").expect("a folder of sockets");
    let folder = tempfile::Builder::new().prefix("dcfar").tempdir_in("/tmp");
    let folder = folder.unwrap().keep();
    let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
    let half = Duration::from_millis(ms) / 2;
    tokio::spawn(proxy(listener, Path::new(server).join(SOCKET), half));
    format!("{address}?host={}", folder.display())
        .parse()
        .unwrap()
}

async fn proxy(listener: UnixListener, server: PathBuf, half: Duration) {
    while let Ok((client, _)) = listener.accept().await {
        // Connecting is a round trip too.
        sleep(half * 2).await;
        let server = UnixStream::connect(&server).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(delay(from_client, to_server, half));
        tokio::spawn(delay(from_server, to_client, half));
    }
}

/// Hands each piece on when it is due, however many are on the way.
async fn delay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
    half: Duration,
) {
    let (sender, mut pieces) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
    let mut bytes = vec![0; 1 << 18];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let due = tokio::time::Instant::now() + half;
        if sender.send((due, bytes[..length].to_vec())).is_err() {
            break;
        }
    }
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

fn device_id(number: u32) -> DeviceId {
    let mut id = [0; 16];
    id.copy_from_slice(&key(number).as_bytes()[..16]);
    DeviceId::from_bytes(id)
}

fn code_id(number: u32) -> CodeId {
    let mut id = [0; 6];
    id[..4].copy_from_slice(&number.to_be_bytes());
    CodeId::from_bytes(id)
}

fn device(number: u32) -> NewDevice {
    NewDevice {
        id: device_id(number),
        external_id: format!("customer-{number}").parse().unwrap(),
        zone: zone(),
        name: names::parse(&format!("d{number}.cpe.example.com")).unwrap(),
        slot: 0,
        epoch: 0,
        key: None,
        manufactured: None,
    }
}

fn code(number: u32) -> PendingCode {
    PendingCode {
        id: code_id(number),
        device: device_id(number),
        mac: key(number),
        expires: UnixTime::since_unix_epoch(Duration::from_secs(NOW.as_secs() + 86_400)),
        tries: 0,
        used_by: None,
    }
}

fn issuance(device: &Device, number: u64) -> Issuance {
    let hash = |what: u8| Sha256::of(&[&[what][..], &number.to_be_bytes()].concat());
    Issuance {
        device: device.id,
        name: device.name.clone(),
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

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
/// A credential and a chain of one certificate, in JSON.
const ANSWER: usize = 2048;
/// More than any store enrols in a second.
const MOST: u32 = 4000;
/// Devices that have enrolled, and renew.
const RENEWING: u32 = 20_000;
const FIRST: u32 = 1_000_000_000;
const TURNS: usize = 5;
const SOCKET: &str = ".s.PGSQL.5432";
