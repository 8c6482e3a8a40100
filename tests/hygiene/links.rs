//! Every link of a document to another, or to a heading, leads somewhere; and the book has all chapters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::source::root;

/// A document without its fenced blocks.
struct Document {
    /// Relative to the workspace.
    path: PathBuf,
    lines: Vec<(usize, String)>,
}

/// All of them, wherever they lie.
fn documents() -> Vec<Document> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name == "target" || name.starts_with(".git") {
            } else if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), found);
            } else if name.ends_with(".md") {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    collect(root(), &mut found);
    found.sort();
    let read = |path: PathBuf| Document {
        lines: prose(&std::fs::read_to_string(&path).unwrap()),
        path: path.strip_prefix(root()).unwrap().to_owned(),
    };
    found.into_iter().map(read).collect()
}

fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then(|| (at + 1, without_code(line)))
    });
    lines.collect()
}

/// What stands in backticks is no link, and is part of a heading.
fn without_code(line: &str) -> String {
    let mut out = String::new();
    for (at, span) in line.split('`').enumerate() {
        match at % 2 {
            0 => out.push_str(span),
            _ => out.push_str(&span.replace(['(', ')', '[', ']'], "")),
        }
    }
    out
}

/// The targets of a line's links and pictures that are no addresses.
fn targets(line: &str) -> Vec<String> {
    let markdown = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    let html = ["src=\"", "srcset=\"", "href=\""].into_iter();
    let html = html.flat_map(|key| {
        line.split(key)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
    });
    let all = markdown
        .chain(html)
        .filter(|target| !target.contains(':') && !target.is_empty());
    all.map(str::to_owned).collect()
}

/// The anchors of a document's headings, as GitHub and mdBook make them.
fn anchors(document: &Document) -> BTreeSet<String> {
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in &document.lines {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor = slug(title.trim());
        let before = count.entry(anchor.clone()).or_default();
        found.insert(match *before {
            0 => anchor,
            before => format!("{anchor}-{before}"),
        });
        *before += 1;
    }
    found
}

fn slug(title: &str) -> String {
    // Of a link its text alone.
    let mut text = String::new();
    for (at, part) in title.split("](").enumerate() {
        text.push_str(if at == 0 {
            part
        } else {
            part.split_once(')').map_or("", |(_, rest)| rest)
        });
    }
    let lower = text.to_lowercase();
    let kept = lower
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_that_are_there() {
    let documents = documents();
    let anchors: BTreeMap<&Path, BTreeSet<String>> = documents
        .iter()
        .map(|document| (document.path.as_path(), anchors(document)))
        .collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in &documents {
        for (number, line) in &document.lines {
            for target in targets(line) {
                count += 1;
                let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
                let folder = document.path.parent().unwrap();
                let path = match file {
                    "" => document.path.clone(),
                    file => plain(&folder.join(file)),
                };
                let is_there = root().join(&path).exists();
                let has = anchor.is_empty()
                    || anchors
                        .get(path.as_path())
                        .is_some_and(|all| all.contains(anchor));
                if !is_there || !has {
                    wrong.push(format!("{}:{number}: {target}", document.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 300, "{count}");
}

/// The chapters that a page of `docs` links to.
fn chapters(page: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let lines = prose(&text);
    let targets = lines.iter().flat_map(|(_, line)| targets(line));
    targets
        .filter(|target| target.ends_with(".md") && !target.contains('/'))
        .collect()
}

#[test]
fn the_book_and_its_first_page_have_every_chapter() {
    let files = root().join("docs").read_dir().unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: BTreeSet<String> = names.filter(|name| name.ends_with(".md")).collect();
    pages.remove("SUMMARY.md");
    assert_eq!(chapters("SUMMARY.md"), pages, "docs/SUMMARY.md");
    pages.remove("README.md");
    assert_eq!(chapters("README.md"), pages, "docs/README.md");
}

#[test]
fn the_readme_fits_on_a_screen_or_two() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(text.lines().count() <= 100);
}

#[test]
fn links_and_anchors_are_read_as_they_are_meant() {
    assert_eq!(
        targets("[a](b.md#c) ![d](e.svg) [f](https://g) <img src=\"h.svg\">"),
        ["b.md#c", "e.svg", "h.svg"]
    );
    assert_eq!(
        slug("Stolen operator's token or certificate"),
        "stolen-operators-token-or-certificate"
    );
    assert_eq!(slug("The [agent](a.md), & _x_"), "the-agent--_x_");
    assert_eq!(without_code("`[a](b)` [c](d)"), "ab [c](d)");
    let text = "# A\n## A\n```\n# B\n```\n".to_owned();
    let document = Document {
        path: "x.md".into(),
        lines: prose(&text),
    };
    assert_eq!(
        anchors(&document),
        BTreeSet::from(["a".to_owned(), "a-1".to_owned()])
    );
    assert_eq!(plain(Path::new("docs/../a/./b")), Path::new("a/b"));
}
