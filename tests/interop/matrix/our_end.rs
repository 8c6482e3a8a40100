//! Our server and our client, in this process: they say exactly what they saw.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use dc_core::pem::StoredCredential;
use dc_rustls::{
    Error,
    client::{self, NamePolicy, Peer},
    server::{
        Acceptor, Identity, Served as ServedWith, Settings, Store, danger::install_unchecked,
    },
};
use rustls::{
    AlertDescription, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::cell::{Backend, Said, Verdict};
use crate::lab::{Lab, NAME, Served};

/// Our cryptography; `only_p384` makes for a HelloRetryRequest with whoever begins with another group.
pub(crate) fn provider(backend: Backend, only_p384: bool) -> Arc<CryptoProvider> {
    let (mut provider, p384) = match backend {
        Backend::AwsLc => (
            aws_lc_rs::default_provider(),
            aws_lc_rs::kx_group::SECP384R1,
        ),
        Backend::Ring => (ring::default_provider(), ring::kx_group::SECP384R1),
    };
    if only_p384 {
        provider.kx_groups = vec![p384];
    }
    Arc::new(provider)
}

/// Our server on a port of its own, with the lab's ordinary certificate as a fallback.
#[derive(Debug)]
pub(crate) struct OurServer {
    pub(crate) port: u16,
    is_over: Arc<AtomicBool>,
    said: Receiver<Said>,
}

impl OurServer {
    /// A server with these credentials, or with the fallback alone if the provider cannot use their key.
    pub(crate) fn start(lab: &Lab, provider: &Arc<CryptoProvider>, identity: Identity) -> Self {
        let store = Store::with_settings(Settings::new(provider.clone()));
        match store.install(identity) {
            Ok(()) | Err(Error::Tls(_)) => {}
            Err(error) => panic!("not installed: {error}"),
        }
        Self::with(lab, provider, store)
    }

    /// A server that does not look at what it serves.
    pub(crate) fn unchecked(lab: &Lab, provider: &Arc<CryptoProvider>, identity: Identity) -> Self {
        let store = Store::new(provider.clone());
        install_unchecked(&store, identity)
            .unwrap_or_else(|error| panic!("not installed: {error}"));
        Self::with(lab, provider, store)
    }

    /// A server that sends what RFC 9345 allows, also where NSS aborts.
    pub(crate) fn without_nss_workaround(
        lab: &Lab,
        provider: &Arc<CryptoProvider>,
        identity: Identity,
    ) -> Self {
        let settings = Settings::new(provider.clone()).without_nss_workaround();
        let store = Store::with_settings(settings);
        store
            .install(identity)
            .unwrap_or_else(|error| panic!("not installed: {error}"));
        Self::with(lab, provider, store)
    }

    fn with(lab: &Lab, provider: &Arc<CryptoProvider>, store: Arc<Store>) -> Self {
        let acceptor = Acceptor::new(store).fallback(fallback(lab, provider));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (say, said) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                let (acceptor, say) = (acceptor.clone(), say.clone());
                thread::spawn(move || answer(&acceptor, tcp, &say));
            }
        });
        Self {
            port,
            is_over,
            said,
        }
    }

    /// What it says of the next connection it has had.
    pub(crate) fn said(&self) -> Said {
        self.said
            .recv_timeout(TIMEOUT)
            .unwrap_or_else(|_| Said::new(Verdict::Closed, "nobody has connected"))
    }
}

impl Drop for OurServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Its thread waits for a connection; that it is gone already is no concern.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn fallback(lab: &Lab, provider: &Arc<CryptoProvider>) -> Arc<ServerConfig> {
    let (chain, key) = lab.ordinary();
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(read_chain(&chain), read_key(&key))
        .unwrap();
    Arc::new(config)
}

fn answer(acceptor: &Acceptor, tcp: TcpStream, say: &Sender<Said>) {
    tcp.set_read_timeout(Some(TIMEOUT)).unwrap();
    // The test that would listen may have failed already.
    let say = |said| drop(say.send(said));
    let mut stream = match acceptor.accept(tcp) {
        Ok(stream) => stream,
        Err(error) => return say(Said::new(verdict(&error), error.to_string())),
    };
    let served = stream.served().clone();
    let verdict = match served {
        ServedWith::Certificate => Verdict::Certificate,
        _ => Verdict::Credential,
    };
    let kind = stream.connection().handshake_kind();
    say(Said {
        kind,
        ..Said::new(verdict, format!("{served:?}"))
    });
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let _ = stream.write_all(REPLY);
    stream.connection_mut().send_close_notify();
    let _ = stream.flush();
    // Until the client has closed too: a reset would take the reply from it.
    let _ = io::copy(&mut stream, &mut io::sink());
}

/// Our client, with the sessions of all its connections.
#[derive(Clone, Debug)]
pub(crate) struct OurClient {
    config: client::Config,
    patience: Duration,
}

impl OurClient {
    pub(crate) fn new(root: &Path, backend: Backend, policy: NamePolicy) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in read_chain(root) {
            roots.add(certificate).unwrap();
        }
        let config = client::Config::builder(provider(backend, false))
            .roots(roots)
            .unique_name(policy)
            .build()
            .unwrap_or_else(|error| panic!("no client: {error}"));
        Self {
            config,
            patience: TIMEOUT,
        }
    }

    /// Waits for no answer longer than this.
    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Does one handshake and a request.
    pub(crate) fn connect(&self, port: u16) -> Said {
        match self.talk(port) {
            Ok(said) => said,
            Err(error) => Said::new(verdict(&error), error.to_string()),
        }
    }

    fn talk(&self, port: u16) -> Result<Said, Error> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        tcp.set_read_timeout(Some(self.patience))?;
        let mut stream = self.config.connect(NAME.try_into().unwrap(), tcp)?;
        // In one piece: some servers answer and leave after the first record.
        stream.write_all(format!("GET / HTTP/1.0\r\nHost: {NAME}\r\n\r\n").as_bytes())?;
        let mut reply = Vec::new();
        match stream.read_to_end(&mut reply) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
            _ => {}
        }
        let verdict = match stream.peer() {
            _ if !reply.windows(6).any(|part| part == b"200 OK") => Verdict::Closed,
            Peer::Delegated { .. } => Verdict::Credential,
            _ => Verdict::Certificate,
        };
        let words = format!("{:?}", stream.peer());
        Ok(Said {
            kind: stream.connection().handshake_kind(),
            ..Said::new(verdict, words)
        })
    }
}

/// What went wrong, as far as the other end has to do with it.
fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Tls(rustls::Error::AlertReceived(alert)) => Verdict::Alert(snake_case(*alert)),
        Error::Io(_) => Verdict::Closed,
        _ => Verdict::Refused,
    }
}

fn snake_case(alert: AlertDescription) -> String {
    let mut name = String::new();
    for letter in format!("{alert:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// What our server loads for this credential; `named` is one more for the same key.
pub(crate) fn identity(served: &Served, named: Option<StoredCredential>) -> Identity {
    let file = std::fs::read(&served.credential).unwrap();
    let mut credentials = dc_core::pem::read(&file).unwrap();
    credentials.extend(named);
    Identity::new(
        read_chain(&served.chain),
        credentials,
        read_key(&served.credential_key),
    )
}

pub(crate) fn read_chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_key(path: &Path) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Long enough for 200 clients of a server in Python.
const TIMEOUT: Duration = Duration::from_secs(90);
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nours\n";
