//! Lines, whatever they end with, and their numbers.

/// A line without what surrounds it: white space and a byte order mark.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Counted from 1.
    pub(super) number: usize,
    /// Where it begins in the file.
    pub(super) offset: usize,
}

impl<'a> Line<'a> {
    /// True if it is an RFC 1421 header in a block, as OpenSSL writes them: a word, a colon, a space.
    pub(super) fn is_header(&self) -> bool {
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
        let end = self.text.iter().position(|b| !is_word(b)).unwrap_or(0);
        let rest = self.text.get(end..).unwrap_or_default();
        end > 0 && matches!(rest, [b':', b' ' | b'\t', ..])
    }

    /// True if DER begins with it, as no text does.
    pub(super) fn is_der(text: &[u8]) -> bool {
        matches!(
            text,
            // A SEQUENCE whose length is in several bytes; a short one with a version, or an algorithm.
            [0x30, 0x81..=0x84, ..]
                | [0x30, _, 0x02, 0x01, ..]
                | [0x30, _, 0x30, 0x03..=0x13, 0x06, ..]
        )
    }

    /// The last part of it.
    pub(super) fn ending_with(self, part: &'a [u8]) -> Self {
        Self {
            text: part,
            number: self.number,
            offset: self.offset + self.text.len() - part.len(),
        }
    }
}

/// The lines of a file, or of a part of one: they end with CR, LF, or both.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    file: &'a [u8],
    offset: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self {
            file,
            offset: 0,
            number: 1,
        }
    }

    /// The same from an earlier line on.
    pub(super) fn back_to(self, line: Line<'_>) -> Self {
        Self {
            offset: line.offset,
            number: line.number,
            ..self
        }
    }

    /// The same, ending there.
    pub(super) fn up_to(self, end: usize) -> Self {
        let file = self.file.get(..end).unwrap_or(self.file);
        Self { file, ..self }
    }

    /// How many bytes are left.
    pub(super) fn len(&self) -> usize {
        self.file.len().saturating_sub(self.offset)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let left = self
            .file
            .get(self.offset..)
            .filter(|left| !left.is_empty())?;
        let end = left.iter().position(|b| matches!(b, b'\r' | b'\n'));
        let (text, behind) = left.split_at(end.unwrap_or(left.len()));
        let trimmed = text.trim_ascii_start();
        let trimmed = trimmed.strip_prefix(BYTE_ORDER_MARK).unwrap_or(trimmed);
        let trimmed = trimmed.trim_ascii_start();
        let line = Line {
            text: trimmed.trim_ascii_end(),
            number: self.number,
            offset: self.offset + text.len() - trimmed.len(),
        };
        let ending = match behind {
            [b'\r', b'\n', ..] => 2,
            [_, ..] => 1,
            [] => 0,
        };
        self.offset += text.len() + ending;
        self.number += 1;
        Some(line)
    }
}

/// The offset of one text in another.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// U+FEFF in UTF-8: some editors put it first, and `cat` leaves it in the middle.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
