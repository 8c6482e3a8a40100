//! The commands that ask a process by hand.

use super::*;

#[test]
fn the_commands_say_what_it_holds_and_does() {
    let process = Process::start("");
    let socket = process.path("socket");
    let socket = socket.to_str().unwrap();
    let (done, said) = run(&["keyd", "status", "--socket", socket]);
    assert!(done, "{said}");
    for part in [
        "cpe.example.com",
        "0/600",
        "0/10000",
        "nothing was refused",
        "example.com/audit",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (done, json) = run(&["keyd", "status", "--json", "--socket", socket]);
    assert!(
        done && serde_json::from_str::<Value>(&json).is_ok(),
        "{json}"
    );
    let config = process.path("keyd.toml");
    let (done, said) = run(&["keyd", "check", "--config", config.to_str().unwrap()]);
    assert!(done && said.contains("can be used"), "{said}");
    let request = process.path("request.csr");
    let csr = [
        "keyd",
        "csr",
        "--zone",
        "cpe.example.com",
        "--socket",
        socket,
        "--out",
    ];
    let (done, said) = run(&[&csr[..], &[request.to_str().unwrap()]].concat());
    assert!(done, "{said}");
    let (done, said) = run(&["inspect", request.to_str().unwrap()]);
    assert!(done && said.contains("*.cpe.example.com"), "{said}");
    // A chain that no key was made for here is already held: the vendor's own.
    let chain = process.path("vendor/chain.pem");
    let out = process.path("out");
    let install = [
        "keyd",
        "install",
        "--socket",
        socket,
        "--chain",
        chain.to_str().unwrap(),
    ];
    let (done, said) = run(&[&install[..], &["--out", out.to_str().unwrap()]].concat());
    assert!(
        done && said.contains(&process.sha256().to_string()),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(out.join("key.keyd")).unwrap(),
        format!("{socket}\n")
    );
    // 'issue' goes through it as well.
    issue_by_hand(&process, &out);
    // Nobody there, and a second one on the same folder.
    let (done, said) = run(&["keyd", "status", "--socket", "/nowhere/socket"]);
    assert!(!done && said.contains("there is no such socket"), "{said}");
    let (done, said) = run(&["keyd", "--config", config.to_str().unwrap()]);
    assert!(!done && said.contains("is in use"), "{said}");
}

fn issue_by_hand(process: &Process, delegation: &Path) {
    let request = process.path("device.csr");
    fs::write(&request, csr()).unwrap();
    let identity = process.path("device");
    let (done, said) = run(&[
        "issue",
        "--delegation",
        delegation.to_str().unwrap(),
        "--csr",
        request.to_str().unwrap(),
        "--out",
        identity.to_str().unwrap(),
    ]);
    assert!(done, "{said}");
    let line = process.written().pop().unwrap();
    assert_eq!(line["act"], "issue");
    assert!(
        line["name"].as_str().unwrap().ends_with(".cpe.example.com"),
        "{line}"
    );
    let (done, said) = run(&[
        "verify",
        identity.to_str().unwrap(),
        "--roots",
        process.path("vendor/root.pem").to_str().unwrap(),
    ]);
    assert!(done, "{said}");
}

#[test]
fn a_configuration_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut process = Process::start("");
    process.kill();
    let set_mode = |name: &str, mode| {
        fs::set_permissions(process.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode("", 0o755);
    let config = process.path("keyd.toml");
    let config = config.to_str().unwrap();
    let check = ["keyd", "check", "--config", config];
    let (done, said) = run(&check);
    assert!(done, "{said}");
    for (name, mode, good) in [
        ("keyd.toml", 0o666, 0o644),
        ("keyd.toml", 0o664, 0o644),
        ("vendor", 0o777, 0o755),
        ("vendor/chain.pem", 0o646, 0o644),
        ("", 0o777, 0o755),
    ] {
        set_mode(name, mode);
        let (done, said) = run(&check);
        assert!(
            !done && said.contains("is for others to write") && said.contains("chmod"),
            "{name}: {said}"
        );
        let (done, said) = run(&["keyd", "--config", config]);
        assert!(
            !done && said.contains("is for others to write"),
            "{name}: {said}"
        );
        set_mode(name, good);
    }
    let (done, said) = run(&check);
    assert!(done, "{said}");
    // Of another user, and what the process's own user cannot read.
    if !nix::unistd::getuid().is_root() {
        return;
    }
    let give = |name: &str, to: u32| {
        std::os::unix::fs::chown(process.path(name), Some(to), None).unwrap();
    };
    give("keyd.toml", 65_534);
    let (done, said) = run(&check);
    assert!(
        !done && said.contains("belongs to") && said.contains("chown"),
        "{said}"
    );
    give("keyd.toml", 0);
    give("state", 65_534);
    let (done, said) = run(&check);
    assert!(
        !done && said.contains("this is what") && said.contains("ermission denied"),
        "{said}"
    );
}
