//! The signer's service, and a server that only shakes hands, each in a process of its own whose processor time can be told.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use apparatus::SoftHsm;
use clap::ValueEnum as _;
use dc_pki::clock;
use dc_signer::authority::Authority;
use dc_signer::authority::database;
use dc_signer::authority::json::NewDevice;
use dc_signer::config::{Config, Listen};
use dc_signer::server::Service;
use dc_signer::server::dev::Dev;
use dc_signer::server::listener::{self, ServiceCertificate};
use dc_signer::server::telemetry::start_log;
use dc_store::{Act, migrate};

use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::client;
use crate::device::Device;

/// Where the service keeps its records.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite,
    Postgres(String),
}

impl Database {
    pub(crate) fn from_environment() -> Self {
        let url = std::env::var("DC_SIGNER_TEST_POSTGRES");
        Self::Postgres(url.expect("DC_SIGNER_TEST_POSTGRES is the URL of an empty database"))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

/// The service that a process of this program runs.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum What {
    /// `dc-signer serve`, with its log in a file.
    Everything,
    /// Handshakes with the same settings, and nothing after them.
    Handshakes,
}

/// The folder of a signer that knows some devices.
pub(crate) struct Prepared(TempDir, Option<SoftHsm>);

impl Prepared {
    pub(crate) fn new(database: &Database, devices: &[Device]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path(), database, devices);
        Self(folder, None)
    }

    /// Moves the delegation key into a SoftHSM; `None` if tests with tokens are left out.
    pub(crate) fn with_token(self) -> Option<Self> {
        let hsm = self.0.path().join("hsm");
        fs::create_dir(&hsm).unwrap();
        let kept = SoftHsm::new(&hsm)?;
        let delegations = self.config().data.join("delegations");
        let mut delegations = fs::read_dir(delegations).unwrap();
        let delegation = delegations.next().unwrap().unwrap().path();
        fs::rename(delegation.join("key.pem"), hsm.join("key.pem")).unwrap();
        kept.util("--import key.pem --token hsm --label delegation --id 01 --pin pin-of-hsm");
        let pin = hsm.join("pin");
        fs::write(&pin, "pin-of-hsm").unwrap();
        fs::set_permissions(&pin, Permissions::from_mode(0o600)).unwrap();
        let (module, pin) = (SoftHsm::module(), pin.display());
        let module = module.display();
        let uri = format!(
            "pkcs11:token=hsm;object=delegation?module-path={module}&pin-source=file:{pin}"
        );
        fs::write(delegation.join("key.uri"), uri).unwrap();
        Some(Self(self.0, Some(kept)))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("config.toml")
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(&self.file()).unwrap()
    }
}

/// A process that serves; it ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    pub(crate) fn start(what: What, prepared: &Prepared) -> Self {
        let what = what.to_possible_value().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        if let Some(hsm) = &prepared.1 {
            command.env(SoftHsm::VARIABLE, hsm.settings());
        }
        let mut child = command
            .args(["--serve", what.get_name(), "--config"])
            .arg(prepared.file())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(prepared.0.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .parse()
            .expect("the service says where it listens");
        Self { child, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name in `/proc`.
    pub(crate) fn process(&self) -> String {
        self.child.id().to_string()
    }

    pub(crate) fn processor_time(&self) -> Duration {
        processor_time(&self.process())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time of a process and all its threads, in its own code and in the kernel.
pub(crate) fn processor_time(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may have spaces, `utime` and `stime` are the 12th and 13th (proc(5)).
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = [11, 12]
        .map(|at| fields[at].parse::<u64>().unwrap())
        .iter()
        .sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// Makes a vendor, a zone and a configuration, and adds the devices with their enrolment keys.
fn prepare(folder: &Path, database: &Database, devices: &[Device]) {
    let dev = Dev::open(folder, clock::now().unwrap()).unwrap();
    let made = fs::read_to_string(dev.config()).unwrap();
    let mut changed = made.replace("127.0.0.1:8443", "127.0.0.1:0");
    // What is measured is all that can be done.
    changed.push_str("\n[overload]\nrate = 100000\nat_once = 500\n");
    if let Database::Postgres(url) = database {
        changed.push_str(&format!("\n[database]\npostgres = {url:?}\n"));
    }
    fs::write(dev.config(), changed).unwrap();
    let config = Config::load(dev.config()).unwrap();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        if let Database::Postgres(url) = database {
            migrate(&url.parse().unwrap()).await.unwrap();
        }
        dev.fill(&config).await.unwrap();
        let (store, _in_use) = database::open(&config).await.unwrap();
        let authority = Authority::open(&config, Arc::clone(&store)).await.unwrap();
        let act = Act::new("device", clock::now().unwrap());
        let new: Vec<NewDevice> = devices.iter().map(new_device).collect();
        for part in new.chunks(1000) {
            let part: Vec<&NewDevice> = part.iter().collect();
            for added in authority.add_devices(&part, &act).await.unwrap() {
                added.unwrap();
            }
        }
        store.close().await;
    });
}

fn new_device(device: &Device) -> NewDevice {
    NewDevice {
        external_id: device.external_id.clone(),
        enrolment_key: Some(device.enrolment_key.clone()),
        ..NewDevice::default()
    }
}

/// The child's work.
pub(crate) fn serve(what: What, config: &Path) {
    let config = Config::load(config).unwrap();
    Runtime::new().unwrap().block_on(async {
        match what {
            What::Everything => everything(config).await,
            What::Handshakes => handshakes(&config.listen).await,
        }
    });
}

async fn everything(config: Config) {
    start_log(&config.log).unwrap();
    let service = Service::start(config, client::provider().clone())
        .await
        .unwrap();
    println!("{}", service.address().unwrap());
    service.run(std::future::pending()).await;
}

async fn handshakes(listen: &Listen) {
    let acceptor = TlsAcceptor::from(tls_config(listen));
    let listener = TcpListener::bind(listen.address).await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Clients that are gone are the load's to count.
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let _ = tls.shutdown().await;
            }
        });
    }
}

/// As the service is configured.
pub(crate) fn tls_config(listen: &Listen) -> Arc<ServerConfig> {
    let provider = client::provider();
    let identity = ServiceCertificate::load(&listen.certificate, &listen.key, provider).unwrap();
    listener::tls_config(&identity, listen, provider.clone()).unwrap()
}

/// USER_HZ, which is 100 on every common Linux.
const TICKS_PER_SECOND: u64 = 100;
