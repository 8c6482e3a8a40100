//! Keys in tokens on the command line, with a SoftHSM, and in encrypted files.

use std::fs;
use std::process::Command;

use apparatus::{Part, SoftHsm, have};
use serde_json::Value;

use crate::sandbox::{NAME, Outcome, Sandbox};

/// A folder with a token `hsm` in `hsm`, and its PIN in `pin`, for the owner alone.
struct Vendor {
    sandbox: Sandbox,
    hsm: SoftHsm,
}

impl Vendor {
    /// `None` if tests with tokens are left out.
    fn new() -> Option<Self> {
        let sandbox = Sandbox::empty();
        fs::create_dir(sandbox.path("hsm")).unwrap();
        let hsm = SoftHsm::new(&sandbox.path("hsm"))?;
        sandbox.write("pin", "pin-of-hsm\n");
        sandbox.set_mode("pin", 0o600);
        Some(Self { sandbox, hsm })
    }

    /// Runs a script of the shell, in which `dc-signer` is the program.
    fn shell(&self, script: &str) -> Outcome {
        let program = env!("CARGO_BIN_EXE_dc-signer");
        let output = Command::new("sh")
            .args([
                "-c",
                &format!("dc_signer() {{ {program} \"$@\"; }}; {script}"),
            ])
            .env(SoftHsm::VARIABLE, self.hsm.settings())
            .current_dir(self.sandbox.path("."))
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, arguments: &str) -> Outcome {
        self.shell(&format!("dc_signer {arguments}"))
    }

    fn json(&self, arguments: &str) -> Value {
        let said = self.run(&format!("{arguments} --json")).succeeded();
        serde_json::from_str(&said).unwrap()
    }

    /// In the quotes of the shell.
    fn uri(object: &str) -> String {
        let module = SoftHsm::module();
        format!(
            "'pkcs11:token=hsm;object={object}?module-path={}'",
            module.display()
        )
    }

    fn list(&self, more: &str) -> String {
        let module = SoftHsm::module();
        format!(
            "keys list --module {} --token hsm --pin-file pin {more}",
            module.display()
        )
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.sandbox.path("."))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    }
}

#[test]
fn a_key_is_made_in_a_token_certified_and_issued_from_and_was_never_in_a_file() {
    let Some(vendor) = Vendor::new() else { return };
    if !have(Part::Tools) {
        return;
    }
    let uri = Vendor::uri("cpe-1");
    let uri = uri.replace('?', "?pin-source=file:PIN&");
    let pin = vendor.sandbox.path("pin").display().to_string();
    let uri = uri.replace("PIN", &pin);
    let made = vendor.json(&format!("keys generate {uri}"));
    assert_eq!(made["algorithm"], "ecdsa_secp256r1_sha256");
    assert_eq!(
        (&made["token"], &made["extractable"]),
        (&"hsm".into(), &false.into())
    );
    let csr = format!("csr --zone cpe.example.com --role server,client --out vendor --key {uri}");
    let said = vendor.run(&csr).succeeded();
    assert!(
        said.contains("key.uri, which says where the key is"),
        "{said}"
    );
    // Again, and never with another key's place.
    vendor.run(&csr).succeeded();
    vendor
        .run(&format!("keys generate {}", uri.replace("cpe-1", "cpe-2")))
        .succeeded();
    vendor
        .run(&csr.replace("cpe-1", "cpe-2"))
        .refused(&["key.uri exists", "never overwritten"]);
    let mut names = vendor.sandbox.names("vendor");
    names.sort_unstable();
    assert_eq!(names, ["key.uri", "request.csr"]);
    // A CA that nobody here wrote.
    vendor.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30");
    vendor.openssl("x509 -req -in vendor/request.csr -CA ca.pem -CAkey ca.key -days 30 -copy_extensions copyall -out vendor/chain.pem");
    vendor
        .sandbox
        .device("device", &rcgen::PKCS_ECDSA_P256_SHA256);
    vendor
        .run(&format!(
            "issue --delegation vendor --csr device.csr --name {NAME} --out out"
        ))
        .succeeded();
    assert_eq!(vendor.sandbox.verified("out", NAME).len(), 1);
    // The list says whose it is.
    let listed = vendor.json(&vendor.list("--delegations ."));
    let keys = listed["tokens"][0]["keys"].as_array().unwrap();
    let key = |label: &str| keys.iter().find(|key| key["label"] == label).unwrap();
    assert_eq!(key("cpe-1")["spki_sha256"], made["spki_sha256"]);
    assert_eq!(key("cpe-1")["used"][0]["zone"], "cpe.example.com");
    assert_eq!(key("cpe-2")["used"].as_array().unwrap().len(), 0);
    for label in ["cpe-1", "cpe-2"] {
        assert_eq!(key(label)["extractable"], false);
        assert_eq!(key(label)["always_inside"], true);
    }
    let table = vendor.run(&vendor.list("--delegations .")).succeeded();
    assert!(
        table.contains("no, and never could") && table.contains("cpe.example.com (./vendor)"),
        "{table}"
    );
}

