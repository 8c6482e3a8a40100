//! The port where devices are known by the credentials that they have as clients.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use dc_agent::Level;
use dc_pki::trust::read_roots;
use dc_protocol::DeviceRecord;
use dc_rustls::client::{self, Identity, IdentityStore};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{CertificateParams, KeyPair};
use rustls::{AlertDescription, RootCertStore};
use serde_json::json;

use crate::agent::Device;
use crate::balanced::{clients, header};
use crate::client::{Answer, Client};
use crate::haproxy::HaProxy;
use crate::rig::Rig;

/// A service with such a port, whose zone issues for clients.
struct Port {
    rig: Rig,
    port: u16,
}

type Tls = client::Stream<TcpStream>;

impl Port {
    fn open() -> Self {
        Self::open_with("", "")
    }

    /// With lines for `[listen]`, and for the port's own table.
    fn open_with(listen: &str, own: &str) -> Self {
        let rig = Rig::start_with(&format!(
            "{listen}\n[credential_listener]\naddress = '127.0.0.1:0'\nroots = 'vendor/root.pem'\n{own}"
        ));
        let roles = "/v1/admin/zones/cpe.example.com/roles";
        rig.admin().act(roles, &json!({"roles": "both"})).ok();
        let log = rig.log();
        let line = log.lines().find(|line| line.contains(OPEN)).unwrap();
        let port = line.split("127.0.0.1:").nth(1).unwrap();
        let port = port.split('"').next().unwrap().parse().unwrap();
        Self { rig, port }
    }

    /// A device that has both credentials, and its id.
    fn device(&self, external_id: &str) -> (Device, String) {
        let (device, id) = Device::added(&self.rig, external_id, "[client]\n");
        let mut agent = device.boot(0);
        agent.turn();
        assert_eq!(agent.status().level, Level::Fine, "{}", agent.status());
        (device, id)
    }

    /// A connection that presents what lies in the device's folder.
    fn connect(&self, device: &Device, folder: &str) -> Tls {
        let store = IdentityStore::new(provider());
        let identity = Identity::load(device.path(folder)).unwrap();
        client::danger::install_unchecked(&store, identity).unwrap();
        self.connect_with(Some(store))
    }

    fn connect_with(&self, identity: Option<Arc<IdentityStore>>) -> Tls {
        let builder = client::Config::builder(provider())
            .roots(read_roots(&self.rig.root()).unwrap())
            .or_certificate();
        let config = match identity {
            None => builder.build(),
            Some(identity) => builder.client_identity(identity).build(),
        };
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let name = "localhost".try_into().unwrap();
        config.unwrap().connect(name, tcp).unwrap()
    }

    /// Asks for the device's record from one of this machine's addresses, behind something else that is sent first.
    fn ask_behind(&self, device: &Device, from: u8, first: &[u8]) -> io::Result<Answer> {
        let store = IdentityStore::new(provider());
        let identity = Identity::load(device.path(CLIENT)).unwrap();
        client::danger::install_unchecked(&store, identity).unwrap();
        let config = client::Config::builder(provider())
            .roots(read_roots(&self.rig.root()).unwrap())
            .or_certificate()
            .client_identity(store)
            .build()
            .unwrap();
        let mut tcp = self.stranger(from).tcp()?;
        tcp.write_all(first)?;
        let name = "localhost".try_into().unwrap();
        let mut tls = config
            .connect(name, tcp)
            .map_err(|error| io::Error::other(error.to_string()))?;
        ask(&mut tls, "GET", dc_protocol::DEVICE)
    }

    /// Whoever comes to the port from one of this machine's addresses, without a credential.
    fn stranger(&self, from: u8) -> Client {
        Client::new(self.port, &self.rig.root()).from(from)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Asks over a connection that stays open.
fn ask(tls: &mut (impl Read + Write), method: &str, path: &str) -> io::Result<Answer> {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    tls.write_all(head.as_bytes())?;
    tls.flush()?;
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        tls.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split('\r').next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    tls.read_exact(&mut body)?;
    Ok(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: String::from_utf8(body).unwrap(),
    })
}

fn record(tls: &mut Tls) -> Answer {
    ask(tls, "GET", dc_protocol::DEVICE).unwrap()
}

/// The alert that the service ends a handshake with, which a client of TLS 1.3 hears after its own end of it.
fn alert(tls: &mut (impl Read + Write)) -> AlertDescription {
    let error = ask(tls, "GET", dc_protocol::DEVICE).unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("{error:?}"),
    }
}

