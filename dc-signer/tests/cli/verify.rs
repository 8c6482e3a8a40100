//! `verify`: each check passes and fails as a client's does.

use serde_json::Value;

use crate::sandbox::{DAY, NAME, Sandbox, now};

fn with_identity(form: &str) -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    let outcome = sandbox.issue(&["--csr", "device.csr", "--name", NAME, "--form", form]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    sandbox
}

/// Runs `verify` with `--json` and gives the status and the verdict on the first credential.
fn verdict(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, Value) {
    let outcome = sandbox.run(&[&["verify", "--json"], arguments].concat());
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    (outcome.code, json["credentials"][0]["verdict"].clone())
}

fn outcome_of<'a>(verdict: &'a Value, check: &str) -> &'a Value {
    let checks = verdict["checks"].as_array().unwrap();
    let found = checks.iter().find(|row| row["check"] == check).unwrap();
    &found["outcome"]
}

/// That a run is refused, that this check is the first to fail, and that the reason has these words.
#[track_caller]
fn fails(sandbox: &Sandbox, arguments: &[&str], check: &str, words: &str) {
    let (code, verdict) = verdict(sandbox, arguments);
    assert_eq!(code, Some(1), "{verdict}");
    let checks = verdict["checks"].as_array().unwrap();
    let first = checks
        .iter()
        .find(|row| row["outcome"] == "failed")
        .unwrap();
    assert_eq!(first["check"], check, "{verdict}");
    let reason = verdict["reason"].as_str().unwrap();
    assert!(reason.contains(words), "{words} not in {reason}");
    assert_eq!(first["detail"], verdict["reason"]);
}

fn in_days(days: u64) -> String {
    (now().as_secs() + days * DAY).to_string()
}

#[test]
fn a_good_identity_passes_every_check_of_the_rfc() {
    let sandbox = with_identity("named");
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    let arguments = ["out", "--roots", "vendor/root.pem", "--name", NAME];
    let (code, verdict) = verdict(&sandbox, &arguments);
    assert_eq!((code, &verdict["accepted"]), (Some(0), &Value::Bool(true)));
    for check in [
        "chain",
        "certificate-time",
        "certificate-name",
        "expiry",
        "validity",
        "scheme",
        "delegation",
        "signature",
        "unique-name",
        "private-key",
    ] {
        assert_eq!(outcome_of(&verdict, check), "passed", "{check}");
    }
}

#[test]
fn the_table_names_each_check_and_the_verdict() {
    let said = with_identity("both").run(&["verify", "out"]).succeeded();
    for words in [
        "named credential of k3v.cpe.example.com",
        "(1) credential has not ended",
        "(6) certificate's key signed it",
        "not checked: no roots were given",
        "not checked: the rfc9345 form has none",
        "\naccepted\n",
    ] {
        assert!(said.contains(words), "{words} not in {said}");
    }
}

#[test]
fn time_is_judged_at_the_moment_that_is_given() {
    let sandbox = with_identity("named");
    fails(
        &sandbox,
        &["out", "--now", &in_days(7)],
        "expiry",
        "expired at",
    );
    // Half a day ago the certificate was valid, and the credential had 7 days and 8 hours to go.
    let early = (now().as_secs() - DAY / 2).to_string();
    fails(
        &sandbox,
        &["out", "--now", &early],
        "validity",
        "7 d 0 h 0 min 0 s are allowed",
    );
    fails(
        &sandbox,
        &["out", "--now", &in_days(100)],
        "certificate-time",
        "get a new one",
    );
    fails(
        &sandbox,
        &["out", "--now", "1970-01-02T00:00:00Z"],
        "certificate-time",
        "valid from",
    );
    let (_, verdict) = verdict(&sandbox, &["out", "--now", &in_days(7)]);
    assert_eq!(outcome_of(&verdict, "signature"), "passed");
    assert_eq!(outcome_of(&verdict, "unique-name"), "passed");
}

#[test]
fn another_name_is_refused() {
    let sandbox = with_identity("named");
    fails(
        &sandbox,
        &["out", "--name", "twin.cpe.example.com"],
        "unique-name",
        NAME,
    );
    fails(
        &sandbox,
        &["out", "--name", "k3v.example.com"],
        "certificate-name",
        "covers",
    );
    let sandbox = with_identity("rfc9345");
    let (code, _) = verdict(&sandbox, &["out", "--name", "twin.cpe.example.com"]);
    assert_eq!(code, Some(0), "that is what the named form is for");
}

