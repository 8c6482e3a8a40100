//! A device: its folders, its configuration, its clock, and what its log says.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dc_agent::{Agent, Clock, Config, Status, SystemClock, look};
use dc_core::{
    DelegatedCredential, DelegationCertificate, Offer, Role, VerifiedCredential, Verifier,
};
use dc_rustls::server::{Identity, Store};
use pki_types::CertificateDer;
use pki_types::pem::PemObject;
use rustls::crypto::ring::default_provider;
use tempfile::TempDir;

use crate::signer::{Signer, unix};

/// The true time, and how wrong the device's clock is.
#[derive(Clone)]
pub(crate) struct TestClock {
    signer: Signer,
    booted: u64,
    off: Arc<AtomicI64>,
}

impl Clock for TestClock {
    fn wall(&self) -> u64 {
        self.signer
            .now()
            .saturating_add_signed(self.off.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.signer.now() - self.booted)
    }
}

pub(crate) struct Device {
    pub(crate) folder: TempDir,
    pub(crate) signer: Signer,
    pub(crate) log: Rc<RefCell<Vec<String>>>,
    off: Arc<AtomicI64>,
}

impl Device {
    /// With an activation code, and no delay after its start.
    pub(crate) fn new(signer: &Signer) -> Self {
        let device = Self {
            folder: tempfile::tempdir().unwrap(),
            signer: signer.clone(),
            log: Rc::default(),
            off: Arc::default(),
        };
        fs::copy(signer.root_file(), device.path("root.pem")).unwrap();
        device.configure("start_delay = '0s'\ncode_file = 'code'\n");
        device.give_code(&signer.new_code());
        device
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn configure(&self, more: &str) {
        let text = format!(
            "signer = 'https://localhost:{}'\nsigner_roots = 'root.pem'\nroots = 'root.pem'\n\
             identity = 'identity'\nstate = 'state'\ntimeout = '5s'\n{more}",
            self.signer.port
        );
        fs::write(self.path("agent.toml"), text).unwrap();
    }

    /// The id in its memory.
    pub(crate) fn id(&self) -> String {
        let state = fs::read(self.path("state/state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        state["device"].as_str().unwrap().to_owned()
    }

    /// The agent as a process, which looks once and ends.
    pub(crate) fn once(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-agent"));
        command
            .args(["--once", "--config"])
            .arg(self.path("agent.toml"))
            .stderr(Stdio::null());
        command
    }

    /// The agent as a process that stays.
    pub(crate) fn daemon(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-agent"));
        command
            .arg("--config")
            .arg(self.path("agent.toml"))
            .stderr(Stdio::null());
        command
    }

    pub(crate) fn give_code(&self, code: &str) {
        fs::write(self.path("code"), code).unwrap();
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(&self.path("agent.toml")).unwrap()
    }

    /// Sets the clock so many seconds off the truth.
    pub(crate) fn set_clock(&self, off: i64) {
        self.off.store(off, Ordering::SeqCst);
    }

    pub(crate) fn clock_is_off_by(&self) -> u64 {
        self.off.load(Ordering::SeqCst).unsigned_abs()
    }

    fn clock(&self) -> TestClock {
        TestClock {
            signer: self.signer.clone(),
            booted: self.signer.now(),
            off: self.off.clone(),
        }
    }

    /// Starts its agent.
    pub(crate) fn boot(&self) -> Agent {
        let log = self.log.clone();
        let report = Box::new(move |event: &dc_agent::Event| {
            log.borrow_mut().push(event.to_string());
        });
        Agent::open(self.config(), Box::new(self.clock()), report).unwrap()
    }

    pub(crate) fn look(&self) -> Status {
        look(&self.config(), &self.clock()).unwrap()
    }

    /// How it stands by the system's own clock.
    pub(crate) fn look_really(&self) -> Status {
        look(&self.config(), &SystemClock::new()).unwrap()
    }

    pub(crate) fn said(&self, words: &str) -> bool {
        self.log.borrow().iter().any(|line| line.contains(words))
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.path("identity/current")
    }

    /// What a client makes of the current generation at the true time: panics unless it accepts it, and the
    /// server does.
    pub(crate) fn accepted(&self) -> VerifiedCredential {
        verified(&self.current(), self.signer.now()).unwrap()
    }

    /// What is in the current generation's credential file.
    pub(crate) fn credential(&self) -> Vec<u8> {
        fs::read(self.current().join("credential.pem")).unwrap()
    }
}

/// Loads a generation as a server does, and verifies all of it as a client does.
pub(crate) fn verified(generation: &Path, now: u64) -> Result<VerifiedCredential, String> {
    verified_as(Role::Server, generation, now)
}

/// The same at one end of connections.
pub(crate) fn verified_as(
    role: Role,
    generation: &Path,
    now: u64,
) -> Result<VerifiedCredential, String> {
    Identity::load(generation).map_err(|error| error.to_string())?;
    let chain = fs::read(generation.join("chain.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&chain).unwrap();
    let certificate = DelegationCertificate::parse(certificate).unwrap();
    let file = fs::read(generation.join("credential.pem")).unwrap();
    let stored = dc_core::pem::read(&file).unwrap().remove(0);
    let credential = DelegatedCredential::decode(stored.form, &stored.bytes).unwrap();
    let offer = Offer::suiting(&credential);
    Verifier::new(
        role,
        &offer,
        default_provider().signature_verification_algorithms.all,
    )
    .verify_own_name(&credential, &certificate, unix(now))
    .map_err(|error| error.to_string())
}

/// Installs a generation in a real server's store, by the system's clock: chain, credential and key belong
/// together and are valid now.
pub(crate) fn installed(generation: &Path) -> Result<(), String> {
    let store = Store::new(Arc::new(default_provider()));
    Identity::load(generation)
        .and_then(|identity| store.install(identity))
        .map_err(|error| error.to_string())
}
