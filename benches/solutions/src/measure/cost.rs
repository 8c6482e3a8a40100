//! What a handshake costs both ends, beside stock TLS with a certificate.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use dc_rustls::client::{Config, NamePolicy};
use dc_tests::process::Server;
use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, ServerName};
use rustix::time::{ClockId, clock_gettime};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::Serialize;

use crate::Result;
use crate::clients::by_key::{self, Form, tls_error};
use crate::ledger::Phase;
use crate::report::Measured;
use crate::rows::Row;
use crate::server::PROCESSOR_TIME;
use crate::solution::{Identity, Proof, Solution, Trust, serve};
use crate::world::World;

/// A full handshake with a request and an answer, over loopback, between two processes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) handshakes: usize,
    /// What the client sends until it has the answer, in bytes.
    pub(crate) client_bytes: u64,
    pub(crate) server_bytes: u64,
    /// Processor time, in microseconds.
    pub(crate) client_processor: f64,
    pub(crate) server_processor: f64,
}

/// All rows in turn, so that whatever else the machine does hits all of them.
pub(crate) fn measure(rows: &[Row], world: &World) -> Vec<Measured<Cost>> {
    let mut lanes: Vec<Result<Lane>> = { rows.iter() }
        .map(|row| Lane::new(row, &world.beside(&format!("{}-cost", row.id))?))
        .collect();
    for lane in &mut lanes {
        let warm = lane.as_mut().map(|lane| lane.visit(ROUND));
        if let Ok(Err(error)) = warm {
            *lane = Err(error);
        }
    }
    for lane in lanes.iter_mut().flatten() {
        lane.start();
    }
    for _ in 0..ROUNDS {
        for lane in &mut lanes {
            let visited = lane.as_mut().map(|lane| lane.visit(ROUND));
            if let Ok(Err(error)) = visited {
                *lane = Err(error);
            }
        }
        // Who comes behind whom alternates too; the order at the end is that of the beginning.
        lanes.reverse();
    }
    let cost = |lane: Result<Lane>| match lane {
        Ok(lane) => Measured::Is(lane.cost()),
        Err(error) => not_measured(&*error),
    };
    lanes.into_iter().map(cost).collect()
}

/// That no client accepts the device is no failure of the measurement.
fn not_measured(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Measured<Cost> {
    match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(_)) => {
            Measured::Cannot("stock rustls accepts no such certificate".to_owned())
        }
        _ => Measured::Not(error.to_string()),
    }
}

/// A device's server, and a client that visits it.
struct Lane {
    connects: Connects,
    name: ServerName<'static>,
    server: Server,
    visits: usize,
    sent: u64,
    received: u64,
    processor: Duration,
    /// The server's processor time in its last answer, and in the one before the first visit that counts.
    server_processor: Duration,
    before: Duration,
    /// What the solution still runs.
    _solution: Box<dyn Solution>,
}

/// A client's configuration.
enum Connects {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

impl Lane {
    fn new(row: &Row, world: &World) -> Result<Self> {
        let mut solution = row.make(world)?;
        world.ledger.enter(Phase::Fleet);
        solution.found()?;
        world.ledger.enter(Phase::FirstIssue);
        let identity = solution.enrol(0)?;
        Ok(Self {
            connects: connects(row, world, &identity, &solution.trust(0))?,
            name: ServerName::try_from(identity.name.clone())?,
            server: serve(&identity)?,
            visits: 0,
            sent: 0,
            received: 0,
            processor: Duration::ZERO,
            server_processor: Duration::ZERO,
            before: Duration::ZERO,
            _solution: solution,
        })
    }

    fn start(&mut self) {
        (self.visits, self.sent, self.received) = (0, 0, 0);
        self.processor = Duration::ZERO;
        self.before = self.server_processor;
    }

