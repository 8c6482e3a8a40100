//! The Rust files of the workspace.

use std::path::Path;

/// The packages; `fuzz` has a workspace of its own and the same rules.
const PACKAGES: [&str; 6] = [
    "dc-core",
    "dc-rustls",
    "dc-signer",
    "benches",
    "tests",
    "fuzz",
];

pub(crate) struct File {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether nothing of it is in a library or a program that anybody ships.
    pub(crate) fn is_test(&self) -> bool {
        let folders = ["/tests/", "/testing/", "/fuzz_targets/"];
        ["tests/", "benches/"]
            .iter()
            .any(|package| self.path.starts_with(package))
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/testing.rs")
            || folders.iter().any(|folder| self.path.contains(folder))
    }

    /// What comes before the tests; nothing of a file that is a test.
    pub(crate) fn production(&self) -> &str {
        if self.is_test() {
            return "";
        }
        let tests = self.text.find("\nmod tests");
        tests.map_or(&self.text, |at| &self.text[..at])
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub(crate) fn files() -> Vec<File> {
    let mut found = Vec::new();
    for package in PACKAGES {
        collect(&root().join(package), package, &mut found);
    }
    assert!(found.len() > 20, "not in the workspace?");
    found
}

fn collect(folder: &Path, relative: &str, found: &mut Vec<File>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{relative}/{name}");
        if entry.file_type().unwrap().is_dir() {
            if name != "target" {
                collect(&entry.path(), &path, found);
            }
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            found.push(File { path, text });
        }
    }
}
