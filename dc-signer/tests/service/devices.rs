//! Devices: the credentials they get, and the requests they are refused.

use dc_core::{ListKey, NameHash};
use dc_rustls::{ListPolicy, Withdrawals};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::rig::Rig;
use crate::router::{Router, csr, csr_of, hardware_module, manufactured};

#[test]
fn a_device_enrols_and_renews_under_one_name_that_is_not_of_its_choosing() {
    let rig = Rig::start();
    let (router, first) = Router::enrolled(&rig, "one");
    let name = first["name"].as_str().unwrap();
    assert!(
        name.ends_with(".cpe.example.com") && !name.starts_with("admin"),
        "{name}"
    );
    let second = router.renew(&csr(), "k1").ok();
    assert_eq!(second["name"], name);
    assert_eq!(second["device"], first["device"]);
    assert_eq!(second["credentials"][0]["form"], "named");
    assert_ne!(
        second["credentials"][0]["sha256"],
        first["credentials"][0]["sha256"]
    );
    let [from, until, expires] =
        ["renew_from", "renew_until", "expires"].map(|key| second[key].as_u64().unwrap());
    assert!(from < until && until < expires);
    let shown = rig.admin().get(&format!(
        "/v1/admin/devices/{}",
        first["device"].as_str().unwrap()
    ));
    assert_eq!(
        shown.ok()["credential"]["sha256"],
        second["credentials"][0]["sha256"]
    );
}

#[test]
fn the_same_renewal_gets_the_same_bytes() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let request = csr();
    let one = router.renew(&request, "k1");
    assert_eq!(router.renew(&request, "k1").body, one.body);
    assert_ne!(router.renew(&request, "k2").body, one.body);
    router.renew(&csr(), "k1").refused(409, "conflict");
}

#[test]
fn a_code_is_good_once_and_only_for_one_key() {
    let rig = Rig::start();
    let added = rig.add("one");
    let code = added["code"]["code"].as_str().unwrap();
    Router::new(&rig).enroll(&csr(), code).ok();
    Router::new(&rig)
        .enroll(&csr(), code)
        .refused(403, "code-refused");
    let wrong = format!("{}aaaaaa", &code[..code.len() - 6]);
    rig.keep_secret(&wrong);
    Router::new(&rig)
        .enroll(&csr(), &wrong)
        .refused(403, "code-refused");
    Router::new(&rig)
        .enroll(&csr(), "no code")
        .refused(400, "bad-request");
}

#[test]
fn a_request_that_proves_nothing_is_refused_and_nothing_is_stored() {
    let rig = Rig::start();
    let (router, first) = Router::enrolled(&rig, "one");
    let whole = csr();
    let other = csr();
    let line = |pem: &str, number| pem.lines().nth(number).map(ToOwned::to_owned).unwrap();
    let broken = whole.replace(&line(&whole, 2), &line(&other, 2));
    for bad in [
        broken.as_str(),
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        &KeyPair::generate().unwrap().public_key_pem(),
        &KeyPair::generate().unwrap().serialize_pem(),
    ] {
        router.renew(bad, "k").refused(422, "bad-csr");
    }
    // RFC 9345 §4.1.3 has no scheme for such a key.
    let rsa = include_str!("../keys/rsa-2048.pem");
    let rsa = KeyPair::from_pem_and_sign_algo(rsa, &rcgen::PKCS_RSA_SHA256).unwrap();
    router.renew(&csr_of(&rsa), "k").refused(422, "key-refused");
    let shown = rig.admin().get(&format!(
        "/v1/admin/devices/{}",
        first["device"].as_str().unwrap()
    ));
    assert_eq!(
        shown.ok()["credential"]["sha256"],
        first["credentials"][0]["sha256"]
    );
}

#[test]
fn the_enrolment_key_gets_no_credential() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    router
        .renew(&csr_of(&router.enrolment_key), "k")
        .refused(422, "key-refused");
}

