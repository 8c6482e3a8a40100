//! Access: each role's rights.

use pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use crate::client::Client;
use crate::rig::{Rig, as_operator};
use crate::router::{Router, csr};

fn operators(rig: &Rig, arguments: &[&str]) -> String {
    let reason: &[&str] = match arguments {
        ["list", ..] => &[],
        _ => &["--reason", "a test"],
    };
    let output = as_operator(&rig.data().join("config.toml"))
        .args(["operators"])
        .args(arguments)
        .args(reason)
        .arg("--config")
        .arg(rig.data().join("config.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn token(rig: &Rig, name: &str, role: &str) -> String {
    let said = operators(rig, &["add", name, "--role", role]);
    let token = said.lines().last().unwrap().to_owned();
    assert!(token.starts_with("dcs_"), "{said}");
    rig.keep_secret(&token);
    token
}

#[test]
fn nobody_administers_without_a_token_or_with_a_wrong_one() {
    let rig = Rig::start();
    let wrong = rig.token().replace("dcs_", "dcs_x");
    rig.keep_secret(&wrong);
    for client in [
        rig.client(),
        rig.client().token(&wrong),
        rig.client().token(""),
        rig.client().token("dcs_"),
        Router::new(&rig).client,
    ] {
        for path in [
            "/v1/admin/devices",
            "/v1/admin/zones",
            "/v1/admin/devices/export",
        ] {
            let answer = client.get(path);
            answer.refused(401, "token-required");
            assert!(
                answer.head.contains("www-authenticate: bearer"),
                "{answer:?}"
            );
        }
        let new = json!({"external_id": "one"});
        client
            .post("/v1/admin/devices", &new)
            .refused(401, "token-required");
    }
}

#[test]
fn each_role_may_what_it_may_and_no_more() {
    let rig = Rig::start();
    let viewer = rig.client().token(&token(&rig, "vera", "viewer"));
    let operator = rig.client().token(&token(&rig, "olga", "operator"));
    let new = json!({"external_id": "one"});
    let zone = json!({"zone": "other.example.com"});
    viewer.get("/v1/admin/devices").ok();
    viewer
        .post("/v1/admin/devices", &new)
        .refused(403, "forbidden");
    operator.post("/v1/admin/devices", &new).ok();
    operator
        .post("/v1/admin/zones", &zone)
        .refused(403, "forbidden");
    assert_eq!(
        rig.admin().post("/v1/admin/zones", &zone).ok()["forms"],
        "named"
    );
    let listed = operators(&rig, &["list"]);
    for words in ["vera", "viewer", "olga", "operator", "dev", "admin"] {
        assert!(listed.contains(words), "{listed}");
    }
    operators(&rig, &["disable", "olga"]);
    operator
        .get("/v1/admin/devices")
        .refused(401, "token-required");
    assert!(operators(&rig, &["list"]).contains("disabled"));
}

#[test]
fn an_operator_may_come_with_a_certificate_instead() {
    let rig = Rig::start();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let path = rig.data().join("alice.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let identity = Some((certificate.into(), key));
    let client = Client::with(rig.port, &rig.root(), identity);
    client
        .get("/v1/admin/devices")
        .refused(401, "token-required");
    let path = path.to_str().unwrap();
    operators(
        &rig,
        &["add", "alice", "--role", "admin", "--certificate", path],
    );
    client.get("/v1/admin/devices").ok();
}

#[test]
fn a_device_needs_a_certificate_and_an_operators_token_is_none() {
    let rig = Rig::start();
    let request = json!({"csr": csr(), "idempotency_key": "k"});
    for client in [rig.client(), rig.admin()] {
        client
            .post("/v1/renew", &request)
            .refused(401, "certificate-required");
        client
            .post("/v1/enroll", &request)
            .refused(401, "certificate-required");
    }
}

#[test]
fn a_device_that_comes_too_often_is_told_when_to_come_again() {
    let rig = Rig::start();
    rig.edit_config("device_burst = 100", "device_burst = 2");
    rig.edit_config("device_period = \"1s\"", "device_period = \"1h\"");
    rig.reload();
    let (router, _) = Router::enrolled(&rig, "one");
    router.renew(&csr(), "k1").ok();
    let answer = router.renew(&csr(), "k2");
    answer.refused(429, "rate-limited");
    let after = answer.head.split("retry-after: ").nth(1).unwrap();
    let after: u64 = after.split('\r').next().unwrap().parse().unwrap();
    assert!((1..=3600).contains(&after));
    Router::enrolled(&rig, "two");
}

#[test]
fn metrics_are_for_whom_the_configuration_says() {
    let rig = Rig::start();
    assert!(rig.client().get("/metrics").body.contains("dc_ready 1"));
    rig.edit_config("access = \"anyone\"", "access = \"operators\"");
    rig.reload();
    rig.client().get("/metrics").refused(401, "token-required");
    assert!(rig.admin().get("/metrics").body.contains("dc_ready 1"));
}
