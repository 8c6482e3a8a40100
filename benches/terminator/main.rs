//! dc-terminator beside stunnel, and beside the same on stock rustls: what each takes on flash and in memory, what a full handshake
//! with a request costs it, and what records do.
//!
//! Each is a process of its own, before the same server behind, and they take turns. stunnel is Debian's, and is left out where it is not
//! installed; its libraries are not counted in its size. `cargo bench -p dc-terminator-bench` builds the other two as small as they get,
//! with `-- --profile release` as another profile of Cargo's makes them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Stream};
use dc_tests::process::listening_port;
use dc_tests::vendor::{Device, Vendor, provider};

/// One of those that are compared.
struct Lane {
    name: &'static str,
    client: Config,
    /// Its own and, of stunnel, nothing of OpenSSL.
    file: u64,
    child: Child,
    port: u16,
    visits: Vec<Duration>,
    spent: Duration,
    bulk: Duration,
    bulk_spent: Duration,
    rest: u64,
    idle: u64,
}

impl Lane {
    fn new(name: &'static str, client: Config, program: &Path, command: &mut Command) -> Self {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = quiet.spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        let port = loop {
            if let Some(port) = listening_port(child.id()) {
                break port;
            }
            assert!(Instant::now() < end, "{name} does not listen");
            sleep(Duration::from_millis(5));
        };
        let file = fs::metadata(program).unwrap().len();
        let zero = Duration::ZERO;
        Self {
            name,
            client,
            file,
            child,
            port,
            visits: Vec::new(),
            spent: zero,
            bulk: zero,
            bulk_spent: zero,
            rest: 0,
            idle: 0,
        }
    }

    fn connect(&self) -> Stream<TcpStream> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut tls = self.client.connect(NAME.try_into().unwrap(), tcp).unwrap();
        tls.write_all(b"?").unwrap();
        tls.read_exact(&mut [0]).unwrap();
        tls
    }

    fn visit(&mut self, times: usize) {
        let before = self.processor_time();
        for _ in 0..times {
            let start = Instant::now();
            drop(self.connect());
            self.visits.push(start.elapsed());
        }
        self.spent += self.processor_time() - before;
    }

    /// Sends so much and has it back.
    fn echo(&mut self) {
        let mut tls = self.connect();
        let (before, start) = (self.processor_time(), Instant::now());
        let (chunk, mut back) = (vec![7; CHUNK], vec![0; CHUNK]);
        for _ in 0..CHUNKS {
            tls.write_all(&chunk).unwrap();
            tls.read_exact(&mut back).unwrap();
        }
        self.bulk += start.elapsed();
        self.bulk_spent += self.processor_time() - before;
    }

    fn weigh(&mut self) {
        sleep(Duration::from_millis(500));
        self.rest = self.own_memory();
        let open: Vec<_> = (0..CONNECTIONS).map(|_| self.connect()).collect();
        sleep(Duration::from_millis(500));
        self.idle = self.own_memory();
        drop(open);
    }

    /// Heap and stacks, in bytes.
    fn own_memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Anonymous:"));
        let kilobytes = line.unwrap().split_whitespace().next().unwrap();
        1024 * kilobytes.parse::<u64>().unwrap()
    }

    fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which may hold anything: the 12th and 13th fields, in hundredths of a second.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(10 * ticks)
    }

    fn report(&mut self) {
        self.visits.sort();
        let visits = self.visits.len() as f64;
        let megabytes = (CHUNK * CHUNKS * BULKS) as f64 / 1e6;
        println!(
            "{:14} {:9} {:9} {:11} {:11.0} {:11.0} {:9.0} {:11.2}",
            self.name,
            self.file / 1000,
            self.rest / 1000,
            self.idle.saturating_sub(self.rest) / CONNECTIONS as u64,
            self.spent.as_secs_f64() * 1e6 / visits,
            self.visits[self.visits.len() / 2].as_secs_f64() * 1e6,
            megabytes / self.bulk.as_secs_f64(),
            self.bulk_spent.as_secs_f64() * 1e3 / megabytes,
        );
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server behind: gives back what it gets.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                tcp.set_nodelay(true).unwrap();
                let (mut from, mut to) = (tcp.try_clone().unwrap(), tcp);
                let mut chunk = vec![0; CHUNK];
                while let Ok(read @ 1..) = from.read(&mut chunk) {
                    if to.write_all(&chunk[..read]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// Builds both programs with nothing but their own features. The folder that they are in.
fn build(profile: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/footprint");
    for package in ["dc-terminator", "dc-terminator-bench"] {
        let status = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--locked",
                "--bins",
                "--profile",
                profile,
                "-p",
                package,
                "--target-dir",
            ])
            .arg(&target)
            .status();
        assert!(status.unwrap().success(), "{package} was not built");
    }
    target.join(profile)
}

/// An identity folder, and the delegation certificate's own key. Readable for all, as a program may become somebody else.
fn write_files(folder: &Path, vendor: &Vendor) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let device = Device::new("router");
    let issued = vendor.issue(&device, Form::Named);
    for (file, content) in [
        ("chain.pem", vendor.chain_pem()),
        ("certificate.key.pem", vendor.private_key_pem()),
        (
            "credential.pem",
            dc_core::pem::write(issued.form, &issued.bytes),
        ),
        ("key.pem", device.key.private_key_pem()),
    ] {
        fs::write(folder.join(file), content).unwrap();
    }
}

