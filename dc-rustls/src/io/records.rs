//! Plaintext TLS records (RFC 8446 §5.1) and the handshake messages in them, from any chunks of bytes.

/// Cuts a byte stream into records.
#[derive(Debug, Default)]
pub(super) struct Records {
    pending: Vec<u8>,
}

impl Records {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole record, header included.
    pub(super) fn next_record(&mut self) -> Option<Record> {
        let &[_, _, _, high, low, ..] = self.pending.as_slice() else {
            return None;
        };
        let length = HEADER_LEN + usize::from(u16::from_be_bytes([high, low]));
        if self.pending.len() < length {
            return None;
        }
        let rest = self.pending.split_off(length);
        Some(Record(std::mem::replace(&mut self.pending, rest)))
    }

    /// What is left of a record that has not ended yet.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

/// One record, header included.
#[derive(Debug)]
pub(super) struct Record(Vec<u8>);

impl Record {
    pub(super) fn is_handshake(&self) -> bool {
        self.0.first() == Some(&HANDSHAKE)
    }

    /// `legacy_record_version`.
    pub(super) fn version(&self) -> [u8; 2] {
        match self.0.as_slice() {
            [_, major, minor, ..] => [*major, *minor],
            _ => [3, 3],
        }
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.0.get(HEADER_LEN..).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Puts handshake messages together that are spread over records.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pending: Vec<u8>,
}

impl Messages {
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.pending.extend_from_slice(payload);
    }

    /// The type of the message that is being put together.
    pub(super) fn kind(&self) -> Option<u8> {
        self.pending.first().copied()
    }

    /// The next whole message, header included.
    pub(super) fn next_message(&mut self) -> Option<Vec<u8>> {
        let length = MESSAGE_HEADER_LEN + self.announced()?;
        if self.pending.len() < length {
            return None;
        }
        let rest = self.pending.split_off(length);
        Some(std::mem::replace(&mut self.pending, rest))
    }

    /// Whether the message claims more than rustls takes, and so will never be whole.
    pub(super) fn is_oversized(&self) -> bool {
        self.announced().is_some_and(|length| length > MAX_MESSAGE)
    }

    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    fn announced(&self) -> Option<usize> {
        let &[_, a, b, c, ..] = self.pending.as_slice() else {
            return None;
        };
        Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }
}

/// Appends `message` as handshake records of at most 2^14 bytes.
pub(super) fn write_message(version: [u8; 2], message: &[u8], out: &mut Vec<u8>) {
    for fragment in message.chunks(MAX_FRAGMENT) {
        let length = u16::try_from(fragment.len()).unwrap_or(u16::MAX);
        out.push(HANDSHAKE);
        out.extend_from_slice(&version);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(fragment);
    }
}

const HANDSHAKE: u8 = 22;
const HEADER_LEN: usize = 5;
const MESSAGE_HEADER_LEN: usize = 4;
const MAX_FRAGMENT: usize = 1 << 14;
/// rustls's own limit for one handshake message.
const MAX_MESSAGE: usize = 0xffff;