#[test]
fn each_device_reads_its_own_record_and_never_another_s() {
    let port = Port::open();
    let devices = ["one", "two"].map(|external_id| port.device(external_id));
    let mut names = Vec::new();
    let mut open = devices
        .iter()
        .map(|(device, id)| {
            let known = port.rig.admin().get(&format!("/v1/admin/devices/{id}"));
            (port.connect(device, CLIENT), known.ok())
        })
        .collect::<Vec<_>>();
    // In turns, over connections that stay open.
    for _ in 0..2 {
        for (tls, known) in &mut open {
            let answer = record(tls);
            assert!(answer.head.contains("cache-control: no-store"));
            let record: DeviceRecord = serde_json::from_value(answer.ok()).unwrap();
            assert_eq!(record.name, known["name"]);
            assert_eq!(record.zone, "cpe.example.com");
            assert_eq!(record.state, "active");
            assert_eq!(record.issued.unwrap(), known["credential"]["issued"]);
            assert_eq!(record.expires.unwrap(), known["credential"]["expires"]);
            assert!(record.renew_from < record.renew_until && record.renew_until < record.expires);
            assert!(!record.possible_clone);
            names.push(record.name);
        }
    }
    assert_eq!(names[..2], names[2..]);
    assert_ne!(names[0], names[1]);
}

#[test]
fn whoever_has_no_client_s_credential_is_refused_in_the_handshake() {
    let port = Port::open();
    let (device, _) = port.device("one");
    assert_eq!(
        alert(&mut port.connect_with(None)),
        AlertDescription::CertificateRequired
    );
    // The device's own, for the other role: its signature is over other bytes.
    assert_eq!(
        alert(&mut port.connect(&device, "identity/current")),
        AlertDescription::IllegalParameter
    );
    // A certificate alone, for clients and under the very root, names no device.
    let vendor = port.rig.data().join("vendor");
    let chain = CertificateDer::pem_file_iter(vendor.join("chain.pem")).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(vendor.join("key.pem")).unwrap();
    let plain = Client::with_chain(port.port, &port.rig.root(), Some((chain, key)));
    assert_eq!(
        alert(&mut plain.tls().unwrap()),
        AlertDescription::HandshakeFailure
    );
    record(&mut port.connect(&device, CLIENT)).ok();
}

#[test]
fn tls_1_2_is_refused() {
    let port = Port::open();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(read_roots(&port.rig.root()).unwrap())
        .with_no_client_auth();
    let mut client = Client::new(port.port, &port.rig.root());
    client.config = config.into();
    let error = client.tls().unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(
        inner,
        Some(&rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
        ))
    );
}

#[test]
fn a_suspended_device_is_refused_at_once_over_an_open_connection_too() {
    let port = Port::open();
    let (device, id) = port.device("one");
    let does = |what: &str| {
        let path = format!("/v1/admin/devices/{id}/{what}");
        port.rig.admin().act(&path, &json!({})).ok()
    };
    let mut open = port.connect(&device, CLIENT);
    record(&mut open).ok();
    does("suspend");
    for tls in [&mut open, &mut port.connect(&device, CLIENT)] {
        record(tls).refused(403, "device-suspended");
    }
    does("resume");
    record(&mut open).ok();
    does("retire");
    for tls in [&mut open, &mut port.connect(&device, CLIENT)] {
        record(tls).refused(410, "device-retired");
    }
}

#[test]
fn whoever_has_a_name_of_before_is_not_told_about_the_one_of_now() {
    let port = Port::open();
    let (device, id) = port.device("one");
    let replace = format!("/v1/admin/devices/{id}/replace");
    let new_name = json!({"new_name": true});
    port.rig.admin().act(&replace, &new_name).ok();
    let answer = record(&mut port.connect(&device, CLIENT));
    answer.refused(403, "unknown-device");
}

