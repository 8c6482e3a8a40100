//! The pages as chapters of the book, in Markdown: all of a program in one, and all of a configuration.

use std::fmt::Write as _;

use crate::command::Node;
use crate::sample::Sample;
use crate::text::{Block, Section};

/// The chapter of a program: the help of each command, and what no help has room for.
pub(crate) fn program(program: &Node, more: &[Section], see: &[&str]) -> String {
    let about = program.help.about.first().copied().unwrap_or_default();
    let mut text = format!("# {}\n\n{}\n{MADE}\n", program.page, sentence(about));
    for page in see {
        let _ = writeln!(text, "\nIts configuration: [{page}]({page}.md).");
    }
    for node in program.all() {
        let typed = typed(program, node);
        let _ = write!(
            text,
            "\n## `{typed}`\n\n```text\n{}\n```\n",
            node.text.trim_end()
        );
    }
    for section in more {
        let _ = write!(text, "\n## {}\n", capitals(&section.title));
        for block in &section.blocks {
            write_block(block, &mut text);
        }
    }
    text
}

/// The chapter of a configuration: its sample, which documents every key.
pub(crate) fn configuration(sample: &Sample) -> String {
    let Sample {
        page,
        about,
        path,
        text,
    } = sample;
    let about = sentence(about);
    format!(
        "# {page}\n\nThe file `{path}`: {about}\n{MADE}\n\n```toml\n{}\n```\n",
        text.trim_end()
    )
}

/// The words that somebody types for a command.
fn typed(program: &Node, node: &Node) -> String {
    let way = way_to(program, node.page).unwrap_or_default();
    way.join(" ")
}

fn way_to(from: &Node, page: &str) -> Option<Vec<&'static str>> {
    if from.page == page {
        return Some(vec![from.name]);
    }
    let mut below = from.commands.iter();
    below.find_map(|node| {
        let way = way_to(node, page)?;
        Some([&[from.name], &way[..]].concat())
    })
}

fn write_block(block: &Block, text: &mut String) {
    let _ = match block {
        Block::Statuses(said) | Block::Text(said) => write!(text, "\n{}\n", plain(said)),
        Block::Term(term, said) => write!(text, "\n* `{term}`: {}\n", plain(said)),
        Block::Verbatim(lines) => write!(text, "\n```text\n{}\n```\n", lines.join("\n")),
    };
}

/// Nothing in it is Markdown by chance.
fn plain(text: &str) -> String {
    text.replace('<', "&lt;")
        .replace('*', "\\*")
        .replace('_', "\\_")
}

fn sentence(text: &str) -> String {
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{text}{end}")
}

/// A title that is all capitals, as others in the book are.
fn capitals(title: &str) -> String {
    let lower = title.to_lowercase();
    let mut letters = lower.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

const MADE: &str = "\n<!-- dc-pages has made this, and UPDATE_PAGES=1 makes it anew. -->";
