//! The runner's side of the command line: starts the shim, and takes its connections.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use dc_core::Form;
use dc_tests::vendor::{Device, Vendor};
use tempfile::TempDir;

/// One `-new-…-credential` with its files.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) delegated: Option<Vec<u8>>,
    pub(crate) signing_prefs: Vec<u16>,
}

impl Credential {
    pub(crate) fn x509(vendor: &Vendor) -> Self {
        Self {
            chain: vendor.chain_pem(),
            key: pem(&vendor.private_key()),
            delegated: None,
            signing_prefs: Vec::new(),
        }
    }

    pub(crate) fn delegated(vendor: &Vendor, device: &Device) -> Self {
        Self {
            chain: vendor.chain_pem(),
            key: device.key.private_key_pem(),
            delegated: Some(vendor.issue(device, Form::Rfc9345).bytes),
            signing_prefs: Vec::new(),
        }
    }

    fn flags(&self, folder: &Path, number: usize) -> Vec<String> {
        let file = |name: &str, content: &str| -> String {
            let path: PathBuf = folder.join(format!("{number}.{name}"));
            fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let kind = match self.delegated {
            Some(_) => "-new-delegated-credential",
            None => "-new-x509-credential",
        };
        let mut flags = [
            kind,
            "-cert-file",
            &file("chain", &self.chain),
            "-key-file",
            &file("key", &self.key),
        ]
        .map(str::to_owned)
        .to_vec();
        for scheme in &self.signing_prefs {
            flags.extend(["-signing-prefs".to_owned(), scheme.to_string()]);
        }
        if let Some(bytes) = &self.delegated {
            flags.extend([
                "-delegated-credential".to_owned(),
                Base64::encode_string(bytes),
            ]);
        }
        flags
    }
}

fn pem(key: &rustls::pki_types::PrivateKeyDer<'_>) -> String {
    let body = Base64::encode_string(key.secret_der());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

/// The shim in a process of its own.
#[derive(Debug)]
pub(crate) struct Shim {
    child: Child,
    listener: TcpListener,
    _files: TempDir,
}

impl Shim {
    pub(crate) fn start(credentials: &[Credential], flags: &[&str]) -> Self {
        let files = TempDir::new().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut command = shim();
        command.args(["-server", "-port", &port, "-shim-id", &SHIM_ID.to_string()]);
        command.args(flags);
        for (number, credential) in credentials.iter().enumerate() {
            command.args(credential.flags(files.path(), number));
        }
        Self {
            child: command.spawn().unwrap(),
            listener,
            _files: files,
        }
    }

    /// The shim's next connection, behind its number.
    pub(crate) fn accept(&self) -> TcpStream {
        let deadline = Instant::now() + PATIENCE;
        let mut tcp = loop {
            match self.listener.accept() {
                Ok((tcp, _)) => break tcp,
                Err(error) => assert!(Instant::now() < deadline, "no connection: {error}"),
            }
            thread::sleep(POLL);
        };
        tcp.set_nonblocking(false).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut number = [0; 8];
        tcp.read_exact(&mut number).unwrap();
        assert_eq!(u64::from_le_bytes(number), SHIM_ID);
        tcp
    }

    /// Its exit status and what it says.
    pub(crate) fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            thread::sleep(POLL);
        }
        said(self.child)
    }

    pub(crate) fn passes(self) {
        assert_eq!(self.end(), (0, String::new()));
    }

    /// The shim says that it does not implement this.
    pub(crate) fn leaves_out(self) {
        let (exit, error) = self.end();
        assert_eq!(exit, 89, "{error}");
    }
}

/// What the shim says of credentials that it does not want.
pub(crate) fn refused(credentials: &[Credential], flags: &[&str]) -> (i32, String) {
    Shim::start(credentials, flags).end()
}

/// Runs the shim with these flags alone.
pub(crate) fn run(flags: &[&str]) -> (i32, String) {
    said(shim().args(flags).spawn().unwrap())
}

fn shim() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dc-bogo-shim"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap().trim().to_owned();
    (output.status.code().unwrap_or(-1), said)
}

const SHIM_ID: u64 = 0x0102_0304_0506_0708;
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);
