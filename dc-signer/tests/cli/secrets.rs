//! `dc-signer secrets` over SQLite: sealing, joining, rotating, and the ways back.

use std::fs;

use apparatus::SoftHsm;
use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox};

/// Two data folders on one database.
struct Signers(Sandbox);

impl Signers {
    /// With a zone that can issue; the secrets are in the first one's folder.
    fn new() -> Self {
        let signers = Self(Sandbox::with_vendor());
        for name in ["one", "two"] {
            fs::create_dir(signers.0.path(name)).unwrap();
            signers.configure(name, "");
        }
        for (name, digit) in [("first.key", "a"), ("next.key", "b")] {
            signers.0.write(name, digit.repeat(64));
            signers.0.set_mode(name, 0o600);
        }
        let add = ["zones", "add", "cpe.example.com", "--import", "vendor"];
        signers.run("one", &add).succeeded();
        signers
    }

    fn configure(&self, name: &str, tables: &str) {
        let database = self.0.path("dc-signer.db");
        let text = format!(
            "data = '{name}'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n[database]\nsqlite = {database:?}\n{tables}"
        );
        self.0.write(&format!("{name}.toml"), text);
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Outcome {
        let config = format!("{name}.toml");
        self.0.operate_at(&config, arguments)
    }

    fn sealed_with(&self) -> Vec<Value> {
        let shown = self.run("one", &["secrets", "show", "--json"]).succeeded();
        let rows = shown
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| row["sealed_with"].clone()).collect()
    }
}

impl Signers {
    /// With a key-encryption key in each of two tokens, `hsm` and `spare`; none if tests with tokens are left out.
    fn with_tokens() -> Option<Self> {
        let signers = Self::new();
        fs::create_dir(signers.0.path("hsm")).unwrap();
        let hsm = SoftHsm::new(&signers.0.path("hsm"))?;
        hsm.util("--init-token --free --label spare --pin pin-of-hsm --so-pin 5678");
        signers.0.write("pin", "pin-of-hsm\n");
        signers.0.set_mode("pin", 0o600);
        for token in ["hsm", "spare"] {
            let uri = signers.uri(token);
            let make = ["secrets", "make-key", &uri];
            let made = signers.0.run(&make).succeeded();
            assert!(
                made.contains(&uri) && made.contains("cannot leave"),
                "{made}"
            );
            signers.0.run(&make).refused(&["never overwritten"]);
        }
        Some(signers)
    }

    fn uri(&self, token: &str) -> String {
        let (module, pin) = (SoftHsm::module(), self.0.path("pin"));
        let (module, pin) = (module.display(), pin.display());
        format!("pkcs11:token={token};object=kek?module-path={module}&pin-source=file:{pin}")
    }

    /// What everything is sealed with.
    fn sealed_by(&self) -> String {
        let shown = self.run("one", &["secrets", "show", "--json"]).succeeded();
        let rows = shown
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut words: Vec<_> = rows
            .map(|row| row["sealed_by"].as_str().unwrap().to_owned())
            .collect();
        words.dedup();
        words.join(" ")
    }

    /// Seals anew with the next key, which is in use alone then.
    fn move_to(&self, key: &str, next: &str) {
        let table = format!("[secrets]\nkey = {key}\nnext_key = {next}\n");
        self.configure("one", &table);
        let done = self.run("one", &["secrets", "reseal"]).succeeded();
        assert!(
            done.starts_with("3 secrets and 1 delegation keys"),
            "{done}"
        );
        self.run("one", &["secrets", "reseal", "--back"])
            .succeeded();
        self.run("one", &["secrets", "reseal"]).succeeded();
        self.configure("one", &format!("[secrets]\nkey = {next}\n"));
        self.run("one", &["devices", "list"]).succeeded();
    }
}

