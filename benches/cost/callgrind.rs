//! Counts instructions with Valgrind's callgrind, in a process of their own.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::num::NonZero;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::cases;

/// The instructions of one round of each of these, by its name, counted on as many processors as there are.
pub(crate) fn count_all<'a>(names: &[&'a str], rounds: usize) -> HashMap<&'a str, u64> {
    let (left, counts) = (Mutex::new(names.iter()), Mutex::new(HashMap::new()));
    let next = || left.lock().unwrap().next_back();
    let work = || {
        while let Some(name) = next() {
            let rounds = cases::rounds(name, rounds);
            let total = count(&["--count", name, "--rounds", &rounds.to_string()]);
            counts.lock().unwrap().insert(*name, total / rounds as u64);
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    counts.into_inner().unwrap()
}

/// The instructions that this program executes in [`counted`](crate::wire::counted) when it runs as `arguments` say.
fn count(arguments: &[&str]) -> u64 {
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
