//! Early data with OpenSSL, whose two programs know it, and with BoringSSL, which serves it under a credential.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use apparatus::{Part, have};
use dc_core::Form;
use dc_rustls::client::{Config, EarlyDataStatus, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::ServerConfig;
use rustls::pki_types::ServerName;

use crate::boring;
use crate::process::{self, Server};
use crate::setup;

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// A vendor, one of its devices, and their files.
struct Site {
    vendor: Vendor,
    device: Device,
    folder: PathBuf,
}

impl Site {
    fn new(folder: &str) -> Self {
        let site = Self {
            vendor: Vendor::default(),
            device: Device::new("early"),
            folder: setup::run().join(folder),
        };
        fs::create_dir_all(&site.folder).unwrap();
        let chain = site.vendor.chain_pem();
        site.write("chain.pem", &chain);
        site.write("key.pem", &site.vendor.private_key_pem());
        site.write("device.pem", &site.device.key.private_key_pem());
        let issued = site.vendor.issue(&site.device, Form::Rfc9345);
        let credential = dc_core::pem::write(issued.form, &issued.bytes);
        site.write("credential.pem", &credential);
        site
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn client(&self) -> Config {
        let builder = Config::builder(provider()).roots(self.vendor.roots());
        let builder = builder.unique_name(NamePolicy::Ignored).early_data();
        builder.build().unwrap()
    }

    /// Connects, sends the request early if it may and else, or again, later. Everything that the server has said, and
    /// who it is.
    fn ask(&self, client: &Config, port: u16) -> (EarlyDataStatus, Vec<u8>, Peer) {
        let name = ServerName::try_from(self.device.name.clone()).unwrap();
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut tls = client
            .connect_early(name, tcp, |data| data.write_all(REQUEST))
            .unwrap();
        if tls.early_data() != EarlyDataStatus::Accepted {
            tls.write_all(REQUEST).unwrap();
        }
        tls.connection_mut().send_close_notify();
        tls.flush().unwrap();
        let mut reply = Vec::new();
        // BoringSSL says no close_notify where it was asked for one before the handshake was over.
        if let Err(error) = tls.read_to_end(&mut reply) {
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        (tls.early_data(), reply, tls.peer().clone())
    }
}

/// OpenSSL's server, which takes so many bytes of early data. Its input does not end, or it would.
fn openssl_server(site: &Site, limit: &str) -> Server {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "mkfifo \"$0\" && exec openssl s_server \"$@\" <>\"$0\"",
        ])
        .arg(site.file(&format!("input-{limit}")))
        .args(["-accept", "127.0.0.1:0", "-tls1_3", "-early_data"])
        .args(["-max_early_data", limit])
        .args(["-cert_chain", &site.file("chain.pem")])
        .args(["-cert", &site.file("chain.pem")])
        .args(["-key", &site.file("key.pem")]);
    Server::start("OpenSSL", &mut command)
}

#[test]
fn openssl_takes_our_early_data() {
    if !have(Part::Tools) {
        return;
    }
    let site = Site::new("early-to-openssl");
    let client = site.client();
    let server = openssl_server(&site, "1000");
    let (status, _, peer) = site.ask(&client, server.port());
    assert_eq!(
        (status, peer),
        (EarlyDataStatus::NotSent, Peer::Certificate)
    );
    let mark = server.text().len();
    let (status, _, peer) = site.ask(&client, server.port());
    assert_eq!(
        (status, peer),
        (EarlyDataStatus::Accepted, Peer::Certificate)
    );
    assert!(
        server.says("Early data received", mark),
        "{}",
        server.text()
    );
    assert!(server.says("GET / HTTP/1.0", mark), "{}", server.text());
    // Another process does not know the session.
    let other = openssl_server(&site, "2000");
    let (status, _, _) = site.ask(&client, other.port());
    assert_eq!(status, EarlyDataStatus::Rejected);
    assert!(other.says("GET / HTTP/1.0", 0), "{}", other.text());
    assert!(!other.text().contains("Early data received"));
}

#[test]
fn boringssl_takes_our_early_data_under_a_credential() {
    if setup::lab().is_none() {
        return;
    }
    let site = Site::new("early-to-boring");
    let client = site.client();
    let files = ["chain.pem", "key.pem", "credential.pem", "device.pem"].map(|it| site.file(it));
    let server = || boring::server_with(&files);
    let (first, other) = (server(), server());
    for (server, expected, said) in [
        (&first, EarlyDataStatus::NotSent, "handshake ok, full\n"),
        (
            &first,
            EarlyDataStatus::Accepted,
            "handshake ok, resumed, early data accepted\n",
        ),
        (&other, EarlyDataStatus::Rejected, "handshake ok, full\n"),
    ] {
        let mark = server.text().len();
        let (status, reply, peer) = site.ask(&client, server.port());
        assert_eq!(status, expected, "{}", server.text());
        let form = Form::Rfc9345;
        assert!(matches!(peer, Peer::Delegated { form: it, .. } if it == form));
        assert!(reply.ends_with(b"\r\n\r\nboringssl\n"), "{reply:?}");
        assert!(server.says(said, mark), "{}", server.text());
    }
}

/// Our server, as it serves one client of OpenSSL: what arrived early and late.
fn serve(server: &Acceptor, listener: &TcpListener) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (tcp, _) = listener.accept()?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut early = Vec::new();
    let mut tls = server
        .accept_early(tcp, |data| {
            early.extend_from_slice(data.bytes());
            data.write_all(b"soon\n")
        })
        .map_err(io::Error::other)?;
    assert_eq!(*tls.served(), Served::Certificate);
    tls.write_all(b"late\n")?;
    tls.connection_mut().send_close_notify();
    tls.flush()?;
    let mut late = Vec::new();
    tls.read_to_end(&mut late)?;
    Ok((early, late))
}

