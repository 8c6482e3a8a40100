//! Root runs commands in a data folder of the service's user: all that is written is that user's, and no link leads root
//! elsewhere. Somebody else is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rcgen::{CertificateParams, KeyPair};

use crate::sandbox::{Outcome, Sandbox, TOKEN};

/// A user of this machine, by number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct User {
    uid: u32,
    gid: u32,
}

fn user(name: &str) -> Option<User> {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let (uid, gid) = (fields.next()?, fields.next()?);
    Some(User {
        uid: uid.parse().unwrap(),
        gid: gid.parse().unwrap(),
    })
}

/// A signer whose data folder is its service's user's, and whose other files are root's.
struct Owned {
    sandbox: Sandbox,
    service: User,
    stranger: User,
}

impl Owned {
    /// None, and it says so, for whoever cannot act for others.
    fn new() -> Option<Self> {
        let (service, stranger) = (user("www-data"), user("nobody"));
        let (Some(service), Some(stranger), 0) = (service, stranger, me()) else {
            apparatus::left_out(
                "commands of other users",
                "only root can run them, with the users www-data and nobody",
            );
            return None;
        };
        let sandbox = Sandbox::with_vendor();
        let (key, params) = (
            KeyPair::generate().unwrap(),
            CertificateParams::new(["localhost".to_owned()]).unwrap(),
        );
        let certificate = params.self_signed(&key).unwrap();
        sandbox.write("tls.pem", certificate.pem());
        sandbox.write("tls.key", key.serialize_pem());
        sandbox.write(
            "config.toml",
            "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'tls.pem'\nkey = 'tls.key'\n",
        );
        sandbox.set_mode(".", 0o755);
        fs::create_dir(sandbox.path("data")).unwrap();
        sandbox.set_mode("data", 0o700);
        let owned = Self {
            sandbox,
            service,
            stranger,
        };
        owned.give("data", service);
        owned.give("tls.key", service);
        owned.sandbox.set_mode("tls.key", 0o600);
        Some(owned)
    }

    fn with_zone() -> Option<Self> {
        let owned = Self::new()?;
        let add = ["zones", "add", "cpe.example.com", "--import", "vendor"];
        owned.run(&add).succeeded();
        Some(owned)
    }

    fn give(&self, path: &str, user: User) {
        chown(self.sandbox.path(path), Some(user.uid), Some(user.gid)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.operate(arguments)
    }

    /// Runs a command as somebody else than root.
    fn run_as(&self, user: User, arguments: &[&str]) -> Outcome {
        let output = Command::new(everybodys_program())
            .args(arguments)
            .args(["--config", "config.toml"])
            .current_dir(self.sandbox.path("."))
            .env("DC_SIGNER_TOKEN_FILE", self.token_of(user))
            .uid(user.uid)
            .gid(user.gid)
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A copy of the token of root's that is somebody else's, if there is one; no path if not.
    fn token_of(&self, user: User) -> String {
        let name = format!("token-{}", user.uid);
        let token = self.sandbox.path(TOKEN);
        if !token.exists() {
            return String::new();
        }
        fs::copy(token, self.sandbox.path(&name)).unwrap();
        self.sandbox.set_mode(&name, 0o600);
        self.give(&name, user);
        name
    }

    /// Forgets the operator, together with the database.
    fn forget_operator(&self) {
        let _ = fs::remove_file(self.sandbox.path(TOKEN));
    }

    /// Fails unless everything in the data folder is the service's, and nobody else's to read.
    fn is_all_the_services(&self) {
        let all = below(&self.sandbox.path("data"));
        assert!(!all.is_empty());
        for path in all {
            let found = path.symlink_metadata().unwrap();
            assert_eq!(found.uid(), self.service.uid, "{}", path.display());
            assert_eq!(found.gid(), self.service.gid, "{}", path.display());
            assert_eq!(found.mode() & 0o077, 0, "{}", path.display());
        }
    }
}

fn me() -> u32 {
    Path::new("/proc/self").metadata().unwrap().uid()
}

/// The program where every user can reach it.
fn everybodys_program() -> &'static Path {
    static PROGRAM: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("dc-signer");
        apparatus::copy_program(env!("CARGO_BIN_EXE_dc-signer"), &program);
        (folder, program)
    });
    program
}

/// Everything in a folder and its folders.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            all.extend(below(&path));
        }
        all.push(path);
    }
    all
}