#[test]
fn every_type_of_key_asks_for_a_certificate_from_its_token() {
    let Some(vendor) = Vendor::new() else { return };
    if !have(Part::Tools) {
        return;
    }
    for algorithm in ["p256", "p384", "ed25519", "rsa-2048"] {
        let uri = Vendor::uri(algorithm);
        vendor
            .run(&format!(
                "keys generate --algorithm {algorithm} --pin-file pin {uri}"
            ))
            .succeeded();
        vendor
            .run(&format!(
                "csr --zone cpe.example.com --out {algorithm} --key {uri} --passphrase-file pin"
            ))
            .succeeded();
        vendor.openssl(&format!("req -verify -noout -in {algorithm}/request.csr"));
    }
}

#[test]
fn a_key_that_is_put_into_a_token_is_said_to_have_been_outside() {
    let Some(vendor) = Vendor::new() else { return };
    let uri = Vendor::uri("old");
    vendor.sandbox.write("word", "open sesame");
    vendor.sandbox.set_mode("word", 0o600);
    let made = vendor.json("keys generate key.pem --algorithm p384 --passphrase-file word");
    let put = format!("keys import key.pem {uri} --pin-file pin");
    vendor.run(&put).refused(&["key.pem needs a passphrase"]);
    let done = vendor.run(&format!("{put} --passphrase-file word"));
    assert!(
        done.stderr.contains("warning: this key was in a file"),
        "{}",
        done.stderr
    );
    assert_eq!(done.code, Some(0));
    let said = done.stdout;
    assert!(
        said.contains("copied from key.pem into the token hsm"),
        "{said}"
    );
    let listed = vendor.json(&vendor.list(""));
    let key = &listed["tokens"][0]["keys"][0];
    assert_eq!(key["spki_sha256"], made["spki_sha256"]);
    assert_eq!(
        (&key["extractable"], &key["always_inside"]),
        (&false.into(), &false.into())
    );
    let table = vendor.run(&vendor.list("")).succeeded();
    assert!(table.contains("no, but it was outside"), "{table}");
}

#[test]
fn a_pin_comes_from_a_file_a_descriptor_a_credential_or_a_program() {
    let Some(vendor) = Vendor::new() else { return };
    vendor.sandbox.write("say", "#!/bin/sh\necho pin-of-hsm\n");
    vendor.sandbox.set_mode("say", 0o700);
    for (number, script) in [
        "dc_signer $KEY --pin-file pin",
        "dc_signer $KEY --pin-fd 3 3< pin",
        "echo pin-of-hsm | dc_signer $KEY --pin-fd 0",
        "export CREDENTIALS_DIRECTORY=\"$PWD\"; dc_signer $KEY --pin-credential pin",
        "dc_signer $KEY --pin-command ./say",
    ]
    .iter()
    .enumerate()
    {
        let key = format!("keys generate {}", Vendor::uri(&format!("k{number}")));
        vendor.shell(&script.replace("$KEY", &key)).succeeded();
    }
}

