//! A device's server: this program, started once more, in a process of its own.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use dc_core::pem;
use dc_rustls::server::{Acceptor, Settings, Store, danger};
use dc_tests::process::Server;
use pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustix::time::{ClockId, clock_gettime};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Result;
use crate::hidden;
use crate::solution::{Identity, Proof};

/// Starts it, without any care for the end of its identity, as a thief would: what ends is for clients to see.
///
/// Fails with what it said, if it cannot serve this.
pub(crate) fn start(identity: &Identity) -> Result<Server> {
    let mut command = hidden::again(Command::new, "serve", &arguments(identity)?)?;
    let server = Server::try_start("a device's server", &mut command);
    server.map_err(|said| format!("the device's server does not start: {said}").into())
}

fn arguments(identity: &Identity) -> Result<Vec<OsString>> {
    let name: OsString = identity.name.clone().into();
    let proof: Vec<OsString> = match &identity.proof {
        Proof::Certificate { chain, key } => {
            vec!["--chain".into(), chain.into(), "--key".into(), key.into()]
        }
        Proof::Credential { folder } => {
            let ends = identity.ends.ok_or("the credential has no end")?;
            let before = ends.saturating_sub(BEFORE_THE_END).to_string();
            let folder = folder.into();
            vec![
                "--credential".into(),
                folder,
                "--always-at".into(),
                before.into(),
            ]
        }
        Proof::RawKey { key } => vec!["--raw-key".into(), key.into()],
    };
    Ok(["--name".into(), name].into_iter().chain(proof).collect())
}

/// What this program is told when it is a server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// What the page says
    #[arg(long)]
    name: String,
    /// A certificate chain, in PEM
    #[arg(long, requires = "key")]
    chain: Option<PathBuf>,
    /// Its leaf's key, in PEM
    #[arg(long)]
    key: Option<PathBuf>,
    /// An identity folder
    #[arg(long, requires = "always_at")]
    credential: Option<PathBuf>,
    /// A key to serve without a certificate, in PEM
    #[arg(long)]
    raw_key: Option<PathBuf>,
    /// What it takes for the time as long as it runs, in Unix seconds
    #[arg(long)]
    always_at: Option<u64>,
}

/// Serves until the process is ended.
pub(crate) fn run(serve: &Serve) -> Result<()> {
    let device = Arc::new(Device::new(serve)?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    loop {
        let (tcp, _) = listener.accept()?;
        let device = Arc::clone(&device);
        // A client that goes away in the middle concerns nobody else.
        thread::spawn(move || device.answer(tcp));
    }
}

/// A device: what it shows, and its page.
struct Device {
    shows: Shows,
    page: String,
}

enum Shows {
    Stock(Arc<ServerConfig>),
    Credential(Acceptor),
}

impl Device {
    fn new(serve: &Serve) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let shows = match serve {
            Serve {
                chain: Some(chain),
                key: Some(key),
                ..
            } => Shows::Stock(certificate(provider, chain, key)?),
            Serve {
                raw_key: Some(key), ..
            } => Shows::Stock(raw_key(provider, key)?),
            Serve {
                credential: Some(folder),
                always_at: Some(moment),
                ..
            } => Shows::Credential(credential(provider, folder, *moment)?),
            _ => {
                return Err(
                    "nothing to serve: give --chain and --key, or --credential, or --raw-key"
                        .into(),
                );
            }
        };
        Ok(Self {
            shows,
            page: format!("{PAGE} {}\n", serve.name),
        })
    }

    fn answer(&self, tcp: TcpStream) -> Result<()> {
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(TIMEOUT))?;
        match &self.shows {
            Shows::Stock(config) => {
                let connection = ServerConnection::new(Arc::clone(config))?;
                let mut tls = StreamOwned::new(connection, tcp);
                self.reply(&mut tls)?;
                tls.conn.send_close_notify();
                tls.flush()?;
            }
            Shows::Credential(acceptor) => {
                let mut tls = acceptor.accept(tcp)?;
                self.reply(&mut tls)?;
                tls.connection_mut().send_close_notify();
                tls.flush()?;
            }
        }
        Ok(())
    }

    fn reply(&self, tls: &mut (impl Read + Write)) -> Result<()> {
        for line in BufReader::new(tls.take(MAX_REQUEST)).lines() {
            if line?.is_empty() {
                break;
            }
        }
        let page = &self.page;
        let length = page.len();
        let processor = processor_time();
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\n{PROCESSOR_TIME}: {processor:015}\r\nConnection: close\r\n\r\n{page}"
        );
        tls.write_all(reply.as_bytes())?;
        Ok(())
    }
}

/// Of this process, in nanoseconds.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let [seconds, rest] =
        [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    seconds * 1_000_000_000 + rest
}

fn certificate(
    provider: Arc<CryptoProvider>,
    chain: &Path,
    key: &Path,
) -> Result<Arc<ServerConfig>> {
    let certificates = read(chain, pem::certificates)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, read(key, pem::private_key)?)?;
    plain(&mut config);
    Ok(Arc::new(config))
}

fn raw_key(provider: Arc<CryptoProvider>, key: &Path) -> Result<Arc<ServerConfig>> {
    let private: PrivateKeyDer<'static> = read(key, pem::private_key)?;
    let key = provider.key_provider.load_private_key(private)?;
    let public = key
        .public_key()
        .ok_or("the key does not tell its public half")?;
    let public = CertificateDer::from(public.to_vec());
    let certified = Arc::new(CertifiedKey::new(vec![public], key));
    let resolver = AlwaysResolvesServerRawPublicKeys::new(certified);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    plain(&mut config);
    Ok(Arc::new(config))
}

/// Every visit is to be a full handshake.
/// So that every handshake is a whole one, and has the bytes of its certificates: whether they are compressed (RFC 8879) is
/// another question than which they are.
fn plain(config: &mut ServerConfig) {
    config.cert_compressors.clear();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

/// Every form that the folder has, to whoever takes it, with nothing to fall back on.
fn credential(provider: Arc<CryptoProvider>, folder: &Path, moment: u64) -> Result<Acceptor> {
    let identity = dc_rustls::server::Identity::load(folder)?;
    let settings = Settings::new(provider)
        .session_storage(Arc::new(NoServerSessionStorage {}))
        .without_certificate_compression()
        .time_provider(Arc::new(Still(moment)));
    let store = Store::with_settings(settings);
    // A thief does not ask whether clients will take it.
    danger::install_unchecked(&store, identity)?;
    Ok(Acceptor::new(store))
}

fn read<T>(path: &Path, parse: fn(&[u8]) -> std::result::Result<T, dc_core::Error>) -> Result<T> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&bytes).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// A clock that stands still.
#[derive(Debug)]
struct Still(u64);

impl TimeProvider for Still {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

/// How every page begins, so that clients can tell that it is one of these; the device's name follows.
pub(crate) const PAGE: &str = "This is";
/// In seconds: a credential is sent until five minutes before its end.
const BEFORE_THE_END: u64 = 600;
const TIMEOUT: Duration = Duration::from_secs(10);
/// The header that says how much processor time the server has taken so far, in nanoseconds.
pub(crate) const PROCESSOR_TIME: &str = "Processor-Time";
const MAX_REQUEST: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_served_is_said_at_once() {
        let identity = Identity {
            name: "a.example".to_owned(),
            proof: Proof::RawKey {
                key: "/nowhere/key.pem".into(),
            },
            ends: None,
        };
        let said = start(&identity).unwrap_err().to_string();
        assert!(said.contains("/nowhere/key.pem"), "{said}");
    }
}