#[test]
fn whatever_root_writes_into_a_data_folder_is_its_owners() {
    let Some(owned) = Owned::new() else { return };
    let sandbox = &owned.sandbox;
    sandbox
        .run(&["init", "vendor-2", "--zone", "cpe.example.com"])
        .succeeded();
    sandbox.write("fleet.ndjson", "{\"external_id\":\"b\",\"code\":true}\n");
    fs::create_dir(sandbox.path("roots")).unwrap();
    // Nobody but root can read what is given to root, or where root keeps backups.
    for path in ["vendor", "vendor-2", "roots"] {
        sandbox.set_mode(path, 0o700);
    }
    sandbox.set_mode("fleet.ndjson", 0o600);
    let commands: &[&[&str]] = &[
        &["zones", "add", "cpe.example.com", "--import", "vendor"],
        &[
            "zones",
            "rollover",
            "cpe.example.com",
            "--import",
            "vendor-2",
        ],
        &["devices", "add", "a"],
        &["devices", "add", "--file", "fleet.ndjson"],
        &["codes", "new", "a", "--json"],
        &["devices", "suspend", "a"],
        &["operators", "add", "noc", "--role", "viewer"],
        &["audit", "verify"],
        &["migrate"],
        &["backup", "roots/monday"],
        &["restore", "roots/monday"],
        &["restore", "--check"],
    ];
    for command in commands {
        owned.run(command).succeeded();
        owned.is_all_the_services();
    }
    for path in below(&sandbox.path("roots/monday")) {
        let found = path.metadata().unwrap();
        assert_eq!((found.uid(), found.mode() & 0o077), (0, 0), "{path:?}");
    }
    // On a machine that has nothing yet.
    fs::remove_dir_all(sandbox.path("data")).unwrap();
    fs::create_dir(sandbox.path("data")).unwrap();
    sandbox.set_mode("data", 0o700);
    owned.give("data", owned.service);
    owned.run(&["restore", "roots/monday"]).succeeded();
    owned.is_all_the_services();
    // The service's user can use it all.
    for command in [
        &["devices", "show", "b"][..],
        &["restore", "--check"],
        &["check"],
    ] {
        owned.run_as(owned.service, command).succeeded();
    }
}

#[test]
fn what_a_command_of_roots_needs_while_it_works_is_the_owners() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let mut adding = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["devices", "add", "--file", "-", "--config", "config.toml"])
        .env("DC_SIGNER_TOKEN_FILE", TOKEN)
        .current_dir(owned.sandbox.path("."))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let names = ["-shm", "-wal", ".lock"].map(|end| format!("data/dc-signer.db{end}"));
    let began = std::time::Instant::now();
    while !names.iter().all(|name| owned.sandbox.path(name).exists()) {
        assert!(began.elapsed().as_secs() < 30, "nothing was opened");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    owned.is_all_the_services();
    // A command that works is nothing to put a backup under.
    owned.run(&["backup", "monday"]).succeeded();
    owned
        .run(&["restore", "monday"])
        .refused(&["in use", "stop the service"]);
    drop(adding.stdin.take());
    assert!(adding.wait().unwrap().success());
    owned.run(&["restore", "monday"]).succeeded();
}

#[test]
fn somebody_else_is_refused_before_anything_is_written() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    // Even if the folder is open to all.
    for path in below(&owned.sandbox.path("data")) {
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    }
    owned.sandbox.set_mode("data", 0o777);
    let before = below(&owned.sandbox.path("data"));
    let commands: &[&[&str]] = &[
        &["devices", "list"],
        &["devices", "add", "a"],
        &["zones", "add", "other.example.com"],
        &["operators", "list"],
        &["audit", "verify"],
        &["migrate"],
        &["backup", "data/backup"],
        &["restore", "--check"],
        &["serve"],
    ];
    for command in commands {
        owned.run_as(owned.stranger, command).refused(&[
            "data belongs to www-data",
            "nobody",
            "setpriv --reuid=www-data --regid=www-data",
        ]);
    }
    assert_eq!(below(&owned.sandbox.path("data")), before);
    owned
        .run(&["serve"])
        .refused(&["data belongs to www-data", "--reuid=www-data"]);
}

#[test]
fn a_data_folder_that_root_has_made_is_to_be_given_to_the_service() {
    let Some(owned) = Owned::new() else { return };
    owned.give("data", User { uid: 0, gid: 0 });
    owned
        .run_as(owned.service, &["serve"])
        .refused(&["data belongs to root", "'chown -R www-data: "]);
}

