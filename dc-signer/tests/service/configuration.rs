//! `check`: what it says about a configuration, and how it exits.

use std::process::Command;

use crate::rig::Rig;

fn check(path: &std::path::Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["check", "--config"])
        .arg(path)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_good_configuration_is_called_good() {
    let rig = Rig::start();
    let (code, said) = check(&rig.data().join("config.toml"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing is wrong with"), "{said}");
}

#[test]
fn what_does_not_belong_to_the_database_is_not_called_good() {
    let rig = Rig::start();
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (
        folder.path().join("config.toml"),
        folder.path().join("data"),
    );
    std::fs::create_dir(folder.path().join("tls")).unwrap();
    for name in ["tls/chain.pem", "tls/key.pem"] {
        std::fs::copy(rig.data().join(name), folder.path().join(name)).unwrap();
    }
    let text = "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\n\
                certificate = 'tls/chain.pem'\nkey = 'tls/key.pem'\n";
    std::fs::write(&path, text).unwrap();
    let added = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["operators", "add", "alice", "--role", "admin", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");
    let is_good = || {
        let (code, said) = check(&path);
        assert_eq!(code, Some(0), "{said}");
    };
    let is_bad = |words: &str| {
        let (code, said) = check(&path);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    };
    let (secrets, aside) = (data.join("secrets"), data.join("aside"));
    std::fs::rename(&secrets, &aside).unwrap();
    is_bad("secrets");
    std::fs::create_dir(&secrets).unwrap();
    for name in ["names.key", "codes.key", "lists.key"] {
        let from = rig.data().join("data/secrets").join(name);
        std::fs::copy(from, secrets.join(name)).unwrap();
    }
    // Those of another signer would rename devices.
    is_bad("secrets");
    std::fs::remove_dir_all(&secrets).unwrap();
    std::fs::rename(&aside, &secrets).unwrap();
    is_good();
    let seen = std::fs::read(data.join("audit-head.json")).unwrap();
    let newer = format!("{{\"seq\":99,\"hash\":\"{}\"}}", "07".repeat(32));
    std::fs::write(data.join("audit-head.json"), newer).unwrap();
    is_bad("an older copy");
    std::fs::write(data.join("audit-head.json"), seen).unwrap();
    is_good();
    let database = data.join("dc-signer.db");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
    }
    std::fs::remove_file(&database).unwrap();
    is_bad("dc-signer.db is not there");
    std::fs::remove_dir_all(&data).unwrap();
    std::os::unix::fs::symlink("nowhere", &data).unwrap();
    is_bad("a link to a folder that is not there");
}

/// With nothing but the files that its text says have to be there.
#[test]
fn the_sample_passes_as_it_stands() {
    let rig = Rig::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    // As it stands, but for a folder that may be there, with whatever modes.
    let data = folder.path().join("data").display().to_string();
    let sample = dc_signer::config::SAMPLE;
    assert!(sample.contains("\"/var/lib/dc-signer\""));
    std::fs::write(&path, sample.replace("/var/lib/dc-signer", &data)).unwrap();
    std::fs::create_dir(folder.path().join("tls")).unwrap();
    for name in ["tls/chain.pem", "tls/key.pem"] {
        std::fs::copy(rig.data().join(name), folder.path().join(name)).unwrap();
    }
    let (code, said) = check(&path);
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_one_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let text = "data = 'd'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c.pem'\nkey = 'k.pem'\n\
                [[manufacturers]]\nname = 'acme'\nanchors = 'a.pem'\n[log]\nfilter = 'x=loud'\n";
    std::fs::write(&path, text).unwrap();
    let (code, said) = check(&path);
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, words) in lines.iter().zip([
        [
            "line 4: listen.certificate cannot be used",
            "check the path",
        ],
        [
            "line 8: manufacturers.anchors cannot be used",
            "check the path",
        ],
        ["line 10: log.filter cannot be used", "use a level"],
    ]) {
        assert!(line.starts_with("error: "), "{said}");
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
}

#[test]
fn a_delegation_certificate_must_not_serve_https() {
    let rig = Rig::start();
    rig.edit_config("tls/chain.pem", "vendor/chain.pem");
    rig.edit_config("tls/key.pem", "vendor/key.pem");
    let (code, said) = check(&rig.data().join("config.toml"));
    assert_eq!(code, Some(1));
    assert!(said.contains("must never serve TLS"), "{said}");
}

#[test]
fn a_key_that_others_can_read_is_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start();
    let key = rig.data().join("tls/key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = check(&rig.data().join("config.toml"));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("warning: ") && said.contains("chmod g-w,o="),
        "{said}"
    );
}

#[test]
fn a_limit_that_another_does_not_let_it_reach_is_worth_a_warning() {
    let rig = Rig::start_with("max_connections = 100");
    let config = rig.data().join("config.toml");
    let (code, said) = check(&config);
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
    rig.edit_config(
        "max_connections = 100",
        "max_connections = 100\nmax_requests = 80",
    );
    let (code, said) = check(&config);
    assert_eq!(code, Some(0), "{said}");
    let words = "listen.max_requests is 80, but listen.max_connections = 100 allows 50: set max_requests to 50 at most";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_credential_listener_needs_roots_and_an_address_of_its_own() {
    let rig = Rig::start();
    let folder = rig.data();
    let path = folder.join("with-listener.toml");
    let text = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let text = text.replace("127.0.0.1:0", "127.0.0.1:8443");
    let with = |address: &str, roots: &str| {
        let table = format!("[credential_listener]\naddress = '{address}'\nroots = '{roots}'\n");
        std::fs::write(
            &path,
            text.replace("[limits]", &format!("{table}\n[limits]")),
        )
        .unwrap();
        check(&path)
    };
    let (code, said) = with("127.0.0.1:8444", "vendor/root.pem");
    assert_eq!(code, Some(0), "{said}");
    for (address, roots, key) in [
        (
            "127.0.0.1:8443",
            "vendor/root.pem",
            "address cannot be used: it is listen.address",
        ),
        ("127.0.0.1:8444", "tls/key.pem", "roots"),
        ("127.0.0.1:8444", "nothing.pem", "roots"),
    ] {
        let (code, said) = with(address, roots);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&format!("credential_listener.{key}")),
            "{said}"
        );
    }
}