#[test]
fn another_role_is_refused() {
    let sandbox = with_identity("named");
    fails(
        &sandbox,
        &["out", "--role", "client"],
        "signature",
        "signed for a server",
    );
}

#[test]
fn another_root_is_refused() {
    let sandbox = with_identity("named");
    sandbox
        .run(&["init", "other", "--zone", "cpe.example.com"])
        .succeeded();
    fails(
        &sandbox,
        &["out", "--roots", "other/root.pem"],
        "chain",
        "no root that is trusted",
    );
}

#[test]
fn a_certificate_for_servers_is_not_one_for_clients() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(crate::sandbox::CertificateTemplate {
        purposes: vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
        ..Default::default()
    });
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    let arguments = ["out", "--role", "client", "--roots", "vendor/chain.pem"];
    fails(&sandbox, &arguments, "chain", "extKeyUsage");
}

#[test]
fn a_client_s_identity_is_accepted_as_a_client_s_alone() {
    for form in ["named", "rfc9345", "both"] {
        let sandbox = Sandbox::with_vendor();
        let client = ["--csr", "device.csr", "--role", "client", "--form", form];
        assert_eq!(sandbox.issue(&client).code, Some(0));
        let arguments = ["out", "--roots", "vendor/root.pem", "--role"];
        let (code, verdict) = verdict(&sandbox, &[&arguments[..], &["client"]].concat());
        assert_eq!(code, Some(0), "{verdict}");
        let words = "signed for a client";
        fails(
            &sandbox,
            &[&arguments[..], &["server"]].concat(),
            "signature",
            words,
        );
        fails(&sandbox, &["out"], "signature", words);
        let outcome = sandbox.run(&["verify", "out", "--role", "client", "--json"]);
        let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(json["credentials"][0]["role"], "client");
    }
}

#[test]
fn a_tampered_credential_is_refused() {
    let sandbox = with_identity("named");
    let mut stored = dc_core::pem::read(sandbox.read("out/credential.pem").as_bytes()).unwrap();
    *stored[0].bytes.last_mut().unwrap() ^= 1;
    sandbox.write("tampered", &stored[0].bytes);
    let arguments = ["--chain", "out/chain.pem", "--credential", "tampered"];
    fails(
        &sandbox,
        &arguments,
        "signature",
        "not signed by this certificate's key",
    );
    let (_, verdict) = verdict(&sandbox, &arguments);
    assert_eq!(outcome_of(&verdict, "unique-name"), "not-checked");
    assert_eq!(outcome_of(&verdict, "expiry"), "passed");
}

#[test]
fn a_certificate_that_may_not_delegate_is_refused() {
    let sandbox = with_identity("named");
    sandbox.put_certificate(crate::sandbox::CertificateTemplate {
        delegates: false,
        ..Default::default()
    });
    let arguments = [
        "--chain",
        "vendor/chain.pem",
        "--credential",
        "out/credential.pem",
    ];
    fails(&sandbox, &arguments, "delegation", "DelegationUsage");
}

#[test]
fn another_devices_key_is_refused() {
    let sandbox = with_identity("named");
    sandbox.device("twin", &rcgen::PKCS_ECDSA_P256_SHA256);
    sandbox.write("out/key.pem", sandbox.read("twin.key"));
    fails(&sandbox, &["out"], "private-key", "enrol again");
}

#[test]
fn files_that_are_missing_or_wrong_are_named() {
    let sandbox = with_identity("named");
    sandbox
        .run(&["verify", "missing"])
        .refused(&["cannot read missing/chain.pem"]);
    let mixed_up = [
        "verify",
        "--chain",
        "out/chain.pem",
        "--credential",
        "device.csr",
    ];
    sandbox
        .run(&mixed_up)
        .refused(&["device.csr", "no credential"]);
    let roots = ["verify", "out", "--roots", "device.csr"];
    sandbox
        .run(&roots)
        .refused(&["device.csr has no PEM block CERTIFICATE"]);
    let name = ["verify", "out", "--name", "K3V.cpe.example.com"];
    sandbox.run(&name).refused(&["use k3v.cpe.example.com"]);
}

#[test]
fn wrong_usage_is_status_2() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["verify"]).wrong_usage(&["<DIR>"]);
    sandbox
        .run(&["verify", "--chain", "a"])
        .wrong_usage(&["--credential <FILE>"]);
    sandbox
        .run(&["verify", "out", "--now", "soon"])
        .wrong_usage(&["2026-11-24T08:00:00Z"]);
    sandbox
        .run(&["verify", "out", "--role", "both"])
        .wrong_usage(&["server", "client"]);
}