#[test]
fn a_link_of_the_owners_leads_root_nowhere() {
    let Some(owned) = Owned::new() else { return };
    let secret = owned.sandbox.path("secret");
    fs::create_dir(&secret).unwrap();
    owned.sandbox.set_mode("secret", 0o700);
    let target = owned.sandbox.path("secret/file");
    let add = ["zones", "add", "cpe.example.com", "--import", "vendor"];
    for (link, to) in [
        ("data/delegations", &secret),
        ("data/secrets", &secret),
        ("data/dc-signer.db", &target),
        ("data/dc-signer.db.lock", &target),
    ] {
        symlink(to, owned.sandbox.path(link)).unwrap();
        let outcome = owned.run(&add);
        assert_eq!(outcome.code, Some(1), "{link}: {outcome:?}");
        assert_eq!(owned.sandbox.names("secret"), [""; 0], "{link}");
        fs::remove_dir_all(owned.sandbox.path("data")).unwrap();
        fs::create_dir(owned.sandbox.path("data")).unwrap();
        owned.give("data", owned.service);
        owned.forget_operator();
    }
    // The folder itself, in one of the user's.
    fs::create_dir(owned.sandbox.path("home")).unwrap();
    let link = owned.sandbox.path("home/data");
    symlink(&secret, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(owned.service.uid), None).unwrap();
    let config = owned.sandbox.read("config.toml");
    owned
        .sandbox
        .write("config.toml", config.replace("'data'", "'home/data'"));
    owned
        .run(&add)
        .refused(&["home/data is a link of www-data"]);
    assert_eq!(owned.sandbox.names("secret"), [""; 0]);
}

#[test]
fn a_key_that_the_service_cannot_read_is_called_closed_and_not_missing() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let root = User { uid: 0, gid: 0 };
    let folder = owned.sandbox.names("data/delegations").remove(0);
    let folder = format!("data/delegations/{folder}");
    let import = ["zones", "rollover", "cpe.example.com", "--import", "vendor"];
    for (path, mode) in [
        (folder.clone(), "0700"),
        (format!("{folder}/key.pem"), "0600"),
    ] {
        owned.give(&path, root);
        let outcome = owned.run(&import);
        for words in ["permission denied", "root:root", mode] {
            assert!(outcome.stderr.contains(words), "{outcome:?}");
        }
        assert!(!outcome.stderr.contains(" init "), "{outcome:?}");
        owned.give(&path, owned.service);
    }
    owned.give("data/secrets", root);
    owned
        .run(&["devices", "add", "a"])
        .refused(&["permission denied", "data/secrets belongs to root:root"]);
    owned.give("data/secrets", owned.service);
    owned.give("data/dc-signer.db", root);
    owned.run(&["devices", "add", "a"]).refused(&[
        "data/dc-signer.db",
        "permission denied",
        "root:root",
        "0600",
    ]);
}

/// A copy that is there and broken is written anew.
#[test]
fn a_key_that_was_damaged_is_imported_again() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let folder = owned.sandbox.names("data/delegations").remove(0);
    let key = format!("data/delegations/{folder}/key.pem");
    let good = owned.sandbox.read(&key);
    owned.sandbox.write(&key, "");
    let import = ["zones", "rollover", "cpe.example.com", "--import", "vendor"];
    let outcome = owned.run(&import);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("its key is on this machine now"));
    assert_eq!(owned.sandbox.read(&key), good);
    owned.is_all_the_services();
}

#[test]
fn check_judges_as_the_service_would() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let root = User { uid: 0, gid: 0 };
    let fine = owned.run(&["check"]).succeeded();
    assert!(fine.contains("by www-data (33)"), "{fine}");
    let folder = owned.sandbox.names("data/delegations").remove(0);
    let key = format!("data/delegations/{folder}/key.pem");
    for path in [
        "tls.key",
        "data/dc-signer.db",
        "data/secrets/names.key",
        "data/secrets",
        "data/delegations",
        &key,
    ] {
        owned.give(path, root);
        let outcome = owned.run(&["check"]);
        owned.give(path, owned.service);
        assert_eq!(outcome.code, Some(1), "{path}: {outcome:?}");
        for words in [
            "permission denied",
            path,
            "root:root",
            "what www-data (33) finds",
        ] {
            assert!(outcome.stderr.contains(words), "{path}: {outcome:?}");
        }
    }
    owned.sandbox.set_mode("data", 0o500);
    let outcome = owned.run(&["check"]);
    assert!(outcome.stderr.contains("with mode 0500"), "{outcome:?}");
    owned.sandbox.set_mode("data", 0o700);
    // A folder above that lets nobody through.
    owned.sandbox.set_mode(".", 0o700);
    let outcome = owned.run(&["check"]);
    assert!(outcome.stderr.contains("with mode 0700"), "{outcome:?}");
    owned.sandbox.set_mode(".", 0o755);
    let other = owned.run(&["check", "--user", "nobody"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.stderr.contains("what nobody"), "{other:?}");
    owned
        .run(&["check", "--user", "no-such-user"])
        .refused(&["no user \"no-such-user\""]);
    owned
        .run_as(owned.service, &["check", "--user", "root"])
        .refused(&["cannot become root"]);
    owned.run(&["check"]).succeeded();
}

