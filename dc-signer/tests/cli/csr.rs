//! `csr`: what the CA gets, and that keys are safe.

use std::process::Command;

use apparatus::{Part, have};

use crate::sandbox::Sandbox;

const CSR: [&str; 5] = ["csr", "--zone", "cpe.example.com", "--out", "vendor"];

#[test]
fn writes_a_request_and_a_key_for_its_owner_only() {
    let sandbox = Sandbox::empty();
    let said = sandbox.run(&CSR).succeeded();
    assert_eq!(sandbox.names("vendor"), ["key.pem", "request.csr"]);
    assert_eq!(sandbox.mode("vendor/key.pem"), 0o600);
    assert_eq!(sandbox.mode("vendor"), 0o700);
    for words in [
        "1.3.6.1.4.1.44363.44",
        "digitalSignature",
        "*.cpe.example.com",
        "vendor/chain.pem",
        "dc-signer inspect vendor",
    ] {
        assert!(said.contains(words), "{words} not in {said}");
    }
    let said = sandbox.run(&["inspect", "vendor"]).succeeded();
    for words in [
        "a vendor that waits for its certificate",
        "asks for:   digitalSignature, serverAuth, DelegationUsage",
        "belongs to: the request here",
    ] {
        assert!(said.contains(words), "{words} not in {said}");
    }
}

#[test]
fn openssl_reads_the_request_and_finds_its_signature_right() {
    let sandbox = Sandbox::empty();
    sandbox.run(&CSR).succeeded();
    if !have(Part::Tools) {
        return;
    }
    let output = Command::new("openssl")
        .args(["req", "-noout", "-text", "-verify", "-in"])
        .arg(sandbox.path("vendor/request.csr"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "Digital Signature",
        "DNS:*.cpe.example.com",
        "1.3.6.1.4.1.44363.44: \n",
    ] {
        assert!(text.contains(words), "{words} not in {text}");
    }
}

#[test]
fn every_type_of_key_can_be_made() {
    for (algorithm, scheme) in [
        ("p256", "ecdsa_secp256r1_sha256"),
        ("p384", "ecdsa_secp384r1_sha384"),
        ("ed25519", "ed25519"),
    ] {
        let sandbox = Sandbox::empty();
        let arguments = [&CSR[..], &["--algorithm", algorithm, "--json"]].concat();
        let said = sandbox.run(&arguments).succeeded();
        let json: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(json["algorithm"], scheme);
        assert_eq!(json["key_is_new"], true);
    }
}

#[test]
fn the_roles_become_purposes() {
    for (roles, purposes, kind) in [
        ("client", "clientAuth", "a TLS client certificate for"),
        (
            "client,server,client",
            "serverAuth, clientAuth",
            "a certificate for TLS servers and clients for",
        ),
    ] {
        let sandbox = Sandbox::empty();
        let said = sandbox
            .run(&[&CSR[..], &["--role", roles]].concat())
            .succeeded();
        assert!(said.contains(kind), "{said}");
        let said = sandbox.run(&["inspect", "vendor"]).succeeded();
        let words = format!("asks for:   digitalSignature, {purposes}, DelegationUsage");
        assert!(said.contains(&words), "{said}");
    }
}

#[test]
fn a_key_is_never_overwritten() {
    let sandbox = Sandbox::empty();
    sandbox.run(&CSR).succeeded();
    let key = sandbox.read("vendor/key.pem");
    sandbox
        .run(&CSR)
        .refused(&["vendor/key.pem exists", "never overwritten"]);
    assert_eq!(sandbox.read("vendor/key.pem"), key);
    // The request can be made again, for another zone, with the same key.
    let again = [
        &["csr", "--zone", "b.example.com", "--out", "vendor"][..],
        &["--key", "vendor/key.pem"],
    ];
    sandbox.run(&again.concat()).succeeded();
    assert_eq!(sandbox.read("vendor/key.pem"), key);
    let said = sandbox.run(&["inspect", "vendor"]).succeeded();
    assert!(said.contains("*.b.example.com"), "{said}");
}

#[test]
fn keys_in_other_encodings_are_taken_and_left_where_they_are() {
    let sandbox = Sandbox::empty();
    let rsa = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/rsa-2048.pem");
    let said = sandbox
        .run(&[&CSR[..], &["--key", rsa]].concat())
        .succeeded();
    assert!(said.contains("left as it was"), "{said}");
    assert_eq!(sandbox.names("vendor"), ["request.csr"]);
    let said = sandbox.run(&["inspect", "vendor/request.csr"]).succeeded();
    assert!(said.contains("RSA 2048"), "{said}");
}

#[test]
fn bad_keys_zones_and_folders_are_refused_with_nothing_written() {
    let sandbox = Sandbox::empty();
    sandbox.write("garbage", "garbage");
    let with = |more: &[&str]| sandbox.run(&[&CSR[..], more].concat());
    with(&["--key", "garbage"]).refused(&["garbage has no PEM block PRIVATE KEY"]);
    with(&["--key", "missing"]).refused(&["cannot read missing"]);
    sandbox
        .run(&["csr", "--zone", "com", "--out", "vendor"])
        .refused(&["the zone com has one label"]);
    sandbox
        .run(&["csr", "--zone", "a.example", "--out", "garbage/x"])
        .refused(&["cannot write garbage"]);
    assert_eq!(sandbox.names("."), ["garbage"]);
}

#[test]
fn wrong_usage_is_status_2() {
    let sandbox = Sandbox::empty();
    sandbox
        .run(&["csr"])
        .wrong_usage(&["--zone <ZONE>", "--out <DIR>"]);
    sandbox
        .run(&[&CSR[..], &["--algorithm", "rsa"]].concat())
        .wrong_usage(&["p256", "ed25519"]);
    sandbox
        .run(&[&CSR[..], &["--role", "router"]].concat())
        .wrong_usage(&["server", "client"]);
    sandbox
        .run(&[&CSR[..], &["--algorithm", "p384", "--key", "k"]].concat())
        .wrong_usage(&["cannot be used with"]);
}
