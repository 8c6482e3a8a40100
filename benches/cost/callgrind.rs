//! Counts instructions with Valgrind's callgrind, in a process of their own.

use std::env;
use std::fs;
use std::process::Command;

/// The instructions that this program executes in [`counted`](crate::wire::counted) when it runs as `arguments` say.
pub(crate) fn count(arguments: &[&str]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("callgrind.out");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .args(FUNCTIONS.map(|name| format!("--toggle-collect={name}")))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().unwrap())
        .args(arguments)
        .output()
        .expect("valgrind, which Debian calls so, is not in PATH");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{arguments:?}: {said}");
    let profile = fs::read_to_string(&out).unwrap();
    let totals = profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = totals.and_then(|totals| totals.trim().parse().ok());
    match total {
        Some(0) | None => panic!("{arguments:?}: nothing was counted: {totals:?}"),
        Some(total) => total,
    }
}

/// At each of them counting is switched, when it begins and when it ends. Of patterns that begin alike, callgrind takes one.
const FUNCTIONS: [&str; 2] = ["cost::wire::counted", "cost::wire::other_end"];
