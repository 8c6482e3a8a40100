//! Our server and our client, in this process, and the files that the other programs read.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use base64ct::{Base64, Encoding as _};
use dc_core::{Form, Role};
use dc_rustls::{
    Error,
    client::{Config, Identity, IdentityStore, NamePolicy, Peer},
    server::{Acceptor, ClientCredentials, Settings, Store},
};
use dc_tests::vendor::{Device, Vendor};
use rustls::{
    ServerConfig,
    pki_types::UnixTime,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::ours;
use crate::lab;

/// The name of every server here.
pub(crate) const NAME: &str = "router.cpe.example.com";

/// A vendor of servers and one of clients, with all that other programs need in PEM.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) servers: Vendor,
    pub(crate) clients: Vendor,
    camera: Device,
    folder: PathBuf,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self {
            servers: Vendor::default(),
            clients: Vendor::default(),
            camera: Device::new("camera"),
            folder: lab::new_file("client-auth"),
        };
        lab::create(&site.folder);
        let root = |vendor: &Vendor| {
            let body = Base64::encode_string(&vendor.root_der());
            format!(
                "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n",
                in_lines(&body)
            )
        };
        site.write("server-root.pem", &root(&site.servers));
        site.write("server-chain.pem", &in_lines_of(&site.servers.chain_pem()));
        site.write("server-key.pem", &site.servers.private_key_pem());
        site.write("client-root.pem", &root(&site.clients));
        site.write("client-chain.pem", &in_lines_of(&site.clients.chain_pem()));
        site.write("client-key.pem", &site.clients.private_key_pem());
        site.write("camera-key.pem", &site.camera.key.private_key_pem());
        let stored = site.issue(Form::Rfc9345);
        site.write(
            "camera.pem",
            &dc_core::pem::write(stored.form, &stored.bytes),
        );
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        lab::write(&self.path(name), text);
    }

    /// The policy that trusts the clients' vendor.
    pub(crate) fn policy(&self) -> ClientCredentials {
        ClientCredentials::roots(&ours(), self.clients.roots()).unwrap()
    }

    fn issue(&self, form: Form) -> dc_core::pem::StoredCredential {
        let day = Duration::from_secs(24 * 3600);
        self.clients
            .issue_as(Role::Client, &self.camera, form, UnixTime::now(), day)
    }
}

fn in_lines_of(pem: &str) -> String {
    pem.lines().map(in_lines).collect()
}

/// Other programs read no longer lines.
fn in_lines(body: &str) -> String {
    let lines = body.as_bytes().chunks(64);
    lines
        .map(|line| String::from_utf8_lossy(line).into_owned() + "\n")
        .collect()
}

/// Our server for one connection, with an ordinary certificate and this policy for clients.
#[derive(Debug)]
pub(crate) struct OurServer {
    pub(crate) port: u16,
    said: Receiver<String>,
}

impl OurServer {
    pub(crate) fn start(site: &Site, policy: ClientCredentials) -> Self {
        let settings = Settings::new(ours()).client_credentials(policy).unwrap();
        let config = ServerConfig::builder_with_provider(ours())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(site.servers.chain(), site.servers.private_key())
            .unwrap();
        let acceptor = Acceptor::new(Store::with_settings(settings)).fallback(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (say, said) = channel();
        thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            // The test that would listen may have failed already.
            let _ = say.send(match answer(&acceptor, tcp) {
                Ok(words) => words,
                Err(error) => refusal(&error),
            });
        });
        Self { port, said }
    }

    /// What it says of its client.
    pub(crate) fn said(&self) -> String {
        let said = self.said.recv_timeout(TIMEOUT);
        said.unwrap_or_else(|_| "nobody has connected".to_owned())
    }
}

fn answer(acceptor: &Acceptor, tcp: TcpStream) -> Result<String, Error> {
    tcp.set_read_timeout(Some(TIMEOUT))?;
    let mut tls = acceptor.accept(tcp)?;
    let words = match tls.peer() {
        None => "nobody".to_owned(),
        Some(Peer::Certificate) => "certificate".to_owned(),
        Some(peer) => format!("credential {peer:?}"),
    };
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match tls.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => break,
        }
    }
    tls.write_all(REPLY)?;
    tls.connection_mut().send_close_notify();
    tls.flush()?;
    let _ = std::io::copy(&mut tls, &mut std::io::sink());
    Ok(words)
}

fn refusal(error: &Error) -> String {
    match error {
        Error::Tls(rustls::Error::AlertReceived(alert)) => format!("alert {alert:?}"),
        Error::Tls(rustls::Error::NoCertificatesPresented) => "nothing presented".to_owned(),
        other => other.to_string(),
    }
}

/// All that our client has, in case that it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Presents {
    Both,
    Certificate,
    Credential,
    Nothing,
}

impl Presents {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Both => "credentials and a certificate",
            Self::Certificate => "a certificate",
            Self::Credential => "credentials",
            Self::Nothing => "nothing",
        }
    }
}

/// Connects to a server of other people's, and says how it went.
pub(crate) fn connect(site: &Site, port: u16, presents: Presents) -> String {
    let mut builder = Config::builder(ours())
        .roots(site.servers.roots())
        .unique_name(NamePolicy::Preferred);
    if matches!(presents, Presents::Both | Presents::Certificate) {
        let key = ours()
            .key_provider
            .load_private_key(site.clients.private_key());
        let certified = CertifiedKey::new(site.clients.chain(), key.unwrap());
        builder = builder.client_auth(Arc::new(SingleCertAndKey::from(certified)));
    }
    if matches!(presents, Presents::Both | Presents::Credential) {
        let store = IdentityStore::new(ours());
        let credentials = Form::ALL.into_iter().map(|form| site.issue(form)).collect();
        let key = site.camera.key.private_key();
        store
            .install(Identity::new(site.clients.chain(), credentials, key))
            .unwrap();
        builder = builder.client_identity(store);
    }
    match talk(&builder.build().unwrap(), port) {
        Ok(()) => "ok".to_owned(),
        Err(error) => refusal(&error),
    }
}

fn talk(config: &Config, port: u16) -> Result<(), Error> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    let mut tls = config.connect(NAME.try_into().unwrap(), tcp)?;
    tls.write_all(format!("GET / HTTP/1.0\r\nHost: {NAME}\r\n\r\n").as_bytes())?;
    let mut reply = Vec::new();
    match tls.read_to_end(&mut reply) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(error.into()),
        _ => {}
    }
    match reply.starts_with(b"HTTP/") {
        true => Ok(()),
        false => Err(std::io::Error::other(String::from_utf8_lossy(&reply).into_owned()).into()),
    }
}

/// Removed with the folder of the run.
pub(crate) fn new_folder(site: &Site, name: &str) -> PathBuf {
    let folder = site.path(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

const TIMEOUT: Duration = Duration::from_secs(30);
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nours\n";
