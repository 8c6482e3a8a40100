//! The published files are the ones that are made here.

// All of it is test code.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use dc_vectors::make;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/vectors"))
}

#[test]
fn the_files_are_current() {
    for (name, made) in make::all().texts() {
        let published = std::fs::read_to_string(folder().join(name)).unwrap();
        let differs = published
            .lines()
            .zip(made.lines())
            .position(|(old, new)| old != new);
        let line = differs.map_or(0, |line| line + 1);
        assert!(
            published == made,
            "{name} is not what is made, first in line {line}: `cargo run -p dc-vectors write` writes it"
        );
    }
}

/// The rows of the first table of docs/vectors.md: the list, and how many it has.
#[test]
fn the_documentation_counts_the_vectors() {
    let text = std::fs::read_to_string(folder().join("../vectors.md")).unwrap();
    let files = make::all();
    let (credentials, selection, handshakes) =
        (files.credentials, files.selection, files.handshakes);
    for (list, count) in [
        ("credentials", credentials.credentials.len()),
        ("files", credentials.files.len()),
        ("requests", credentials.requests.len()),
        ("selections", selection.selections.len()),
        ("offers", selection.offers.len()),
        ("handshakes", handshakes.handshakes.len()),
        ("sessions", handshakes.sessions.len()),
        ("reuse", handshakes.reuse.len()),
    ] {
        let is_row = |line: &&str| line.contains(&format!(" | `{list}` | "));
        let row = text
            .lines()
            .find(is_row)
            .unwrap_or_else(|| panic!("no row of {list}"));
        assert!(
            row.ends_with(&format!(" | {count} |")),
            "{list} has {count}: {row}"
        );
    }
}
