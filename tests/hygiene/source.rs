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

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Relative to the workspace.
    pub(crate) folder: String,
    /// Whether others can depend on it or install it.
    pub(crate) published: bool,
}

impl Member {
    /// Whether a file belongs to what is compiled into it.
    pub(crate) fn has(&self, file: &File) -> bool {
        let below = file.path.strip_prefix(&self.folder);
        below.is_some_and(|rest| rest.starts_with("/src/"))
    }
}

pub(crate) fn members() -> Vec<Member> {
    let read = |path: String| std::fs::read_to_string(root().join(path)).unwrap();
    let workspace = read("Cargo.toml".to_owned());
    let (_, list) = workspace.split_once("\nmembers = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let folders = list.split('"').skip(1).step_by(2);
    folders
        .map(|folder| {
            let manifest = read(format!("{folder}/Cargo.toml"));
            let mut lines = manifest.lines();
            let name = lines.find_map(|line| line.strip_prefix("name = ")).unwrap();
            Member {
                name: name.trim_matches('"').to_owned(),
                folder: folder.to_owned(),
                published: !lines.any(|line| line == "publish = false"),
            }
        })
        .collect()
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