#[test]
fn nothing_can_be_changed_there() {
    let port = Port::open();
    let (device, _) = port.device("one");
    let mut tls = port.connect(&device, CLIENT);
    for path in [dc_protocol::RENEW, dc_protocol::ENROLL] {
        ask(&mut tls, "POST", path)
            .unwrap()
            .refused(404, "not-found");
    }
    for path in ["/v1/admin/devices", "/metrics", "/"] {
        ask(&mut tls, "GET", path)
            .unwrap()
            .refused(404, "not-found");
    }
    for method in ["POST", "DELETE"] {
        let answer = ask(&mut tls, method, dc_protocol::DEVICE).unwrap();
        answer.refused(405, "method-not-allowed");
    }
}

#[test]
fn it_is_off_unless_it_is_configured() {
    let rig = Rig::start();
    assert!(!rig.log().contains(OPEN));
    let answer = rig.client().get(dc_protocol::DEVICE);
    answer.refused(404, "not-found");
}

#[test]
fn a_thief_who_asks_all_the_time_keeps_nobody_from_renewing() {
    let port = Port::open();
    port.rig.edit_config(
        "device_period = \"1s\"\ndevice_burst = 100",
        "device_period = \"1h\"\ndevice_burst = 3",
    );
    port.rig.reload();
    let (device, _) = port.device("one");
    let mut tls = port.connect(&device, CLIENT);
    let refused = (0..10).find_map(|_| {
        let answer = record(&mut tls);
        (answer.status != 200).then_some(answer)
    });
    let refused = refused.unwrap();
    refused.refused(429, "rate-limited");
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    let mut agent = device.boot(4);
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{}", agent.status());
}

#[test]
fn one_device_has_four_connections_at_most() {
    let port = Port::open();
    let (device, _) = port.device("one");
    let (other, _) = port.device("two");
    let mut open: Vec<_> = (0..4).map(|_| port.connect(&device, CLIENT)).collect();
    for tls in &mut open {
        record(tls).ok();
    }
    let mut more = port.connect(&device, CLIENT);
    ask(&mut more, "GET", dc_protocol::DEVICE).unwrap_err();
    record(&mut port.connect(&other, CLIENT)).ok();
    drop(open.pop());
    port.rig.wait_until("there is room again", || {
        let mut tls = port.connect(&device, CLIENT);
        ask(&mut tls, "GET", dc_protocol::DEVICE).is_ok()
    });
}

#[test]
fn behind_a_balancer_the_log_has_the_address_that_its_header_says() {
    let port = Port::open_with("", TRUSTED);
    let (device, _) = port.device("one");
    let named = header(0x21, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 1, 187]);
    port.ask_behind(&device, BALANCER, &named).unwrap().ok();
    // A connection of the balancer's own, and one that does not come by it.
    let own = header(0x20, 0, &[]);
    port.ask_behind(&device, BALANCER, &own).unwrap().ok();
    port.ask_behind(&device, 5, b"").unwrap().ok();
    let mut seen = clients(&port.rig, dc_protocol::DEVICE);
    seen.dedup();
    assert_eq!(seen, ["192.0.2.7", "127.0.0.9", "127.0.0.5"]);
}

#[test]
fn a_header_is_refused_of_everybody_but_a_balancer_and_wanted_of_that() {
    let port = Port::open_with("", TRUSTED);
    let (device, _) = port.device("one");
    let named = header(0x21, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 1, 187]);
    port.ask_behind(&device, 5, &named).unwrap_err();
    let words = "is of none of credential_listener.proxy_protocol";
    port.rig
        .wait_until(words, || port.rig.log().contains(words));
    port.ask_behind(&device, 5, b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n")
        .unwrap_err();
    port.ask_behind(&device, BALANCER, b"").unwrap_err();
    port.rig.wait_until("it is said what to do", || {
        port.rig.log().contains("send-proxy-v2")
    });
    let metrics = port.rig.admin().get("/metrics").body;
    let refused = "dc_handshakes_total{result=\"proxy_header\"} 3";
    assert!(metrics.contains(refused), "{metrics}");
    // Nobody was seen who was not there.
    assert!(clients(&port.rig, dc_protocol::DEVICE).is_empty());
    port.ask_behind(&device, BALANCER, &named).unwrap().ok();
}

