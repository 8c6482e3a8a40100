//! Addresses of their own for operators, and for health and metrics.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::json;

use crate::client::Client;
use crate::haproxy::free_port;
use crate::rig::Rig;
use crate::router::{Router, csr};

const HEALTH: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The status and the body of an answer in the clear.
fn get(mut stream: impl Read + Write, path: &str, token: Option<&str>) -> (u16, String) {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    write!(stream, "{head}{}\r\n", authorization.unwrap_or_default()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[test]
fn operators_come_in_at_their_own_address_and_nowhere_else() {
    let port = free_port();
    let own = format!("[listen.operators]\naddress = \"127.0.0.1:{port}\"");
    let rig = Rig::start_with(&own);
    let operator = Client::new(port, &rig.root()).token(&rig.token());
    let new = json!({"external_id": "one", "code": true});
    let added = operator.post("/v1/admin/devices", &new).ok();
    let code = added["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    // A token is worth nothing where devices are.
    let said = rig
        .admin()
        .get("/v1/admin/devices")
        .refused(404, "not-found");
    let said = said["detail"].as_str().unwrap().to_owned();
    assert!(said.contains("listen.operators"), "{said}");
    for path in ["/", "/devices", "/sign-in", "/v1/admin/audit"] {
        assert_eq!(rig.admin().get(path).status, 404, "{path}");
    }
    assert_eq!(operator.get("/sign-in").status, 200);
    // Devices are nothing where operators are.
    let lost = Router::at(port, &rig.root());
    lost.enroll(&csr(), code).refused(404, "not-found");
    Router::new(&rig).enroll(&csr(), code).ok();
    for path in HEALTH {
        assert_eq!(rig.client().get(path).status, 200, "{path}");
        assert_eq!(operator.get(path).status, 404, "{path}");
    }
    for client in [&rig.client(), &operator] {
        client.get("/openapi.json").ok();
    }
}

#[test]
fn health_and_metrics_are_on_a_unix_socket_and_nowhere_else() {
    let rig = Rig::start_with("[listen.health]\nunix = \"health\"");
    let path = rig.data().join("health");
    let ask =
        |what: &str, token: Option<&str>| get(UnixStream::connect(&path).unwrap(), what, token);
    rig.wait_until("it is ready", || ask("/readyz", None).0 == 200);
    for path in HEALTH {
        assert_eq!(ask(path, None).0, 200, "{path}");
        rig.admin().get(path).refused(404, "not-found");
    }
    assert!(ask("/metrics", None).1.contains("dc_ready 1"));
    assert_eq!(ask("/v1/admin/devices", Some(&rig.token())).0, 404);
    Router::enrolled(&rig, "one");
    // Who may read the metrics is as it is elsewhere.
    rig.edit_config("access = \"anyone\"", "access = \"operators\"");
    rig.reload();
    assert_eq!(ask("/metrics", None).0, 401);
    assert_eq!(ask("/metrics", Some(&rig.token())).0, 200);
    // A socket that was left there keeps nobody from starting.
    let rig = rig.restart();
    rig.wait_until("it is ready again", || {
        let there = UnixStream::connect(rig.data().join("health"));
        there.is_ok_and(|there| get(there, "/readyz", None).0 == 200)
    });
}

#[test]
fn health_is_at_an_address_in_the_clear_or_with_tls() {
    let port = free_port();
    let own = format!("[listen.health]\naddress = \"127.0.0.1:{port}\"\ntls = false");
    let rig = Rig::start_with(&own);
    let ask = |path| get(TcpStream::connect(("127.0.0.1", port)).unwrap(), path, None);
    rig.wait_until("it is ready", || ask("/readyz").0 == 200);
    drop(rig);
    let own = format!("[listen.health]\naddress = \"127.0.0.1:{port}\"");
    let rig = Rig::start_with(&own);
    let health = Client::new(port, &rig.root());
    rig.wait_until("it is ready", || health.get("/readyz").status == 200);
    assert_eq!(rig.client().get("/readyz").status, 404);
    assert_eq!(health.get("/v1/admin/devices").status, 404);
}

#[test]
fn two_listeners_with_one_address_are_found_before_a_start() {
    let rig = Rig::start();
    let text = std::fs::read_to_string(rig.data().join("config.toml")).unwrap();
    let tables = "[listen.operators]\naddress = '127.0.0.1:9'\n[listen.health]\naddress = '127.0.0.1:9'\n[limits]";
    let path = rig.data().join("other.toml");
    std::fs::write(&path, text.replace("[limits]", tables)).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["check", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8([check.stdout, check.stderr].concat()).unwrap();
    assert!(!check.status.success(), "{said}");
    let words = "listen.health.address cannot be used: it is listen.operators.address too";
    assert!(said.contains(words), "{said}");
}
