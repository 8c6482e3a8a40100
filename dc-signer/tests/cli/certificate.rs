//! `dc-signer certificate` where no CA answers: the folder of an order, and what the status says.

use std::fs;

use crate::sandbox::Sandbox;

const CONFIG: &str =
    "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n";
const CA: &str = "[[order_command]]\ncommand = ['false']\n";
const ENCRYPTED: &str = "BEGIN ENCRYPTED PRIVATE KEY";

/// With a zone that has a certificate.
fn signer() -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    sandbox.write("config.toml", CONFIG);
    fs::create_dir(sandbox.path("data")).unwrap();
    let add = ["zones", "add", "cpe.example.com", "--import", "vendor"];
    sandbox.operate(&add).succeeded();
    sandbox
}

#[test]
fn a_key_that_is_made_by_hand_is_encrypted_as_the_service_s_are() {
    let sandbox = signer();
    sandbox.write("word", "open sesame, please\n");
    sandbox.set_mode("word", 0o600);
    let order = |more: &[&str]| {
        let order = ["certificate", "order", "--zone", "cpe.example.com"];
        let all = [&order[..], &["--reason", "a test"], more].concat();
        let outcome = sandbox.operate(&all);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(
            outcome.stderr.contains("false ended with status 1"),
            "{outcome:?}"
        );
        sandbox.read("data/orders/cpe.example.com-server/key.pem")
    };
    sandbox.write("config.toml", format!("{CONFIG}{CA}"));
    let plain = order(&[]);
    assert_eq!(order(&[]), plain, "the order goes on with its key");
    let keys = "[keys]\npassphrase = { file = 'word' }\n";
    sandbox.write("config.toml", format!("{CONFIG}{CA}{keys}"));
    let encrypted = order(&[]);
    assert!(encrypted.contains(ENCRYPTED), "{encrypted}");
    assert_eq!(order(&[]), encrypted);
    let new = order(&["--new-key"]);
    assert!(new.contains(ENCRYPTED) && new != encrypted, "{new}");
}

#[test]
fn the_status_says_what_a_zone_waits_for_and_what_to_do() {
    let sandbox = signer();
    let says = |tables: &str, words: &[&str]| {
        sandbox.write("config.toml", format!("{CONFIG}{tables}"));
        let said = sandbox.operate(&["certificate", "status"]).succeeded();
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    };
    let by_hand = "zones rollover cpe.example.com --import DIR --reason WHY";
    let until = "needs the next certificate before 2";
    says("", &["no CA is configured", by_hand, until]);
    says(CA, &["the service looks within a minute when to order"]);
    let manual = format!("{CA}[certificate_renewal]\nautomatic = false\n");
    let order = "certificate order --zone cpe.example.com --reason WHY";
    says(&manual, &["does not order by itself", order, until]);
    let add = ["zones", "add", "gw.example.com"];
    sandbox.operate(&add).succeeded();
    says("", &["zone gw.example.com: it has no certificate"]);
}