fn client(vendor: &Vendor, policy: NamePolicy) -> Config {
    let builder = Config::builder(provider())
        .roots(vendor.roots())
        .unique_name(policy);
    builder
        .without_resumption()
        .without_remembering()
        .build()
        .unwrap()
}

fn lanes(folder: &Path, vendor: &Vendor, programs: &Path) -> Vec<Lane> {
    let backend = backend().to_string();
    let (chain, key) = (folder.join("chain.pem"), folder.join("certificate.key.pem"));
    let ordinary = || client(vendor, NamePolicy::Ignored);
    let stock = programs.join("stock-terminator");
    let mut lanes = vec![Lane::new(
        "stock rustls",
        ordinary(),
        &stock,
        Command::new(&stock).args([&chain, &key]).arg(&backend),
    )];
    let ours = programs.join("dc-terminator");
    let mut command = Command::new(&ours);
    command
        .arg("--identity")
        .arg(folder)
        .args(["--listen", "127.0.0.1:0", "--backend", &backend]);
    // It serves nobody as root.
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.args(["--user", "65534:65534"]);
    }
    lanes.push(Lane::new(
        "dc-terminator",
        client(vendor, NamePolicy::Required),
        &ours,
        &mut command,
    ));
    let stunnel = apparatus::program("stunnel4");
    if !stunnel.exists() {
        println!("without stunnel: it is not installed (apt-get install stunnel4)");
        return lanes;
    }
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let settings = format!(
        "foreground = yes\npid =\ndebug = 0\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[tls]\naccept = {free}\nconnect = {backend}\ncert = {}\nkey = {}\n",
        chain.display(),
        key.display()
    );
    let config = folder.join("stunnel.conf");
    fs::write(&config, settings).unwrap();
    lanes.push(Lane::new(
        "stunnel",
        ordinary(),
        &stunnel,
        Command::new(&stunnel).arg(config),
    ));
    lanes
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only wants to know whether it runs.
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let given = arguments
        .iter()
        .position(|argument| argument == "--profile");
    let profile = given.and_then(|at| arguments.get(at + 1));
    let programs = build(profile.map_or("agent", String::as_str));
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::default();
    write_files(folder.path(), &vendor);
    let mut lanes = lanes(folder.path(), &vendor, &programs);
    for lane in &mut lanes {
        lane.visit(ROUND);
        lane.weigh();
        (lane.visits, lane.spent) = (Vec::new(), Duration::ZERO);
    }
    for _ in 0..if is_test { 1 } else { ROUNDS } {
        lanes.iter_mut().for_each(|lane| lane.visit(ROUND));
        // Who comes behind whom alternates.
        lanes.reverse();
    }
    for _ in 0..BULKS {
        lanes.iter_mut().for_each(Lane::echo);
        lanes.reverse();
    }
    println!(
        "{:14} {:>9} {:>9} {:>11} {:>11} {:>11} {:>9} {:>11}",
        "", "file kB", "rest kB", "B/idle", "us cpu/visit", "us/visit", "MB/s", "ms cpu/MB"
    );
    lanes.iter_mut().for_each(Lane::report);
}

const NAME: &str = "router.cpe.example.com";
const CONNECTIONS: usize = 100;
const ROUND: usize = 50;
const ROUNDS: usize = 40;
const CHUNK: usize = 16 * 1024;
const CHUNKS: usize = 2000;
const BULKS: usize = 4;
