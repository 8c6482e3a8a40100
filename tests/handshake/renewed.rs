//! A server under load that follows an identity folder through a thousand renewals, written as the agent writes
//! them: no handshake fails, and each presents one generation.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use dc_core::Form;
use dc_core::pem::{StoredCredential, write};
use dc_rustls::Error;
use dc_rustls::client::{Config, Peer};
use dc_rustls::server::{Acceptor, Settings, Store, Watch};
use dc_tests::vendor::{Device, Vendor, ZONE, provider};
use rustls::pki_types::{ServerName, UnixTime};
use tempfile::TempDir;

use crate::setup::{HOUR, client_of};

/// An identity folder as the agent keeps it: `dc-<number>` and a link `current`.
struct Folder {
    path: TempDir,
    vendor: Vendor,
}

impl Folder {
    fn new() -> Self {
        Self {
            path: tempfile::tempdir().unwrap(),
            vendor: Vendor::default(),
        }
    }

    fn current(&self) -> PathBuf {
        self.path.path().join("current")
    }

    /// Makes generation `number`, with a key and a credential of its own, the current one, and removes the one that
    /// came three before. The credential ends at a moment that says which generation it is of.
    fn renew(&self, number: u64) {
        let device = Device::new(LABEL);
        let lifetime = FIRST + APART * u32::try_from(number).unwrap();
        let stored = self.vendor.issue_for(&device, Form::Named, lifetime);
        let path = self.path.path();
        self.write(&path.join(".tmp"), &device, &stored);
        fs::rename(path.join(".tmp"), generation(path, number)).unwrap();
        symlink(format!("dc-{number}"), path.join("current.new")).unwrap();
        fs::rename(path.join("current.new"), self.current()).unwrap();
        if let Some(old) = number.checked_sub(3) {
            let _ = fs::remove_dir_all(generation(path, old));
        }
    }

    fn write(&self, folder: &Path, device: &Device, stored: &StoredCredential) {
        fs::create_dir(folder).unwrap();
        let credential = write(stored.form, &stored.bytes);
        for (name, contents) in [
            ("chain.pem", self.vendor.chain_pem()),
            ("credential.pem", credential),
            ("key.pem", device.key.private_key_pem()),
        ] {
            fs::write(folder.join(name), contents).unwrap();
        }
    }
}

fn generation(path: &Path, number: u64) -> PathBuf {
    path.join(format!("dc-{number}"))
}

/// A server on loopback that follows a folder, and its client.
struct Scene {
    folder: Folder,
    address: SocketAddr,
    client: Config,
    started: u64,
    /// The generation that was reported last.
    installed: AtomicU64,
    _watch: Watch,
}

impl Scene {
    /// The server with its first generation, and what its watch reports from then on.
    fn new() -> (Self, Reports) {
        let folder = Folder::new();
        let started = UnixTime::now().as_secs();
        folder.renew(0);
        // Compressing a credential takes longer than all the rest of its renewal.
        let settings = Settings::new(provider()).without_certificate_compression();
        let store = Store::with_settings(settings);
        let (report, reports) = channel();
        let tell = move |news| drop(report.send(news));
        let watch = store.watch(folder.current(), INTERVAL, tell).unwrap();
        reports.recv_timeout(LONG).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = Acceptor::new(store);
        for _ in 0..SERVING {
            let (listener, acceptor) = (listener.try_clone().unwrap(), acceptor.clone());
            // Until the test ends.
            thread::spawn(move || serve(&listener, &acceptor));
        }
        // Without sessions, each connection is answered with what is served now.
        let client = client_of(&folder.vendor).without_resumption();
        let scene = Self {
            folder,
            address,
            client: client.build().unwrap(),
            started,
            installed: AtomicU64::new(0),
            _watch: watch,
        };
        (scene, reports)
    }

