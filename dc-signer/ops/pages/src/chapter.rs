//! The pages as chapters of the book, in Markdown: all of a program in one, and all of a configuration.

use std::fmt::Write as _;

use crate::command::Node;
use crate::sample::Sample;
use crate::text::{Block, Section, capital, sentence};

/// The chapter of a program: the help of each command, and what no help has room for.
pub(crate) fn program(program: &Node, more: &[Section], see: &[&str]) -> String {
    let about = program.help.about.first().copied().unwrap_or_default();
    let mut text = format!("# {}\n\n{}\n{MADE}\n", program.page, sentence(about));
    for page in see {
        let _ = writeln!(text, "\nIts configuration: [{page}]({page}.md).");
    }
    write_commands(program, program.name, &mut text);
    for section in more {
        let _ = write!(text, "\n## {}\n", capital(&section.title.to_lowercase()));
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

/// A command by the words that somebody types for it, and those below it.
fn write_commands(node: &Node, typed: &str, text: &mut String) {
    let help = node.text.trim_end();
    let _ = write!(text, "\n## `{typed}`\n\n```text\n{help}\n```\n");
    for command in &node.commands {
        write_commands(command, &format!("{typed} {}", command.name), text);
    }
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

const MADE: &str = "\n<!-- dc-pages has made this, and UPDATE_PAGES=1 makes it anew. -->";
