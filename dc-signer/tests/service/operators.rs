//! Operators' work on many devices and on zones.

use serde_json::{Value, json};

use crate::rig::Rig;
use crate::router::{Router, csr};

const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

fn lines(body: &str) -> Vec<Value> {
    body.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn many_devices_are_added_at_once_and_bad_lines_stop_no_others() {
    let rig = Rig::start();
    let body = "{\"external_id\":\"a\",\"code\":true}\n\n{\"external_id\":\"\"}\nnonsense\n\
                {\"external_id\":\"b\",\"zone\":\"no.example.com\"}\n{\"external_id\":\"c\"}";
    let add = || {
        rig.admin()
            .request("POST", "/v1/admin/devices/bulk", &NDJSON, body.as_bytes())
    };
    let answer = add();
    assert_eq!(answer.status, 200, "{answer:?}");
    let first = lines(&answer.body);
    rig.keep_secret(first[0]["code"]["code"].as_str().unwrap());
    let numbers: Vec<u64> = first
        .iter()
        .map(|line| line["line"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6], "{first:?}");
    assert_eq!(first[0]["created"], true);
    for (place, kind) in [(1, "bad-request"), (2, "bad-request"), (3, "conflict")] {
        let kind = format!("urn:dc-signer:problem:{kind}");
        assert_eq!(first[place]["problem"]["type"], kind, "{first:?}");
    }
    let second = lines(&add().body);
    assert_eq!(second[0]["created"], false);
    // Nothing is voided by sending it again, and a code is shown once.
    assert!(second[0]["code"].is_null(), "{second:?}");
    assert!(second[0]["earlier_code_until"].is_u64(), "{second:?}");
    assert_eq!(second[0]["id"], first[0]["id"]);
    assert_eq!(second[4]["name"], first[4]["name"]);
}

#[test]
fn lists_have_pages_and_filters_and_exports_have_all() {
    let rig = Rig::start();
    let body: String = (0..2500)
        .map(|n| format!("{{\"external_id\":\"box-{n:04}\"}}\n"))
        .collect();
    let answer = rig
        .admin()
        .request("POST", "/v1/admin/devices/bulk", &NDJSON, body.as_bytes());
    assert_eq!(lines(&answer.body).len(), 2500);
    let page = rig
        .admin()
        .get("/v1/admin/devices?limit=2&prefix=box-&after=box-0007")
        .ok();
    assert_eq!(page["devices"][0]["external_id"], "box-0008");
    assert_eq!(page["devices"].as_array().unwrap().len(), 2);
    assert_eq!(page["next"], "box-0009");
    let export = rig.admin().get("/v1/admin/devices/export?prefix=box-");
    let export = lines(&export.body);
    assert_eq!(export.len(), 2500);
    assert_eq!(export[2499]["external_id"], "box-2499");
    let none = rig.admin().get("/v1/admin/devices?state=active").ok();
    assert_eq!(none["devices"], json!([]));
    for bad in [
        "limit=0",
        "limit=1001",
        "state=lost",
        "limit=x",
        "color=red",
        "zone=com",
    ] {
        let answer = rig.admin().get(&format!("/v1/admin/devices?{bad}"));
        answer.refused(400, "bad-request");
    }
    for id in ["x", "aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        rig.admin()
            .get(&format!("/v1/admin/devices/{id}"))
            .refused(404, "not-found");
    }
}

#[test]
fn a_replaced_device_keeps_its_name_and_a_sold_one_does_not() {
    let rig = Rig::start();
    let (old, first) = Router::enrolled(&rig, "one");
    let device = format!("/v1/admin/devices/{}", first["device"].as_str().unwrap());
    let replaced = rig
        .admin()
        .act(&format!("{device}/replace"), &json!({"at_once": true}))
        .ok();
    let code = replaced["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    let second = Router::new(&rig).enroll(&csr(), code).ok();
    assert_eq!(second["name"], first["name"]);
    let refused = old.renew(&csr(), "k");
    assert!((400..500).contains(&refused.status), "{refused:?}");
    let sold = rig
        .admin()
        .act(&format!("{device}/replace"), &json!({"new_name": true}))
        .ok();
    let code = sold["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    let third = Router::new(&rig).enroll(&csr(), code).ok();
    assert_ne!(third["name"], first["name"]);
    let withdrawn = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    let list = withdrawn["list"].as_str().unwrap();
    assert!(list.contains(first["name"].as_str().unwrap()), "{list}");
}

#[test]
fn a_zone_that_was_never_used_is_removed() {
    let rig = Rig::start();
    let of = |zone: &str| format!("/v1/admin/zones/{zone}/remove");
    let new = json!({"zone": "x.example.com"});
    rig.admin().post("/v1/admin/zones", &new).ok();
    let removed = rig.admin().act(&of("x.example.com"), &json!({}));
    assert_eq!(removed.status, 204);
    rig.admin()
        .act(&of("x.example.com"), &json!({}))
        .refused(404, "not-found");
    rig.admin()
        .act(&of("cpe.example.com"), &json!({}))
        .refused(409, "conflict");
    let zones = rig.admin().get("/v1/admin/zones").ok();
    assert_eq!(zones.as_array().unwrap().len(), 1);
}

#[test]
fn a_zones_devices_are_asked_to_renew_and_rollover_needs_a_next_certificate() {
    let rig = Rig::start();
    let zone = "/v1/admin/zones/cpe.example.com";
    let pulled = json!({"issued_before": 2_000_000_000});
    rig.admin()
        .act(&format!("{zone}/pull-renewals"), &pulled)
        .ok();
    rig.wait_until("devices are told", || {
        let info = rig.client().get("/v1/renewal-info/cpe.example.com").ok();
        info["renew_issued_before"] == 2_000_000_000
    });
    rig.admin()
        .act(&format!("{zone}/rollover"), &json!({}))
        .refused(409, "conflict");
    let changed = rig
        .admin()
        .act(&format!("{zone}/forms"), &json!({"forms": "both"}))
        .ok();
    assert_eq!(changed["forms"], "both");
    assert_eq!(changed["slots"][0]["state"], "active");
    let zones = rig.admin().get("/v1/admin/zones").ok();
    assert_eq!(zones.as_array().unwrap().len(), 1);
    let bad = json!({"forms": "all"});
    rig.admin()
        .act(&format!("{zone}/forms"), &bad)
        .refused(400, "bad-request");
}

#[test]
fn unknown_fields_are_typing_errors() {
    let rig = Rig::start();
    let new = json!({"external_id": "one", "serail": "1"});
    let problem = rig
        .admin()
        .post("/v1/admin/devices", &new)
        .refused(400, "bad-request");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("unknown field"),
        "{problem}"
    );
}
