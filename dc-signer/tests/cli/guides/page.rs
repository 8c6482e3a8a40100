//! A page and its fenced blocks.

use std::fs;

const NOT_RUN: &str = "<!-- not run:";
const FIRST: &str = "<!-- run first:";
const ANOTHER: &str = "<!-- or, on another machine -->";

#[derive(Debug)]
pub(super) struct Page {
    /// Relative to the workspace.
    pub(super) path: String,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug)]
pub(super) struct Block {
    /// Of the fence.
    pub(super) line: usize,
    /// What stands behind the fence.
    pub(super) word: String,
    pub(super) text: String,
    not_run: Option<String>,
    first: Option<String>,
    /// The part of the page, of which each has a machine of its own; 0 is what comes before the first of them.
    part: usize,
}

impl Page {
    pub(super) fn read(path: &str) -> Self {
        Self::parse(path, &fs::read_to_string(super::root().join(path)).unwrap())
    }

    pub(super) fn parse(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            blocks: Vec::new(),
        };
        let mut open: Option<(usize, Block)> = None;
        let (mut before, mut part) = ("", 0);
        for (at, line) in text.lines().enumerate() {
            let word = line.trim_start().strip_prefix("```");
            open = match (open.take(), word) {
                (None, None) => {
                    part += usize::from(line.starts_with("### ") || line.trim() == ANOTHER);
                    None
                }
                (None, Some(word)) => {
                    let indent = line.len() - line.trim_start().len();
                    let block = Block {
                        line: at + 1,
                        word: word.to_owned(),
                        text: String::new(),
                        not_run: comment(before, NOT_RUN),
                        first: comment(before, FIRST),
                        part,
                    };
                    Some((indent, block))
                }
                (Some((indent, mut block)), None) => {
                    block.text.push_str(line.get(indent..).unwrap_or_default());
                    block.text.push('\n');
                    Some((indent, block))
                }
                (Some((_, block)), Some(_)) => {
                    page.blocks.push(block);
                    None
                }
            };
            before = line;
        }
        assert!(open.is_none(), "{path}: a fence is open at the end");
        page
    }

    /// The blocks that are run.
    pub(super) fn commands(&self) -> impl Iterator<Item = &Block> {
        let blocks = self.blocks.iter();
        blocks.filter(|block| block.word == "sh" && block.not_run.is_none() && !block.is_file())
    }

    /// The blocks that are run, of each part: with those of the beginning before.
    pub(super) fn parts(&self) -> Vec<Vec<&Block>> {
        let last = self.blocks.last().map_or(0, |block| block.part);
        let of = |part| self.commands().filter(move |block| block.part == part);
        let parts = (1..=last).filter(|part| of(*part).next().is_some());
        parts.map(|part| of(0).chain(of(part)).collect()).collect()
    }

    /// Why what is not run is not, by line.
    pub(super) fn reasons(&self) -> Vec<(usize, String)> {
        let of = |block: &'_ Block| Some((block.line, block.not_run.clone()?));
        self.blocks.iter().filter_map(of).collect()
    }
}

impl Block {
    /// Whether it is to be saved, and not to be pasted.
    pub(super) fn is_file(&self) -> bool {
        self.word == "sh" && self.text.starts_with("#!")
    }

    /// What somebody else does before.
    pub(super) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// What a comment says that is alone on its line.
fn comment(line: &str, what: &str) -> Option<String> {
    let rest = line.trim().strip_prefix(what)?.strip_suffix("-->")?;
    Some(rest.trim().to_owned())
}

#[test]
fn a_block_knows_what_its_comments_say() {
    let text = "a\n<!-- not run: why -->\n```sh\nx\n```\n\n   ```sh\n   y\n   ```\n<!-- run first: z -->\n```sh\nw\n```\n```sh\n#!/bin/sh\n```\n";
    let page = Page::parse("x.md", text);
    let commands = page
        .commands()
        .map(|block| (block.first(), block.text.as_str()));
    let commands: Vec<(Option<&str>, &str)> = commands.collect();
    assert_eq!(commands, [(None, "y\n"), (Some("z"), "w\n")]);
    assert_eq!(page.reasons(), [(3, "why".to_owned())]);
}

#[test]
fn each_part_of_a_page_begins_as_the_page_does() {
    let text = "```sh\na\n```\n## x\n### y\n```sh\nb\n```\n```sh\nc\n```\n<!-- or, on another machine -->\n\n```sh\nd\n```\n### z\n";
    let page = Page::parse("x.md", text);
    let of = |blocks: &Vec<&Block>| {
        blocks
            .iter()
            .map(|block| block.text.trim())
            .collect::<String>()
    };
    let parts: Vec<String> = page.parts().iter().map(of).collect();
    assert_eq!(parts, ["abc", "ad"]);
}
