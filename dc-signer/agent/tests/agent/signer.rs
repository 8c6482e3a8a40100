//! A signer on loopback that speaks the protocol over real TLS, and misbehaves as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dc_core::{Issued, Role};
use dc_pki::Sha256;
use dc_pki::names::{self, ZoneName};
use dc_pki::test_ca::{self, TestRoot};
use dc_pki::{Delegation, DeviceKey, Wanted, issue};
use dc_protocol::{
    Credential, Credentials, EnrollRequest, Kind, Problem, RenewRequest, RenewalInfo,
};
use pki_types::{CertificateDer, UnixTime};
use rustls::crypto::ring::default_provider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

pub(crate) const NAME: &str = "k3v.cpe.example.com";
pub(crate) const ZONE: &str = "cpe.example.com";
pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;

/// What it does with the next requests.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Good,
    /// Closes connections at once.
    Down,
    /// Takes connections and says nothing.
    Stalls,
    /// Answers with these bytes instead of JSON.
    Garbage(Vec<u8>),
    /// Issues for a key that nobody has.
    WrongKey,
    /// Issues under a certificate of a root that nobody knows.
    WrongRoot,
    /// Issues, and says that the device has this id, and that the name is of this zone.
    Misnames(&'static str, &'static str),
    /// Issues as if it were this many seconds later.
    Ahead(u64),
    /// Issues, and closes the connection before the answer.
    LosesAnswers,
    Refuses(Kind),
    /// Lets nobody in, and renews.
    RefusesToEnrol(Kind),
    /// 503 with Retry-After.
    Busy(u64),
    /// It is not the signer who answers, but who has stolen what it had before, and says that it is this time.
    Stolen(u64, Lie),
}

/// What a thief answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    Refuses,
    Busy,
    Issues,
    Garbage,
}

/// What it gives devices that ask as clients too.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ForClients {
    Nothing,
    Good,
    /// A server's credential for the client's key.
    Servers,
}

/// What a signer shows and issues with.
struct Papers {
    tls: Arc<ServerConfig>,
    delegation: Delegation,
}

struct Inner {
    folder: TempDir,
    /// The true time.
    now: AtomicU64,
    /// How far the signer's clock is off.
    off: AtomicI64,
    /// What it is served with.
    tls: Mutex<Arc<ServerConfig>>,
    stolen: Mutex<Option<Papers>>,
    mood: Mutex<Mood>,
    /// The delegation to issue under; the second one is of another root.
    delegation: Mutex<Delegation>,
    strange: Delegation,
    root: TestRoot,
    info: Mutex<RenewalInfo>,
    for_clients: Mutex<ForClients>,
    answers: Mutex<Vec<(String, Vec<u8>)>>,
    codes: Mutex<Vec<String>>,
    /// The list of withdrawn names, and its entity tag.
    list: Mutex<Option<(Vec<u8>, String)>>,
    lists_sent: AtomicU32,
    keys: Mutex<Vec<Vec<u8>>>,
    /// Which key takes which one's place when it is first used.
    switches: Mutex<Vec<[Vec<u8>; 2]>>,
    requests: AtomicU32,
    issued: AtomicU32,
    polls: AtomicU32,
    enrolments: AtomicU32,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
}

/// Lives until the test ends.
#[derive(Clone)]
pub(crate) struct Signer {
    inner: Arc<Inner>,
    pub(crate) port: u16,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

pub(crate) fn real_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

pub(crate) fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

impl Signer {
    pub(crate) fn start() -> Self {
        Self::start_at(real_now())
    }