#[test]
fn a_checkpoint_key_of_roots_is_to_be_given_to_the_service_and_not_opened() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    owned.sandbox.write("audit.pem", "a key");
    owned.sandbox.set_mode("audit.pem", 0o600);
    let make = ["audit", "checkpoint", "--key", "audit.pem", "--name", "log"];
    let refused = owned.run(&[&make[..], &["--append", "checkpoints"]].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let give = format!("do 'chown {} audit.pem'", owned.service.uid);
    assert!(refused.stderr.contains(&give), "{refused:?}");
    assert!(!refused.stderr.contains("permissions"), "{refused:?}");
}

#[test]
fn what_root_makes_where_nothing_was_is_the_owners_above_or_said_to_be_roots() {
    let Some(owned) = Owned::new() else { return };
    fs::remove_dir(owned.sandbox.path("data")).unwrap();
    let add = ["zones", "add", "cpe.example.com"];
    let outcome = owned.run(&add);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    fs::remove_dir_all(owned.sandbox.path("data")).unwrap();
    owned.forget_operator();
    let first = ["operators", "add", "tester", "--role", "admin"];
    let outcome = owned
        .sandbox
        .run(&[&first[..], &["--config", "config.toml"]].concat());
    for words in ["data will be root's", "'chown -R "] {
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
    fs::remove_dir_all(owned.sandbox.path("data")).unwrap();
    owned.forget_operator();
    fs::create_dir(owned.sandbox.path("home")).unwrap();
    owned.give("home", owned.service);
    let config = owned.sandbox.read("config.toml");
    owned
        .sandbox
        .write("config.toml", config.replace("'data'", "'home/data'"));
    owned.run(&add).succeeded();
    let init = ["init", "home/vendor", "--zone", "cpe.example.com"];
    owned.sandbox.run(&init).succeeded();
    for path in below(&owned.sandbox.path("home")) {
        let uid = path.metadata().unwrap().uid();
        assert_eq!(uid, owned.service.uid, "{}", path.display());
    }
}

#[test]
fn what_root_has_written_elsewhere_is_roots_and_the_service_is_given_no_folder() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let sandbox = &owned.sandbox;
    fs::create_dir(sandbox.path("home")).unwrap();
    sandbox.set_mode("home", 0o700);
    let export = ["audit", "export", "--out", "home/audit.ndjson", "--resume"];
    let export = |config: &[&str]| sandbox.run(&[&export[..], config].concat());
    for _ in 0..2 {
        export(&["--config", "config.toml"]).succeeded();
    }
    let written = sandbox.path("home/audit.ndjson").metadata().unwrap();
    assert_eq!(written.uid(), 0);
    // In a folder of the service's a link may lead anywhere, so that is done as the service.
    fs::create_dir(sandbox.path("theirs")).unwrap();
    owned.give("theirs", owned.service);
    sandbox.write("roots", sandbox.read("home/audit.ndjson"));
    sandbox.set_mode("roots", 0o600);
    symlink(sandbox.path("roots"), sandbox.path("theirs/audit.ndjson")).unwrap();
    let theirs = [
        "audit",
        "export",
        "--out",
        "theirs/audit.ndjson",
        "--resume",
    ];
    let refused = sandbox.run(&[&theirs[..], &["--config", "config.toml"]].concat());
    assert!(!refused.stderr.contains("chown"), "{refused:?}");
    refused.refused(&["denied", "install -d -o www-data DIR"]);
    owned.is_all_the_services();
}