#[test]
fn malformed_json_is_told_where_but_never_what() {
    let rig = Rig::start();
    let router = Router::new(&rig);
    rig.keep_secret("this-is-very-secret-indeed");
    let json = [("content-type", "application/json")];
    for body in [
        "",
        "{",
        "[]",
        "{\"csr\": 5, \"code\": \"this-is-very-secret-indeed\"}",
        "{\"code\": \"this-is-very-secret-indeed\"}",
        "{\"csr\": \"a\", \"csr\": \"b\"}",
        &"[".repeat(10_000),
        "\u{0}",
    ] {
        let answer = router
            .client
            .request("POST", "/v1/enroll", &json, body.as_bytes());
        let problem = answer.refused(400, "bad-request");
        assert!(!answer.body.contains("very-secret"), "{answer:?}");
        assert!(
            problem["detail"].as_str().unwrap().contains("line"),
            "{problem}"
        );
    }
    let text = [("content-type", "text/plain")];
    let answer = router.client.request("POST", "/v1/enroll", &text, b"{}");
    answer.refused(415, "unsupported-media-type");
}

#[test]
fn a_device_that_is_unknown_suspended_or_retired_gets_nothing() {
    let rig = Rig::start();
    Router::new(&rig)
        .renew(&csr(), "k")
        .refused(403, "unknown-device");
    let (router, first) = Router::enrolled(&rig, "one");
    let device = format!("/v1/admin/devices/{}", first["device"].as_str().unwrap());
    let does = |what: &str| {
        rig.admin()
            .act(&format!("{device}/{what}"), &json!({}))
            .ok()
    };
    assert_eq!(does("suspend")["state"], "suspended");
    router.renew(&csr(), "k").refused(403, "device-suspended");
    assert_eq!(does("resume")["state"], "active");
    router.renew(&csr(), "k").ok();
    assert_eq!(does("retire")["state"], "retired");
    router.renew(&csr(), "k2").refused(410, "device-retired");
    let history = rig.admin().get(&format!("{device}/history")).ok();
    let acts: Vec<&str> = history["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| act["action"].as_str().unwrap())
        .collect();
    assert_eq!(&acts[..3], ["retire", "resume", "suspend"], "{history}");
    assert_eq!(history["acts"][0]["actor"], "operator:dev");
}

#[test]
fn a_device_can_only_have_its_own_name() {
    let rig = Rig::start();
    let (one, first) = Router::enrolled(&rig, "one");
    let (_, second) = Router::enrolled(&rig, "two");
    let request = json!({
        "csr": csr(), "idempotency_key": "k",
        "name": second["name"], "device": second["device"],
    });
    let renewed = one.client.post("/v1/renew", &request).ok();
    assert_eq!(renewed["name"], first["name"]);
    // Another device's idempotency key is nobody's.
    let (two, _) = Router::enrolled(&rig, "three");
    let other: Value = two.renew(&csr(), "k").ok();
    assert_ne!(other["name"], first["name"]);
}

#[test]
fn what_anyone_may_ask_needs_nothing_and_may_be_cached() {
    let rig = Rig::start();
    let info = rig.client().get("/v1/renewal-info/cpe.example.com");
    assert!(
        info.head.contains("cache-control: public, max-age="),
        "{info:?}"
    );
    assert_eq!(info.ok()["renew_issued_before"], 0);
    let list = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    assert!(list["signature"].as_str().unwrap().len() > 80, "{list}");
    for path in [
        "renewal-info/other.example.com",
        "withdrawn/other.example.com",
    ] {
        rig.client()
            .get(&format!("/v1/{path}"))
            .refused(404, "not-found");
    }
    rig.client()
        .get("/v1/withdrawn/%00")
        .refused(400, "bad-request");
    rig.client().get("/v1/nothing").refused(404, "not-found");
    rig.client()
        .get("/v1/renew")
        .refused(405, "method-not-allowed");
}

#[test]
fn a_device_may_change_its_enrolment_key_and_the_old_one_ends_when_the_new_one_is_used() {
    let rig = Rig::start();
    let (router, first) = Router::enrolled(&rig, "one");
    let new = Router::new(&rig);
    let request = json!({
        "csr": csr(),
        "idempotency_key": "k1",
        "previous_sha256": first["credentials"][0]["sha256"],
        "next_enrolment_csr": csr_of(&new.enrolment_key),
    });
    router.client.post("/v1/renew", &request).ok();
    router.renew(&csr(), "k2").ok();
    assert_eq!(new.renew(&csr(), "k3").ok()["name"], first["name"]);
    let refused = router.renew(&csr(), "k4");
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[test]
fn a_device_enrols_with_the_certificate_that_it_was_made_with() {
    let rig = Rig::start();
    let ca = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (acme, other) = (ca("acme"), ca("other"));
    std::fs::write(rig.data().join("acme.pem"), acme.pem()).unwrap();
    rig.configure("[[manufacturers]]\nname = \"acme\"\nanchors = \"acme.pem\"");
    let new = json!({"external_id": "one", "manufacturer": "acme", "serial": "SN1"});
    let added = rig.admin().post("/v1/admin/devices", &new).ok();
    let enroll = |router: &Router| router.client.post("/v1/enroll", &json!({"csr": csr()}));
    enroll(&manufactured(&rig, &other, "SN1")).refused(403, "unknown-device");
    enroll(&manufactured(&rig, &acme, "SN2")).refused(403, "unknown-device");
    enroll(&Router::new(&rig)).refused(403, "unknown-device");
    let router = manufactured(&rig, &acme, "SN1");
    let first = enroll(&router).ok();
    assert_eq!(first["name"], added["name"]);
    assert_eq!(router.renew(&csr(), "k").ok()["name"], added["name"]);
}

#[test]
fn a_replacement_enrols_with_the_serial_number_of_its_hardware_module() {
    let rig = Rig::start();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "acme");
    let acme = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(rig.data().join("acme.pem"), acme.pem()).unwrap();
    rig.configure("[[manufacturers]]\nname = \"acme\"\nanchors = \"acme.pem\"");
    let new = json!({"external_id": "one", "manufacturer": "acme", "serial": "HW1"});
    let added = rig.admin().post("/v1/admin/devices", &new).ok();
    let enroll = |router: &Router| router.client.post("/v1/enroll", &json!({"csr": csr()}));
    let [old, replacement] = ["HW1", "HW2"].map(|serial| hardware_module(&rig, &acme, serial));
    assert_eq!(enroll(&old).ok()["name"], added["name"]);
    enroll(&replacement).refused(403, "unknown-device");
    let path = format!(
        "/v1/admin/devices/{}/replace",
        added["id"].as_str().unwrap()
    );
    let how = json!({"manufacturer": "acme", "serial": "HW2"});
    let replaced = rig.admin().act(&path, &how).ok();
    assert_eq!(replaced["device"]["serial"], "HW2");
    assert!(replaced.get("code").is_none());
    enroll(&old).refused(403, "unknown-device");
    // It waits for the credential of the old one, unless an operator says otherwise.
    let from = replaced["available_from"].as_u64().unwrap();
    let held = enroll(&replacement);
    let problem = held.refused(503, "name-held");
    assert_eq!(problem["available_from"], from);
    let wait = from - crate::rig::now().as_secs();
    let after = held.head.split("retry-after: ").nth(1).unwrap();
    let after: u64 = after.split_whitespace().next().unwrap().parse().unwrap();
    assert!(after.abs_diff(wait) < 60, "{after} {wait}");
    let shown = rig.admin().get(path.trim_end_matches("/replace")).ok();
    assert_eq!(shown["available_from"], from);
    assert_eq!(shown["state"], "preregistered");
    let how = json!({"manufacturer": "acme", "serial": "HW2", "at_once": true});
    let replaced = rig.admin().act(&path, &how).ok();
    assert_eq!(replaced["held_until"].as_u64(), Some(from - 3601));
    assert_eq!(enroll(&replacement).ok()["name"], added["name"]);
    assert_eq!(replacement.renew(&csr(), "k").ok()["name"], added["name"]);
    let history = rig.admin().get(&path.replace("/replace", "/history")).ok();
    assert!(history.to_string().contains("take-name"), "{history}");
}

/// What the signer answers is what `dc-rustls` loads.
#[test]
fn a_client_loads_the_list_that_the_signer_serves() {
    let rig = Rig::start();
    let (_, first) = Router::enrolled(&rig, "one");
    let signed = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    let key = ListKey::try_from(signed["key"].as_str().unwrap()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let zone = || "cpe.example.com".try_into().unwrap();
    let lists = Withdrawals::new(&provider).unwrap();
    let lists = lists.zone(zone(), [key], ListPolicy::Require);
    let compact = "/v1/withdrawn/cpe.example.com/compact";
    let fetch = |headers: &[(&str, &str)]| {
        let (head, body) = rig.client().download(compact, headers);
        let cached = |directive: &str| assert!(head.contains(directive), "{head}");
        cached("cache-control: public, max-age=300, stale-if-error=");
        let etag = head.lines().find_map(|line| line.strip_prefix("etag: "));
        (head.clone(), etag.unwrap().to_owned(), body)
    };
    let (head, etag, body) = fetch(&[]);
    assert!(
        head.contains("content-type: application/octet-stream"),
        "{head}"
    );
    assert!(lists.load(body).unwrap().is_empty());
    for tag in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
        let (head, again, body) = fetch(&[("if-none-match", &tag)]);
        assert!(head.starts_with("http/1.1 304 "), "{head}");
        assert_eq!((again, body.len()), (etag.clone(), 0));
    }
    let device = first["device"].as_str().unwrap();
    let suspend = format!("/v1/admin/devices/{device}/suspend");
    rig.admin().act(&suspend, &json!({})).ok();
    let list = loop {
        // It is made each ten seconds at most.
        let (_, _, body) = fetch(&[("if-none-match", &etag)]);
        if !body.is_empty() {
            break body;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    let loaded = lists.load(list).unwrap();
    assert_eq!(loaded.len(), 1);
    let name = first["name"].as_str().unwrap();
    assert!(
        loaded.contains(NameHash::new(&name.try_into().unwrap(), |bytes| {
            let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
            hash.as_ref().try_into().unwrap()
        }))
    );
    let (_, _, body) = fetch(&[("if-none-match", "\"other\"")]);
    assert!(!body.is_empty());
}

#[test]
fn a_stolen_box_that_is_replaced_stays_on_the_list_of_withdrawn_names() {
    let rig = Rig::start();
    let (_, first) = Router::enrolled(&rig, "one");
    let device = format!("/v1/admin/devices/{}", first["device"].as_str().unwrap());
    let does = |what: &str, how: Value| rig.admin().act(&format!("{device}/{what}"), &how);
    does("suspend", json!({})).ok();
    // Nobody gets the name of a stolen box by mistake.
    let problem = does("replace", json!({})).refused(409, "conflict");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("retire it and add the new box"), "{detail}");
    let kept = does("replace", json!({"keep_name": true})).ok();
    let code = kept["code"]["code"].clone();
    rig.keep_secret(code.as_str().unwrap());
    does("replace", json!({"at_once": true})).refused(409, "conflict");
    does("resume", json!({})).refused(409, "conflict");
    let list = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    let name = first["name"].as_str().unwrap();
    assert!(list["list"].as_str().unwrap().contains(name), "{list}");
    let refused = Router::new(&rig).enroll(&csr(), code.as_str().unwrap());
    refused.refused(503, "name-held");
    // Who cannot wait gets another name.
    let renamed = does("replace", json!({"new_name": true})).ok();
    let code = renamed["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    let second = Router::new(&rig).enroll(&csr(), code).ok();
    assert_ne!(second["name"], first["name"]);
}
