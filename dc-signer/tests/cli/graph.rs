//! What somebody waits for who looks at it for the first time.

use std::collections::BTreeSet;
use std::process::Command;

/// A minute of compiling on two cores; the service has four times as many packages.
const MOST: usize = 80;

#[test]
fn the_demo_is_built_with_neither_database_nor_http_nor_runtime() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "dc-signer"])
        .args(["--edges", "normal,build", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{said}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let packages: BTreeSet<&str> = names.collect();
    assert!(packages.contains("dc-rustls"), "{packages:?}");
    for unwanted in [
        "axum",
        "hyper",
        "libsqlite3-sys",
        "prometheus-client",
        "sqlx",
        "tokio",
        "ureq",
    ] {
        assert!(!packages.contains(unwanted), "{unwanted}");
    }
    assert!(packages.len() <= MOST, "{}: {packages:?}", packages.len());
}
