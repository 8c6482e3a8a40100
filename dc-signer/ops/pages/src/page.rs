//! The man page of a program or of a command of one.

use std::io;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::command::Node;
use crate::text::{Block, Section, after, exit_statuses, sentence};

/// Writes the page of a command, with what else there is to say of it, and the names of pages to look at.
///
/// Fails as writing does, never into memory.
pub(crate) fn write(
    node: &Node,
    more: &[Section],
    see: &[String],
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut roff = Roff::new();
    let source = concat!("delegated credentials ", env!("CARGO_PKG_VERSION"));
    let title = node.page.to_uppercase();
    roff.control(
        "TH",
        [title.as_str(), "1", NO_DATE, source, "User Commands"],
    );
    roff.control("SH", ["NAME"]);
    let about = node.help.about.first().copied().unwrap_or_default();
    roff.text([roman(format!("{} - {about}", node.page))]);
    synopsis(node, &mut roff);
    roff.control("SH", ["DESCRIPTION"]);
    for (number, text) in node.help.about.iter().enumerate() {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(sentence(text))]);
    }
    commands(node, &mut roff);
    roff.to_writer(out)?;
    if !node.help.entries.is_empty() {
        let mut command = node.command();
        // They have pages of their own.
        command = command.disable_help_subcommand(true);
        Man::new(command).render_options_section(out)?;
    }
    let mut roff = Roff::new();
    let said = after(node.help.after);
    for section in said.iter().chain(more) {
        write_section(section, &mut roff);
    }
    if !see.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        let pages = see.iter().enumerate().flat_map(|(number, page)| {
            let (name, section) = page.split_once('(').unwrap_or((page, ""));
            let before = if number > 0 { ", " } else { "" };
            [roman(before), bold(name), roman(format!("({section}"))]
        });
        roff.text(pages.collect::<Vec<_>>());
    }
    roff.to_writer(out)
}

fn synopsis(node: &Node, roff: &mut Roff) {
    roff.control("SH", ["SYNOPSIS"]);
    for (number, usage) in node.help.usage.iter().enumerate() {
        if number > 0 {
            roff.control("br", []);
        }
        // What is typed as it stands is bold.
        let words = usage.split(' ').enumerate().flat_map(|(number, word)| {
            let space = roman(if number > 0 { " " } else { "" });
            let is_typed = word.starts_with(|c: char| c.is_ascii_lowercase() || c == '-');
            match is_typed {
                true => [space, bold(word)],
                false => [space, roman(word)],
            }
        });
        roff.text(words.collect::<Vec<_>>());
    }
}

fn commands(node: &Node, roff: &mut Roff) {
    if node.commands.is_empty() {
        return;
    }
    roff.control("SH", ["COMMANDS"]);
    for command in &node.commands {
        roff.control("TP", []);
        roff.text([bold(command.page), roman("(1)")]);
        let about = command.help.about.first().copied().unwrap_or_default();
        roff.text([roman(about)]);
    }
}

/// A section with its blocks.
pub(crate) fn write_section(section: &Section, roff: &mut Roff) {
    roff.control("SH", [section.title.as_str()]);
    for block in &section.blocks {
        write_block(block, roff);
    }
}

/// A block, which begins a paragraph.
pub(crate) fn write_block(block: &Block, roff: &mut Roff) {
    match block {
        Block::Statuses(text) => {
            let (before, statuses) = exit_statuses(text);
            if !before.is_empty() {
                roff.control("PP", []);
                roff.text([roman(before)]);
            }
            for (status, meaning) in statuses {
                roff.control("TP", []);
                roff.text([bold(status)]);
                roff.text([roman(meaning)]);
            }
        }
        Block::Term(term, text) => {
            roff.control("TP", []);
            roff.text([italic(term.as_str())]);
            roff.text([roman(text.as_str())]);
        }
        Block::Text(text) => {
            roff.control("PP", []);
            roff.text([roman(text.as_str())]);
        }
        Block::Verbatim(lines) => {
            roff.control("PP", []);
            roff.control("RS", ["4"]);
            roff.control("nf", []);
            for line in lines {
                roff.text([roman(line.as_str())]);
            }
            roff.control("fi", []);
            roff.control("RE", []);
        }
    }
}

/// What stands where a page has its date: pages are as their version is. An empty word would be left out.
pub(crate) const NO_DATE: &str = " ";
