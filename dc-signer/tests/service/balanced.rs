//! Behind a load balancer that passes connections on: whose they are is what its PROXY header says.

use std::io::{Read, Write};

use serde_json::Value;

use crate::client::{Answer, Client, Tls, read};
use crate::haproxy::HaProxy;
use crate::rig::Rig;

/// The address of the proxy, which is one of this machine's.
const PROXY: u8 = 9;
const TRUSTED: &str = "proxy_protocol = [\"127.0.0.9\"]";

fn balancer(rig: &Rig, more: &str) -> Option<HaProxy> {
    let server = format!(
        "server signer 127.0.0.1:{} source 127.0.0.9 {more}",
        rig.port
    );
    let sections = "listen signer\n    mode tcp\n    bind 127.0.0.1:PORT\n    option httpchk GET /readyz\n    ";
    HaProxy::start(&format!("{sections}{server}\n"), &[])
}

/// The requests in the log, each with its client.
pub(crate) fn clients(rig: &Rig, route: &str) -> Vec<String> {
    let lines = rig.log();
    let lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let spans = lines.filter_map(|line| {
        let span = line.get("span")?;
        let client = (span["route"] == route).then(|| span["client"].as_str());
        client.flatten().map(ToOwned::to_owned)
    });
    spans.collect()
}

fn through(proxy: &HaProxy, rig: &Rig) -> Client {
    Client::new(proxy.port, &rig.root())
}

fn ends(tls: &mut Tls) -> bool {
    tls.sock
        .set_read_timeout(Some(std::time::Duration::from_secs(5)))
        .unwrap();
    matches!(tls.read(&mut [0; 1]), Ok(0)) || tls.sock.take_error().is_ok_and(|e| e.is_some())
}

#[test]
fn haproxy_says_whose_connections_are_and_log_and_limits_go_by_that() {
    let limits = format!("{TRUSTED}\nmax_connections_per_address = 2\nheader_timeout = \"10m\"");
    let rig = Rig::start_with(&limits);
    let Some(proxy) = balancer(&rig, "send-proxy-v2") else {
        return;
    };
    let through = through(&proxy, &rig);
    assert_eq!(through.clone().from(5).get("/healthz").status, 200);
    assert_eq!(through.clone().from(6).get("/healthz").status, 200);
    let mut seen = clients(&rig, "/healthz");
    seen.retain(|client| client.starts_with("127.0.0.") && client != "127.0.0.1");
    seen.dedup();
    assert_eq!(seen, ["127.0.0.5", "127.0.0.6"]);
    // One has as many connections as one may have, and loses its oldest; the other keeps its own.
    let mut other = through.clone().from(6).tls().unwrap();
    let mut mine: Vec<Tls> = (0..3)
        .map(|_| through.clone().from(5).tls().unwrap())
        .collect();
    assert!(ends(&mut mine[0]));
    let head = through.head("GET", "/healthz");
    write!(other, "{head}\r\n").unwrap();
    assert_eq!(read(&mut other).status, 200);
}

#[test]
fn haproxys_own_health_checks_are_its_own() {
    let rig = Rig::start_with(TRUSTED);
    let check = "send-proxy-v2 check inter 100 check-send-proxy check-ssl verify none";
    let Some(_proxy) = balancer(&rig, check) else {
        return;
    };
    rig.wait_until("it is asked whether it is ready", || {
        clients(&rig, "/readyz").contains(&"127.0.0.9".to_owned())
    });
    assert!(!rig.log().contains("a proxy's connection is reset"));
}

#[test]
fn haproxy_without_the_header_or_with_the_old_one_is_told_what_to_do() {
    for (more, words) in [
        ("", "send-proxy-v2"),
        ("send-proxy", "in place of 'send-proxy'"),
    ] {
        let rig = Rig::start_with(TRUSTED);
        let Some(proxy) = balancer(&rig, more) else {
            return;
        };
        assert!(through(&proxy, &rig).tls().is_err());
        rig.wait_until(words, || rig.log().contains(words));
        let metrics = rig.admin().get("/metrics").body;
        assert!(metrics.contains("dc_handshakes_total{result=\"proxy_header\"} "));
    }
}

/// A header of version 2.
pub(crate) fn header(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    let start = b"\r\n\r\n\0\r\nQUIT\n";
    [start, &[command, family][..], &length, addresses].concat()
}

fn get_behind(client: &Client, first: &[u8]) -> std::io::Result<Answer> {
    let mut tls = client.tls_behind(first)?;
    let head = client.head("GET", "/healthz");
    write!(tls, "{head}\r\n")?;
    Ok(read(&mut tls))
}

const CLIENT: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb];

#[test]
fn a_header_is_taken_from_a_proxy_alone_and_whole() {
    let rig = Rig::start_with(&format!("{TRUSTED}\nhandshake_timeout = \"1s\""));
    let (proxy, stranger) = (rig.client().from(PROXY), rig.client());
    let named = header(0x21, 0x11, &CLIENT);
    assert_eq!(get_behind(&proxy, &named).unwrap().status, 200);
    assert!(clients(&rig, "/healthz").contains(&"192.0.2.7".to_owned()));
    let error = get_behind(&stranger, &named).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    rig.wait_until("it is in the log", || {
        rig.log().contains("is of none of listen.proxy_protocol")
    });
    assert!(get_behind(&stranger, b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n").is_err());
    let with_more = [&CLIENT[..], &[0x04, 0, 2, 0, 0]].concat();
    let answer = get_behind(&proxy, &header(0x21, 0x11, &with_more));
    assert_eq!(answer.unwrap().status, 200);
    for bad in [
        header(0x21, 0x12, &CLIENT),
        header(0x21, 0x11, &[0; 4000]),
        header(0x2f, 0x11, &CLIENT),
        // Half of it, and a hello that is read as the rest.
        named[..20].to_vec(),
    ] {
        assert!(get_behind(&proxy, &bad).is_err(), "{bad:?}");
    }
    // Nobody waits for one for longer than for a handshake.
    let mut slow = proxy.tcp().unwrap();
    slow.write_all(&named[..20]).unwrap();
    assert!(!matches!(slow.read(&mut [0; 1]), Ok(1)));
    rig.wait_until("it is in the log", || {
        rig.log().contains("within listen.handshake_timeout")
    });
}
