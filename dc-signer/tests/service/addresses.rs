//! The addresses in the audit log, from which operators acted and devices came.

use std::fs;

use serde_json::{Value, json};

use crate::balanced::header;
use crate::client::{Answer, Client, read};
use crate::ready::command;
use crate::rig::Rig;
use crate::router::{Router, csr, csr_of};

const LISTEN: &str = "proxy_protocol = ['127.0.0.9']\n[checkpoints]\nname = 'log'\nkey = 'audit.pem'\nevery = '1s'\n\
    [[checkpoint_places]]\nfile = 'outside'";

/// What somebody asks who comes by a balancer, from 192.0.2.x.
fn by_balancer(client: &Client, host: u8, method: &str, path: &str, json: &Value) -> Answer {
    use std::io::Write;
    let behind = header(
        0x21,
        0x11,
        &[192, 0, 2, host, 10, 0, 0, 1, 0x12, 0x34, 1, 187],
    );
    let mut tls = client.clone().from(9).tls_behind(&behind).unwrap();
    let body = json.to_string();
    let head = client.head(method, path);
    let about = "content-type: application/json\r\ncontent-length:";
    write!(tls, "{head}{about} {}\r\n\r\n{body}", body.len()).unwrap();
    read(&mut tls)
}

/// The action and the scope of each record.
fn records(rig: &Rig) -> Vec<(String, Option<String>)> {
    let found = rig.admin().get("/v1/admin/audit?after=0&limit=1000").ok();
    let all = found["records"].as_array().unwrap().iter();
    all.map(|one| {
        let text = |key: &str| one[key].as_str().map(ToOwned::to_owned);
        (text("action").unwrap(), text("scope"))
    })
    .collect()
}

fn scope_of(rig: &Rig, action: &str) -> Option<String> {
    let all = records(rig).into_iter().rev();
    let mut found = all.filter(|(one, _)| one == action);
    found.next().unwrap().1
}

#[test]
fn an_operator_s_act_and_a_device_s_first_contact_have_the_address_behind_the_balancer() {
    let rig = Rig::start_with(LISTEN);
    let added = rig.add("one");
    assert_eq!(scope_of(&rig, "add").as_deref(), Some("from=127.0.0.1"));
    let id = added["id"].as_str().unwrap();
    let router = Router::new(&rig);
    let enrol = json!({"csr": csr(), "code": added["code"]["code"]});
    by_balancer(&router.client, 8, "POST", "/v1/enroll", &enrol).ok();
    assert_eq!(scope_of(&rig, "enrol").as_deref(), Some("from=192.0.2.8"));
    // The key is switched from there, and used from elsewhere.
    let next = Router::new(&rig);
    let renew = json!({"csr": csr(), "idempotency_key": "1", "next_enrolment_csr": csr_of(&next.enrolment_key)});
    by_balancer(&router.client, 8, "POST", "/v1/renew", &renew).ok();
    let renew = json!({"csr": csr(), "idempotency_key": "2"});
    by_balancer(&next.client, 9, "POST", "/v1/renew", &renew).ok();
    let scope = scope_of(&rig, "switch-key");
    assert_eq!(scope.as_deref(), Some("from=192.0.2.8"));
    let scope = scope_of(&rig, "finish-switch");
    assert_eq!(scope.as_deref(), Some("from=192.0.2.9"));
    // An operator by the balancer, and one who does not come by it.
    let suspend = format!("/v1/admin/devices/{id}/suspend");
    let because = json!({"reason": "a test"});
    by_balancer(&rig.admin(), 7, "POST", &suspend, &because).ok();
    assert_eq!(scope_of(&rig, "suspend").as_deref(), Some("from=192.0.2.7"));
    let resume = format!("/v1/admin/devices/{id}/resume");
    rig.admin().from(5).act(&resume, &json!({})).ok();
    assert_eq!(scope_of(&rig, "resume").as_deref(), Some("from=127.0.0.5"));
    let renew = "/v1/admin/operators/dev/renew";
    let renewed = by_balancer(&rig.admin(), 7, "POST", renew, &because).ok();
    rig.keep_secret(renewed["token"].as_str().unwrap());
    let scope = scope_of(&rig, "renew-operator");
    assert_eq!(scope.as_deref(), Some("role=admin from=192.0.2.7"));
    let issued: Vec<_> = records(&rig)
        .into_iter()
        .filter(|(action, _)| action == "issue")
        .collect();
    assert_eq!(issued.len(), 3);
    assert!(issued.iter().all(|(_, scope)| scope.is_none()));
    everything_shows_it(&rig, id);
}

