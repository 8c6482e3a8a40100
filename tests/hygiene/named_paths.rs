//! The files and folders that the documentation names are there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{members, root};

/// Made by a build, a command or an example, or the reader's own.
const ELSEWHERE: &[&str] = &["target/"];

/// The documents; the changelog may name what is gone.
fn documents() -> Vec<String> {
    let mut found: Vec<String> = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
    ]
    .into_iter()
    .filter(|name| root().join(name).exists())
    .map(str::to_owned)
    .collect();
    let of_packages = members()
        .into_iter()
        .map(|member| format!("{}/README.md", member.folder));
    found.extend(of_packages.filter(|path| root().join(path).exists()));
    for entry in root().join("docs").read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            found.push(format!("docs/{name}"));
        }
    }
    found
}

/// Every file and folder that is not ignored, a folder with `/` at its end.
fn tree() -> BTreeSet<String> {
    fn collect(folder: &Path, relative: &str, found: &mut BTreeSet<String>) {
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{relative}{name}");
            if !entry.file_type().unwrap().is_dir() {
                found.insert(path);
            } else if name != "target" && name != ".git" {
                collect(&entry.path(), &format!("{path}/"), found);
                found.insert(path + "/");
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(root(), "", &mut found);
    found
}

/// Lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((at + 1, line))
    })
}

/// The targets of links that lead to a file; what stands in backticks is none.
fn links(line: &str) -> Vec<String> {
    let outside: String = line.split('`').step_by(2).collect();
    let targets = outside.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|target| !target.is_empty() && !target.contains(':'))
        .map(str::to_owned)
        .collect()
}

/// What stands in backticks and looks like a path of the repository.
fn quoted<'a>(line: &'a str, top: &BTreeSet<&str>) -> Vec<&'a str> {
    let spans = line.split('`').skip(1).step_by(2);
    let is_path = |span: &&str| {
        let plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        let first = span.split('/').next().unwrap_or_default();
        let source = [".rs", ".sh", ".md", "/"]
            .iter()
            .any(|end| span.ends_with(end));
        let below = span.contains('/') && top.contains(first);
        span.chars().all(plain) && !span.starts_with(['/', '-', '.']) && (source || below)
    };
    spans.filter(is_path).collect()
}

/// Whether it is there, from the root or at the end of some path.
fn is_there(path: &str, tree: &BTreeSet<String>) -> bool {
    let bare = path.trim_end_matches('/');
    let end = format!("/{bare}");
    tree.iter().any(|there| {
        let there = there.trim_end_matches('/');
        there == bare || there.ends_with(&end)
    })
}

#[test]
fn every_path_that_the_documentation_names_is_there() {
    let tree = tree();
    let top: BTreeSet<&str> = tree
        .iter()
        .filter_map(|path| path.split('/').next())
        .collect();
    let mut wrong = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        let folder = Path::new(&document).parent().unwrap();
        for (number, line) in prose(&text) {
            for link in links(line) {
                if !root().join(folder).join(&link).exists() {
                    wrong.push(format!("{document}:{number}: link to {link}"));
                }
            }
            for path in quoted(line, &top) {
                let elsewhere = ELSEWHERE.iter().any(|start| path.starts_with(start));
                if !elsewhere && !is_there(path, &tree) {
                    wrong.push(format!("{document}:{number}: {path}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_looks_like_a_path_is_told_from_what_does_not() {
    let top = BTreeSet::from(["dc-core", "tests"]);
    let found = |line| quoted(line, &top);
    assert_eq!(
        found("`a/b.rs`, `verify.rs`, `tests/x`"),
        ["a/b.rs", "verify.rs", "tests/x"]
    );
    let none = "`/etc/x.rs` `vendor/chain.pem` `--out x.rs` `store::Store` `tests` `*.rs` `a/b`";
    assert!(found(none).is_empty());
    assert_eq!(
        links("[`a`](b.md#c) and [d](https://e/f.md) [g](#h) ![i](../j) `[k](l)`"),
        ["b.md", "../j"]
    );
    assert_eq!(
        prose("a\n```sh\nb\n```\nc")
            .map(|(at, _)| at)
            .collect::<Vec<_>>(),
        [1, 5]
    );
    let tree = BTreeSet::from(["a/src/b/c.rs".to_owned(), "a/src/b/".to_owned()]);
    assert!(is_there("b/c.rs", &tree) && is_there("src/b", &tree) && is_there("b/", &tree));
    assert!(!is_there("c/b.rs", &tree) && !is_there("s.rs", &tree));
}
