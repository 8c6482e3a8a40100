//! What the house style asks of every file, and that the requirements have their tests.

mod circles;
mod code;
mod draft;
mod imports;
mod known;
mod links;
mod messages;
mod modules;
mod named_paths;
mod programs;
mod requirements;
mod runbook;
mod secrets;
mod sizes;
mod source;
mod tables;
mod uses;

use source::files;

const MAX_LINES: usize = 400;

#[test]
fn no_file_has_more_than_400_lines_before_its_tests() {
    let long: Vec<String> = files()
        .iter()
        .filter(|file| file.production().lines().count() > MAX_LINES)
        .map(|file| format!("{}: {}", file.path, file.production().lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_file_gives_up_outside_its_tests() {
    let mut found = Vec::new();
    for file in &files() {
        for (number, line) in file.production().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for macro_or_call in ["todo!(", "unimplemented!(", "dbg!(", ".unwrap()"] {
                if code.contains(macro_or_call) {
                    found.push(format!("{}:{}: {macro_or_call}", file.path, number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Other readers drop a block that stands behind a byte order mark; and examples are copied.
#[test]
fn pem_is_read_by_one_reader() {
    let others: Vec<String> = files()
        .into_iter()
        .filter(|file| file.production().contains("PemObject"))
        .map(|file| file.path)
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = files()
        .into_iter()
        .filter(|file| !file.is_test() && !file.text.starts_with("//!"))
        // The README says it of a crate.
        .filter(|file| !file.text.starts_with("#![doc = include_str!("))
        .map(|file| file.path)
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
