//! Keys, secrets and tokens that somebody else has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::command::{Said, keys, run};
use crate::client::Client;
use crate::rig::Rig;
use crate::router::{Router, csr};

fn names(list: &Value) -> Vec<String> {
    let list: Value = serde_json::from_str(list["list"].as_str().unwrap()).unwrap();
    let names = list["names"].as_array().unwrap().iter();
    names
        .map(|name| name["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_secrets_of_a_signer_are_replaced_and_no_device_is_renamed() {
    let rig = Rig::start();
    let (_, first) = Router::enrolled(&rig, "one");
    let name = first["name"].as_str().unwrap().to_owned();
    let waiting = rig.add("two");
    let old_code = waiting["code"]["code"].as_str().unwrap().to_owned();
    run(&rig, &["devices", "suspend", "one"]).ok();
    let old_list = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    // They are sealed in the database, if they are not yet, and each is made anew while the service runs.
    let sealing = rig.data().join("secrets.key");
    fs::write(&sealing, "5a".repeat(32)).unwrap();
    fs::set_permissions(&sealing, fs::Permissions::from_mode(0o600)).unwrap();
    let table = format!("[secrets]\nkey = {{ file = {sealing:?} }}\n[limits]");
    rig.edit_config("[limits]", &table);
    let rig = rig.restart();
    run(&rig, &["secrets", "seal"]).ok();
    for secret in ["names", "codes", "lists"] {
        run(&rig, &["secrets", "rotate", secret, "--at-once"]).ok();
    }
    let new_list = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    assert_ne!(new_list["key"], old_list["key"]);
    assert_eq!(names(&new_list).join(" "), name);
    // Whoever has the old secret of codes makes none, and the ones that were made are good for nothing.
    let two = Router::new(&rig);
    two.enroll(&csr(), &old_code).refused(403, "code-refused");
    let made = run(&rig, &["codes", "new", "two", "--json"]).ok();
    let made: Value = serde_json::from_str(&made).unwrap();
    let code = made["code"].as_str().unwrap();
    rig.keep_secret(code);
    two.enroll(&csr(), code).ok();
    run(&rig, &["devices", "resume", "one"]).ok();
    let shown = run(&rig, &["devices", "show", "one", "--json"]).ok();
    assert!(shown.contains(&name), "{shown}");
}

#[test]
fn a_stolen_token_is_worth_nothing_at_once_and_what_it_did_is_on_record() {
    let rig = Rig::start();
    let add = || {
        let said = run(&rig, &["operators", "add", "olga", "--role", "operator"]).ok();
        let token = said.lines().last().unwrap().to_owned();
        rig.keep_secret(&token);
        token
    };
    let thief = rig.client().token(&add());
    let new = json!({"external_id": "theirs"});
    let added = thief.post("/v1/admin/devices", &new).ok();
    run(&rig, &["operators", "disable", "olga"]).ok();
    thief
        .get("/v1/admin/devices")
        .refused(401, "token-required");
    let id = added["id"].as_str().unwrap();
    let shown = run(&rig, &["devices", "show", id, "--json"]).ok();
    assert!(shown.contains("olga"), "{shown}");
    run(&rig, &["devices", "retire", "theirs", "--yes"]).ok();
    // She gets another one.
    let olga = rig.client().token(&add());
    olga.get("/v1/admin/devices").ok();
    thief
        .get("/v1/admin/devices")
        .refused(401, "token-required");
}

#[test]
fn whoever_has_a_devices_enrolment_key_is_the_device_until_it_is_suspended() {
    let rig = Rig::start();
    let (device, first) = Router::enrolled(&rig, "one");
    let name = first["name"].as_str().unwrap().to_owned();
    // The same key in other hands.
    let thief = Router {
        client: crate::router::client(&rig, &device.enrolment_key),
        enrolment_key: KeyPair::from_pem(&device.enrolment_key.serialize_pem()).unwrap(),
    };
    let renew = |who: &Router, shown: &Value, key: &str| {
        let request = json!({"csr": csr(), "idempotency_key": key,
            "previous_sha256": shown["credentials"][0]["sha256"]});
        who.client.post("/v1/renew", &request)
    };
    let theirs = renew(&thief, &first, "t1").ok();
    run(&rig, &["devices", "suspend", "one"]).ok();
    renew(&thief, &theirs, "t3").refused(403, "device-suspended");
    let list = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    assert_eq!(names(&list).join(" "), name);
    let replaced = run(&rig, &["devices", "replace", "one", "--new-name", "--json"]).ok();
    let replaced: Value = serde_json::from_str(&replaced).unwrap();
    let code = replaced["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    let again = Router::new(&rig).enroll(&csr(), code).ok();
    assert_ne!(again["name"], first["name"]);
    renew(&thief, &theirs, "t4").refused(403, "unknown-device");
    let list = rig.client().get("/v1/withdrawn/cpe.example.com").ok();
    assert_eq!(names(&list), [name]);
}

#[test]
fn a_stolen_tls_key_of_the_service_gives_way_to_another_without_a_restart() {
    let mut rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let new = params.self_signed(&key).unwrap();
    let tls = rig.data().join("tls");
    fs::write(tls.join("chain.pem"), new.pem()).unwrap();
    fs::write(tls.join("key.pem"), key.serialize_pem()).unwrap();
    rig.reload();
    let trusting = Client::new(rig.port, &tls.join("chain.pem"));
    trusting.get("/readyz").ok();
    // A device that knows the old certificate's root alone does not come to the new one.
    assert!(router.client.tls().is_err());
    // The rig knows the old one alone, too.
    rig.signal("TERM");
    assert!(rig.ended());
}

#[test]
fn what_was_signed_before_the_checkpoint_key_was_stolen_still_shows_what_happened() {
    let rig = Rig::start();
    rig.add("one");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let sign = |key: &str, log: &str, into: &str| {
        let key = ["audit", "checkpoint", "--key", key, "--name", log];
        let said = run(&rig, &[&key[..], &["--append", into]].concat()).ok();
        said.lines().last().unwrap().to_owned()
    };
    let (first, second) = (at("first.pem"), at("second.pem"));
    for (path, byte) in [(&first, 5), (&second, 6)] {
        // RFC 8410 §7, around a seed of 32 bytes.
        let der = [&hex("302e020100300506032b657004220420")[..], &[byte; 32]].concat();
        let pem = data_encoding::BASE64.encode(&der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
        fs::write(path, pem).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let old = sign(&first, "signer.example.com/audit", &at("old"));
    rig.add("two");
    // From now on another key and another name.
    let new = sign(&second, "signer.example.com/audit-2", &at("new"));
    let verify = |file: &str, key: &str| -> Said {
        let known = ["--checkpoints", file, "--log-key", key];
        run(&rig, &[&["audit", "verify"][..], &known].concat())
    };
    verify(&at("old"), &old).ok();
    verify(&at("new"), &new).ok();
    // What the thief signs is not the new log's.
    sign(&first, "signer.example.com/audit", &at("thief"));
    verify(&at("thief"), &new).refused();
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

#[test]
fn a_delegation_key_gets_another_passphrase_and_the_old_one_opens_it_no_more() {
    if !apparatus::have(apparatus::Part::Tools) {
        return;
    }
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let word = |word: &str| {
        let path = rig.data().join("word");
        fs::write(&path, word).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let encrypt = |folder: &Path, from: &[&str], to: &str| {
        let output = Command::new("openssl")
            .current_dir(folder)
            .args(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", "key.pem"])
            .args(["-out", "key.new", "-passout", to])
            .args(from)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let new = folder.join("key.new");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, folder.join("key.pem")).unwrap();
    };
    word("first");
    let place = rig.data().join("word");
    let table = format!("[keys]\npassphrase = {{ file = {place:?} }}\n[limits]");
    rig.edit_config("[limits]", &table);
    let mut rig = rig.restart();
    // The key of the active slot, as somebody would have had it from the beginning.
    let folder = keys(&rig).remove(0);
    rig.signal("TERM");
    assert!(rig.ended());
    encrypt(&folder, &[], "pass:first");
    let mut rig = rig.restart();
    let again = |rig: &Rig| Router {
        client: crate::router::client(rig, &router.enrolment_key),
        enrolment_key: KeyPair::from_pem(&router.enrolment_key.serialize_pem()).unwrap(),
    };
    again(&rig).renew(&csr(), "k1").ok();
    rig.signal("TERM");
    assert!(rig.ended());
    encrypt(&folder, &["-passin", "pass:first"], "pass:second");
    let refused = run(&rig, &["check"]).refused();
    assert!(refused.contains("passphrase"), "{refused}");
    fs::write(rig.data().join("word"), "second").unwrap();
    run(&rig, &["check"]).ok();
    let rig = rig.restart();
    again(&rig).renew(&csr(), "k2").ok();
}
