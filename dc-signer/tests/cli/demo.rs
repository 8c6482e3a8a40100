//! `demo`: everything comes out as expected, quickly, and nothing is left.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;

#[test]
fn every_row_comes_out_as_expected() {
    let json = Sandbox::empty().run(&["demo", "--json"]).succeeded();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert!(rows.len() >= 28, "{json}");
    for row in rows {
        assert_eq!(row["ok"], true, "{row}");
        assert!(
            row["scenario"].is_string() && row["expected"].is_string() && row["got"].is_string()
        );
    }
}

#[test]
fn the_table_is_complete_within_ten_seconds() {
    let sandbox = Sandbox::empty();
    let begin = Instant::now();
    let table = sandbox.run(&["demo"]).succeeded();
    assert!(begin.elapsed() < Duration::from_secs(10));
    for words in [
        "right CPE, named form",
        "right CPE, RFC 9345 form",
        "evil twin",
        "expired",
        "longer than 7 days",
        "wrong delegation certificate",
        "writes the right name in",
        "tampered signature",
        "no fallback",
        "resumed",
        "right CPE at a cloud service",
        "evil twin comes with",
        "as expected",
    ] {
        assert!(table.contains(words), "{words} not in {table}");
    }
}

#[test]
fn leaves_nothing_behind() {
    let sandbox = Sandbox::empty();
    let status = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .arg("demo")
        .env("TMPDIR", sandbox.path("."))
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    assert!(sandbox.names(".").is_empty());
}

#[test]
fn says_what_it_could_not_do() {
    let sandbox = Sandbox::empty();
    let output = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .arg("demo")
        .env("TMPDIR", sandbox.path("missing"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: the demo cannot make a temporary folder: "),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}
