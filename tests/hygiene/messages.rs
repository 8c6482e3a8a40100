//! Messages are for people: none of them is what Rust's `Debug` makes of a value.

use crate::source::{self, File};

/// Text that somebody gave and that a message quotes: `Debug` of a string is the string in quotes, on one line.
const QUOTED: [&str; 3] = ["given", "filter", "program"];

#[test]
fn no_message_is_written_with_debug() {
    let mut found = Vec::new();
    let members = source::members();
    let shipped = |file: &File| members.iter().any(|m| m.published && m.has(file));
    for file in source::files().into_iter().filter(shipped) {
        for (at, line) in file.production().lines().enumerate() {
            if !is_comment(line) && is_debug(line) {
                found.push(format!("{}:{}: {}", file.path, at + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Whether a line formats with `Debug`, or gives a field of a log event so.
fn is_debug(line: &str) -> bool {
    let formats = line.match_indices(":?}").any(|(end, _)| {
        let start = line[..end].rfind('{').map_or(0, |at| at + 1);
        !QUOTED.contains(&&line[start..end])
    });
    formats || line.contains(":#?}") || line.contains(" = ?") || line.contains("(?")
}

#[test]
fn what_debug_is_for_people_is_told_from_quoted_text() {
    for line in [
        r#"write!(f, "{:?}", zone)"#,
        r#"write!(f, "{zone:?}")"#,
        r#"write!(f, "{given:?} and {other:?}")"#,
        r#"format!("{:#?}", all)"#,
        "alert = ?refusal.alert(),",
    ] {
        assert!(is_debug(line), "{line}");
    }
    for line in [r#"write!(f, "{given:?}: {source}")"#, "let end = found?;"] {
        assert!(!is_debug(line), "{line}");
    }
}
