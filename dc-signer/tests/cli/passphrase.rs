//! Delegation keys that are encrypted, and passphrases from everywhere that they may come from.

use std::process::Command;

use apparatus::{Part, have};

use crate::sandbox::{ISSUE, NAME, Outcome, Sandbox};

const GOOD: [&str; 4] = ["--csr", "device.csr", "--name", NAME];

/// With a vendor's key that OpenSSL has encrypted, and its passphrase in `word`, for the owner alone.
fn sandbox(how: &[&str]) -> Option<Sandbox> {
    if !have(Part::Tools) {
        return None;
    }
    let sandbox = Sandbox::with_vendor();
    let output = Command::new("openssl")
        .current_dir(sandbox.path("vendor"))
        .args(["pkcs8", "-topk8", "-in", "key.pem", "-out", "new.pem"])
        .args(["-passout", "pass:open sesame"])
        .args(how)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::rename(
        sandbox.path("vendor/new.pem"),
        sandbox.path("vendor/key.pem"),
    )
    .unwrap();
    sandbox.set_mode("vendor/key.pem", 0o600);
    sandbox.write("word", "open sesame\n");
    sandbox.set_mode("word", 0o600);
    Some(sandbox)
}

/// Runs a script of the shell in which `"$@"` is `dc-signer issue` with what it needs.
fn shell(sandbox: &Sandbox, script: &str) -> Outcome {
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_dc-signer")])
        .args(ISSUE)
        .args(GOOD)
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_passphrase_comes_from_a_file_a_descriptor_a_credential_or_a_program() {
    let Some(sandbox) = sandbox(&["-scrypt"]) else {
        return;
    };
    sandbox.write("say", "#!/bin/sh\necho open sesame\n");
    sandbox.set_mode("say", 0o700);
    for script in [
        r#""$@" --passphrase-file word"#,
        r#""$@" --passphrase-fd 3 3< word"#,
        r#"echo open sesame | "$@" --passphrase-fd 0"#,
        // Where it has been read to, and not from the start.
        r#"{ printf 'one\n'; cat word; } > two; (read -r _one <&3; "$@" --passphrase-fd 3) 3< two"#,
        r#"CREDENTIALS_DIRECTORY="$PWD" "$@" --passphrase-credential word"#,
        r#""$@" --passphrase-command ./say"#,
    ] {
        shell(&sandbox, script).succeeded();
        assert_eq!(sandbox.verified("out", NAME).len(), 1, "{script}");
        std::fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
}

#[test]
fn a_passphrase_that_is_wrong_or_cannot_be_had_is_named_with_its_place() {
    let Some(sandbox) = sandbox(&["-v2", "aes-256-cbc"]) else {
        return;
    };
    sandbox.write("other", "open barley");
    sandbox.set_mode("other", 0o600);
    sandbox.write("open", "open sesame");
    sandbox.set_mode("open", 0o644);
    for (script, words) in [
        (
            r#""$@""#,
            &["vendor/key.pem needs a passphrase", "--passphrase-file"][..],
        ),
        (
            r#""$@" --passphrase-file other"#,
            &["vendor/key.pem is not decrypted by the passphrase from other"],
        ),
        (
            r#""$@" --passphrase-file open"#,
            &["others may read it", "644", "chmod 600"],
        ),
        (
            r#""$@" --passphrase-file nowhere"#,
            &["no secret from nowhere"],
        ),
        (
            r#""$@" --passphrase-fd 9"#,
            &["file descriptor 9", "nothing is open there", "3< FILE"],
        ),
        (
            r#"env -u CREDENTIALS_DIRECTORY "$@" --passphrase-credential word"#,
            &["LoadCredential="],
        ),
        (
            r#""$@" --passphrase-command false"#,
            &["the command false", "status 1"],
        ),
    ] {
        shell(&sandbox, script).refused(words);
    }
    shell(
        &sandbox,
        r#""$@" --passphrase-file word --passphrase-fd 3 3< word"#,
    )
    .wrong_usage(&["cannot be used with"]);
}

#[test]
fn a_request_is_signed_with_a_key_that_stays_encrypted() {
    let Some(sandbox) = sandbox(&["-v2", "aes-256-cbc"]) else {
        return;
    };
    let before = sandbox.read("vendor/key.pem");
    let csr = ["csr", "--zone", "cpe.example.com", "--out", "vendor"];
    let key = ["--key", "vendor/key.pem", "--passphrase-file"];
    sandbox
        .run(&[&csr[..], &key, &["word"]].concat())
        .succeeded();
    assert_eq!(sandbox.read("vendor/key.pem"), before);
    assert!(sandbox.names("vendor").contains(&"request.csr".to_owned()));
    sandbox
        .run(&[&csr[..], &key[..2]].concat())
        .refused(&["needs a passphrase", "--passphrase-fd"]);
    // No new key would be encrypted with it.
    sandbox
        .run(&[&csr[..], &key[2..], &["word"]].concat())
        .wrong_usage(&["--key"]);
}

#[test]
fn a_folder_with_an_encrypted_key_is_looked_at_with_the_passphrase_and_without() {
    let Some(sandbox) = sandbox(&["-v2", "aes-256-cbc"]) else {
        return;
    };
    let inspect = |rest: &[&str]| sandbox.run(&[&["inspect", "vendor"][..], rest].concat());
    let shown = inspect(&[]).succeeded();
    assert!(
        shown.contains("it is encrypted: --passphrase-file"),
        "{shown}"
    );
    assert!(!shown.contains("belongs to"), "{shown}");
    let shown = inspect(&["--passphrase-file", "word"]).succeeded();
    assert!(
        shown.contains("belongs to: the certificate here"),
        "{shown}"
    );
    assert!(!shown.contains("is encrypted"), "{shown}");
    sandbox.write("other", "open barley");
    sandbox.set_mode("other", 0o600);
    let said = inspect(&["--passphrase-file", "other"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stdout
            .contains("is not decrypted by the passphrase from other")
    );
    // No server that has a device's identity asks for one.
    shell(&sandbox, r#""$@" --passphrase-file word"#).succeeded();
    std::fs::copy(sandbox.path("vendor/key.pem"), sandbox.path("out/key.pem")).unwrap();
    for rest in [&[][..], &["--passphrase-file", "word"]] {
        let said = sandbox.run(&[&["inspect", "out"][..], rest].concat());
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.stdout.contains("asks for no passphrase"), "{said:?}");
    }
}
