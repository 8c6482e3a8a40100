//! The load: devices that connect, renew and leave, as many at once as it says, until the time is over.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use crate::client;
use crate::device::Device;
use crate::service::{Running, processor_time};

/// The results of a load.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) elapsed: Duration,
    /// The service's processor time meanwhile.
    pub(crate) server: Duration,
    /// The processor time of the load itself.
    pub(crate) clients: Duration,
    /// How long each renewal took, from connecting to the last byte of the answer, the fastest first.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// The server's processor time for each visit.
    pub(crate) fn server_each(&self) -> Duration {
        self.server.div_f64(self.latencies.len().max(1) as f64)
    }
}

/// The work of a device on each of its connections: the number tells them apart.
pub(crate) type Visit = fn(SocketAddr, &Device, usize) -> Result<(), String>;

/// Lets devices come in turn, with a new connection each time.
pub(crate) fn run(
    running: &Running,
    devices: &[Device],
    visit: Visit,
    clients: usize,
    time: Duration,
) -> Load {
    let address = running.address();
    let next = &NEXT;
    let before = [running.processor_time(), processor_time("self")];
    let start = Instant::now();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    work(
                        |device, number| visit(address, device, number),
                        devices,
                        next,
                        start + time,
                    )
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let elapsed = start.elapsed();
    let after = [running.processor_time(), processor_time("self")];
    let (latencies, failures): (Vec<_>, Vec<_>) = outcomes.into_iter().unzip();
    let mut latencies = latencies.concat();
    latencies.sort();
    Load {
        elapsed,
        server: after[0] - before[0],
        clients: after[1] - before[1],
        latencies,
        failures: failures.concat(),
    }
}

/// Counts visits over all loads of a service: one that has a number of before is the same request for it.
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn work(
    visit: impl Fn(&Device, usize) -> Result<(), String>,
    devices: &[Device],
    next: &AtomicUsize,
    end: Instant,
) -> (Vec<Duration>, Vec<String>) {
    let (mut latencies, mut failures) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let device = &devices[number % devices.len()];
        let start = Instant::now();
        match visit(device, number) {
            Ok(()) => latencies.push(start.elapsed()),
            Err(error) => failures.push(error),
        }
    }
    (latencies, failures)
}

/// Renews.
pub(crate) fn renew(address: SocketAddr, device: &Device, number: usize) -> Result<(), String> {
    let answer = post(address, device, &device.request(number)).map_err(|e| e.to_string())?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    match head {
        Some(end) if answer.starts_with(b"HTTP/1.1 200 ") => {
            let taken = device.take(&answer[end + 4..]);
            taken.map_err(|error| format!("the answer is no credential: {error}"))
        }
        _ => Err(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// Only shakes hands, and waits for the other side to end.
pub(crate) fn shake_hands(address: SocketAddr, device: &Device, _: usize) -> Result<(), String> {
    let shaken = connect(address, device).and_then(|mut tls| {
        tls.conn.complete_io(&mut tls.sock)?;
        tls.read_to_end(&mut Vec::new())
    });
    shaken.map(drop).map_err(|error| error.to_string())
}

fn post(address: SocketAddr, device: &Device, body: &str) -> io::Result<Vec<u8>> {
    let mut tls = connect(address, device)?;
    let request = format!(
        "POST /v1/renew HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tls.write_all(request.as_bytes())?;
    let mut answer = Vec::with_capacity(8192);
    tls.read_to_end(&mut answer)?;
    Ok(answer)
}

fn connect(
    address: SocketAddr,
    device: &Device,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let tcp = TcpStream::connect(address)?;
    // The request follows the handshake at once, rather than when that is acknowledged.
    tcp.set_nodelay(true)?;
    Ok(StreamOwned::new(client::connection(&device.client), tcp))
}
