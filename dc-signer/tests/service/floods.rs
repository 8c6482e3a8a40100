//! Those who cost much and bring nothing.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::client::read;
use crate::rig::Rig;
use crate::router::Router;

const SHORT: &str = "handshake_timeout = \"2s\"\nheader_timeout = \"1s\"\nidle_timeout = \"2s\"\nmax_handshakes = 64";

#[test]
fn a_thousand_connections_that_never_finish_a_handshake_do_not_stop_the_others() {
    let rig = Rig::start_with(SHORT);
    let client = rig.client();
    // Some are reset so early that they never were connections.
    let idle: Vec<_> = (0..1000).filter_map(|_| client.tcp().ok()).collect();
    // Those beyond the limit are reset, those within run out of time.
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
