//! Devices that listen, and the program that is to reach them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::server::{Acceptor, Identity, Store, Stream, danger};
use dc_tests::process::{Outcome, Server, finish};
use dc_tests::vendor::{Device, Vendor, provider};
use tempfile::TempDir;

pub(crate) type Tls = Stream<TcpStream>;

/// A port, and how each of its connections went: what a client was told, or why it was not served.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    pub(crate) went: Receiver<Result<(), String>>,
}

/// A vendor whose device is `k3v`, and its root in a file.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) vendor: Vendor,
    pub(crate) device: Device,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (vendor, folder) = (Vendor::default(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("roots.pem"), vendor.root_pem()).unwrap();
        Self {
            vendor,
            device: Device::new("k3v"),
            folder,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The device, which does this with each connection.
    pub(crate) fn serve(&self, talk: fn(&mut Tls) -> std::io::Result<()>) -> Port {
        serve(
            honest(self.vendor.enrol(&self.device, &[Form::Named])),
            talk,
        )
    }

    /// The program, which trusts the vendor.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-connect"));
        command.arg("--roots").arg(self.file("roots.pem"));
        command
    }

    /// The program as a pipe to the device's name at this address.
    pub(crate) fn pipe(&self, at: SocketAddr) -> Command {
        let mut command = self.command();
        command.args([&self.device.name, "--to", &at.to_string()]);
        command
    }

    /// The program with a port, and that port.
    pub(crate) fn port(&self, options: &[&str]) -> (Server, SocketAddr) {
        let server = Server::start("dc-connect", self.command().args(options));
        let port = server.port();
        (server, ([127, 0, 0, 1], port).into())
    }
}

pub(crate) fn honest(identity: Identity) -> Acceptor {
    let store = Store::new(provider());
    store.install(identity).unwrap();
    Acceptor::new(store)
}

/// Serves what no store would install, to whoever asks for any name.
pub(crate) fn careless(identity: Identity) -> Acceptor {
    let store = Store::new(provider());
    danger::install_unchecked(&store, identity).unwrap();
    Acceptor::new(store)
}

pub(crate) fn serve(acceptor: Acceptor, talk: fn(&mut Tls) -> std::io::Result<()>) -> Port {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, went) = channel();
    let acceptor = Arc::new(acceptor);
    thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            let (acceptor, send): (_, Sender<_>) = (Arc::clone(&acceptor), send.clone());
            thread::spawn(move || {
                tcp.set_read_timeout(Some(PATIENCE)).unwrap();
                let served = acceptor.accept(tcp).map_err(|error| error.to_string());
                let said =
                    served.and_then(|mut tls| talk(&mut tls).map_err(|error| error.to_string()));
                // The test may be over.
                let _ = send.send(said);
            });
        }
    });
    Port { address, went }
}

impl Port {
    pub(crate) fn next(&self) -> Result<(), String> {
        self.went.recv_timeout(PATIENCE).unwrap()
    }
}

/// Says how much it has heard, when the other end has said everything.
pub(crate) fn counts(tls: &mut Tls) -> std::io::Result<()> {
    let mut heard = Vec::new();
    tls.read_to_end(&mut heard)?;
    write!(tls, "{} bytes", heard.len())?;
    goodbye(tls)
}

/// Answers one request.
pub(crate) fn answers(tls: &mut Tls) -> std::io::Result<()> {
    let served = tls.served().to_string();
    let mut lines = BufReader::new(Read::by_ref(tls)).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    write!(tls, "HTTP/1.0 200 OK\r\n\r\n{served}\n")?;
    goodbye(tls)
}

/// Ends in the middle of what it says, without a goodbye.
pub(crate) fn cuts(tls: &mut Tls) -> std::io::Result<()> {
    tls.write_all(b"half of it")?;
    tls.flush()?;
    tls.get_ref().shutdown(Shutdown::Both)
}

pub(crate) fn goodbye(tls: &mut Tls) -> std::io::Result<()> {
    tls.connection_mut().send_close_notify();
    tls.flush()
}

/// Runs a program to its end, with this on its standard input.
pub(crate) fn with_input(command: &mut Command, input: &[u8]) -> Outcome {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not want it all ends.
    let writing = thread::spawn(move || drop(stdin.write_all(&input)));
    let outcome = finish(&mut child, PATIENCE).1;
    writing.join().unwrap();
    outcome
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
