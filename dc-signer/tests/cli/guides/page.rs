//! A page and its fenced blocks.

use std::fs;

const NOT_RUN: &str = "<!-- not run:";
const NOTHING_RUN: &str = "<!-- nothing here is run:";
const FIRST: &str = "<!-- run first:";

#[derive(Debug)]
pub(super) struct Page {
    /// Relative to the workspace.
    pub(super) path: String,
    pub(super) blocks: Vec<Block>,
    /// Why nothing of it is run, and the line that says so.
    nothing: Option<(usize, String)>,
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
}

impl Page {
    pub(super) fn read(path: &str) -> Self {
        Self::parse(path, &fs::read_to_string(super::root().join(path)).unwrap())
    }

    pub(super) fn parse(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            blocks: Vec::new(),
            nothing: None,
        };
        let mut open: Option<(usize, Block)> = None;
        let mut before = "";
        for (at, line) in text.lines().enumerate() {
            let word = line.trim_start().strip_prefix("```");
            open = match (open.take(), word) {
                (None, None) => {
                    let nothing = comment(line, NOTHING_RUN).map(|reason| (at + 1, reason));
                    page.nothing = page.nothing.or(nothing);
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
        let blocks = self.blocks.iter().filter(|_| self.nothing.is_none());
        blocks.filter(|block| block.word == "sh" && block.not_run.is_none() && !block.is_file())
    }

    /// Why what is not run is not, by line.
    pub(super) fn reasons(&self) -> Vec<(usize, &str)> {
        let of_block = |block: &'_ Block| block.not_run.is_some();
        let blocks = self.blocks.iter().filter(|block| of_block(block));
        let blocks = blocks.map(|block| (block.line, block.not_run.as_deref().unwrap_or_default()));
        let page = self
            .nothing
            .iter()
            .map(|(line, reason)| (*line, reason.as_str()));
        page.chain(blocks).collect()
    }
}

impl Block {
    /// Whether it is to be saved, and not to be pasted.
    pub(super) fn is_file(&self) -> bool {
        self.word == "sh" && self.text.starts_with("#!")
    }

    /// With what somebody else does before.
    pub(super) fn commands(&self) -> String {
        match &self.first {
            Some(first) => format!("{first}\n{}", self.text),
            None => self.text.clone(),
        }
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
    let commands: Vec<String> = page.commands().map(Block::commands).collect();
    assert_eq!(commands, ["y\n", "z\nw\n"]);
    assert_eq!(page.reasons(), [(3, "why")]);
    let page = Page::parse(
        "x.md",
        &format!("<!-- nothing here is run: why not -->\n{text}"),
    );
    assert_eq!(page.commands().count(), 0);
    assert_eq!(page.reasons(), [(1, "why not"), (4, "why")]);
}
