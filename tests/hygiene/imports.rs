//! Imports follow the tables of ARCHITECTURE.md that end in `| may import |`.
//!
//! A table belongs to the package in the heading above it. Its first column has files and folders
//! below `src`, its last the modules of the same package that they may import from, or `everything`.
//! A module may always import from itself. Other packages are Cargo's to allow.

use crate::source::{File, files, root};

struct Rule {
    package: String,
    places: Vec<String>,
    may_import: Vec<String>,
}

fn rules() -> Vec<Rule> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (mut package, mut inside, mut rules) = ("", false, Vec::new());
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            package = heading;
        }
        let Some(row) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        match cells[..] {
            [.., "may import"] => inside = true,
            [first, ..] if inside && !first.starts_with('-') => rules.push(Rule {
                package: package.to_owned(),
                places: words(first),
                may_import: words(cells[cells.len() - 1]),
            }),
            _ => {}
        }
    }
    rules
}

fn words(cell: &str) -> Vec<String> {
    cell.split(',')
        .map(|word| word.trim().trim_matches('`').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

impl Rule {
    fn is_for(&self, file: &File) -> bool {
        let Some(path) = file.path.strip_prefix(&format!("{}/src/", self.package)) else {
            return false;
        };
        self.places
            .iter()
            .any(|place| path == place || (place.ends_with('/') && path.starts_with(place)))
    }

    fn allows(&self, file: &File, module: &str) -> bool {
        let own = file.path.split(['/', '.']).nth(2);
        // The crate root only has what the modules export, and constants.
        own == Some(module)
            || module.starts_with(char::is_uppercase)
            || self
                .may_import
                .iter()
                .any(|m| m == module || m == "everything")
    }
}

/// Lines and modules of every `use crate::…`.
fn imports(file: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in file.production().lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for path in code.split("crate::").skip(1) {
            let heads: Vec<&str> = match path.strip_prefix('{') {
                Some(group) => group.split(',').collect(),
                None => vec![path],
            };
            let heads = heads.into_iter().map(head).filter(|head| !head.is_empty());
            found.extend(heads.map(|head| (number + 1, head)));
        }
    }
    found
}

fn head(path: &str) -> String {
    let end = |c: char| !c.is_alphanumeric() && c != '_';
    path.trim().split(end).next().unwrap_or_default().to_owned()
}

#[test]
fn imports_follow_the_tables_in_architecture() {
    let rules = rules();
    assert!(rules.len() > 40, "tables that end in `| may import |`");
    let files = files();
    let mut wrong = Vec::new();
    for rule in &rules {
        let mine: Vec<&File> = files.iter().filter(|file| rule.is_for(file)).collect();
        if mine.is_empty() {
            wrong.push(format!("{}: no file for {:?}", rule.package, rule.places));
        }
        for file in mine {
            for (number, module) in imports(file) {
                if !rule.allows(file, &module) {
                    wrong.push(format!("{}:{number}: {module}", file.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// It knows no TLS stack, no runtime and no operating system.
#[test]
fn dc_core_uses_neither_std_nor_rustls_nor_tokio() {
    for file in files()
        .iter()
        .filter(|file| file.path.starts_with("dc-core/src/"))
    {
        for (number, line) in file.production().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for package in ["std::", "rustls::", "tokio::"] {
                assert!(!code.contains(package), "{}:{}", file.path, number + 1);
            }
        }
    }
}