    pub(crate) fn start_at(now: u64) -> Self {
        apparatus::prepare(apparatus::Part::Tools);
        let folder = tempfile::tempdir().unwrap();
        let root = TestRoot::generate(unix(now - 400 * DAY)).unwrap();
        let delegation = delegate(&root, &folder.path().join("vendor"), now);
        let strange = TestRoot::generate(unix(now)).unwrap();
        let strange = delegate(&strange, &folder.path().join("strange"), now);
        let config = tls(&root, now);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner {
            folder,
            now: AtomicU64::new(now),
            off: AtomicI64::new(0),
            tls: Mutex::new(config),
            stolen: Mutex::new(None),
            mood: Mutex::new(Mood::Good),
            delegation: Mutex::new(delegation),
            strange,
            root,
            for_clients: Mutex::new(ForClients::Nothing),
            info: Mutex::new(RenewalInfo {
                zone: ZONE.to_owned(),
                certificate_sha256: None,
                renew_issued_before: 0,
                spread: HOUR,
                poll_after: 12 * HOUR,
            }),
            answers: Mutex::default(),
            codes: Mutex::default(),
            list: Mutex::default(),
            lists_sent: AtomicU32::new(0),
            keys: Mutex::default(),
            switches: Mutex::default(),
            requests: AtomicU32::new(0),
            issued: AtomicU32::new(0),
            polls: AtomicU32::new(0),
            enrolments: AtomicU32::new(0),
            at_once: AtomicU32::new(0),
            most_at_once: AtomicU32::new(0),
        });
        let signer = Self { inner, port };
        let serving = signer.clone();
        thread::spawn(move || {
            for tcp in listener.incoming().map(Result::unwrap) {
                let signer = serving.clone();
                thread::spawn(move || signer.serve(tcp));
            }
        });
        signer
    }

    pub(crate) fn root_file(&self) -> std::path::PathBuf {
        self.inner.folder.path().join("vendor/root.pem")
    }