#[test]
fn everything_is_sealed_anew_from_a_file_to_tokens_and_a_passphrase_and_back() {
    let Some(signers) = Signers::with_tokens() else {
        return;
    };
    signers.configure("one", FIRST);
    signers.run("one", &["secrets", "seal"]).succeeded();
    assert_eq!(signers.sealed_by(), "key");
    let [file, hsm, spare, phrase] = [
        "{ file = 'first.key' }".to_owned(),
        format!("'{}'", signers.uri("hsm")),
        format!("'{}'", signers.uri("spare")),
        "{ passphrase = { file = 'first.key' } }".to_owned(),
    ];
    signers.move_to(&file, &hsm);
    assert_eq!(signers.sealed_by(), "token");
    // Another machine needs the token and nothing else; one with the key of before is told what is wrong.
    signers.configure("two", FIRST);
    let device = ["devices", "add", "customer-1"];
    signers.run("two", &device).refused(&[
        "sealed with a key in a token",
        "what is given is a key of 64 hexadecimal digits",
    ]);
    signers.configure("two", &format!("[secrets]\nkey = {spare}\n"));
    signers
        .run("two", &device)
        .refused(&["give that key", "exchanged"]);
    signers.configure("two", &format!("[secrets]\nkey = {hsm}\n"));
    signers.run("two", &device).succeeded();
    for (from, to, word) in [
        (&hsm, &spare, "token"),
        (&spare, &phrase, "passphrase"),
        (&phrase, &hsm, "token"),
        (&hsm, &file, "key"),
    ] {
        signers.move_to(from, to);
        assert_eq!(signers.sealed_by(), word);
    }
    signers.run("one", &["audit", "verify"]).succeeded();
    signers.move_to(&file, &hsm);
    let export = ["secrets", "export", "out", "--back-out", "--yes"];
    signers.run("one", &export).succeeded();
    assert_eq!(signers.0.names("out"), ["delegations", "secrets"]);
}

#[test]
fn a_token_that_cannot_be_used_is_named_and_nothing_is_changed() {
    let Some(signers) = Signers::with_tokens() else {
        return;
    };
    let hsm = SoftHsm::of(signers.0.path("hsm"));
    let table = format!("[secrets]\nkey = '{}'\n", signers.uri("hsm"));
    signers.configure("one", &table);
    hsm.pull();
    let seal = ["secrets", "seal"];
    signers
        .run("one", &seal)
        .refused(&["pkcs11:token=hsm", "its token is not there"]);
    hsm.plug();
    signers.run("one", &seal).succeeded();
    signers.0.write("pin", "4321\n");
    let rotate = ["secrets", "rotate", "codes"];
    signers
        .run("one", &rotate)
        .refused(&["the PIN of its token is wrong", "few tries"]);
    signers.0.write("pin", "pin-of-hsm\n");
    // CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED.
    for (flags, words) in [(0x2_0000, "one more wrong PIN"), (0x4_0000, "is locked")] {
        hsm.set_flags(flags);
        signers.run("one", &rotate).refused(&[words]);
    }
    hsm.set_flags(0);
    signers.run("one", &rotate).succeeded();
    let gone = table.replace("libsofthsm2", "libnothing");
    signers.configure("one", &gone);
    signers.run("one", &rotate).refused(&["cannot be loaded"]);
}

const FIRST: &str = "[secrets]\nkey = { file = 'first.key' }\n";
const BOTH: &str = "[secrets]\nkey = { file = 'first.key' }\nnext_key = { file = 'next.key' }\n";
const NEXT: &str = "[secrets]\nkey = { file = 'next.key' }\n";

