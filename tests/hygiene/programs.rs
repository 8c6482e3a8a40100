//! What tests start is installed by the set-up, and what they leave out is noted.

use std::collections::BTreeSet;

use crate::source::files;

/// Every Debian has them, however small. Rust itself needs `cc`.
const ALWAYS: [&str; 6] = ["bash", "cp", "date", "dpkg-query", "sh", "sleep"];
const START: &str = "Command::new(\"";

#[test]
fn every_program_that_a_test_starts_is_installed_by_the_set_up() {
    let known: BTreeSet<&str> = apparatus::programs().chain(ALWAYS).chain(["cc"]).collect();
    let mut unknown = Vec::new();
    let mut count = 0;
    for file in files() {
        // What is no test may start what its user names, and nothing else.
        for started in file.text.split(START).skip(1) {
            let program = started.split('"').next().unwrap_or_default();
            count += 1;
            if !known.contains(program) {
                unknown.push(format!("{}: {program}", file.path));
            }
        }
    }
    assert!(count > 10, "{count}");
    assert!(
        unknown.is_empty(),
        "to be put into tests/setup/programs: {unknown:#?}"
    );
}

/// libtest shows what a test prints only if it fails, so a test that says it this way is left out in silence.
#[test]
fn what_is_left_out_is_noted_rather_than_printed() {
    let printed = concat!("println!(\"", "skip");
    let silent: Vec<String> = files()
        .into_iter()
        .filter(|file| file.text.contains(printed))
        .map(|file| file.path)
        .collect();
    assert!(
        silent.is_empty(),
        "to call apparatus::left_out: {silent:#?}"
    );
}
