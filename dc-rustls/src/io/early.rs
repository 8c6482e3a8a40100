//! Early data that a server does not take, kept from rustls (RFC 8446 §4.2.10).
//!
//! rustls 0.23 skips it, too, but looks at the same records again each time that something arrives, until one of the
//! client's next flight is there whole, and counts their bytes each time: of a client that has kept to the limit it says
//! that it sent too much.

use std::fmt;

use super::records::{Header, Records, header};

/// True for a record's payload that belongs to the client's next flight.
pub(crate) type IsHandshake = Box<dyn FnMut(&[u8]) -> bool + Send + Sync>;

/// The answer to early data.
pub(crate) enum Verdict {
    /// rustls reads it.
    Accepted,
    /// It ends with the first record that is encrypted for the handshake.
    Rejected(IsHandshake),
    /// It ends with the second ClientHello.
    Retry,
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "Accepted",
            Self::Rejected(_) => "Rejected",
            Self::Retry => "Retry",
        })
    }
}

/// The records of a client that may send early data.
#[derive(Debug)]
pub(crate) struct EarlyRecords {
    pending: Vec<u8>,
    /// How much of `pending` was passed on or skipped.
    taken: usize,
    /// How much of what comes next is passed on whatever it is.
    passing: usize,
    verdict: Option<Verdict>,
    /// How many bytes of early data are still skipped.
    left: usize,
}

impl EarlyRecords {
    /// Skips up to `limit` bytes, once it is known that they are not taken.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            pending: Vec::new(),
            taken: 0,
            passing: 0,
            verdict: None,
            left: limit,
        }
    }

    /// Takes what the client sent, and appends what rustls is to read now.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.pending.extend_from_slice(bytes);
        self.pass(out);
    }

    /// True as long as rustls has not said what it does with early data.
    pub(super) fn awaits_verdict(&self) -> bool {
        self.verdict.is_none()
    }

    /// True if there is early data, and no answer to it.
    pub(super) fn is_held(&self) -> bool {
        self.awaits_verdict()
            && self.passing == 0
            && self.unread().first() == Some(&APPLICATION_DATA)
    }

    /// Takes the answer, and appends what rustls is to read now.
    pub(crate) fn judge(&mut self, verdict: Verdict, out: &mut Vec<u8>) {
        self.verdict = Some(verdict);
        self.pass(out);
    }

    /// True if rustls is to read all that comes.
    pub(super) fn is_over(&self) -> bool {
        self.passing == Records::NO_RECORD
    }

    fn pass(&mut self, out: &mut Vec<u8>) {
        loop {
            let length = self.passing.min(self.unread().len());
            out.extend_from_slice(self.unread().get(..length).unwrap_or_default());
            self.taken += length;
            if !self.is_over() {
                self.passing -= length;
            }
            if self.unread().is_empty() || self.is_over() || !self.next_record() {
                break;
            }
        }
        self.pending.drain(..self.taken);
        self.taken = 0;
    }

    /// Decides on the next record. False if more of it has to come, or the verdict.
    fn next_record(&mut self) -> bool {
        let is_encrypted = self.unread().first() == Some(&APPLICATION_DATA);
        let length = match header(self.unread()) {
            Header::Cut => return false,
            Header::Handshake(length) | Header::Other(length) => length,
        };
        if length == Records::NO_RECORD || matches!(self.verdict, Some(Verdict::Accepted)) {
            self.passing = Records::NO_RECORD;
            return true;
        }
        if !is_encrypted {
            let is_hello = matches!(header(self.unread()), Header::Handshake(_));
            let ends = is_hello && matches!(self.verdict, Some(Verdict::Retry));
            self.passing = if ends { Records::NO_RECORD } else { length };
            return true;
        }
        self.next_encrypted(length)
    }

    fn next_encrypted(&mut self, length: usize) -> bool {
        let Self { pending, taken, .. } = self;
        let record = pending
            .get(*taken..)
            .and_then(|unread| unread.get(..length));
        let (Some(verdict), Some(record)) = (&mut self.verdict, record) else {
            return false;
        };
        let payload = record.get(HEADER_LEN..).unwrap_or_default();
        let is_handshake = match verdict {
            Verdict::Rejected(is_handshake) => is_handshake(payload),
            Verdict::Retry | Verdict::Accepted => false,
        };
        // Padding counts, which nobody can tell from data; and so does a record of nothing.
        let cost = payload.len().saturating_sub(OVERHEAD).max(1);
        match self.left.checked_sub(cost) {
            Some(left) if !is_handshake => {
                self.left = left;
                self.taken += length;
            }
            _ => self.passing = Records::NO_RECORD,
        }
        true
    }

    fn unread(&self) -> &[u8] {
        self.pending.get(self.taken..).unwrap_or_default()
    }
}

const APPLICATION_DATA: u8 = 23;
const HEADER_LEN: usize = 5;
/// The content type and the tag of all suites of TLS 1.3.
const OVERHEAD: usize = 17;

#[cfg(test)]
mod tests;