#[test]
fn a_crowd_of_one_client_behind_a_balancer_keeps_no_device_of_another_out() {
    let port = Port::open_with("handshake_timeout = '10m'", TRUSTED);
    let (device, _) = port.device("one");
    let crowd = header(0x21, 0x11, &[192, 0, 2, 8, 10, 0, 0, 1, 0x12, 0x34, 1, 187]);
    let mine = header(0x21, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 1, 187]);
    let balancer = port.stranger(BALANCER);
    let connect = |first: &[u8]| {
        let mut tcp = balancer.tcp().unwrap();
        tcp.write_all(first).unwrap();
        tcp
    };
    let slow = connect(&mine);
    let is_served = || port.ask_behind(&device, BALANCER, &mine).unwrap().ok();
    is_served();
    let crowd: Vec<TcpStream> = (0..200).map(|_| connect(&crowd)).collect();
    is_served();
    // Whoever says nothing has to go, but of the client that has most of them.
    let is_gone = |mut tcp: &TcpStream| {
        tcp.set_nonblocking(true).unwrap();
        let read = tcp.read(&mut [0]);
        !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    };
    port.rig.wait_until("all but 128 are gone", || {
        crowd.iter().filter(|tcp| !is_gone(tcp)).count() < 128
    });
    assert!(!is_gone(&slow));
}

#[test]
fn haproxy_brings_devices_to_it() {
    let port = Port::open_with("", TRUSTED);
    let server = format!(
        "listen signer\n    mode tcp\n    bind 127.0.0.1:PORT\n    server signer 127.0.0.1:{} source 127.0.0.9 send-proxy-v2\n",
        port.port
    );
    let Some(proxy) = HaProxy::start(&server, &[]) else {
        return;
    };
    let (device, _) = port.device("one");
    let through = Port {
        rig: port.rig,
        port: proxy.port,
    };
    through.ask_behind(&device, 6, b"").unwrap().ok();
    let mut seen = clients(&through.rig, dc_protocol::DEVICE);
    seen.dedup();
    assert_eq!(seen, ["127.0.0.6"]);
}

#[test]
fn a_stop_ends_it_with_the_service() {
    let mut port = Port::open();
    let (device, _) = port.device("one");
    let mut tls = port.connect(&device, CLIENT);
    record(&mut tls).ok();
    port.rig.signal("TERM");
    assert!(port.rig.ended());
    // It was told so, and not cut off.
    assert_eq!(tls.read(&mut [0]).unwrap(), 0);
    TcpStream::connect(("127.0.0.1", port.port)).unwrap_err();
}

#[test]
fn it_shows_the_service_s_certificate_of_now() {
    let port = Port::open();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let tls = port.rig.data().join("tls");
    let files = ["chain.pem", "key.pem"].map(|name| tls.join(name));
    let before = files.each_ref().map(|file| fs::read(file).unwrap());
    fs::write(&files[0], certificate.pem()).unwrap();
    fs::write(&files[1], key.serialize_pem()).unwrap();
    port.rig.reload();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let config = client::Config::builder(provider())
        .roots(roots)
        .or_certificate()
        .build()
        .unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", port.port)).unwrap();
    config
        .connect("localhost".try_into().unwrap(), tcp)
        .unwrap();
    // The rig's own clients know that one.
    for (file, before) in files.iter().zip(before) {
        fs::write(file, before).unwrap();
    }
    port.rig.reload();
}

/// The address of the balancer, which is one of this machine's.
const BALANCER: u8 = 9;
const TRUSTED: &str = "proxy_protocol = ['127.0.0.9']";
const OPEN: &str = "devices are known by their credentials here";
const CLIENT: &str = "identity/current/client";
