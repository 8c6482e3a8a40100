//! An HTTPS server on a device: answers any request with one line.
//!
//! Serves the credential of an identity folder to clients that understand it. Others get the fallback
//! certificate, if there is one, or a handshake_failure alert.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use dc_core::pem;
use dc_rustls::server::{Acceptor, Identity, Served, Store};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};

#[derive(Parser)]
#[command(about = "Serves HTTPS with a delegated credential")]
struct Args {
    /// Folder with chain.pem, credential.pem and key.pem.
    #[arg(long, value_name = "DIR")]
    identity: PathBuf,
    /// Where to listen, for example 127.0.0.1:4433; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
    /// Certificate chain for clients that do not understand credentials.
    #[arg(long, value_name = "FILE", requires = "fallback_key")]
    fallback_cert: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE", requires = "fallback_cert")]
    fallback_key: Option<PathBuf>,
}

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> Result<(), Box<dyn Error>> {
    let provider = Arc::new(ring::default_provider());
    let store = Store::new(provider.clone());
    store.install(Identity::load(&args.identity)?)?;
    let mut acceptor = Acceptor::new(store);
    if let (Some(chain), Some(key)) = (&args.fallback_cert, &args.fallback_key) {
        acceptor = acceptor.fallback(fallback(provider, chain, key)?);
    }
    let listener = TcpListener::bind(&args.listen).map_err(|error| {
        format!(
            "cannot listen on {}: {error}; give another --listen",
            args.listen
        )
    })?;
    println!("listening on {}", listener.local_addr()?);
    // Each worker has one connection at a time, so strangers cannot make it any number of threads.
    thread::scope(|scope| {
        for _ in 0..MAX_CONNECTIONS {
            scope.spawn(|| work(&listener, &acceptor));
        }
    });
    Ok(())
}

/// Accepts for ever.
fn work(listener: &TcpListener, acceptor: &Acceptor) {
    loop {
        let served = match listener.accept() {
            Ok((tcp, _)) => answer(acceptor, tcp),
            // That one connection was lost, or too many are open, is no reason to stop.
            Err(error) => {
                eprintln!("not accepted: {error}");
                thread::sleep(PAUSE);
                continue;
            }
        };
        match served {
            Ok(served) => eprintln!("served with {}", describe(&served)),
            Err(error) => eprintln!("not served: {error}"),
        }
    }
}

/// A connection that ends at a given moment, however slowly its client goes on.
struct Timed {
    tcp: TcpStream,
    end: Instant,
}

impl Timed {
    fn new(tcp: TcpStream) -> io::Result<Self> {
        // What is handed over to be sent is whole, so nothing is gained by waiting for more.
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            end: Instant::now() + TIMEOUT,
        })
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(Some(left)),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(self.left()?)?;
        self.tcp.read(buf).map_err(too_late)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    /// TLS has several records at once, which leave in one packet.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tcp.set_write_timeout(self.left()?)?;
        self.tcp.write_vectored(bufs).map_err(too_late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// A socket says of its time-out that it would block.
fn too_late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// An ordinary rustls configuration, which knows nothing of credentials.
fn fallback(
    provider: Arc<CryptoProvider>,
    chain: &PathBuf,
    key: &PathBuf,
) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let explain = |path: &PathBuf, e: &dyn Error| format!("fallback {}: {e}", path.display());
    let read = |path: &PathBuf| fs::read(path).map_err(|e| explain(path, &e));
    let certificates = pem::certificates(&read(chain)?).map_err(|e| explain(chain, &e))?;
    let private_key = pem::private_key(&read(key)?).map_err(|e| explain(key, &e))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, private_key)?;
    Ok(Arc::new(config))
}

fn answer(acceptor: &Acceptor, tcp: TcpStream) -> Result<Served, Box<dyn Error>> {
    let mut tls = acceptor.accept(Timed::new(tcp)?)?;
    let served = tls.served().clone();
    read_request(&mut tls)?;
    let body = format!("served with {}\n", describe(&served));
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    );
    // One buffer is one record; `write!` would make one of each of its pieces. It leaves with the end in one packet.
    let connection = tls.connection_mut();
    connection.writer().write_all(reply.as_bytes())?;
    connection.send_close_notify();
    tls.flush()?;
    Ok(served)
}

/// Reads up to the empty line that ends the header of a request.
fn read_request(tls: &mut impl Read) -> io::Result<()> {
    for line in BufReader::new(tls.take(MAX_REQUEST)).lines() {
        if line?.is_empty() {
            break;
        }
    }
    Ok(())
}

fn describe(served: &Served) -> String {
    match served {
        Served::Delegated {
            unique_name: Some(name),
            ..
        } => format!("a credential for {name}"),
        Served::Delegated { .. } => "an RFC 9345 credential".to_owned(),
        _ => "the fallback certificate".to_owned(),
    }
}

/// For a whole connection, from the first byte to the last.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 64;
const PAUSE: Duration = Duration::from_millis(100);
const MAX_REQUEST: u64 = 16 * 1024;