#[test]
fn what_is_wrong_with_a_token_is_named_with_what_to_do() {
    let Some(vendor) = Vendor::new() else { return };
    let uri = Vendor::uri("key");
    let generate = |uri: &str, more: &str| vendor.run(&format!("keys generate {uri} {more}"));
    generate(&uri, "--pin-file pin").succeeded();
    generate(&uri, "--pin-file pin").refused(&["has a key of this name", "never overwritten"]);
    let other = uri.replace("object=key", "object=other");
    generate(&other, "").refused(&["wants a PIN", "--pin-file"]);
    generate(&other.replace("token=hsm", "token=gone"), "--pin-file pin")
        .refused(&["its token is not there", "never initialised"]);
    generate(
        &other.replace("libsofthsm2", "libnothing"),
        "--pin-file pin",
    )
    .refused(&["its module cannot be loaded", "check module-path"]);
    generate(&other.replace('?', "?pin-value=pin-of-hsm&"), "").wrong_usage(&["change the PIN"]);
    vendor.sandbox.write("wrong", "4321");
    vendor.sandbox.set_mode("wrong", 0o600);
    generate(&other, "--pin-file wrong")
        .refused(&["PIN of its token is wrong", "few tries are left"]);
    let module = SoftHsm::module();
    let state = || {
        let listed = vendor.json(&format!("keys list --module {}", module.display()));
        let tokens = listed["tokens"].as_array().unwrap().clone();
        let hsm = tokens.iter().find(|token| token["token"] == "hsm");
        hsm.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(), "few tries");
    // PKCS#11's CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED.
    for (flag, word, words) in [
        (
            0x2_0000,
            "last try",
            "one more wrong PIN would lock its token",
        ),
        (0x4_0000, "PIN locked", "as its security officer"),
    ] {
        vendor.hsm.set_flags(flag);
        assert_eq!(state(), word);
        generate(&other, "--pin-file pin").refused(&[words]);
    }
    vendor.hsm.set_flags(0);
    let shown = vendor
        .run(&format!("keys list --module {}", module.display()))
        .succeeded();
    assert!(
        shown.contains("not initialised: 'pkcs11-tool --init-token'"),
        "{shown}"
    );
    assert!(
        shown.contains("no private key that everybody may see"),
        "{shown}"
    );
    // A PIN is tried with the token that it is for.
    vendor
        .run(&format!(
            "keys list --module {} --pin-file pin",
            module.display()
        ))
        .wrong_usage(&["--token"]);
}

#[test]
fn a_key_in_a_file_is_made_encrypted_or_not_at_all() {
    let sandbox = Sandbox::empty();
    sandbox
        .run(&["keys", "generate", "key.pem"])
        .refused(&["key.pem needs a passphrase", "--passphrase-fd"]);
    assert!(!sandbox.path("key.pem").exists());
    sandbox.write("word", "open sesame");
    sandbox.set_mode("word", 0o600);
    let generate = ["keys", "generate", "key.pem", "--passphrase-file", "word"];
    let said = sandbox.run(&generate).succeeded();
    assert!(
        said.contains("encrypted, and readable by its owner only"),
        "{said}"
    );
    assert!(sandbox.read("key.pem").starts_with("-----BEGIN ENCRYPTED"));
    sandbox.run(&generate).refused(&["key.pem exists"]);
    sandbox
        .run(
            &[
                &generate[..2],
                &["rsa.pem", "--algorithm", "rsa-2048"],
                &generate[3..],
            ]
            .concat(),
        )
        .refused(&["rsa.pem"]);
    let csr = [
        "csr",
        "--zone",
        "cpe.example.com",
        "--out",
        "vendor",
        "--key",
    ];
    sandbox
        .run(&[&csr[..], &["key.pem", "--passphrase-file", "word"]].concat())
        .succeeded();
}