#[test]
fn what_others_may_read_or_change_is_said_by_check_and_serve() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start();
    let config = rig.data().join("config.toml");
    let set = |path: &str, mode| {
        set_permissions(rig.data().join(path), Permissions::from_mode(mode)).unwrap();
    };
    let says = |code: i32, words: &[&str]| {
        let (found, said) = check(&config);
        assert_eq!(found, Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        said
    };
    let key = {
        let mut keys = std::fs::read_dir(rig.data().join("data/delegations")).unwrap();
        let folder = keys.next().unwrap().unwrap().path().join("key.pem");
        folder
            .strip_prefix(rig.data())
            .unwrap()
            .display()
            .to_string()
    };
    // Nobody else gets to the folder that all of it is in.
    set("..", 0o700);
    set("data", 0o755);
    set(&key, 0o644);
    let said = says(0, &["nothing is wrong with"]);
    assert!(!said.contains("for others"), "{said}");
    set(&key, 0o600);
    // From here on it is in a folder that everybody enters.
    set("..", 0o755);
    set(".", 0o755);
    says(
        0,
        &[
            "warning: ",
            "/data is for others to read (mode 755)",
            "chmod g-w,o-rwx",
        ],
    );
    set("data/dc-signer.db", 0o666);
    says(0, &["dc-signer.db is for others to write (mode 666)"]);
    set("data", 0o700);
    let said = says(0, &[]);
    assert!(!said.contains("for others"), "{said}");
    set("data", 0o711);
    set("data/delegations", 0o711);
    let parent = std::path::Path::new(&key).parent().unwrap();
    set(parent.to_str().unwrap(), 0o711);
    set(&key, 0o644);
    let words = [
        "key.pem is a key, and is for others to read (mode 644)",
        "chmod 600",
    ];
    says(1, &words);
    set("tls", 0o711);
    set("tls/key.pem", 0o604);
    says(1, &["listen.key", "tls/key.pem is a key", "mode 604"]);
    // A service says the same and goes on; it changes no mode.
    let data = rig.data().to_owned();
    let rig = rig.restart();
    assert!(rig.log().contains(words[0]), "{}", rig.log());
    assert_eq!(rig.data(), data);
    let mode = std::fs::metadata(rig.data().join(&key))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
    // Whoever may write to the folder above puts another one there.
    for path in [key.as_str(), "tls/key.pem"] {
        set_permissions(rig.data().join(path), Permissions::from_mode(0o600)).unwrap();
    }
    set_permissions(rig.data(), Permissions::from_mode(0o777)).unwrap();
    let (_, said) = check(&rig.data().join("config.toml"));
    assert!(
        said.contains("is for others to write (mode 777), who may put anything there"),
        "{said}"
    );
    set_permissions(rig.data(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_zone_that_the_configuration_names_and_that_is_not_there_is_said() {
    let rig = Rig::start();
    let config = rig.data().join("config.toml");
    let zone = |what: &str| {
        let act = ["zones", what, "other.example.com", "--reason", "a test"];
        let (done, said) = crate::ready::command(&act, &config);
        assert!(done, "{said}");
        said
    };
    zone("add");
    let named = "[[order_command]]\ncommand = ['/bin/false']\nzones = ['other.example.com']\n[[manufacturers]]\nname = 'acme'\nanchors = 'tls/chain.pem'\nzone = 'other.example.com'\n[limits]";
    rig.edit_config("[limits]", named);
    let says_of_both = |said: &str, is_gone: bool| {
        for table in ["[[order_command]] of /bin/false", "[[manufacturers]] of"] {
            let is_said = said.lines().any(|line| {
                line.starts_with("warning: ")
                    && line.contains(table)
                    && line.contains("names zone other.example.com, which is not there")
            });
            assert_eq!(is_said, is_gone, "{table}: {said}");
        }
    };
    let (code, said) = check(&config);
    assert_eq!(code, Some(0), "{said}");
    says_of_both(&said, false);
    says_of_both(&zone("remove"), true);
    let (code, said) = check(&config);
    assert_eq!(code, Some(0), "{said}");
    says_of_both(&said, true);
    assert!(
        said.contains("but for the warnings, nothing is wrong with"),
        "{said}"
    );
}
