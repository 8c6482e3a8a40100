//! Those who cost much and bring nothing.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::{Client, read};
use crate::rig::Rig;
use crate::router::{Router, csr};

const SHORT: &str = "handshake_timeout = \"2s\"\nheader_timeout = \"1s\"\nidle_timeout = \"2s\"\nmax_handshakes = 64\nmax_waiting_handshakes = 64";

#[test]
fn a_thousand_connections_that_never_finish_a_handshake_do_not_stop_the_others() {
    let rig = Rig::start_with(SHORT);
    let client = rig.client();
    // Some are reset so early that they never were connections.
    let idle: Vec<_> = (0..1000).filter_map(|_| client.tcp().ok()).collect();
    // The oldest are reset, the others run out of time.
    rig.wait_until("the service answers again and says what it did", || {
        let Ok(mut tls) = client.tls() else {
            return false;
        };
        let head = client.head("GET", "/metrics") + "\r\n";
        let _ = tls.write_all(head.as_bytes());
        read(&mut tls)
            .body
            .contains("dc_shed_total{reason=\"handshakes\"}")
    });
    drop(idle);
}

/// Opens connections, a thousand in a second, that say no more than this, until it is dropped.
struct Flood(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Flood {
    fn start(client: Client, say: &'static [u8]) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopping = stop.clone();
        let flooding = std::thread::spawn(move || {
            let mut open = VecDeque::new();
            while !stopping.load(Ordering::Relaxed) {
                if let Ok(mut tcp) = client.tcp() {
                    let _ = tcp.write_all(say);
                    open.push_back(tcp);
                }
                // Many more than the service keeps.
                open.drain(..open.len().saturating_sub(200));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self(stop, Some(flooding))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

fn evicted(rig: &Rig) -> u64 {
    let metrics = rig.client().get("/metrics").body;
    let count = metrics
        .split("dc_handshakes_total{result=\"evicted\"} ")
        .nth(1);
    count.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap())
}

#[test]
fn a_device_gets_in_through_a_flood_of_handshakes_that_never_end() {
    let rig = Rig::start_with(
        "handshake_timeout = \"10m\"\nmax_handshakes = 64\nmax_waiting_handshakes = 64",
    );
    let (router, _) = Router::enrolled(&rig, "one");
    // Nothing, and the beginning of a ClientHello.
    for say in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let before = evicted(&rig);
        let flood = Flood::start(rig.client().from(2), say);
        rig.wait_until("the service is full", || evicted(&rig) > before + 100);
        for number in 0..20 {
            router.renew(&csr(), &format!("{say:?} {number}")).ok();
        }
        drop(flood);
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_ends_the_connection() {
    let rig = Rig::start_with(SHORT);
    let mut tls = rig.client().tls().unwrap();
    let began = Instant::now();
    for byte in b"GET /healthz HTTP/1.1\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        .iter()
        .cycle()
    {
        let sent = tls.write_all(&[*byte]).and_then(|()| tls.flush());
        if sent.is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        assert!(began.elapsed() < Duration::from_secs(20), "still open");
    }
}

#[test]
fn a_body_that_stops_ends_the_request() {
    let rig = Rig::start_with(SHORT);
    let client = Router::new(&rig).client;
    let mut tls = client.tls().unwrap();
    let head = client.head("POST", "/v1/renew");
    write!(
        tls,
        "{head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
    )
    .unwrap();
    tls.flush().unwrap();
    let mut answer = Vec::new();
    let began = Instant::now();
    let _ = tls.read_to_end(&mut answer);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_body_of_10_megabytes_is_refused_before_it_is_read() {
    let rig = Rig::start();
    let router = Router::new(&rig);
    let json = [("content-type", "application/json")];
    let body = vec![b' '; 10 * 1024 * 1024];
    let answer = router.client.request("POST", "/v1/enroll", &json, &body);
    answer.refused(413, "too-large");
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    let ndjson = [("content-type", "application/x-ndjson")];
    let answer = rig
        .admin()
        .request("POST", "/v1/admin/devices/bulk", &ndjson, &body);
    answer.refused(413, "too-large");
    rig.client().get("/healthz").ok();
}

#[test]
fn heads_have_limits() {
    let rig = Rig::start();
    let long = "a".repeat(100_000);
    let answer = rig
        .client()
        .request("GET", "/healthz", &[("x-long", &long)], b"");
    assert!([431, 0].contains(&answer.status), "{answer:?}");
    let many: Vec<(String, &str)> = (0..200).map(|n| (format!("x-{n}"), "1")).collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let answer = rig.client().request("GET", "/healthz", &many, b"");
    assert!([431, 0].contains(&answer.status), "{answer:?}");
    rig.client().get("/healthz").ok();
}
