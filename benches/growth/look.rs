//! One look at a service with so many devices.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dc_benches::most_memory;
use dc_pki::clock;
use dc_signer::authority::json::NewDevice;
use dc_signer::authority::{Authority, database};
use dc_signer::config::Config;
use dc_store::Act;
use rustls::StreamOwned;
use tokio::runtime::Runtime;

use crate::client;
use crate::device::Device;
use crate::load;
use crate::service::{Prepared, Running, What};

/// The times of what people and devices do.
pub(crate) struct Look {
    pub(crate) devices: usize,
    /// In the order of [`NAMES`].
    pub(crate) times: [Duration; NAMES.len()],
    /// The most memory of the service, in MB.
    memory: u64,
}

/// What is timed. Those that have to look at each device are the last.
pub(crate) const NAMES: [&str; 9] = [
    "start",
    "renewal p50",
    "renewal p99",
    "first page",
    "a page within",
    "search",
    "metrics",
    "export",
    "audit verify",
];

impl Look {
    pub(crate) fn print_head() {
        print!("{:>10}", "devices");
        NAMES.iter().for_each(|name| print!("{name:>15}"));
        println!("{:>10}", "memory");
    }

    pub(crate) fn print(&self) {
        print!("{:>10}", self.devices);
        for time in self.times {
            print!("{:>12.1} ms", time.as_secs_f64() * 1000.0);
        }
        println!("{:>7} MB", self.memory);
    }

    pub(crate) fn take(prepared: &Prepared, renewing: &[Device], devices: usize) -> Self {
        let began = Instant::now();
        let running = Running::start(What::Everything, prepared);
        let start = began.elapsed();
        let load = load::run(&running, renewing, load::renew, 1, Duration::from_secs(5));
        assert_eq!(load.failures, Vec::<String>::new());
        let latency = |percent: usize| load.latencies[load.latencies.len() * percent / 100];
        let get = |path: &str| median(|| get(&running, prepared, &renewing[0], path).unwrap());
        let middle = devices / 2;
        let within = format!("/v1/admin/devices?limit=100&after=other-{middle}");
        let search = format!("/v1/admin/devices?prefix=other-{middle}");
        let pages = [
            get("/v1/admin/devices?limit=100"),
            get(&within),
            get(&search),
            get("/metrics"),
        ];
        let export = timed(|| {
            let path = "/v1/admin/devices/export";
            let length = self::get(&running, prepared, &renewing[0], path).unwrap();
            assert!(length > devices * 50, "not all of them: {length} bytes");
        });
        let memory = most_memory(&running.process());
        drop(running);
        let verify = timed(|| verify(&prepared.config()));
        let [first, within, search, metrics] = pages;
        Self {
            devices,
            times: [
                start,
                latency(50),
                latency(99),
                first,
                within,
                search,
                metrics,
                export,
                verify,
            ],
            memory,
        }
    }
}

/// Adds devices that are only known.
pub(crate) fn fill(config: &Config, numbers: Range<usize>) {
    let began = Instant::now();
    let count = numbers.len();
    Runtime::new().unwrap().block_on(async {
        let (store, _in_use) = database::open(config).await.unwrap();
        let authority = Authority::open(config, Arc::clone(&store)).await.unwrap();
        let act = Act::new("device", clock::now().unwrap());
        for first in numbers.clone().step_by(TOGETHER) {
            let new: Vec<_> = (first..numbers.end.min(first + TOGETHER))
                .map(unseen)
                .collect();
            let new: Vec<&NewDevice> = new.iter().collect();
            for added in authority.add_devices(&new, &act).await.unwrap() {
                added.unwrap();
            }
        }
        store.close().await;
    });
    eprintln!(
        "{count} devices were added in {:.0} s",
        began.elapsed().as_secs_f64()
    );
}

fn unseen(number: usize) -> NewDevice {
    NewDevice {
        external_id: format!("other-{number}"),
        enrolment_key: Some(format!("{number:064x}")),
        ..NewDevice::default()
    }
}

fn verify(config: &Config) {
    Runtime::new().unwrap().block_on(async {
        let (store, _in_use) = database::open(config).await.unwrap();
        store.verify_audit().await.unwrap();
        store.close().await;
    });
}

fn timed(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}

fn median(mut act: impl FnMut() -> usize) -> Duration {
    let mut times: Vec<_> = (0..TIMES).map(|_| timed(|| _ = act())).collect();
    times.sort();
    times[TIMES / 2]
}

/// Asks as an operator; says how long the answer is.
fn get(running: &Running, prepared: &Prepared, device: &Device, path: &str) -> io::Result<usize> {
    let tcp = TcpStream::connect(running.address())?;
    tcp.set_nodelay(true)?;
    let mut tls = StreamOwned::new(client::connection(&device.client), tcp);
    let token = token(&prepared.config());
    write!(
        tls,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = [0; 1 << 16];
    let first = tls.read(&mut answer)?;
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer[..first])
    );
    let mut length = first;
    loop {
        match tls.read(&mut answer)? {
            0 => return Ok(length),
            more => length += more,
        }
    }
}

fn token(config: &Config) -> String {
    let path = config.data.with_file_name("operator.token");
    let token = std::fs::read_to_string(path).unwrap();
    token.trim().to_owned()
}

/// As many as a transaction is to hold.
const TOGETHER: usize = 1000;
/// Of each request.
const TIMES: usize = 9;