#[test]
fn openssl_sends_early_data_to_our_server() {
    if !have(Part::Tools) {
        return;
    }
    let site = Site::new("early-from-openssl");
    site.write("request", str::from_utf8(REQUEST).unwrap());
    write_root(&site);
    let server = || {
        let mut fallback = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(site.vendor.chain(), site.vendor.private_key())
            .unwrap();
        fallback.max_early_data_size = 1000;
        Acceptor::new(Store::new(provider())).fallback(Arc::new(fallback))
    };
    let (first, other) = (server(), server());
    for (server, arguments, said, early) in [
        (
            &first,
            &["-sess_out", "session"][..],
            "Early data was not sent",
            &b""[..],
        ),
        (
            &first,
            &["-sess_in", "session", "-early_data", "request"],
            "Early data was accepted",
            REQUEST,
        ),
        // The same session again, as a replay would have it.
        (
            &first,
            &["-sess_in", "session", "-early_data", "request"],
            "Early data was rejected",
            b"",
        ),
        (
            &other,
            &["-sess_in", "session", "-early_data", "request"],
            "Early data was rejected",
            b"",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = thread::scope(|scope| {
            let served = scope.spawn(|| serve(server, &listener));
            let outcome = process::run(
                Command::new("openssl")
                    .current_dir(&site.folder)
                    .args(["s_client", "-connect", &format!("127.0.0.1:{port}")])
                    .args(["-servername", &site.device.name, "-verify_return_error"])
                    .args(["-CAfile", "root.pem", "-ign_eof"])
                    .args(arguments),
            );
            assert_eq!(outcome.exit, Some(0), "{outcome:?}");
            assert!(outcome.stdout.contains(said), "{outcome:?}");
            assert_eq!(outcome.stdout.contains("soon\n"), !early.is_empty());
            assert!(outcome.stdout.contains("late\n"), "{outcome:?}");
            served.join().unwrap()
        });
        assert_eq!(served.unwrap(), (early.to_vec(), Vec::new()));
    }
}

/// The vendor's root for OpenSSL.
fn write_root(site: &Site) {
    let der = site.folder.join("root.der");
    fs::write(&der, &*site.vendor.root_der()).unwrap();
    let (der, pem) = (site.file("root.der"), site.file("root.pem"));
    process::run_ok(
        Command::new("openssl").args(["x509", "-inform", "DER", "-in", &der, "-out", &pem]),
    );
}

const PATIENCE: Duration = Duration::from_secs(20);
