//! Operators' work on many devices and on zones.

use serde_json::{Value, json};

use crate::ready::command;
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
    assert!(none.get("count").is_none() && none.get("crowded").is_none());
    let found = "search=BOX-1&has_credential=false&count=true&limit=2";
    let page = rig
        .admin()
        .get(&format!("/v1/admin/devices?{found}&before=box-1004"))
        .ok();
    assert_eq!(page["devices"][0]["external_id"], "box-1002");
    assert_eq!(
        (&page["previous"], &page["next"]),
        (&json!("box-1002"), &json!("box-1003"))
    );
    assert_eq!(page["count"], json!({ "devices": 1000, "more": false }));
    let page = rig.admin().get("/v1/admin/devices?count=true&limit=1").ok();
    assert_eq!(page["count"], json!({ "devices": 1000, "more": true }));
    let name = export[7]["name"].as_str().unwrap();
    let page = rig
        .admin()
        .get(&format!("/v1/admin/devices?search={name}"))
        .ok();
    assert_eq!(page["devices"][0]["external_id"], "box-0007");
    let csv = rig
        .admin()
        .get("/v1/admin/devices/export?search=Box-24&format=csv");
    let rows: Vec<&str> = csv.body.lines().collect();
    assert!(rows[0].starts_with("external_id,id,name,zone,state,"));
    assert!(
        rows.len() == 101 && rows[100].starts_with("box-2499,"),
        "{csv:?}"
    );
    let now = export[7]["created"].as_u64().unwrap();
    let ends = format!(
        "/v1/admin/devices?expires_from={now}&expires_before={}",
        now + 9
    );
    assert_eq!(rig.admin().get(&ends).ok()["devices"], json!([]));
    rig.admin()
        .get("/v1/admin/devices/export?format=exe")
        .refused(400, "bad-request");
    for bad in [
        "search=",
        "search=a%0Ab",
        "before=",
        "count=yes",
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
fn the_command_line_finds_devices_as_the_pages_do() {
    let rig = Rig::start();
    let name = rig.add("Box-1")["name"].as_str().unwrap().to_owned();
    rig.add("box-2");
    let (_, enrolled) = Router::enrolled(&rig, "box-3");
    let config = rig.data().join("config.toml");
    for (arguments, found) in [
        (&["--search", "BOX"][..], &["Box-1", "box-2", "box-3"][..]),
        (&["--search", &name][..], &["Box-1"][..]),
        (
            &["--search", "box", "--no-credential"][..],
            &["Box-1", "box-2"][..],
        ),
        (&["--search", "box", "--not-ended"][..], &["box-3"][..]),
        (&["--search", "box", "--ended"][..], &[][..]),
        (
            &["--search", "box", "--not-ended", "--expires-within", "8d"][..],
            &["box-3"][..],
        ),
        (
            &["--search", "box", "--not-ended", "--expires-within", "1h"][..],
            &[][..],
        ),
    ] {
        let (done, said) = command(&[&["devices", "list"][..], arguments].concat(), &config);
        assert!(done, "{said}");
        let ids: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.to_lowercase().starts_with("box-"))
            .collect();
        assert_eq!(ids, found, "{arguments:?}: {said}");
    }
    let export = ["devices", "export", "--csv", "--search", "box-3"];
    let (done, said) = command(&export, &config);
    assert!(done, "{said}");
    let rows: Vec<&str> = said.lines().collect();
    assert!(rows[0].starts_with("external_id,id,name,"), "{said}");
    assert!(
        rows[1].contains(enrolled["name"].as_str().unwrap()),
        "{said}"
    );
    let (done, said) = command(&["devices", "list", "--search", ""], &config);
    assert!(
        !done && said.contains("a search has 1 to 256 characters"),
        "{said}"
    );
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