#[test]
fn secrets_are_sealed_shared_and_sealed_anew() {
    let signers = Signers::new();
    let device = ["devices", "add", "customer-1"];
    signers
        .run("two", &device)
        .refused(&["is not there", "secrets seal"]);
    signers
        .run("one", &["secrets", "seal"])
        .refused(&["openssl rand -hex 32"]);
    signers
        .run("one", &["secrets", "rotate", "codes"])
        .refused(&["there is no key-encryption key"]);
    signers.configure("one", FIRST);
    let sealed = signers.run("one", &["secrets", "seal"]).succeeded();
    assert!(sealed.starts_with("3 secrets and 1 delegation"), "{sealed}");
    assert_eq!(sealed.matches("removed ").count(), 4, "{sealed}");
    assert!(!signers.0.path("one/secrets").exists());
    signers
        .run("two", &device)
        .refused(&["sealed in it", "[secrets] key"]);
    signers.configure("two", NEXT);
    signers.run("two", &device).refused(&["give that key"]);
    signers.configure("two", FIRST);
    signers.run("two", &device).succeeded();
    signers
        .run("two", &["codes", "new", "customer-1"])
        .succeeded();
    for secret in ["codes", "lists", "names"] {
        signers
            .run("two", &["secrets", "rotate", secret])
            .succeeded();
    }
    let rotated = signers
        .run("two", &["secrets", "take-back", "names"])
        .succeeded();
    assert!(rotated.contains("version 3"), "{rotated}");
    // Another key-encryption key, in the order that the guide says.
    let before = signers.sealed_with();
    assert_eq!(before.len(), 8);
    signers
        .run("one", &["secrets", "reseal"])
        .refused(&["give [secrets] next_key"]);
    for name in ["one", "two"] {
        signers.configure(name, BOTH);
    }
    let resealed = signers.run("one", &["secrets", "reseal"]).succeeded();
    assert!(
        resealed.starts_with("7 secrets and 1 delegation keys"),
        "{resealed}"
    );
    let after = signers.sealed_with();
    assert!(
        after
            .iter()
            .all(|key| *key == after[0] && *key != before[0])
    );
    signers.run("two", &device).succeeded();
    let back = signers
        .run("two", &["secrets", "reseal", "--back"])
        .succeeded();
    assert!(back.starts_with("7 secrets"), "{back}");
    assert_eq!(signers.sealed_with(), before);
    signers.run("one", &["secrets", "reseal"]).succeeded();
    signers.configure("two", NEXT);
    signers.run("two", &device).succeeded();
    signers.run("one", &["audit", "verify"]).succeeded();
    signers
        .run("one", &["secrets", "rotate", "keys"])
        .wrong_usage(&["codes, lists, names"]);
}

#[test]
fn a_backup_says_what_is_sealed_in_it_and_comes_back() {
    let signers = Signers::new();
    signers.configure("one", FIRST);
    signers.run("one", &["secrets", "seal"]).succeeded();
    signers
        .run("one", &["devices", "add", "customer-1"])
        .succeeded();
    let backup = signers.run("one", &["backup", "copy", "--without-keys"]);
    assert_eq!(backup.code, Some(0), "{}", backup.stderr);
    for words in [
        "3 secrets and 1 delegation keys in it, sealed",
        "key-encryption key",
    ] {
        assert!(backup.stderr.contains(words), "{}", backup.stderr);
    }
    assert!(!signers.0.path("copy/secrets").exists());
    assert!(signers.0.read("copy/backup.json").contains("\"sealed\""));
    signers
        .run("one", &["devices", "retire", "customer-1", "--yes"])
        .succeeded();
    signers.run("one", &["restore", "copy"]).succeeded();
    signers
        .run("one", &["devices", "resume", "customer-1"])
        .refused(&["retired"]);
    signers
        .run("one", &["devices", "add", "customer-2"])
        .succeeded();
    // Without the key it is worth nothing.
    signers.configure("one", "");
    signers
        .run("one", &["devices", "add", "customer-3"])
        .refused(&["[secrets] key"]);
}

#[test]
fn an_export_is_asked_about_and_is_a_data_folder() {
    let signers = Signers::new();
    signers.configure("one", FIRST);
    signers.run("one", &["secrets", "seal"]).succeeded();
    signers
        .run("one", &["secrets", "export", "out"])
        .refused(&["--yes"]);
    let out = signers.run("one", &["secrets", "export", "out", "--back-out", "--yes"]);
    let out = out.succeeded();
    assert!(out.contains("the data folder of every signer"), "{out}");
    assert_eq!(signers.0.mode("out/secrets/names.key"), 0o600);
    signers
        .run("one", &["secrets", "export", "out", "--yes"])
        .refused(&["secrets seal"]);
    fs::remove_dir(signers.0.path("two")).unwrap();
    fs::rename(signers.0.path("out"), signers.0.path("two")).unwrap();
    signers
        .run("two", &["devices", "add", "customer-1"])
        .succeeded();
    signers
        .run("one", &["devices", "add", "customer-1"])
        .refused(&["is not there"]);
}
