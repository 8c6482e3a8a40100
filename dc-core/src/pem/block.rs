//! PEM blocks as they lie in files that people have (RFC 7468, and what OpenSSL and GnuTLS take besides).
//!
//! Every BEGIN line is the beginning of a block or an error with its line: what was lost is never passed
//! over, because a file with one certificate less may be trusted for another reason than its owner thinks.

use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding as _};

use super::label::{Encoding, Kind, Label};
use super::line::{Line, Lines, find};
use super::speech::{Mention, Speech};
use super::{BEGIN, END, LONG_WORD};
use crate::error::{Error, PemFault};

/// One PEM block, not decoded: private keys stay as they are unless somebody asks.
#[derive(Clone)]
pub struct Block<'a> {
    label: Label<'a>,
    line: usize,
    /// All between the boundaries.
    body: Lines<'a>,
}

/// True if a file is PEM, as whole or as damaged as may be, rather than DER or a bare structure.
#[must_use]
pub fn is_pem(file: &[u8]) -> bool {
    let is_der = file.first() == Some(&SEQUENCE);
    find(file, BEGIN).is_some() || !is_der && (find(file, b"BEGIN ").is_some() || is_utf16(file))
}

/// All blocks of a file, in their order.
///
/// Takes byte order marks of UTF-8, line ends of every kind, indented lines, lines of any length up to the
/// whole block, and text in any encoding before, between and behind. Fails with [`Error::MalformedPem`].
pub fn blocks(file: &[u8]) -> Result<Vec<Block<'_>>, Error> {
    if is_utf16(file) {
        return Err(PemFault::Utf16.at(1));
    }
    let mut lines = Lines::new(file);
    let mut blocks = Vec::new();
    let mut speech = Speech::default();
    while let Some(line) = lines.next() {
        match Boundary::of(line)? {
            Some(Boundary::Begin { label, rest }) => {
                speech.end();
                blocks.push(block(line, label, rest, &mut lines)?);
            }
            Some(Boundary::End) => return Err(PemFault::MissingBegin.at(line.number)),
            // A file that is DER as a whole has no blocks.
            None if Line::is_der(line.text) && is_pem(file) => {
                return Err(PemFault::DerBesides.at(line.number));
            }
            None => speech.hear(line)?,
        }
    }
    Ok(blocks)
}

impl<'a> Block<'a> {
    /// The label of its BEGIN line.
    #[must_use]
    pub fn label(&self) -> &'a str {
        self.label.as_str()
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.label.kind()
    }

    /// The line of its BEGIN, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// True if it takes a passphrase to read it: in PKCS#8's way, or in OpenSSL's older one.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.kind() == Some(Kind::Key(Encoding::Encrypted)) || self.has_old_encryption()
    }

    /// True if it is encrypted in OpenSSL's older way (RFC 1421 headers).
    pub(super) fn has_old_encryption(&self) -> bool {
        let mut headers = self.lines().take_while(Line::is_header);
        headers.any(|line| find(line.text, b"ENCRYPTED").is_some())
    }

    /// Its contents.
    ///
    /// Fails with [`Error::MalformedPem`] if it is encrypted, empty, or not whole base64.
    pub fn decode(&self) -> Result<Vec<u8>, Error> {
        match self.is_encrypted() {
            true => Err(PemFault::Encrypted.at(self.line)),
            false => self.contents(),
        }
    }

    /// Its contents, encrypted in PKCS#8's way or not at all.
    pub(super) fn contents(&self) -> Result<Vec<u8>, Error> {
        // One buffer, decoded in place: of a key there is no copy that nobody wipes.
        let mut buffer = Vec::with_capacity(self.body.len());
        for line in self.data() {
            let characters = line.text.iter().filter(|b| !b.is_ascii_whitespace());
            buffer.extend(characters);
        }
        if buffer.is_empty() {
            return Err(PemFault::Empty.at(self.line));
        }
        let length = match Base64::decode_in_place(&mut buffer) {
            Ok(decoded) => decoded.len(),
            Err(_) => return Err(self.broken()),
        };
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Where the base64 is broken: the first line with something else in it, or the last.
    fn broken(&self) -> Error {
        let mut last = self.line;
        let mut padded = false;
        for line in self.data() {
            last = line.number;
            for byte in line.text.iter().filter(|b| !b.is_ascii_whitespace()) {
                let is_data = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
                if *byte != b'=' && (padded || !is_data) {
                    return PemFault::Base64.at(last);
                }
                padded |= *byte == b'=';
            }
        }
        PemFault::CutOff.at(last)
    }

    /// The lines of base64.
    fn data(&self) -> impl Iterator<Item = Line<'a>> {
        self.lines().skip_while(Line::is_header)
    }

    /// The lines between the boundaries that say something.
    fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        self.body.clone().filter(|line| !line.text.is_empty())
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            label,
            line,
            body: _,
        } = self;
        f.debug_struct("Block")
            .field("label", &label.as_str())
            .field("line", line)
            .finish_non_exhaustive()
    }
}

