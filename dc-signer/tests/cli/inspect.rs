//! `inspect`: what it recognises, what it says of it, and what it never shows.

use rcgen::ExtendedKeyUsagePurpose as Purpose;
use serde_json::Value;

use crate::sandbox::{CertificateTemplate, NAME, Outcome, Sandbox};

/// With `out`, an identity folder with both forms and the device's key.
fn with_identity() -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    let outcome = sandbox.issue(&["--csr", "device.csr", "--name", NAME, "--form", "both"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    sandbox.set_mode("out/key.pem", 0o600);
    sandbox
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} not in {text}");
    }
}

/// Status 1 with a table that says all of `words`.
#[track_caller]
fn refuses(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    says(&outcome.stdout, words);
    assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
}

#[test]
fn an_identity_folder_is_described_and_accepted() {
    let said = with_identity().run(&["inspect", "out"]).succeeded();
    says(
        &said,
        &[
            "out: identity folder of a device",
            "names:   *.cpe.example.com",
            "digitalSignature, serverAuth, clientAuth, DelegationUsage",
            NAME,
            "form:        named",
            "form:        rfc9345",
            "in 6 d ",
            "for a:       server",
            "belongs to: the credential here",
            "clients that trust its certificate accept it",
        ],
    );
}

#[test]
fn a_client_s_credential_is_for_servers_to_accept() {
    let sandbox = Sandbox::with_vendor();
    let client = ["--csr", "device.csr", "--role", "client"];
    assert_eq!(sandbox.issue(&client).code, Some(0));
    let said = sandbox.run(&["inspect", "out"]).succeeded();
    let words = [
        "for a:       client",
        "servers that trust its certificate accept it",
    ];
    says(&said, &words);
}

#[test]
fn a_delegation_certificate_is_judged_for_the_ends_that_it_is_for() {
    let (server, client) = (Purpose::ServerAuth, Purpose::ClientAuth);
    for (purposes, fits, accepted) in [
        (vec![server.clone()], "server", "clients that trust it"),
        (vec![client.clone()], "client", "servers that trust it"),
        (
            vec![server, client],
            "server",
            "clients and servers that trust it",
        ),
    ] {
        let sandbox = Sandbox::with_vendor();
        sandbox.put_certificate(CertificateTemplate {
            purposes,
            ..Default::default()
        });
        let role = ["--csr", "device.csr", "--name", NAME, "--role", fits];
        sandbox.issue(&role).succeeded();
        for place in ["vendor", "vendor/chain.pem", "out"] {
            let said = sandbox.run(&["inspect", place]).succeeded();
            let verdict = format!("verdict:  {accepted} accept credentials under it");
            says(&squeezed(&said), &[&squeezed(&verdict)]);
        }
    }
}

#[test]
fn the_peers_that_refuse_a_delegation_certificate_are_named() {
    for (purpose, role, words) in [
        (
            Purpose::ClientAuth,
            "server",
            "vendor/chain.pem: clients refuse this delegation certificate: ",
        ),
        (
            Purpose::ServerAuth,
            "client",
            "vendor/chain.pem: servers refuse this delegation certificate: ",
        ),
    ] {
        let sandbox = Sandbox::with_vendor();
        sandbox.put_certificate(CertificateTemplate {
            purposes: vec![purpose],
            ..Default::default()
        });
        sandbox.issue_refused(&["--csr", "device.csr", "--role", role], &[words]);
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_folder_as_the_signer_wrote_it_needs_no_key() {
    let sandbox = with_identity();
    std::fs::remove_file(sandbox.path("out/key.pem")).unwrap();
    sandbox.run(&["inspect", "out"]).succeeded();
}

#[test]
fn no_private_key_is_ever_shown() {
    let sandbox = with_identity();
    for arguments in [
        &["inspect", "out", "vendor", "device.key", "out/key.pem"][..],
        &["inspect", "--json", "vendor/key.pem", "vendor/root-key.pem"],
    ] {
        let said = sandbox.run(arguments).succeeded();
        for key in ["device.key", "vendor/key.pem", "vendor/root-key.pem"] {
            for line in sandbox.read(key).lines().filter(|line| !line.contains('-')) {
                assert!(!said.contains(line), "{key}");
            }
        }
    }
}

#[test]
fn json_has_an_object_for_each_file_and_its_parts() {
    let sandbox = with_identity();
    let json = sandbox
        .run(&["inspect", "--json", "out", "device.csr"])
        .succeeded();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["kind"], "identity folder of a device");
    assert_eq!(json[0]["refused"], false);
    let types: Vec<_> = json[0]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["type"])
        .collect();
    assert_eq!(
        types,
        ["certificate", "credential", "credential", "private-key"]
    );
    let credential = &json[0]["parts"][1];
    assert_eq!(credential["name"], NAME);
    assert_eq!(credential["algorithm"], "ecdsa_secp256r1_sha256");
    assert!(credential["expires_in"].as_i64().unwrap() > 6 * 86_400);
    assert_eq!(json[1]["parts"][0]["type"], "request");
}

