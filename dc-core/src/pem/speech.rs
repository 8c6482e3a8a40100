//! Boundaries in the text between blocks: none, one that is spoken of as in a letter, or one that is damaged.

use alloc::vec::Vec;

use super::label::Label;
use super::line::Line;
use super::{BEGIN, END};
use crate::error::{Error, PemFault};

/// The place of a boundary in a line, whole or damaged.
#[derive(Clone, Copy)]
pub(super) struct Mention {
    pub(super) is_begin: bool,
    /// True if it is one but for what stands beside it.
    is_whole: bool,
    start: usize,
    end: usize,
}

impl Mention {
    /// Everything in a line that a boundary was meant with.
    pub(super) fn all(text: &[u8]) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for at in 0..text.len() {
            let is_new = found.last().is_none_or(|last| last.end <= at);
            found.extend(Self::at(text, at).filter(|_| is_new));
        }
        found
    }

    /// The one whose word BEGIN or END is there.
    fn at(text: &[u8], at: usize) -> Option<Self> {
        let (before, word_and_rest) = text.split_at_checked(at)?;
        let (is_begin, behind) = match (
            without_word(word_and_rest, b"BEGIN"),
            without_word(word_and_rest, b"END"),
        ) {
            (Some(behind), _) => (true, behind),
            (_, Some(behind)) => (false, behind),
            _ => return None,
        };
        if before.last().is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let start =
            before.trim_ascii_end().len() - dashes(before.trim_ascii_end().iter().rev().copied());
        let mention = |is_whole, start, end| Self {
            is_begin,
            is_whole,
            start,
            end,
        };
        let dashed = at.checked_sub(DASHES.len());
        let exact = dashed.and_then(|dashed| text.get(dashed..)?.strip_prefix(exact(is_begin)));
        if let Some((label, rest)) = exact.and_then(Label::split)
            && label.is_written_as_one()
        {
            let is_whole = at - start == DASHES.len() && !rest.starts_with(b"-");
            return Some(mention(is_whole, start, text.len() - rest.len()));
        }
        let length = Label::known_at(behind, exact.is_some())?;
        let rest = behind.get(length..).unwrap_or_default();
        let after = dashes(rest.trim_ascii_start().iter().copied());
        let end = match after {
            0 => text.len() - rest.len(),
            after => text.len() - rest.trim_ascii_start().len() + after,
        };
        (start < before.trim_ascii_end().len() || after > 0).then(|| mention(false, start, end))
    }

    fn fault(self) -> PemFault {
        match self.is_whole {
            true => PemFault::BesideBoundary,
            false => PemFault::BadBoundary,
        }
    }
}

/// The state that the text before a line leaves.
#[derive(Default)]
pub(super) struct Speech {
    /// The line that spoke of a BEGIN, and whether another has followed.
    begin: Option<(usize, bool)>,
}

impl Speech {
    /// Takes a line that is no boundary.
    ///
    /// Fails with [`Error::MalformedPem`] if it was meant as one, or if an earlier one was after all.
    pub(super) fn hear(&mut self, line: Line<'_>) -> Result<(), Error> {
        let Line { text, number, .. } = line;
        let mentions = Mention::all(text);
        let is_cut = [BEGIN, END]
            .iter()
            .any(|start| text.starts_with(start.trim_ascii_end()));
        if mentions.is_empty() && is_cut {
            return Err(PemFault::BadBoundary.at(number));
        }
        if let Some(meant) = meant(text, &mentions) {
            return Err(meant.fault().at(number));
        }
        let ends = mentions.first().is_some_and(|first| !first.is_begin);
        match self.begin {
            Some((begin, is_block)) if is_block && ends || has_base64(text) => {
                return Err(PemFault::BesideBoundary.at(begin));
            }
            _ => {}
        }
        self.begin = match (mentions.last(), self.begin) {
            (Some(last), _) => last.is_begin.then_some((number, false)),
            (None, begin) => begin.map(|(begin, more)| (begin, more || !text.is_empty())),
        };
        Ok(())
    }

    /// A block follows: what was said was about it.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

/// The first of a line's mentions that is no part of a sentence: one has words on both sides, as
/// in a letter that says from which line to which to copy.
fn meant(text: &[u8], mentions: &[Mention]) -> Option<Mention> {
    let mut before = 0;
    for (at, mention) in mentions.iter().enumerate() {
        let next = mentions.get(at + 1).map_or(text.len(), |next| next.start);
        let ahead = text.get(before..mention.start).unwrap_or_default();
        let behind = text.get(mention.end..next).unwrap_or_default();
        let closes = !mention.is_begin && at > 0;
        if !ends_with_word(ahead) || !(closes || begins_with_word(behind)) || has_base64(behind) {
            return Some(*mention);
        }
        before = mention.end;
    }
    None
}

fn ends_with_word(text: &[u8]) -> bool {
    let spaced = trim_end(text, is_quote);
    let words = spaced.trim_ascii_end();
    let last = words.rsplit(u8::is_ascii_whitespace).next();
    words.len() < spaced.len() && last.is_some_and(is_word)
}

fn begins_with_word(text: &[u8]) -> bool {
    let unquoted = text.iter().position(|b| !is_quote(b) && !is_stop(b));
    let spaced = text
        .get(unquoted.unwrap_or(text.len())..)
        .unwrap_or_default();
    let words = spaced.trim_ascii_start();
    let first = words.split(u8::is_ascii_whitespace).next();
    words.len() < spaced.len() && first.is_some_and(|first| is_word(trim_end(first, is_stop)))
}

fn trim_end(text: &[u8], is_trimmed: impl Fn(&u8) -> bool) -> &[u8] {
    let end = text
        .iter()
        .rposition(|b| !is_trimmed(b))
        .map_or(0, |at| at + 1);
    text.get(..end).unwrap_or_default()
}

/// Letters of any language, in any encoding.
fn is_word(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|b| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | 0x80..))
}

fn is_quote(b: &u8) -> bool {
    matches!(b, b'"' | b'\'' | b'`' | b'(' | b')')
}

fn is_stop(b: &u8) -> bool {
    matches!(b, b'.' | b',' | b';')
}

/// True if there is half a line of base64, which no language has for a word.
fn has_base64(text: &[u8]) -> bool {
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let mut words = text.split(|b| !is_base64(b));
    words.any(|word| word.len() >= super::LONG_WORD)
}

fn without_word<'t>(text: &'t [u8], word: &[u8]) -> Option<&'t [u8]> {
    let (first, rest) = text.split_at_checked(word.len())?;
    first.eq_ignore_ascii_case(word).then_some(rest)
}

/// How many bytes of dashes come next, or of what word processors make of them; none of one alone.
fn dashes(bytes: impl Iterator<Item = u8>) -> usize {
    match bytes.take_while(|b| matches!(b, b'-' | 0x80..)).count() {
        1 => 0,
        count => count,
    }
}

fn exact(is_begin: bool) -> &'static [u8] {
    match is_begin {
        true => BEGIN,
        false => END,
    }
}

const DASHES: &[u8] = b"-----";