/// A line that a block begins or ends with.
enum Boundary<'a> {
    Begin {
        label: Label<'a>,
        /// The rest of the same line.
        rest: &'a [u8],
    },
    End,
}

impl<'a> Boundary<'a> {
    /// The meaning of a line outside of blocks; `None` if it begins with something else.
    ///
    /// Fails if it was meant as one and is none.
    fn of(line: Line<'a>) -> Result<Option<Self>, Error> {
        let Line { text, number, .. } = line;
        let (behind, is_begin) = match (text.strip_prefix(BEGIN), text.strip_prefix(END)) {
            (Some(behind), _) => (behind, true),
            (_, Some(behind)) => (behind, false),
            _ => return Ok(None),
        };
        let bad = || PemFault::BadBoundary.at(number);
        let (label, rest) = Label::split(behind).ok_or_else(bad)?;
        match rest {
            [b'-', ..] => Err(bad()),
            _ if !is_begin => Ok(Some(Self::End)),
            rest if is_data(rest) => Ok(Some(Self::Begin { label, rest })),
            _ => Err(PemFault::BesideBoundary.at(number)),
        }
    }
}

/// True if what follows a BEGIN in its line is of the block, and no comment.
fn is_data(rest: &[u8]) -> bool {
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    match rest {
        [b' ' | b'\t', ..] => has_long_word(rest),
        _ => rest.iter().all(is_base64) || has_long_word(rest) || find(rest, END).is_some(),
    }
}

/// True if there is a word that no language has, such as base64.
fn has_long_word(text: &[u8]) -> bool {
    let mut words = text.split(u8::is_ascii_whitespace);
    words.any(|word| word.len() >= LONG_WORD)
}

/// The block that begins in this line, `rest` of which may be some of its base64, up to its END.
fn block<'a>(
    begin: Line<'a>,
    label: Label<'a>,
    rest: &'a [u8],
    lines: &mut Lines<'a>,
) -> Result<Block<'a>, Error> {
    let mut body = lines.clone();
    let first = (!rest.is_empty()).then(|| begin.ending_with(rest));
    if let Some(first) = first {
        body = body.back_to(first);
    }
    for line in first.into_iter().chain(lines) {
        let Some(end) = find(line.text, END) else {
            check_inside(line, begin)?;
            continue;
        };
        let (before, behind) = line.text.split_at(end);
        check_inside(
            Line {
                text: before,
                ..line
            },
            begin,
        )?;
        check_end(label, behind, line.number)?;
        return Ok(Block {
            label,
            line: begin.number,
            body: body.up_to(line.offset + end),
        });
    }
    Err(PemFault::MissingEnd.at(begin.number))
}

/// A line in a block that has not ended: no boundary.
fn check_inside(line: Line<'_>, begin: Line<'_>) -> Result<(), Error> {
    if find(line.text, BEGIN).is_some() {
        return Err(PemFault::MissingEnd.at(begin.number));
    }
    match Mention::all(line.text).is_empty() {
        true => Ok(()),
        false => Err(PemFault::BadBoundary.at(line.number)),
    }
}

/// An END of this label, behind which may be text, but no other block.
fn check_end(label: Label<'_>, end: &[u8], number: usize) -> Result<(), Error> {
    let label_and_rest = end.strip_prefix(END).and_then(Label::split);
    let (ended, rest) = label_and_rest.ok_or_else(|| PemFault::BadBoundary.at(number))?;
    if ended != label {
        return Err(PemFault::WrongEnd.at(number));
    }
    let begins = find(rest, BEGIN).is_some() || Mention::all(rest).iter().any(|next| next.is_begin);
    match rest {
        _ if begins => Err(PemFault::RunTogether.at(number)),
        [b'-', ..] => Err(PemFault::BadBoundary.at(number)),
        rest if Line::is_der(rest) => Err(PemFault::DerBesides.at(number)),
        _ => Ok(()),
    }
}

/// Text of two bytes a character: some editors save it so.
fn is_utf16(file: &[u8]) -> bool {
    find(file, b"B\0E\0G\0I\0N\0").is_some() || find(file, b"\0B\0E\0G\0I\0N").is_some()
}

/// The tag of a SEQUENCE, with which all DER begins that has a PEM label.
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests;