    pub(crate) fn now(&self) -> u64 {
        self.inner.now.load(Ordering::SeqCst)
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.inner.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// What its own clock says.
    pub(crate) fn clock(&self) -> u64 {
        let off = self.inner.off.load(Ordering::SeqCst);
        self.now().saturating_add_signed(off)
    }

    /// Sets its clock so many seconds off the truth.
    pub(crate) fn set_clock(&self, off: i64) {
        self.inner.off.store(off, Ordering::SeqCst);
    }

    /// Gets new certificates, for its connections and to issue under, by its own clock.
    pub(crate) fn certify(&self) {
        // Nobody can write a certificate of before 1970.
        let papers = self.papers(self.clock().max(365 * DAY));
        *lock(&self.inner.tls) = papers.tls;
        *lock(&self.inner.delegation) = papers.delegation;
    }

    fn papers(&self, at: u64) -> Papers {
        let folder = tempfile::tempdir_in(self.inner.folder.path()).unwrap();
        Papers {
            tls: tls(&self.inner.root, at),
            delegation: delegate(&self.inner.root, &folder.path().join("papers"), at),
        }
    }

    /// Somebody has what it had so many days ago: certificates that live for 90 days, with their keys.
    pub(crate) fn is_robbed(&self, days_ago: u64) {
        let papers = self.papers(self.now() - days_ago * DAY);
        *lock(&self.inner.stolen) = Some(papers);
    }

    pub(crate) fn set(&self, mood: Mood) {
        *lock(&self.inner.mood) = mood;
    }

    pub(crate) fn set_for_clients(&self, what: ForClients) {
        *lock(&self.inner.for_clients) = what;
    }

    pub(crate) fn set_info(&self, change: impl FnOnce(&mut RenewalInfo)) {
        change(&mut lock(&self.inner.info));
    }

    /// Gives this list of withdrawn names from now on.
    pub(crate) fn publish(&self, list: Vec<u8>) {
        let etag = format!("\"{}\"", Sha256::of(&list));
        *lock(&self.inner.list) = Some((list, etag));
    }

    /// How often somebody got a list that was not there already.
    pub(crate) fn lists_sent(&self) -> u32 {
        self.inner.lists_sent.load(Ordering::SeqCst)
    }

    /// Makes an activation code.
    pub(crate) fn new_code(&self) -> String {
        let mut codes = lock(&self.inner.codes);
        let code = format!("CODE-{}", codes.len());
        codes.push(code.clone());
        code
    }

    /// Issues under a new delegation certificate from now on.
    pub(crate) fn roll_over(&self) {
        let folder = self.inner.folder.path().join("next");
        let new = delegate(&self.inner.root, &folder, self.now());
        *lock(&self.inner.delegation) = new;
    }

    pub(crate) fn requests(&self) -> u32 {
        self.inner.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn issued(&self) -> u32 {
        self.inner.issued.load(Ordering::SeqCst)
    }

    /// How often somebody has asked to be let in, whatever came of it.
    pub(crate) fn enrolments(&self) -> u32 {
        self.inner.enrolments.load(Ordering::SeqCst)
    }

    pub(crate) fn polls(&self) -> u32 {
        self.inner.polls.load(Ordering::SeqCst)
    }

    pub(crate) fn most_at_once(&self) -> u32 {
        self.inner.most_at_once.load(Ordering::SeqCst)
    }

    fn serve(&self, tcp: TcpStream) {
        let inner = &self.inner;
        let at_once = inner.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let mood = lock(&inner.mood).clone();
        let config = match &mood {
            Mood::Stolen(..) => lock(&inner.stolen).as_ref().unwrap().tls.clone(),
            _ => lock(&inner.tls).clone(),
        };
        match mood {
            Mood::Down => drop(tcp),
            // Until the other end gives up.
            Mood::Stalls => drop(
                (&tcp)
                    .read(&mut [0; 9999])
                    .and_then(|_| (&tcp).read(&mut [0])),
            ),
            mood => drop(self.converse(tcp, config, &mood)),
        }
        inner.at_once.fetch_sub(1, Ordering::SeqCst);
    }

    fn converse(
        &self,
        tcp: TcpStream,
        config: Arc<ServerConfig>,
        mood: &Mood,
    ) -> std::io::Result<()> {
        tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
        let tls = ServerConnection::new(config).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(tls, tcp));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head)? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let peer = stream.get_ref().conn.peer_certificates().unwrap()[0].to_vec();
        let key = rustls::server::ParsedCertificate::try_from(&CertificateDer::from(peer))
            .unwrap()
            .subject_public_key_info()
            .to_vec();
        self.inner.requests.fetch_add(1, Ordering::SeqCst);
        if head.starts_with("POST /v1/enroll ") {
            self.inner.enrolments.fetch_add(1, Ordering::SeqCst);
        }
        let (status, extra, body) = self.answer(&head, &body, &key, mood);
        if matches!(mood, Mood::LosesAnswers) {
            return Ok(());
        }
        let date = match mood {
            Mood::Stolen(date, _) => *date,
            _ => self.clock(),
        };
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(date));
        let head = format!(
            "HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-length: {}\r\n{extra}\r\n",
            body.len()
        );
        let tls = stream.get_mut();
        tls.write_all(head.as_bytes())?;
        tls.write_all(&body)?;
        tls.conn.send_close_notify();
        tls.flush()
    }

    fn answer(&self, head: &str, body: &[u8], key: &[u8], mood: &Mood) -> (u16, String, Vec<u8>) {
        let refuse = |kind: Kind, extra: String| {
            let problem = serde_json::to_vec(&Problem::new(kind, "the test says so")).unwrap();
            (kind.status(), extra, problem)
        };
        match mood {
            Mood::Garbage(garbage) => return (200, String::new(), garbage.clone()),
            Mood::Refuses(kind) => {
                // As the service does.
                let after = kind.retry_after();
                let extra = after.map(|seconds| format!("retry-after: {seconds}\r\n"));
                return refuse(*kind, extra.unwrap_or_default());
            }
            Mood::Busy(seconds) => {
                let extra = format!("retry-after: {seconds}\r\n");
                return refuse(Kind::StorageUnavailable, extra);
            }
            Mood::Stolen(_, Lie::Refuses) => return refuse(Kind::DeviceRetired, String::new()),
            Mood::Stolen(_, Lie::Busy) => {
                let extra = "retry-after: 9999999\r\n".to_owned();
                return refuse(Kind::StorageUnavailable, extra);
            }
            Mood::Stolen(_, Lie::Garbage) => return (200, String::new(), b"{}".to_vec()),
            _ => {}
        }
        if head.starts_with("GET /v1/renewal-info/cpe.example.com ") {
            self.inner.polls.fetch_add(1, Ordering::SeqCst);
            let info = serde_json::to_vec(&*lock(&self.inner.info)).unwrap();
            return (200, String::new(), info);
        }
        if head.starts_with("GET /v1/withdrawn/cpe.example.com/compact ") {
            return self.list(head);
        }
        let known = lock(&self.inner.keys).iter().any(|known| known == key);
        if head.starts_with("POST /v1/renew ") {
            let request: RenewRequest = serde_json::from_slice(body).unwrap();
            if !known {
                return refuse(Kind::UnknownDevice, String::new());
            }
            self.switch(&request, key);
            return match self.renew(&request, mood) {
                Some(body) => (200, String::new(), body),
                None => refuse(Kind::StorageUnavailable, String::new()),
            };
        }
        assert!(head.starts_with("POST /v1/enroll "), "{head}");
        if let Mood::RefusesToEnrol(kind) = mood {
            return refuse(*kind, String::new());
        }
        let request: EnrollRequest = serde_json::from_slice(body).unwrap();
        let mut codes = lock(&self.inner.codes);
        let Some(at) = codes
            .iter()
            .position(|code| Some(code) == request.code.as_ref())
        else {
            return refuse(Kind::CodeRefused, String::new());
        };
        let Some(body) = self.issue(&request.csr, request.client_csr.as_deref(), mood) else {
            return refuse(Kind::StorageUnavailable, String::new());
        };
        codes[at].clear();
        lock(&self.inner.keys).push(key.to_vec());
        (200, String::new(), body)
    }

    fn list(&self, head: &str) -> (u16, String, Vec<u8>) {
        let Some((list, etag)) = lock(&self.inner.list).clone() else {
            let kind = Kind::NotFound;
            let problem = serde_json::to_vec(&Problem::new(kind, "no such zone")).unwrap();
            return (kind.status(), String::new(), problem);
        };
        let extra = format!("etag: {etag}\r\n");
        if head
            .to_lowercase()
            .contains(&format!("if-none-match: {etag}\r\n"))
        {
            return (304, extra, Vec::new());
        }
        self.inner.lists_sent.fetch_add(1, Ordering::SeqCst);
        (200, extra, list)
    }

    /// Takes the device's next key beside the one it asks with, and forgets the one before that.
    fn switch(&self, request: &RenewRequest, key: &[u8]) {
        let mut switches = lock(&self.inner.switches);
        let mut keys = lock(&self.inner.keys);
        switches.retain(|[old, new]| {
            if new == key {
                keys.retain(|known| known != old);
            }
            new != key
        });
        if let Some(csr) = &request.next_enrolment_csr {
            let new = public_key(csr);
            if !keys.contains(&new) {
                keys.push(new.clone());
                switches.push([key.to_vec(), new]);
            }
        }
    }

    /// The SHA-256 of each enrolment key that it takes.
    pub(crate) fn known_keys(&self) -> Vec<String> {
        lock(&self.inner.keys)
            .iter()
            .map(|key| Sha256::of(key).to_string())
            .collect()
    }

    fn renew(&self, request: &RenewRequest, mood: &Mood) -> Option<Vec<u8>> {
        let mut answers = lock(&self.inner.answers);
        let before = answers
            .iter()
            .find(|(key, _)| *key == request.idempotency_key);
        if let Some((_, answer)) = before {
            return Some(answer.clone());
        }
        let answer = self.issue(&request.csr, request.client_csr.as_deref(), mood)?;
        if matches!(mood, Mood::Good | Mood::LosesAnswers) {
            answers.push((request.idempotency_key.clone(), answer.clone()));
        }
        Some(answer)
    }

    /// None if its certificate is not valid by its own clock.
    fn issue(&self, csr: &str, client_csr: Option<&str>, mood: &Mood) -> Option<Vec<u8>> {
        let inner = &self.inner;
        let csr = match mood {
            Mood::WrongKey => {
                let key = rcgen::KeyPair::generate().unwrap();
                let params = rcgen::CertificateParams::default();
                params.serialize_request(&key).unwrap().pem().unwrap()
            }
            _ => csr.to_owned(),
        };
        let algorithms = default_provider().signature_verification_algorithms.all;
        let device_key = device_key(&csr);
        let own = lock(&inner.delegation);
        let stolen = lock(&inner.stolen);
        let delegation = match mood {
            Mood::WrongRoot => &inner.strange,
            Mood::Stolen(..) => &stolen.as_ref()?.delegation,
            _ => &*own,
        };
        let now = match mood {
            Mood::Ahead(seconds) => self.now() + seconds,
            Mood::Stolen(date, _) => *date,
            _ => self.clock(),
        };
        let wanted = Wanted::Named(names::parse(NAME).unwrap());
        let issued = issue(
            delegation,
            &device_key,
            &wanted,
            None,
            algorithms,
            unix(now),
        )
        .ok()?;
        inner.issued.fetch_add(1, Ordering::SeqCst);
        let chain: String = delegation
            .chain()
            .iter()
            .map(|c| pem("CERTIFICATE", c))
            .collect();
        let role = match *lock(&inner.for_clients) {
            ForClients::Nothing => None,
            ForClients::Good => Some(Role::Client),
            ForClients::Servers => Some(Role::Server),
        };
        let for_client = role.zip(client_csr).map(|(role, csr)| {
            let folder = delegation.chain_path().parent().unwrap();
            let delegation = Delegation::load_for(folder, role).unwrap();
            let key = self::device_key(csr);
            issue(&delegation, &key, &wanted, None, algorithms, unix(now)).unwrap()
        });
        let life = 164 * HOUR;
        let (device, zone) = match mood {
            Mood::Misnames(device, zone) => (*device, *zone),
            _ => ("device-1", ZONE),
        };
        let answer = serde_json::to_vec(&Credentials {
            device: device.to_owned(),
            name: NAME.to_owned(),
            zone: zone.to_owned(),
            credentials: credentials(&issued),
            client_credentials: for_client
                .iter()
                .flat_map(|issued| credentials(issued))
                .collect(),
            chain,
            issued: now,
            expires: now + life,
            renew_from: now + life * 40 / 100,
            renew_until: now + life * 55 / 100,
        });
        Some(answer.unwrap())
    }
}

