//! Strangers who take what is meant for all: devices get in beside them.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;

use crate::client::{Client, Tls};
use crate::rig::Rig;
use crate::router::{Router, csr};

/// Does something again and again, on some threads, until it is dropped.
struct Attack {
    stop: Arc<AtomicBool>,
    times: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Attack {
    fn start<S: Send + 'static>(
        threads: usize,
        mut begin: impl FnMut() -> S,
        act: impl Fn(&mut S) + Send + Clone + 'static,
    ) -> Self {
        let (stop, times) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = (0..threads).map(|_| {
            let (stop, times, act, mut state) = (stop.clone(), times.clone(), act.clone(), begin());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    act(&mut state);
                    times.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        Self {
            threads: threads.collect(),
            stop,
            times,
        }
    }

    fn times(&self) -> usize {
        self.times.load(Ordering::Relaxed)
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// Opens connections from one host and keeps the last so many, each with a handshake and nothing more.
fn keep_idle(client: Client, most: usize) -> Attack {
    let begin = || (client.clone(), VecDeque::<Tls>::new());
    Attack::start(1, begin, move |(client, open)| {
        if let Ok(tls) = client.tls() {
            open.push_back(tls);
        }
        open.drain(..open.len().saturating_sub(most));
    })
}

fn shed(rig: &Rig, reason: &str) -> u64 {
    let metrics = rig.client().get("/metrics").body;
    let line = format!("dc_shed_total{{reason=\"{reason}\"}} ");
    let count = metrics.split(&line).nth(1);
    count.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap())
}

#[test]
fn devices_and_new_ones_get_in_while_one_host_keeps_idle_connections() {
    let limits = "max_connections = 40\nmax_connections_per_address = 1000\nidle_timeout = \"10m\"\nheader_timeout = \"10m\"";
    let rig = Rig::start_with(limits);
    let (router, _) = Router::enrolled(&rig, "one");
    let attack = keep_idle(rig.client().from(2), 200);
    rig.wait_until("the house is full", || shed(&rig, "connections") > 20);
    for number in 0..20 {
        router.renew(&csr(), &format!("{number}")).ok();
    }
    Router::enrolled(&rig, "two");
    drop(attack);
}

#[test]
fn devices_get_in_while_one_host_opens_connections_and_says_nothing() {
    let rig = Rig::start_with("max_connections = 40\nhandshake_timeout = \"10m\"");
    let (router, _) = Router::enrolled(&rig, "one");
    let client = rig.client().from(2);
    let _silent: Vec<_> = (0..200).filter_map(|_| client.tcp().ok()).collect();
    for number in 0..5 {
        router.renew(&csr(), &format!("{number}")).ok();
    }
}

#[test]
fn a_full_house_leaves_a_known_device_its_connection_and_a_slow_ones_of_another_host() {
    let limits = "max_connections = 20\nmax_connections_per_address = 1000\nidle_timeout = \"10m\"\nheader_timeout = \"10m\"";
    let rig = Rig::start_with(limits);
    let (router, _) = Router::enrolled(&rig, "one");
    let mut device = router.client.tls().unwrap();
    renew(&router, &mut device, "1");
    let mut slow = rig.client().from(3).tls().unwrap();
    let attack = keep_idle(rig.client().from(2), 100);
    rig.wait_until("the house is full", || shed(&rig, "connections") > 100);
    renew(&router, &mut device, "2");
    ask(
        &mut slow,
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    drop(attack);
}

/// Asks on a connection that stays open, and wants a 200.
fn ask(tls: &mut Tls, request: &str) {
    tls.write_all(request.as_bytes()).unwrap();
    tls.flush().unwrap();
    let mut answer = [0; 16 * 1024];
    let length = tls.read(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer[..length]);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

fn renew(router: &Router, tls: &mut Tls, idempotency_key: &str) {
    let _ = router;
    let body = json!({"csr": csr(), "idempotency_key": idempotency_key}).to_string();
    let length = body.len();
    ask(
        tls,
        &format!(
            "POST /v1/renew HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    );
}

#[test]
fn one_address_has_so_many_connections_and_a_reload_changes_how_many() {
    let rig = Rig::start_with("max_connections_per_address = 5\nheader_timeout = \"10m\"");
    let many = |host: u8| -> Vec<Tls> {
        let client = rig.client().from(host);
        (0..20).map(|_| client.tls().unwrap()).collect()
    };
    let (mut first, mut second) = (many(2), many(3));
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let open = |tls: &mut Tls| {
        let sent = tls.write_all(request.as_bytes()).and_then(|()| tls.flush());
        sent.is_ok() && tls.read(&mut [0; 4096]).is_ok_and(|length| length > 0)
    };
    let count = |all: &mut Vec<Tls>| {
        all.iter_mut()
            .filter_map(|tls| open(tls).then_some(()))
            .count()
    };
    assert_eq!((count(&mut first), count(&mut second)), (5, 5));
    assert!(open(first.last_mut().unwrap()), "the oldest had to go");
    // As behind a load balancer.
    rig.edit_config(
        "max_connections_per_address = 5",
        "max_connections_per_address = 1000",
    );
    rig.reload();
    assert_eq!(count(&mut many(4)), 20);
}

#[test]
fn a_slow_handshake_gets_through_while_one_host_floods_with_handshakes() {
    let rig = Rig::start_with(
        "handshake_timeout = \"10m\"\nmax_handshakes = 32\nmax_waiting_handshakes = 32",
    );
    let flood = rig.client().from(2);
    let attack = Attack::start(1, Vec::new, move |open| {
        if let Ok(mut tcp) = flood.tcp() {
            let _ = tcp.write_all(b"\x16\x03\x01\x02\x00\x01");
            open.push(tcp);
        }
        let surplus = open.len().saturating_sub(100);
        open.drain(..surplus);
        std::thread::sleep(Duration::from_millis(1));
    });
    rig.wait_until("the service is full", || shed(&rig, "handshakes") > 100);
    let client = rig.client().from(3);
    for _ in 0..5 {
        // As over a line with a round trip of 400 ms.
        let tcp = client.tcp().unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let name = pki_types::ServerName::try_from("localhost").unwrap();
        let connection = rustls::ClientConnection::new(client.config.clone(), name).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, tcp);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).unwrap();
        }
    }
    drop(attack);
}

#[test]
fn requests_whose_bodies_do_not_come_make_room_for_others() {
    let rig = Rig::start_with("max_requests = 8");
    let (router, _) = Router::enrolled(&rig, "one");
    let stranger = crate::router::client(&rig, &KeyPair::generate().unwrap()).from(2);
    let head = stranger.head("POST", "/v1/enroll")
        + "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    let mut waiting: Vec<Tls> = Vec::new();
    for number in 0..30 {
        // Each with a key of its own, else its limit would end it.
        let client = crate::router::client(&rig, &KeyPair::generate().unwrap()).from(2);
        let mut tls = client.tls().unwrap();
        tls.write_all(head.as_bytes()).unwrap();
        tls.flush().unwrap();
        waiting.push(tls);
        if number % 3 == 0 {
            router.renew(&csr(), &format!("{number}")).ok();
        }
    }
    assert!(shed(&rig, "requests") >= 20);
    let refused = crate::client::read(&mut waiting[0]);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.head.contains("retry-after: 10"), "{refused:?}");
    assert_eq!(refused.json()["type"], "urn:dc-signer:problem:busy");
    // The others are not waited for either.
    let began = Instant::now();
    let slow = crate::client::read(waiting.last_mut().unwrap());
    assert_eq!(slow.status, 408, "{slow:?}");
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
}

/// A chain that leads to an anchor by its names alone, as long as one may be, with a key that nobody has seen.
fn invented(rig: &Rig, anchor: &str) -> Client {
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let ca = |name: &str| {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let forged = CertifiedIssuer::self_signed(ca(anchor), KeyPair::generate().unwrap()).unwrap();
    let same = || {
        let key = KeyPair::generate().unwrap();
        CertifiedIssuer::signed_by(ca("same"), key, &forged).unwrap()
    };
    let twins = [same(), same(), same()];
    let key = KeyPair::generate().unwrap();
    let own = params("device").signed_by(&key, &twins[0]).unwrap();
    let mut chain: Vec<CertificateDer<'static>> = vec![own.into()];
    chain.extend(twins.iter().map(|twin| twin.der().clone()));
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    Client::with_chain(rig.port, &rig.root(), Some((chain, key)))
}

#[test]
fn strangers_with_invented_chains_do_not_keep_the_others_waiting() {
    let rig = Rig::start();
    let mut makers = String::new();
    for number in 0..8 {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "maker");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let anchor = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        std::fs::write(rig.data().join(format!("maker-{number}.pem")), anchor.pem()).unwrap();
        makers.push_str(&format!(
            "[[manufacturers]]\nname = \"maker-{number}\"\nanchors = \"maker-{number}.pem\"\n"
        ));
    }
    rig.configure(&makers);
    let clients: Vec<Client> = (0..40).map(|_| invented(&rig, "maker")).collect();
    let request = json!({"csr": csr()});
    let refused = clients[0].post("/v1/enroll", &request);
    refused.refused(403, "unknown-device");
    let next = Arc::new(AtomicUsize::new(0));
    let attack = Attack::start(
        4,
        || (clients.clone(), next.clone()),
        move |(clients, next)| {
            let number = next.fetch_add(1, Ordering::Relaxed) % clients.len();
            clients[number].post("/v1/enroll", &request);
        },
    );
    let mut slowest = Duration::ZERO;
    for _ in 0..30 {
        let began = Instant::now();
        rig.client().get("/healthz").ok();
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    let times = attack.times();
    drop(attack);
    assert!(
        slowest < Duration::from_secs(2),
        "{slowest:?} beside {times} requests"
    );
    assert!(times > 20, "{times}");
}

#[test]
fn a_chain_of_nine_certificates_ends_the_handshake() {
    let rig = Rig::start();
    let key = KeyPair::generate().unwrap();
    let one: CertificateDer<'static> = CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .into();
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let client = Client::with_chain(rig.port, &rig.root(), Some((vec![one; 9], key)));
    let answer = client.tls().map(|mut tls| {
        let head = client.head("GET", "/healthz") + "\r\n";
        let _ = tls.write_all(head.as_bytes()).and_then(|()| tls.flush());
        crate::client::read(&mut tls).status
    });
    assert_eq!(answer.unwrap_or(0), 0);
    rig.wait_until("the log says why", || {
        rig.log().contains("send 4 of 16384 bytes at most")
    });
}

#[test]
fn every_answer_keeps_browsers_on_https_and_from_guessing() {
    let rig = Rig::start();
    let browser = [("accept", "text/html")];
    let json = [("content-type", "application/json")];
    let large = vec![b' '; 2 * 1024 * 1024];
    let client = rig.client();
    for answer in [
        client.get("/healthz"),
        client.get("/readyz"),
        client.get("/metrics"),
        client.get("/openapi.json"),
        client.get("/v1/renewal-info/cpe.example.com"),
        client.get("/v1/nothing"),
        client.get("/v1/admin/devices"),
        client.request("DELETE", "/healthz", &[], b""),
        client.request("POST", "/v1/renew", &json, b"{}"),
        Router::new(&rig)
            .client
            .request("POST", "/v1/enroll", &json, &large),
        rig.admin().get("/v1/admin/devices"),
        client.get("/"),
        client.get("/sign-in"),
        client.get("/style.css"),
        client.request("GET", "/nothing", &browser, b""),
        client.request("POST", "/sign-in", &[], b""),
    ] {
        for header in [
            "strict-transport-security: max-age=31536000",
            "x-content-type-options: nosniff",
        ] {
            assert_eq!(answer.head.matches(header).count(), 1, "{answer:?}");
        }
    }
}