    fn visit(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.port()))?;
            tcp.set_nodelay(true)?;
            let mut counted = Counted {
                tcp,
                sent: 0,
                received: 0,
            };
            let start = processor_time();
            let server = match &self.connects {
                Connects::Stock(config) => {
                    let connection = ClientConnection::new(Arc::clone(config), self.name.clone())?;
                    ask(&mut StreamOwned::new(connection, &mut counted))?
                }
                Connects::Ours(config) => {
                    ask(&mut config.connect(self.name.clone(), &mut counted)?)?
                }
            };
            self.server_processor = server;
            self.processor += processor_time().saturating_sub(start);
            self.sent += counted.sent;
            self.received += counted.received;
            self.visits += 1;
        }
        Ok(())
    }

    fn cost(&self) -> Cost {
        let visits = self.visits.max(1);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / visits as f64;
        Cost {
            handshakes: self.visits,
            client_bytes: self.sent / visits as u64,
            server_bytes: self.received / visits as u64,
            client_processor: each(self.processor),
            server_processor: each(self.server_processor.saturating_sub(self.before)),
        }
    }
}

/// The client of this solution, which resumes nothing.
fn connects(row: &Row, world: &World, identity: &Identity, trust: &Trust) -> Result<Connects> {
    let roots = || {
        let mut roots = RootCertStore::empty();
        for file in trust.delivered.iter().chain(&trust.imported) {
            roots.add(CertificateDer::from_pem_file(file)?)?;
        }
        Result::Ok(roots)
    };
    Ok(match (&identity.proof, trust.pin) {
        (Proof::Credential { .. }, _) => {
            let policy = match row.id {
                "rfc9345" => NamePolicy::Ignored,
                _ => NamePolicy::Required,
            };
            let config = Config::builder(Arc::new(ring::default_provider()))
                .roots(roots()?)
                .unique_name(policy)
                .time_provider(Arc::clone(&world.clock) as _)
                .without_resumption();
            Connects::Ours(config.build()?)
        }
        (Proof::RawKey { .. }, pin) => Connects::Stock(by_key::config(Form::RawKey, pin)?),
        (Proof::Certificate { .. }, Some(pin)) => {
            Connects::Stock(by_key::config(Form::Certificate, Some(pin))?)
        }
        // What the clients of these look at is the key alone.
        (Proof::Certificate { .. }, None)
            if trust.delivered.is_empty() && trust.imported.is_empty() =>
        {
            Connects::Stock(by_key::config(Form::Certificate, None)?)
        }
        (Proof::Certificate { .. }, None) => {
            let provider = Arc::new(ring::default_provider());
            let clock = Arc::clone(&world.clock) as _;
            let mut config = ClientConfig::builder_with_details(provider, clock)
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots()?)
                .with_no_client_auth();
            config.resumption = Resumption::disabled();
            Connects::Stock(Arc::new(config))
        }
    })
}

/// Asks for the page. The server's processor time so far.
fn ask(tls: &mut (impl Read + Write)) -> Result<Duration> {
    tls.write_all(b"GET / HTTP/1.1\r\nHost: device\r\nConnection: close\r\n\r\n")
        .map_err(tls_error)?;
    let mut answer = Vec::new();
    match tls.read_to_end(&mut answer) {
        // A server may close without saying so.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(tls_error(error)),
        _ => said_time(&answer).ok_or_else(|| "the device's server has no page".into()),
    }
}

fn said_time(answer: &[u8]) -> Option<Duration> {
    let answer = std::str::from_utf8(answer).ok()?;
    let mut lines = answer.strip_prefix("HTTP/1.1 200")?.lines();
    let time = lines.find_map(|line| line.strip_prefix(PROCESSOR_TIME)?.strip_prefix(": "))?;
    Some(Duration::from_nanos(time.parse().ok()?))
}

/// A connection whose bytes are counted.
struct Counted {
    tcp: TcpStream,
    sent: u64,
    received: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.tcp.read(buffer)?;
        self.received += length as u64;
        Ok(length)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.tcp.write(bytes)?;
        self.sent += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}

const ROUND: usize = 10;
/// Even, because the order turns round after each.
const ROUNDS: usize = 30;
