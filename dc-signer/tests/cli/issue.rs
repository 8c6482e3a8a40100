//! `issue`: what a device gets, for every kind of key and form.

use dc_core::{Form, Role, SignatureScheme, VerifiedCredential};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{KeyPair, PublicKeyData};

use crate::sandbox::{CertificateTemplate, NAME, Sandbox, now};

#[test]
fn writes_an_identity_folder_that_a_client_accepts() {
    let sandbox = Sandbox::with_vendor();
    let said = sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    assert_eq!(sandbox.names("out"), ["chain.pem", "credential.pem"]);
    assert_eq!(
        sandbox.read("out/chain.pem"),
        sandbox.read("vendor/chain.pem")
    );
    let [credential] = &sandbox.verified("out", NAME)[..] else {
        panic!("not one credential");
    };
    assert_eq!(credential.unique_name().unwrap().as_str(), NAME);
    let key = KeyPair::from_pem(&sandbox.read("device.key")).unwrap();
    assert_eq!(credential.spki(), key.subject_public_key_info());
    for words in [
        NAME,
        "named",
        "ecdsa_secp256r1_sha256",
        "in 6 d 20 h",
        "out/credential.pem",
    ] {
        assert!(said.contains(words), "{words} not in {said}");
    }
}

#[test]
fn takes_nothing_but_the_key_from_the_request() {
    let sandbox = Sandbox::with_vendor();
    let said = sandbox.issue(&["--csr", "device.csr"]).succeeded();
    assert!(!said.contains("admin"), "{said}");
}

#[test]
fn makes_up_a_name_and_keeps_it_when_it_renews() {
    let sandbox = Sandbox::with_vendor();
    sandbox.issue(&["--csr", "device.csr"]).succeeded();
    let file = sandbox.read("out/credential.pem");
    let [stored] = &dc_core::pem::read(file.as_bytes()).unwrap()[..] else {
        panic!("not one credential");
    };
    let credential = dc_core::DelegatedCredential::decode(Form::Named, &stored.bytes).unwrap();
    let name = credential.credential().unique_name.clone().unwrap();
    assert_eq!(name.as_str().find(".cpe.example.com"), Some(26));
    let said = sandbox.issue(&["--csr", "device.csr"]).succeeded();
    assert!(said.contains(&format!("{name}, as before")), "{said}");
    assert_eq!(sandbox.verified("out", name.as_str()).len(), 1);
}

#[test]
fn warns_when_a_folder_gets_another_name() {
    let sandbox = Sandbox::with_vendor();
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    sandbox
        .issue(&["--csr", "device.csr", "--name", "b.cpe.example.com"])
        .warned(&[NAME, "--out"]);
    assert_eq!(sandbox.verified("out", "b.cpe.example.com").len(), 1);
}

