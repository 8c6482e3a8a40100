//! `tests/requirements.md` against the source.

use std::collections::BTreeSet;

use crate::source::{files, root};

/// The cases of the catalogue that dc-core answers for.
const CASES: [std::ops::RangeInclusive<u32>; 2] = [1..=63, 107..=113];
/// A row for each of these, so that none is lost.
const GROUPS: [(&str, std::ops::RangeInclusive<u32>); 10] = [
    ("W", 1..=6),
    ("I", 1..=10),
    ("S", 1..=8),
    ("C", 1..=5),
    ("V", 0..=9),
    ("M", 1..=6),
    ("K", 1..=4),
    ("P", 1..=8),
    ("U", 1..=8),
    ("E", 1..=10),
];

/// The rows of all tables, without heads.
fn rows() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("tests/requirements.md")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect())
        .filter(|row: &Vec<String>| !["id", "case", "---"].contains(&row[0].as_str()))
        .collect()
}

/// The names of all functions that are tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files() {
        let mut is_test = false;
        for line in file.text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let Some((_, rest)) = line.split_once("fn ") else {
                continue;
            };
            if is_test && !line.starts_with("//") {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                names.insert(name.to_owned());
                is_test = false;
            }
        }
    }
    names
}

#[test]
fn every_requirement_has_a_row() {
    let rows = rows();
    for (group, numbers) in GROUPS {
        for number in numbers {
            let id = format!("{group}{number}");
            let count = rows.iter().filter(|row| row[0] == id).count();
            assert_eq!(count, 1, "{id}");
        }
    }
}

#[test]
fn every_test_of_a_row_exists_and_every_cell_has_one_or_says_why_not() {
    let tests = tests();
    let mut wrong = Vec::new();
    for row in rows() {
        for cell in &row[2..] {
            let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            let excused = cell.starts_with("none: ");
            if names.is_empty() != excused {
                wrong.push(format!("{}: {cell}", row[0]));
            }
            let missing = names.into_iter().filter(|name| !tests.contains(*name));
            wrong.extend(missing.map(|name| format!("{}: no test {name}", row[0])));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What ARCHITECTURE.md says we rely on in rustls, and in quinn: `module::test` in the last column.
#[test]
fn every_behaviour_of_rustls_we_rely_on_has_a_test() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let tables: Vec<&str> = text.split("| behaviour of rustls").skip(1).collect();
    assert_eq!(tables.len(), 2);
    for table in tables {
        every_row_has_a_test(table);
    }
}

fn every_row_has_a_test(table: &str) {
    let rows: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() >= 8, "{rows:?}");
    let tests = tests();
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let (module, test) = name.rsplit_once("::").unwrap();
            let module = module.replace("::", "/");
            let file = root().join(format!("tests/handshake/{module}.rs"));
            let source = std::fs::read_to_string(file).unwrap();
            assert!(
                tests.contains(test) && source.contains(&format!("fn {test}(")),
                "{name}"
            );
        }
    }
}

/// The numbers in a name such as `case_7_…`, `cases_6_and_7_…` or `cases_22_to_24_…`.
fn cases_of(test: &str) -> Vec<u32> {
    let Some(rest) = test
        .strip_prefix("case_")
        .or_else(|| test.strip_prefix("cases_"))
    else {
        return Vec::new();
    };
    let words: Vec<&str> = rest.split('_').collect();
    match words[..] {
        [first, "to", last, ..] => (first.parse().unwrap()..=last.parse().unwrap()).collect(),
        [first, "and", second, ..] => vec![first.parse().unwrap(), second.parse().unwrap()],
        [only, ..] => vec![only.parse().unwrap()],
        [] => Vec::new(),
    }
}

#[test]
fn every_case_of_the_catalogue_has_a_test_that_names_it() {
    let tested: BTreeSet<u32> = tests().iter().flat_map(|test| cases_of(test)).collect();
    let missing: Vec<u32> = CASES
        .into_iter()
        .flatten()
        .filter(|case| !tested.contains(case))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
