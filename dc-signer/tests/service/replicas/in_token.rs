//! Services whose key-encryption key is in a token: a SoftHSM.

use super::*;

/// The token, and a file with its PIN.
struct Vendor {
    folder: TempDir,
    hsm: SoftHsm,
}

impl Vendor {
    /// None if tests with tokens are left out.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let hsm = SoftHsm::new(folder.path())?;
        let vendor = Self { folder, hsm };
        vendor.set_pin("pin-of-hsm");
        let made = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
            .args(["secrets", "make-key", &vendor.uri()])
            .env(SoftHsm::VARIABLE, vendor.hsm.settings())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Some(vendor)
    }

    fn set_pin(&self, pin: &str) {
        let path = self.folder.path().join("pin");
        fs::write(&path, pin).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn uri(&self) -> String {
        let (module, pin) = (SoftHsm::module(), self.folder.path().join("pin"));
        let (module, pin) = (module.display(), pin.display());
        format!("pkcs11:token=hsm;object=kek?module-path={module}&pin-source=file:{pin}")
    }

    fn node(&self, url: &str, name: &str) -> Node {
        let table = |_: &Path| format!("[secrets]\nkey = {:?}\n", self.uri());
        let mut node = Node::prepare_with(url, name, table);
        node.hsm = Some(self.hsm.settings());
        node
    }
}

#[test]
fn services_start_join_and_rotate_with_a_key_that_stays_in_its_token() {
    let (Some(vendor), Some(server)) = (Vendor::new(), migrated()) else {
        return;
    };
    let url = &server.url;
    let (one, token) = first_of(vendor.node(url, "node-1"));
    let two = vendor.node(url, "node-2").started().operated_as(&one);
    let shown = two.run(&["secrets", "show", "--json"]);
    assert!(
        shown
            .lines()
            .all(|row| row.contains("\"sealed_by\":\"token\"")),
        "{shown}"
    );
    two.enroll(&one.code(&token, "customer-1")).ok();
    // A token that is not there, does not let anybody in, or has another key of that name.
    let refused = |words: &str| {
        let node = vendor.node(url, "node-3");
        let checked = node.command(&["check"]).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        let said = said + &String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success() && said.contains(words), "{said}");
        let said = node.does_not_start();
        assert!(
            said.contains("pkcs11:token=hsm") && said.contains(words),
            "{said}"
        );
    };
    vendor.hsm.pull();
    refused("its token is not there");
    // Those that run do not need it.
    two.enroll(&one.code(&token, "customer-2")).ok();
    let rotating = one
        .command(&["secrets", "rotate", "codes"])
        .output()
        .unwrap();
    assert!(!rotating.status.success());
    vendor.hsm.plug();
    vendor.hsm.set_flags(0x4_0000);
    refused("the PIN of its token is locked");
    vendor.hsm.set_flags(0);
    vendor.set_pin("4321");
    refused("the PIN of its token is wrong");
    vendor.set_pin("pin-of-hsm");
    let other = Vendor::new().unwrap();
    let said = other.node(url, "node-3").does_not_start();
    assert!(
        said.contains("give that key") && said.contains("exchanged"),
        "{said}"
    );
    let said = Node::prepare(url, "node-3", Some(KEY)).does_not_start();
    assert!(said.contains("sealed with a key in a token"), "{said}");
    let said = Node::prepare(url, "node-3", None).does_not_start();
    assert!(said.contains("a key in a token"), "{said}");
    // They take what is new from the token while they run.
    one.run(&["secrets", "rotate", "codes"]);
    one.enroll(&two.code(&token, "customer-3")).ok();
    // Everything is sealed anew while they run, and they go on with that.
    let file = one.path("secrets.key");
    fs::write(&file, KEY).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    for node in [&one, &two] {
        let config = node.path("dev/config.toml");
        let text = fs::read_to_string(&config).unwrap();
        let next = format!("next_key = {{ file = {file:?} }}\n[limits]");
        fs::write(&config, text.replace("[limits]", &next)).unwrap();
    }
    let without = one.command(&["secrets", "reseal"]).output().unwrap();
    let said = String::from_utf8_lossy(&without.stderr);
    assert!(said.contains("node-1, node-2"), "{said}");
    let (one, two) = (one.restarted(), two.restarted());
    one.run(&["secrets", "reseal"]);
    two.enroll(&one.code(&token, "customer-4")).ok();
    let mut three = Node::start(url, "node-3", Some(KEY)).operated_as(&one);
    three.enroll(&one.code(&token, "customer-5")).ok();
    // It has no token, so it could not follow.
    three.stop();
    one.run(&["secrets", "reseal", "--back"]);
    let said = Node::prepare(url, "node-4", Some(KEY)).does_not_start();
    assert!(said.contains("sealed with a key in a token"), "{said}");
    one.run(&["audit", "verify"]);
}

#[test]
fn whoever_writes_the_database_makes_nobody_call_a_module_or_a_program() {
    let (Some(vendor), Some(server)) = (Vendor::new(), migrated()) else {
        return;
    };
    let (one, _) = first_of(vendor.node(&server.url, "node-1"));
    let mark = one.path("called");
    let program = one.path("program");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let uri = format!(
        "pkcs11:token=hsm;object=kek?module-path={}&pin-source=|{}",
        SoftHsm::module().display(),
        program.display()
    );
    let hex = data_encoding::HEXLOWER.encode(uri.as_bytes());
    // As the place of a key, as bytes, and behind the head of what the token has sealed.
    for sql in [
        format!("UPDATE shared_delegations SET location = '{uri}', sealed = '\\x{hex}'"),
        format!("UPDATE shared_secrets SET sealed = '\\x{hex}'"),
        format!(
            "UPDATE shared_secrets SET sealed = '\\x0103{}{hex}'",
            "00".repeat(32)
        ),
    ] {
        tamper(&server.url, &sql);
        let mut node = vendor.node(&server.url, "node-2");
        node.serve();
        node.wait_until("it is said", |node| {
            let log = node.log();
            ["no sealed bytes", "give that key"]
                .iter()
                .any(|words| log.contains(words))
        });
        assert!(!mark.exists(), "{sql}");
    }
}

fn tamper(url: &str, sql: &str) {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        assert!(connection.execute(sql).await.unwrap().rows_affected() > 0);
    });
}