/// The commands and the pages, and whoever verifies and proves.
fn everything_shows_it(rig: &Rig, id: &str) {
    let config = rig.data().join("config.toml");
    let done = |arguments: &[&str]| {
        let (done, said) = command(arguments, &config);
        assert!(done, "{said}");
        said
    };
    let listed = done(&["audit", "list", "--action", "suspend"]);
    assert!(listed.contains("192.0.2.7"), "{listed}");
    let outside = rig.data().join("outside");
    let found = || rig.admin().get("/v1/admin/audit/checkpoint").ok();
    let last = rig.admin().get("/v1/admin/audit?limit=1").ok();
    let last = last["records"][0]["seq"].as_u64();
    rig.wait_until("it is signed for", || {
        let found = found();
        found["size"].as_u64() >= last && found["places"][0]["waiting"] == 0
    });
    let key = found()["key"].as_str().unwrap().to_owned();
    let checkpoints = outside.to_str().unwrap();
    let known = ["--checkpoints", checkpoints, "--log-key", &key];
    done(&[&["audit", "verify"][..], &known].concat());
    let exported = rig.data().join("audit.ndjson");
    let to = exported.to_str().unwrap();
    done(&["audit", "export", "--out", to]);
    let lines = fs::read_to_string(&exported).unwrap();
    let suspended: Value = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["action"] == "suspend")
        .unwrap();
    assert_eq!(suspended["scope"], "from=192.0.2.7");
    let seq = suspended["seq"].to_string();
    let proof = done(&[&["audit", "prove", &seq][..], &known].concat());
    assert!(proof.contains("c2sp.org/tlog-proof"), "{proof}");
    // Another address in it is found with the checkpoints alone.
    let verify = |path: &str| {
        let export = ["audit", "verify", "--export", path];
        let all = [&export[..], &known].concat();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dc-signer"))
            .args(all)
            .output()
            .unwrap();
        output.status.success()
    };
    assert!(verify(to));
    fs::write(&exported, lines.replace("192.0.2.7", "192.0.2.6")).unwrap();
    assert!(!verify(to));
    let page = page(rig, &format!("/devices/{id}"));
    assert!(page.contains("from 192.0.2.7") && page.contains("from 192.0.2.8"));
}

/// A page, as an operator sees it who has signed in.
fn page(rig: &Rig, path: &str) -> String {
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let form = format!("token={}", rig.token());
    let client = rig.client();
    let signed_in = client.request("POST", "/sign-in", &headers, form.as_bytes());
    let cookie = signed_in.head.split("set-cookie: ").nth(1).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let cookie = cookie.replace("__host-", "__Host-");
    rig.keep_secret(cookie.split_once('=').unwrap().1);
    client
        .request("GET", path, &[("cookie", &cookie)], b"")
        .body
}

#[test]
fn addresses_are_left_out_as_the_configuration_says() {
    let rig = Rig::start();
    rig.configure("[retention]\naddresses = 'operators'\n");
    Router::enrolled(&rig, "one");
    assert_eq!(scope_of(&rig, "enrol"), None);
    assert_eq!(scope_of(&rig, "add").as_deref(), Some("from=127.0.0.1"));
    rig.edit_config("addresses = 'operators'", "addresses = 'none'");
    rig.reload();
    Router::enrolled(&rig, "two");
    assert_eq!(scope_of(&rig, "enrol"), None);
    assert_eq!(scope_of(&rig, "add"), None);
    // What is there stays.
    let all = records(&rig);
    let has_address =
        |scope: &Option<String>| scope.as_ref().is_some_and(|it| it.contains("from="));
    let kept = all.iter().filter(|(_, scope)| has_address(scope));
    assert_eq!(kept.count(), 2, "{all:?}");
}

#[test]
fn reads_from_two_addresses_are_two_records() {
    let mut rig = Rig::start();
    for host in [5, 6, 5] {
        rig.admin().from(host).get("/v1/admin/devices").ok();
    }
    rig.signal("TERM");
    assert!(rig.ended());
    let config = rig.data().join("config.toml");
    let (done, listed) = command(&["audit", "list", "--action", "read"], &config);
    assert!(done, "{listed}");
    assert!(listed.contains("views=2") && listed.contains("127.0.0.5"));
    assert!(listed.contains("views=1") && listed.contains("127.0.0.6"));
}
