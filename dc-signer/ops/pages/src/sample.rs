//! A page about a configuration file, from the sample file that documents every key.
//!
//! Two marks say what may be left out: `#:` before a key, or a `#` with no space behind it.

use std::io;

use clap_mangen::roff::{Roff, bold, roman};

use crate::page::{NO_DATE, write_block, write_section};
use crate::text::{Block, Section};

/// A configuration file.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The name of its page, for section 5.
    pub(crate) page: &'static str,
    /// In a line.
    pub(crate) about: &'static str,
    /// Where it is.
    pub(crate) path: &'static str,
    /// The sample file.
    pub(crate) text: &'static str,
}

/// What is in a sample, in its order.
#[derive(Debug, Eq, PartialEq)]
enum Item<'a> {
    /// A comment that no key follows.
    Comment(Vec<&'a str>),
    /// A key with its value, and the comment before it.
    Key {
        key: &'a str,
        value: &'a str,
        is_optional: bool,
        comment: Vec<&'a str>,
    },
    /// The head of a table.
    Table {
        name: &'a str,
        is_optional: bool,
        comment: Vec<&'a str>,
    },
}

/// Writes the page.
///
/// Fails as writing does, never into memory.
pub(crate) fn write(sample: &Sample, see: Section, out: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    let source = concat!("delegated credentials ", env!("CARGO_PKG_VERSION"));
    let title = sample.page.to_uppercase();
    roff.control("TH", [title.as_str(), "5", NO_DATE, source, "File Formats"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{} - {}", sample.page, sample.about))]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(sample.path)]);
    roff.control("SH", ["DESCRIPTION"]);
    let mut items = items(sample.text).into_iter().peekable();
    if let Some(Item::Comment(about)) = items.next_if(|item| matches!(item, Item::Comment(_))) {
        write_comment(&about, &mut roff);
    }
    roff.control("SH", ["KEYS"]);
    for item in items {
        match item {
            Item::Comment(comment) => write_comment(&comment, &mut roff),
            Item::Key {
                key,
                value,
                is_optional,
                comment,
            } => {
                roff.control("TP", []);
                let what = if is_optional {
                    "may be left out; as in"
                } else {
                    "needed; as in"
                };
                roff.text([bold(key), roman(format!(" ({what} {key} = {value})"))]);
                write_body(&comment, &mut roff);
            }
            Item::Table {
                name,
                is_optional,
                comment,
            } => {
                roff.control("SS", [name]);
                if is_optional {
                    roff.text([roman("This table may be left out.")]);
                }
                write_comment(&comment, &mut roff);
            }
        }
    }
    write_section(&see, &mut roff);
    roff.to_writer(out)
}

/// The text below a key: its first paragraph is the term's, others are indented as that is.
fn write_body(comment: &[&str], roff: &mut Roff) {
    for (number, block) in blocks(comment).iter().enumerate() {
        match block {
            Block::Text(text) if number == 0 => {
                roff.text([roman(text.as_str())]);
            }
            Block::Text(text) => {
                roff.control("IP", []);
                roff.text([roman(text.as_str())]);
            }
            other => {
                roff.control("RS", []);
                write_block(other, roff);
                roff.control("RE", []);
            }
        }
    }
}

fn write_comment(comment: &[&str], roff: &mut Roff) {
    for block in blocks(comment) {
        write_block(&block, roff);
    }
}

/// Paragraphs, and lines that are indented.
fn blocks(comment: &[&str]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in comment {
        match (line.strip_prefix("  "), blocks.last_mut()) {
            (Some(line), Some(Block::Verbatim(lines))) => lines.push(line.to_owned()),
            (Some(line), _) => blocks.push(Block::Verbatim(vec![line.to_owned()])),
            (None, _) if line.is_empty() => blocks.push(Block::Text(String::new())),
            (None, Some(Block::Text(text))) => {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(line);
            }
            (None, _) => blocks.push(Block::Text((*line).to_owned())),
        }
    }
    blocks.retain(|block| *block != Block::Text(String::new()));
    blocks
}

fn items(text: &str) -> Vec<Item<'_>> {
    let (mut items, mut comment) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let said = line
            .strip_prefix("# ")
            .or_else(|| (line == "#").then_some(""));
        if let Some(said) = said {
            comment.push(said);
            continue;
        }
        let bare = line
            .trim_start_matches('#')
            .trim_start_matches(':')
            .trim_start();
        let is_optional = line.starts_with('#');
        if bare.starts_with('[') {
            let comment = std::mem::take(&mut comment);
            items.push(Item::Table {
                name: bare,
                is_optional,
                comment,
            });
        } else if let Some((key, value)) = bare.split_once(" = ") {
            let comment = std::mem::take(&mut comment);
            items.push(Item::Key {
                key,
                value,
                is_optional,
                comment,
            });
        } else if !comment.is_empty() {
            items.push(Item::Comment(std::mem::take(&mut comment)));
        }
    }
    if !comment.is_empty() {
        items.push(Item::Comment(comment));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_with_both_marks() {
        let text = "# About it.\n\n# A.\n#   a b\na = 1\n#: b = 2\n\n# A table.\n#[[t]]\n#c = \"x = y\"\n# The end.\n";
        let key = |key, value, is_optional, comment: &[&'static str]| Item::Key {
            key,
            value,
            is_optional,
            comment: comment.to_vec(),
        };
        let table = Item::Table {
            name: "[[t]]",
            is_optional: true,
            comment: vec!["A table."],
        };
        let wanted = [
            Item::Comment(vec!["About it."]),
            key("a", "1", false, &["A.", "  a b"]),
            key("b", "2", true, &[]),
            table,
            key("c", "\"x = y\"", true, &[]),
            Item::Comment(vec!["The end."]),
        ];
        assert_eq!(items(text), wanted);
    }

    #[test]
    fn a_page_has_every_key() {
        let text = "# About it.\n\n# The first.\n#\n# More of it.\nfirst = 1\n[t]\n# The 'second'.\n#second = 2\n";
        let sample = Sample {
            page: "x-config",
            about: "the file",
            path: "/etc/x",
            text,
        };
        let see = Section {
            title: "SEE ALSO".into(),
            blocks: vec![Block::Text("x(1)".into())],
        };
        let mut out = Vec::new();
        write(&sample, see, &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        for said in [
            "\\fBfirst\\fR (needed",
            "\\fBsecond\\fR (may",
            ".SS",
            "More of it.",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
    }
}
