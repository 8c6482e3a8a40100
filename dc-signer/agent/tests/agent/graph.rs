//! What a device's build pulls in.

use std::process::Command;

/// A router has no room for them.
#[test]
fn the_agent_alone_has_neither_database_nor_http_server_nor_runtime() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "dc-agent"])
        .args(["--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    let packages: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(packages.contains(&"ureq"), "{packages:?}");
    for unwanted in ["axum", "dc-rustls", "hyper", "sqlx", "tokio"] {
        assert!(!packages.contains(&unwanted), "{unwanted}");
    }
}