    /// The number of the generation that answers. That it is one generation is what the client has verified: the
    /// credential is of this chain, and its key has signed the handshake.
    fn ask(&self) -> u64 {
        let tcp = TcpStream::connect(self.address).unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from(format!("{LABEL}.{ZONE}")).unwrap();
        let mut tls = self.client.connect(name, tcp).unwrap();
        tls.write_all(b"ping").unwrap();
        let mut line = [0; 4];
        tls.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"pong");
        let Peer::Delegated { expires, .. } = tls.peer() else {
            panic!("{:?}", tls.peer());
        };
        (expires.as_secs() - self.started - HOUR.as_secs()) / APART.as_secs()
    }

    /// Asks until it is over. Returns how often each generation answered.
    fn ask_on(&self, over: &AtomicBool) -> BTreeMap<u64, usize> {
        let mut answers = BTreeMap::new();
        let mut last = 0;
        while !over.load(Ordering::SeqCst) {
            let least = self.installed.load(Ordering::SeqCst).max(last);
            last = self.ask();
            assert!(last >= least, "generation {last} after generation {least}");
            *answers.entry(last).or_default() += 1;
        }
        answers
    }
}

type Reports = Receiver<Result<(), Error>>;

fn serve(listener: &TcpListener, acceptor: &Acceptor) {
    for tcp in listener.incoming().map(Result::unwrap) {
        tcp.set_nodelay(true).unwrap();
        let mut tls = acceptor.accept(tcp).unwrap();
        let mut line = [0; 4];
        tls.read_exact(&mut line).unwrap();
        tls.write_all(b"pong").unwrap();
    }
}

/// How often each generation answered to clients that asked all the time while this happened.
fn meanwhile(scene: &Scene, happens: impl FnOnce()) -> BTreeMap<u64, usize> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = [(); ASKING].map(|()| scope.spawn(|| scene.ask_on(&over)));
        let end = apparatus::Over(&over);
        happens();
        drop(end);
        let mut all = BTreeMap::new();
        for (number, times) in asking.into_iter().flat_map(|thread| thread.join().unwrap()) {
            *all.entry(number).or_default() += times;
        }
        all
    })
}

#[test]
fn a_thousand_renewals_under_load_are_each_served_and_fail_no_handshake() {
    let (scene, reports) = Scene::new();
    let answers = meanwhile(&scene, || {
        for number in 1..=RENEWALS {
            scene.folder.renew(number);
            reports.recv_timeout(LONG).unwrap().unwrap();
            scene.installed.store(number, Ordering::SeqCst);
            assert_eq!(scene.ask(), number);
        }
    });
    let handshakes: usize = answers.values().sum();
    println!(
        "{handshakes} handshakes, answered by {} generations",
        answers.len()
    );
    assert!(handshakes >= 1000, "{handshakes}");
    assert!(reports.try_recv().is_err());
}

#[test]
fn a_thousand_renewals_as_fast_as_can_be_written_fail_no_handshake() {
    let (scene, reports) = Scene::new();
    let answers = meanwhile(&scene, || {
        (1..=RENEWALS).for_each(|number| scene.folder.renew(number));
        let started = Instant::now();
        while scene.ask() < RENEWALS {
            assert!(started.elapsed() < LONG);
        }
    });
    // Nothing but good news, at most one a generation; what nobody was told of was replaced before it was read.
    let installed = reports.try_iter().map(Result::unwrap).count();
    let handshakes: usize = answers.values().sum();
    println!(
        "{handshakes} handshakes, {installed} generations installed, {} answered",
        answers.len()
    );
    assert!((1..=1000).contains(&installed), "{installed}");
    assert!(answers.keys().all(|number| *number <= RENEWALS));
    assert!(answers.len() <= installed + 1, "{answers:?}");
    assert!(handshakes >= 100, "{handshakes}");
}

const LABEL: &str = "router";
const RENEWALS: u64 = 1000;
const ASKING: usize = 3;
const SERVING: usize = 3;
const INTERVAL: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);
/// Farther apart than the test takes, and a thousand of them within seven days.
const APART: Duration = Duration::from_secs(500);
/// The lifetime of the first generation's credential: in the middle of what counts as it.
const FIRST: Duration = Duration::from_secs(3600 + 250);