#[test]
fn issues_every_form_the_named_one_first() {
    for (form, expected) in [
        ("named", &[Form::Named][..]),
        ("rfc9345", &[Form::Rfc9345]),
        ("both", &[Form::Named, Form::Rfc9345]),
    ] {
        let sandbox = Sandbox::with_vendor();
        let outcome = sandbox.issue(&["--csr", "device.csr", "--form", form, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&outcome.succeeded()).unwrap();
        let name = json["name"].as_str().unwrap_or(NAME);
        let forms: Vec<Form> = sandbox
            .verified("out", name)
            .iter()
            .map(VerifiedCredential::form)
            .collect();
        assert_eq!(forms, expected);
        assert_eq!(json["name"].is_null(), form == "rfc9345");
    }
}

#[test]
fn issues_every_form_for_clients() {
    for (form, expected) in [
        ("named", &[Form::Named][..]),
        ("rfc9345", &[Form::Rfc9345]),
        ("both", &[Form::Named, Form::Rfc9345]),
    ] {
        let sandbox = Sandbox::with_vendor();
        let arguments = ["--csr", "device.csr", "--role", "client", "--json"];
        let outcome = sandbox.issue(&[&arguments[..], &["--form", form]].concat());
        let json: serde_json::Value = serde_json::from_str(&outcome.succeeded()).unwrap();
        assert_eq!(json["role"], "client");
        let name = json["name"].as_str().unwrap_or(NAME);
        let credentials = sandbox.verified_as(Role::Client, "out", name);
        let forms: Vec<Form> = credentials.iter().map(VerifiedCredential::form).collect();
        assert_eq!(forms, expected);
    }
}

#[test]
fn a_device_that_is_both_ends_has_two_folders_and_may_have_one_key() {
    let sandbox = Sandbox::with_vendor();
    let request = ["--csr", "device.csr", "--name", NAME];
    let client = [&request[..], &["--role", "client"]].concat();
    sandbox.issue(&request).succeeded();
    let before = sandbox.read("out/credential.pem");
    sandbox
        .issue(&client)
        .refused(&["out has the credentials of a server", "--out"]);
    assert_eq!(sandbox.read("out/credential.pem"), before);
    let other = ["issue", "--delegation", "vendor", "--out", "client"];
    sandbox.run(&[&other[..], &client].concat()).succeeded();
    let keys = [
        sandbox.verified("out", NAME)[0].spki().to_vec(),
        sandbox.verified_as(Role::Client, "client", NAME)[0]
            .spki()
            .to_vec(),
    ];
    assert_eq!(keys[0], keys[1]);
    sandbox
        .run(&[&other[..], &request].concat())
        .refused(&["client has the credentials of a client"]);
    // Each is renewed where it is.
    sandbox.run(&[&other[..], &client].concat()).succeeded();
    sandbox.issue(&request).succeeded();
}

#[test]
fn refuses_a_certificate_that_is_not_for_that_end() {
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let sandbox = Sandbox::with_vendor();
    for (purpose, good, bad, wanted) in [
        (ServerAuth, "server", "client", "clientAuth"),
        (ClientAuth, "client", "server", "serverAuth"),
    ] {
        sandbox.put_certificate(CertificateTemplate {
            purposes: vec![purpose],
            ..CertificateTemplate::default()
        });
        let request = ["--csr", "device.csr", "--name", NAME, "--role"];
        let words = format!("refused without {wanted}");
        sandbox.issue_refused(&[&request[..], &[bad]].concat(), &[&words]);
        sandbox.issue(&[&request[..], &[good]].concat()).succeeded();
        std::fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
}

#[test]
fn warns_about_credentials_without_a_name() {
    let sandbox = Sandbox::with_vendor();
    sandbox
        .issue(&["--csr", "device.csr", "--form", "both"])
        .warned(&[
            "can pose as every name of the certificate",
            "*.cpe.example.com",
        ]);
}

#[test]
fn json_says_everything() {
    let sandbox = Sandbox::with_vendor();
    let arguments = [
        "--csr",
        "device.csr",
        "--name",
        NAME,
        "--form",
        "both",
        "--lifetime",
        "1h",
    ];
    let said = sandbox
        .issue(&[&arguments[..], &["--json"]].concat())
        .succeeded();
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["name"], NAME);
    assert_eq!(json["forms"], serde_json::json!(["named", "rfc9345"]));
    assert_eq!(json["algorithm"], "ecdsa_secp256r1_sha256");
    assert_eq!(json["signed_with"], "ecdsa_secp256r1_sha256");
    assert_eq!(json["expires_in"], 3600);
    assert_eq!(
        json["files"],
        serde_json::json!(["out/chain.pem", "out/credential.pem"])
    );
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
    assert!(json["expires"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn issues_for_every_type_of_device_key() {
    for (algorithm, scheme) in [
        (
            &rcgen::PKCS_ECDSA_P256_SHA256,
            SignatureScheme::ECDSA_SECP256R1_SHA256,
        ),
        (
            &rcgen::PKCS_ECDSA_P384_SHA384,
            SignatureScheme::ECDSA_SECP384R1_SHA384,
        ),
        (&rcgen::PKCS_ED25519, SignatureScheme::ED25519),
    ] {
        let sandbox = Sandbox::with_vendor();
        sandbox.device("other", algorithm);
        sandbox
            .issue(&["--csr", "other.csr", "--name", NAME])
            .succeeded();
        assert_eq!(sandbox.verified("out", NAME)[0].scheme(), scheme);
    }
}

#[test]
fn signs_with_every_type_of_delegation_key() {
    let rsa = include_str!("../keys/rsa-2048.pem");
    for key in [
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
        KeyPair::from_pem(rsa).unwrap(),
    ] {
        let sandbox = Sandbox::with_vendor();
        sandbox.put_certificate(CertificateTemplate {
            key,
            ..CertificateTemplate::default()
        });
        sandbox.set_mode("vendor/key.pem", 0o600);
        sandbox
            .issue(&["--csr", "device.csr", "--name", NAME])
            .succeeded();
        assert_eq!(sandbox.verified("out", NAME).len(), 1);
    }
}

#[test]
fn takes_the_delegation_key_as_sec1_behind_its_parameters() {
    let sandbox = Sandbox::with_vendor();
    let PrivateKeyDer::Pkcs8(pkcs8) =
        PrivateKeyDer::from_pem_file(sandbox.path("vendor/key.pem")).unwrap()
    else {
        panic!("not PKCS#8");
    };
    // Version, AlgorithmIdentifier for P-256, and the head of the OCTET STRING come first.
    let sec1 = &pkcs8.secret_pkcs8_der()[29..];
    assert_eq!(sec1[0], 0x30);
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let sec1 = der::pem::encode_string("EC PRIVATE KEY", der::pem::LineEnding::LF, sec1).unwrap();
    sandbox.write("vendor/key.pem", parameters.to_owned() + &sec1);
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    assert_eq!(sandbox.verified("out", NAME).len(), 1);
}

#[test]
fn takes_requests_and_public_keys_in_pem_and_der() {
    let sandbox = Sandbox::with_vendor();
    let decode = |name| {
        der::pem::decode_vec(sandbox.read(name).as_bytes())
            .unwrap()
            .1
    };
    sandbox.write("csr.der", decode("device.csr"));
    sandbox.write("pub.der", decode("device.pub"));
    for [kind, file] in [
        ["--csr", "csr.der"],
        ["--spki", "pub.der"],
        ["--spki", "device.pub"],
    ] {
        let outcome = sandbox.issue(&[kind, file, "--name", NAME]);
        match kind {
            "--csr" => outcome.succeeded(),
            _ => outcome.warned(&[file, "does not show that the device has the private key"]),
        };
        assert_eq!(sandbox.verified("out", NAME).len(), 1);
    }
}

#[test]
fn a_public_key_whose_private_key_is_in_the_folder_needs_no_proof() {
    let sandbox = Sandbox::with_vendor();
    let issue = || sandbox.issue(&["--spki", "device.pub", "--name", NAME]);
    issue().warned(&["--csr"]);
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    sandbox.set_mode("out/key.pem", 0o600);
    issue().succeeded();
}

#[test]
fn a_certificate_with_one_name_alone_is_one_devices() {
    for (names, several) in [
        (vec![NAME], false),
        (vec!["*.cpe.example.com"], true),
        (vec![NAME, "l4w.cpe.example.com"], true),
    ] {
        let sandbox = Sandbox::with_vendor();
        sandbox.put_certificate(CertificateTemplate {
            names: names.clone(),
            ..CertificateTemplate::default()
        });
        for form in ["rfc9345", "both"] {
            let mut arguments = vec!["--csr", "device.csr", "--form", form];
            if form == "both" {
                arguments.extend(["--name", NAME]);
            }
            let outcome = sandbox.issue(&arguments);
            match several {
                true => drop(outcome.warned(&["can pose as every name", "only prefer", names[0]])),
                false => drop(outcome.succeeded()),
            }
        }
    }
}

#[test]
fn keeps_the_lifetime_that_is_asked_for() {
    for (lifetime, seconds) in [
        ("164h", 164 * 3600),
        ("6d20h", 164 * 3600),
        ("90m", 5400),
        ("3600s", 3600),
        ("7d", 7 * 24 * 3600),
    ] {
        let sandbox = Sandbox::with_vendor();
        let arguments = [
            "--csr",
            "device.csr",
            "--name",
            NAME,
            "--lifetime",
            lifetime,
        ];
        let before = now().as_secs();
        sandbox.issue(&arguments).succeeded();
        let expiry = sandbox.verified("out", NAME)[0].expiry().as_secs();
        assert!(
            (before + seconds..=now().as_secs() + seconds).contains(&expiry),
            "{lifetime}"
        );
    }
}

#[test]
fn the_default_lifetime_ends_before_the_certificate() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        ends_in_days: 2,
        ..CertificateTemplate::default()
    });
    sandbox.set_mode("vendor/key.pem", 0o600);
    let said = sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .warned(&[
            "vendor/chain.pem ends at",
            "get a new delegation certificate",
        ]);
    assert!(said.contains("in 1 d 23 h"), "{said}");
}

#[test]
fn a_renewal_replaces_the_credential_and_leaves_the_key_alone() {
    let sandbox = Sandbox::with_vendor();
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    sandbox.set_mode("out/key.pem", 0o600);
    let old = sandbox.read("out/credential.pem");
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    assert_ne!(sandbox.read("out/credential.pem"), old);
    assert_eq!(sandbox.read("out/key.pem"), sandbox.read("device.key"));
    assert_eq!(
        sandbox.names("out"),
        ["chain.pem", "credential.pem", "key.pem"]
    );
    assert_eq!(sandbox.mode("out/key.pem"), 0o600);
}

#[test]
fn a_rollover_replaces_chain_and_credential() {
    let sandbox = Sandbox::with_vendor();
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    sandbox.put_certificate(CertificateTemplate::default());
    sandbox.set_mode("vendor/key.pem", 0o600);
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    let first = |name| CertificateDer::from_pem_file(sandbox.path(name)).unwrap();
    assert_eq!(first("out/chain.pem"), first("vendor/chain.pem"));
    assert_eq!(sandbox.verified("out", NAME).len(), 1);
}

#[test]
fn only_certificates_of_the_chain_file_reach_the_device() {
    let sandbox = Sandbox::with_vendor();
    let root = sandbox.read("vendor/root.pem");
    let chain = sandbox.read("vendor/chain.pem");
    let combined = format!(
        "# all in one\n{chain}{}{root}",
        sandbox.read("vendor/key.pem")
    );
    sandbox.write("vendor/chain.pem", combined);
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
    assert_eq!(sandbox.read("out/chain.pem"), chain + &root);
}

#[test]
fn warns_about_keys_that_others_can_read() {
    let sandbox = Sandbox::with_vendor();
    sandbox.set_mode("vendor/key.pem", 0o644);
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .warned(&[
            "vendor/key.pem can be read by others",
            "(mode 0644)",
            "chmod g-w,o=",
        ]);
}

#[test]
fn help_has_examples_and_explains_the_forms() {
    let help = Sandbox::empty().run(&["issue", "--help"]).succeeded();
    for words in [
        "dc-signer issue --delegation vendor --csr device.csr --out device",
        "any device can pose as any other",
        "6d20h",
        "To renew",
    ] {
        assert!(help.contains(words), "{words} not in {help}");
    }
}

#[test]
fn a_name_for_the_form_that_has_none_is_checked_and_warned_about() {
    let sandbox = Sandbox::with_vendor();
    let issue = |name| sandbox.issue(&["--csr", "device.csr", "--form", "rfc9345", "--name", name]);
    let outcome = issue(NAME);
    assert_eq!(outcome.code, Some(0));
    for word in [NAME, "is not in it", "--form both"] {
        assert!(outcome.stderr.contains(word), "{outcome:?}");
    }
    issue("K3V.cpe.example.com").refused(&["k3v.cpe.example.com"]);
}