#[test]
fn a_newer_database_in_a_folder_of_roots_is_copied_and_not_given_away() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let sandbox = &owned.sandbox;
    owned.run(&["devices", "add", "one"]).succeeded();
    fs::copy(sandbox.path("data/dc-signer.db"), sandbox.path("older.db")).unwrap();
    owned
        .run(&["devices", "retire", "one", "--yes"])
        .succeeded();
    fs::create_dir(sandbox.path("home")).unwrap();
    sandbox.set_mode("home", 0o700);
    let database = sandbox.path("data/dc-signer.db");
    fs::rename(&database, sandbox.path("home/newer.db")).unwrap();
    fs::rename(sandbox.path("older.db"), &database).unwrap();
    owned.give("data/dc-signer.db", owned.service);
    let restore = |from| owned.run(&["restore", "--newer-log", from]);
    let refused = restore("home/newer.db");
    assert!(!refused.stderr.contains("chown"), "{refused:?}");
    refused.refused(&[
        "home/newer.db cannot be read as www-data",
        "install -o www-data -m 600 home/newer.db* DIR",
    ]);
    // As it says.
    fs::create_dir(sandbox.path("theirs")).unwrap();
    owned.give("theirs", owned.service);
    fs::copy(
        sandbox.path("home/newer.db"),
        sandbox.path("theirs/newer.db"),
    )
    .unwrap();
    owned.give("theirs/newer.db", owned.service);
    restore("theirs/newer.db").succeeded();
    let shown = owned.run(&["devices", "show", "one"]).succeeded();
    assert!(shown.contains("retired"), "{shown}");
    owned.is_all_the_services();
}

#[test]
fn check_finds_programs_and_keys_that_are_not_needed_yet() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let sandbox = &owned.sandbox;
    sandbox.write("order", "#!/bin/sh\nexit 75\n");
    sandbox.write("signer-key.pem", sandbox.read("tls.key"));
    sandbox.set_mode("signer-key.pem", 0o600);
    let order = format!(
        "[[order_command]]\ncommand = [{:?}]\n",
        sandbox.path("order")
    );
    let process =
        "[keys]\nprocess = { certificate = 'tls.pem', key = 'signer-key.pem', peer = 'tls.pem' }\n";
    let config = sandbox.read("config.toml");
    let with = |more: &str| sandbox.write("config.toml", format!("{config}{more}"));
    with(&order);
    let checked = owned.run(&["check"]);
    for word in ["order_command.command", "may be executed"] {
        assert!(checked.stderr.contains(word), "{checked:?}");
    }
    sandbox.set_mode("order", 0o755);
    let checked = owned.run(&["check"]);
    assert!(!checked.stderr.contains("order_command"), "{checked:?}");
    with(process);
    let checked = owned.run(&["check"]);
    assert!(checked.stderr.contains("keys.process.key"), "{checked:?}");
    owned.give("signer-key.pem", owned.service);
    let checked = owned.run(&["check"]);
    assert!(!checked.stderr.contains("keys.process"), "{checked:?}");
}

#[test]
fn a_secret_that_root_made_for_itself_is_said_to_be_the_services_to_read() {
    let Some(owned) = Owned::new() else {
        return;
    };
    let sandbox = &owned.sandbox;
    let config = sandbox.read("config.toml");
    sandbox.write("secrets.key", "ab".repeat(32));
    sandbox.set_mode("secrets.key", 0o600);
    sandbox.write(
        "config.toml",
        format!("{config}[secrets]\nkey = {{ file = 'secrets.key' }}\n"),
    );
    let add = ["operators", "add", "alice", "--role", "admin"];
    let said = sandbox.run(&[&add[..], &["--config", "config.toml"]].concat());
    let advice = format!("chown {} ", owned.service.uid);
    assert!(said.stderr.contains(&advice), "{said:?}");
}

#[test]
fn root_is_told_why_a_token_is_not_saved() {
    let Some(owned) = Owned::with_zone() else {
        return;
    };
    let sandbox = &owned.sandbox;
    sandbox.write("notes", "precious");
    let add = ["operators", "add", "bob", "--role", "admin"];
    let why = ["--reason", "a test", "--config", "config.toml"];
    for (file, words) in [("notes", "notes exists"), ("nowhere/token", "nowhere")] {
        let said = sandbox.run(&[&add[..], &["--save-token", file], &why].concat());
        said.refused(&[words]);
    }
    assert_eq!(sandbox.read("notes"), "precious");
    let saved = [&add[..], &["--save-token", "bobs"], &why].concat();
    sandbox.run(&saved).succeeded();
    let token = sandbox.path("bobs").metadata().unwrap();
    assert_eq!((token.uid(), token.mode() & 0o777), (0, 0o600));
    owned.is_all_the_services();
}
