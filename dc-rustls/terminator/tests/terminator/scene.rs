//! A device with the program on it, servers behind, and clients.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, NamePolicy, Stream};
use dc_tests::process::Server;
use dc_tests::vendor::{Device, Vendor, provider};
use tempfile::TempDir;

/// A vendor, its device, and the device's identity in a folder.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) vendor: Vendor,
    pub(crate) device: Device,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new(forms: &[Form]) -> Self {
        let scene = Self {
            vendor: Vendor::default(),
            device: Device::new("k3v"),
            folder: tempfile::tempdir().unwrap(),
        };
        // The program is somebody else when it reads them.
        fs::set_permissions(scene.folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(scene.file("identity")).unwrap();
        scene.write("identity/chain.pem", &scene.vendor.chain_pem());
        scene.write("identity/key.pem", &scene.device.key.private_key_pem());
        scene.issue(forms, Duration::from_secs(3600));
        scene
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a whole file in its place.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let next = self.file("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.file(name)).unwrap();
    }

    /// New credentials with this lifetime.
    pub(crate) fn issue(&self, forms: &[Form], lifetime: Duration) {
        let issued = forms.iter().map(|&form| {
            let stored = self.vendor.issue_for(&self.device, form, lifetime);
            dc_core::pem::write(stored.form, &stored.bytes)
        });
        self.write("identity/credential.pem", &issued.collect::<String>());
    }

    /// The program, as nobody if this is root.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-terminator"));
        if is_root() {
            command.args(["--user", NOBODY]);
        }
        command
    }

    pub(crate) fn start(&self, backend: &str, options: &[&str]) -> Server {
        let mut command = self.command();
        command.arg("--identity").arg(self.file("identity"));
        command.args(["--listen", "127.0.0.1:0", "--backend", backend]);
        Server::start("dc-terminator", command.args(options))
    }

    pub(crate) fn client(&self, policy: NamePolicy) -> Config {
        let builder = Config::builder(provider()).roots(self.vendor.roots());
        builder.unique_name(policy).build().unwrap()
    }

    pub(crate) fn connect(&self, to: &Server) -> Result<Stream<TcpStream>, Error> {
        connect(&self.client(NamePolicy::Required), &self.device.name, to)
    }

    /// The answer to what is said, after the end of that.
    pub(crate) fn ask(&self, to: &Server, what: &[u8]) -> Result<String, Error> {
        let mut tls = self.connect(to)?;
        say(&mut tls, what)?;
        let mut answer = String::new();
        tls.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

pub(crate) fn say(tls: &mut Stream<TcpStream>, what: &[u8]) -> std::io::Result<()> {
    tls.write_all(what)?;
    tls.connection_mut().send_close_notify();
    tls.flush()
}

pub(crate) fn connect(
    client: &Config,
    name: &str,
    to: &Server,
) -> Result<Stream<TcpStream>, Error> {
    let tcp = TcpStream::connect(("127.0.0.1", to.port()))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    client.connect(name.to_owned().try_into().unwrap(), tcp)
}

/// A server behind, which says how much it has heard, after a word of its own.
pub(crate) fn counts(word: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(&listener, word));
    address
}

pub(crate) fn serve(listener: &TcpListener, word: &'static str) {
    for tcp in listener.incoming().map_while(Result::ok) {
        thread::spawn(move || answer(tcp, word));
    }
}

pub(crate) fn answer(mut stream: impl Read + Write, word: &str) {
    let mut heard = Vec::new();
    // A client may go away.
    if stream.read_to_end(&mut heard).is_ok() {
        let _ = write!(stream, "{word} {}", heard.len());
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

pub(crate) const NOBODY: &str = "65534:65533";
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