#[test]
fn every_kind_of_file_is_recognised() {
    let sandbox = with_identity();
    let bare = dc_core::pem::read(sandbox.read("out/credential.pem").as_bytes()).unwrap();
    sandbox.write("named.dc", &bare[0].bytes);
    sandbox.write("rfc9345.dc", &bare[1].bytes);
    let chain = sandbox.read("vendor/chain.pem") + &sandbox.read("vendor/root.pem");
    sandbox.write("fullchain.pem", chain);
    for (file, kind) in [
        ("vendor", "folder of a vendor"),
        ("vendor/root.pem", "certificate"),
        ("fullchain.pem", "certificate chain"),
        ("out/credential.pem", "credentials"),
        ("named.dc", "credential"),
        ("rfc9345.dc", "credential"),
        ("device.csr", "certificate signing request"),
        ("device.pub", "public key"),
        ("device.key", "private key"),
    ] {
        let said = sandbox.run(&["inspect", file]);
        assert!(
            said.stdout.starts_with(&format!("{file}: {kind}\n")),
            "{said:?}"
        );
    }
}

#[test]
fn der_is_recognised_as_pem_is() {
    use pki_types::pem::PemObject;
    let sandbox = with_identity();
    let chain = pki_types::CertificateDer::from_pem_file(sandbox.path("vendor/chain.pem")).unwrap();
    let csr =
        pki_types::CertificateSigningRequestDer::from_pem_file(sandbox.path("device.csr")).unwrap();
    sandbox.write("chain.der", &chain);
    sandbox.write("csr.der", &csr);
    let said = sandbox
        .run(&["inspect", "chain.der", "csr.der"])
        .succeeded();
    says(
        &said,
        &[
            "chain.der: certificate\n",
            "csr.der: certificate signing request\n",
        ],
    );
}

#[test]
fn what_a_folder_is_taken_by_is_pem() {
    let sandbox = with_identity();
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    for (folder, file, words) in [
        (
            "out",
            "chain.pem",
            "error: out/chain.pem, line 1: the file is DER and not PEM",
        ),
        (
            "vendor",
            "chain.pem",
            "error: vendor/chain.pem, line 1: the file is DER and not PEM",
        ),
        (
            "vendor",
            "root.pem",
            "error: vendor/root.pem, line 1: the file is DER and not PEM",
        ),
        ("out", "key.pem", "the file is DER and not PEM"),
        ("vendor", "key.pem", "the file is DER and not PEM"),
    ] {
        sandbox.run(&["inspect", folder]).succeeded();
        let path = format!("{folder}/{file}");
        let before = sandbox.read(&path);
        let (_, der) = der::pem::decode_vec(before.as_bytes()).unwrap();
        sandbox.write(&path, der);
        let said = sandbox.run(&["inspect", folder]);
        assert_eq!(said.code, Some(1), "{path}: {said:?}");
        says(&(said.stdout + &said.stderr), &[words]);
        sandbox.write(&path, before);
    }
    // Nor is a public key a private one, or a key a chain.
    sandbox.write("out/key.pem", sandbox.read("device.pub"));
    let said = sandbox.run(&["inspect", "out"]);
    refuses(&said, &["no PEM block PRIVATE KEY"]);
}

#[test]
fn all_that_a_system_trusts_is_looked_into() {
    let sandbox = with_identity();
    sandbox.write("roots.pem", sandbox.read("vendor/root.pem").repeat(150));
    assert!(sandbox.read("roots.pem").len() > 0xffff);
    let said = sandbox.run(&["inspect", "roots.pem"]).succeeded();
    says(
        &said,
        &[
            "roots.pem: certificate chain",
            "certificate 150 in roots.pem",
        ],
    );
}

#[test]
fn a_bare_credential_is_judged_with_the_certificate_in_another_file() {
    let sandbox = with_identity();
    sandbox.write("moved.pem", sandbox.read("out/credential.pem"));
    let alone = sandbox.run(&["inspect", "moved.pem"]).succeeded();
    says(
        &alone,
        &[
            "which is not here",
            "unknown: name the file of its certificate too",
        ],
    );
    let both = sandbox
        .run(&["inspect", "moved.pem", "vendor/chain.pem"])
        .succeeded();
    says(&both, &["judged with: vendor/chain.pem", "in 6 d "]);
}

#[test]
fn an_expired_credential_is_refused_with_the_numbers() {
    let sandbox = with_identity();
    let outcome = sandbox.issue(&["--csr", "device.csr", "--name", NAME, "--lifetime", "1s"]);
    assert_eq!(outcome.code, Some(0));
    std::thread::sleep(std::time::Duration::from_millis(2100));
    refuses(
        &sandbox.run(&["inspect", "out"]),
        &["REFUSED:", "the credential expired at", "renew it"],
    );
}