fn credentials(issued: &[Issued]) -> Vec<Credential> {
    let credential = |one: &Issued| Credential {
        form: "named".to_owned(),
        pem: dc_core::pem::write(one.form(), one.bytes()),
        sha256: Sha256::of(one.bytes()).to_string(),
    };
    issued.iter().map(credential).collect()
}

fn public_key(csr: &str) -> Vec<u8> {
    device_key(csr).spki().to_vec()
}

fn device_key(csr: &str) -> DeviceKey {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), csr).unwrap();
    let algorithms = default_provider().signature_verification_algorithms.all;
    DeviceKey::from_csr(file.path(), algorithms).unwrap()
}

fn pem(label: &'static str, der: &[u8]) -> String {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der).unwrap()
}

fn delegate(root: &TestRoot, folder: &Path, now: u64) -> Delegation {
    let certificate = root
        .delegate(&ZoneName::parse(ZONE).unwrap(), unix(now))
        .unwrap();
    test_ca::write(folder, root, &certificate).unwrap();
    Delegation::load(folder).unwrap()
}

fn tls(root: &TestRoot, now: u64) -> Arc<ServerConfig> {
    let name = names::parse("localhost").unwrap();
    let server = root.certify_server(&name, unix(now)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_single_cert(vec![server.certificate().clone()], server.private_key())
        .unwrap();
    Arc::new(config)
}

/// Takes every client certificate whose key the client has.
#[derive(Debug)]
struct Anybody;

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
