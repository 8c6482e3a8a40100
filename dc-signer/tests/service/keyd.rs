//! The signing process and a service, each a process of its own, over the real socket: also when the process is killed, and when
//! the service is somebody else's.

mod checkpoints;
mod commands;
mod devices;
mod ends;
mod pauses;
mod taken_over;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use apparatus::SoftHsm;
use dc_core::{DelegatedCredential, DelegationCertificate, Form, Offer, Role, Verifier};
use dc_evidence::{Hash, Note};
use dc_pki::Sha256;
use dc_pki::keyd::{Answer, Ask, Keyd, MAX_FRAME};
use dc_pki::keys::{ProcessFault, Refusal};
use dc_signer::keyd::LogKey;
use pki_types::CertificateDer;
use pki_types::pem::PemObject;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ready::command;
use crate::rig::{Rig, now};
use crate::router::{Router, csr};

/// A signing process with a delegation that nobody else has the key of.
pub(crate) struct Process {
    folder: TempDir,
    child: Option<Child>,
    hsm: Option<SoftHsm>,
}

impl Process {
    /// With lines for its one zone and the tables behind it.
    pub(crate) fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendor = folder.path().join("vendor");
        let made = run(&[
            "init",
            vendor.to_str().unwrap(),
            "--zone",
            "cpe.example.com",
        ]);
        assert!(made.0, "{}", made.1);
        let mut key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .unwrap()
            .serialize_pem();
        key.push('\n');
        fs::write(folder.path().join("audit.pem"), key).unwrap();
        let me = nix::unistd::getuid();
        let config = format!(
            "socket = \"socket\"\nstate = \"state\"\n[[callers]]\nuser = \"{me}\"\n[[delegations]]\nfolder = \"vendor\"\n[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n[[zones]]\nzone = \"cpe.example.com\"\n{more}"
        );
        fs::write(folder.path().join("keyd.toml"), config).unwrap();
        // What a service imports has the certificate, and the name of the socket in place of the key.
        let front = folder.path().join("front");
        fs::create_dir(&front).unwrap();
        fs::copy(vendor.join("chain.pem"), front.join("chain.pem")).unwrap();
        let socket = format!("{}\n", folder.path().join("socket").display());
        fs::write(front.join("key.keyd"), socket).unwrap();
        let mut process = Self {
            folder,
            child: None,
            hsm: None,
        };
        process.begin();
        process
    }

    pub(crate) fn begin(&mut self) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path("log"))
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        if let Some(hsm) = &self.hsm {
            command.env(SoftHsm::VARIABLE, hsm.settings());
        }
        let child = command
            .args(["keyd", "--config"])
            .arg(self.path("keyd.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let began = Instant::now();
        while self.keyd().status().is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Without a chance to clean up.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Moves its delegation key into a token; false if tests with tokens are left out.
    fn use_a_token(&mut self) -> bool {
        self.kill();
        let folder = self.path("hsm");
        fs::create_dir(&folder).unwrap();
        self.hsm = SoftHsm::new(&folder);
        let Some(hsm) = &self.hsm else {
            return false;
        };
        fs::rename(self.path("vendor/key.pem"), folder.join("key.pem")).unwrap();
        hsm.util("--import key.pem --token hsm --label delegation --id 01 --pin pin-of-hsm");
        fs::remove_file(folder.join("key.pem")).unwrap();
        let pin = folder.join("pin");
        fs::write(&pin, "pin-of-hsm").unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
        let uri = format!(
            "pkcs11:token=hsm;object=delegation?module-path={}&pin-source=file:{}",
            SoftHsm::module().display(),
            pin.display()
        );
        fs::write(self.path("vendor/key.uri"), uri).unwrap();
        self.begin();
        true
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill")
            .args([format!("-{signal}"), pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn keyd(&self) -> Keyd {
        Keyd::new(self.path("socket"))
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.keyd().status().unwrap()).unwrap()
    }

    fn certificate(&self) -> DelegationCertificate<'static> {
        let chain = CertificateDer::from_pem_file(self.path("vendor/chain.pem")).unwrap();
        DelegationCertificate::parse(chain).unwrap()
    }

    fn sha256(&self) -> Sha256 {
        Sha256::of(self.certificate().der())
    }

    pub(crate) fn written(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.path("state/log.ndjson")).unwrap();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// A service whose zone is issued in by the process.
fn service(process: &Process) -> Rig {
    with_process(Rig::start(), process)
}

/// The same of one that runs.
fn with_process(rig: Rig, process: &Process) -> Rig {
    let front = process.path("front");
    let config = rig.data().join("config.toml");
    let import = ["zones", "rollover", "cpe.example.com", "--now", "--import"];
    let import = [
        &import[..],
        &[front.to_str().unwrap(), "--reason", "a test"],
    ]
    .concat();
    let (done, said) = command(&import, &config);
    assert!(done && said.contains("active"), "{said}\n{}", process.log());
    rig.wait_until("it issues from the new certificate", || {
        let metrics = rig.admin().get("/metrics").body;
        metrics.contains(
            "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"2\",state=\"active\"} 1",
        )
    });
    rig
}

/// Shows that the credential of an answer is one that a peer accepts under the process's certificate.
fn verify(process: &Process, answer: &Value) {
    let pem = answer["credentials"][0]["pem"].as_str().unwrap();
    let bytes = dc_core::pem::read(pem.as_bytes()).unwrap().remove(0).bytes;
    let credential = DelegatedCredential::decode(Form::Named, &bytes).unwrap();
    let offer = Offer::suiting(&credential);
    let algorithms = rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all;
    let verified = Verifier::new(Role::Server, &offer, algorithms)
        .verify_own_name(&credential, &process.certificate(), now())
        .unwrap();
    assert_eq!(
        verified.unique_name().unwrap().as_str(),
        answer["name"].as_str().unwrap()
    );
}

#[test]
fn messages_are_what_the_protocol_says() {
    // A caller in another language reads this.
    assert_eq!(Ask::Status.encode(), [1, 3]);
    assert_eq!(Answer::Works.encode(), [1, 2]);
}

const PATIENCE: Duration = Duration::from_secs(30);