#[test]
fn a_credential_of_another_certificate_is_refused() {
    let sandbox = with_identity();
    sandbox.put_certificate(CertificateTemplate::default());
    sandbox.write("out/chain.pem", sandbox.read("vendor/chain.pem"));
    refuses(
        &sandbox.run(&["inspect", "out"]),
        &["was not signed by this certificate's key"],
    );
}

#[test]
fn a_key_that_is_another_ones_is_refused() {
    let sandbox = with_identity();
    sandbox.device("twin", &rcgen::PKCS_ECDSA_P256_SHA256);
    sandbox.write("out/key.pem", sandbox.read("twin.key"));
    refuses(
        &sandbox.run(&["inspect", "out"]),
        &["it is not the key of the credential here"],
    );
    sandbox.write("vendor/key.pem", sandbox.read("twin.key"));
    refuses(
        &sandbox.run(&["inspect", "vendor"]),
        &["it is not the key of the certificate here"],
    );
}

#[test]
fn a_certificate_that_may_not_delegate_is_refused() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        delegates: false,
        ..CertificateTemplate::default()
    });
    refuses(
        &sandbox.run(&["inspect", "vendor/chain.pem"]),
        &["no DelegationUsage extension", "ask the CA"],
    );
}

#[test]
fn a_certificate_that_has_ended_is_refused() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        ends_in_days: -1,
        ..CertificateTemplate::default()
    });
    refuses(
        &sandbox.run(&["inspect", "vendor"]),
        &["ended 1 d ago", "get a new one from the CA"],
    );
}

#[test]
fn a_certificate_that_ends_within_the_week_is_noted() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        ends_in_days: 7,
        ..CertificateTemplate::default()
    });
    let said = sandbox.run(&["inspect", "vendor/chain.pem"]).succeeded();
    says(&said, &["note:", "get a new delegation certificate"]);
}

#[test]
fn a_request_that_was_changed_is_refused() {
    let sandbox = with_identity();
    use pki_types::pem::PemObject;
    let csr =
        pki_types::CertificateSigningRequestDer::from_pem_file(sandbox.path("device.csr")).unwrap();
    let mut csr = csr.to_vec();
    *csr.last_mut().unwrap() ^= 1;
    sandbox.write("changed.csr", csr);
    refuses(
        &sandbox.run(&["inspect", "changed.csr"]),
        &["REFUSED:", "changed.csr"],
    );
}

#[test]
fn one_file_that_cannot_be_read_does_not_hide_the_others() {
    let sandbox = with_identity();
    let outcome = sandbox.run(&["inspect", "missing", "out"]);
    refuses(&outcome, &["out: identity folder"]);
    says(&outcome.stderr, &["cannot read missing", "1 of 2"]);
    let json = sandbox.run(&["inspect", "--json", "missing", "out"]);
    assert_eq!(json.code, Some(1));
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    says(json[0]["error"].as_str().unwrap(), &["cannot read missing"]);
    assert_eq!(json[1]["refused"], false);
}

#[test]
fn what_is_nothing_known_is_refused_on_one_line() {
    let sandbox = with_identity();
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    for garbage in [
        &b""[..],
        b"garbage",
        b"\xff\xfe\0\0",
        b"0\x84\xff\xff\xff\xff",
    ] {
        sandbox.write("garbage", garbage);
        sandbox
            .run(&["inspect", "garbage"])
            .refused(&["garbage is no certificate"]);
    }
    sandbox
        .run(&["inspect", "empty"])
        .refused(&["empty has no chain.pem"]);
    sandbox
        .run(&["inspect", "missing"])
        .refused(&["cannot read missing", "check the path"]);
    sandbox
        .run(&["inspect", "/dev/zero"])
        .refused(&["is longer than 4194304 bytes"]);
}

#[test]
fn every_truncation_is_refused_on_one_line() {
    let sandbox = with_identity();
    for name in ["vendor/chain.pem", "out/credential.pem", "device.csr"] {
        let whole = sandbox.read(name);
        let first = whole.find("-----END").unwrap() + 12;
        for length in (0..first).step_by(97) {
            sandbox.write("cut", &whole[..length]);
            sandbox.run(&["inspect", "cut"]).refused(&["cut"]);
        }
    }
}

#[test]
fn a_key_that_others_can_read_is_noted() {
    let sandbox = with_identity();
    sandbox.set_mode("out/key.pem", 0o644);
    let said = sandbox.run(&["inspect", "out"]).succeeded();
    says(&said, &["note:", "can be read by others", "chmod g-w,o="]);
}

#[test]
fn wants_a_file_and_help_shows_examples() {
    Sandbox::empty().run(&["inspect"]).wrong_usage(&["<FILE>"]);
    let help = Sandbox::empty().run(&["inspect", "--help"]).succeeded();
    says(&help, &["dc-signer inspect device", "Exit status"]);
}
