//! What is asked of a process by hand.

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
