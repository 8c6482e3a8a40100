//! Plaintext TLS records (RFC 8446 §5.1) and the handshake messages in them, from any chunks of bytes.

/// Cuts a byte stream into handshake records, which come whole, and all else, which comes as it arrives.
///
/// Bytes that are no record come as they arrive too, as soon as it shows: rustls judges them, and its peer need
/// not wait for the alert until so many bytes are there as nonsense says.
#[derive(Debug, Default)]
pub(super) struct Records {
    pending: Vec<u8>,
    /// How much of `pending` was given out.
    taken: usize,
    /// How much of what comes next is no handshake record.
    passing: usize,
}

/// A piece of a byte stream.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// A whole handshake record.
    Handshake(Record<'a>),
    /// A part of something else.
    Other(&'a [u8]),
}

/// A record's header, as far as it is there.
pub(super) enum Header {
    /// More of it has to come.
    Cut,
    /// A handshake record of this length, header included.
    Handshake(usize),
    /// Another record of this length, or [`Records::NO_RECORD`].
    Other(usize),
}

impl Records {
    /// The length of what rustls refuses as soon as it sees the header.
    pub(super) const NO_RECORD: usize = usize::MAX;

    /// Takes more bytes; what was given out is forgotten.
    ///
    /// Less is moved than the last push has brought: each byte moves once at most.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// The next piece, if it is there.
    pub(super) fn next_piece(&mut self) -> Option<Piece<'_>> {
        if self.passing == 0 {
            match header(self.unread()) {
                Header::Cut => return None,
                Header::Handshake(length) => {
                    return self.take(length).map(Record).map(Piece::Handshake);
                }
                Header::Other(length) => self.passing = length,
            }
        }
        let length = self.passing.min(self.unread().len());
        if self.passing != Self::NO_RECORD {
            self.passing -= length;
        }
        match length {
            0 => None,
            _ => self.take(length).map(Piece::Other),
        }
    }

    /// The rest of a record that has not ended yet.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.pending);
        rest.drain(..std::mem::take(&mut self.taken));
        rest
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let piece = self.pending.get(self.taken..)?.get(..length)?;
        self.taken += length;
        Some(piece)
    }

    fn unread(&self) -> &[u8] {
        self.pending.get(self.taken..).unwrap_or_default()
    }
}

/// The beginning of a stream, in which there may be one ClientHello in one record and nothing else.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum HelloRecord<'a> {
    /// A header that is not whole, or a handshake record that is not.
    Cut,
    /// One ClientHello, header included.
    Whole(&'a [u8]),
    /// Something else.
    Other,
}

impl<'a> HelloRecord<'a> {
    pub(crate) fn of(stream: &'a [u8]) -> Self {
        match header(stream) {
            Header::Cut => Self::Cut,
            Header::Handshake(length) if stream.len() < length => Self::Cut,
            Header::Handshake(length) if stream.len() == length => {
                let payload = Record(stream).payload();
                match (payload.first(), split_message(payload)) {
                    (Some(&CLIENT_HELLO), Some((hello, []))) => Self::Whole(hello),
                    _ => Self::Other,
                }
            }
            Header::Handshake(_) | Header::Other(_) => Self::Other,
        }
    }
}

/// Reads a header as rustls does, which refuses what is wrong with it before the record is there.
pub(super) fn header(bytes: &[u8]) -> Header {
    let no_record = Header::Other(Records::NO_RECORD);
    match *bytes {
        [kind, ..] if !CONTENT_TYPES.contains(&kind) => no_record,
        [_, major, _, ..] if major != MAJOR_VERSION => no_record,
        [kind, _, _, high, low, ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            match (kind, length) {
                (_, MAX_PAYLOAD..) => no_record,
                (APPLICATION_DATA, _) | (_, 1..) if kind != HANDSHAKE => {
                    Header::Other(HEADER_LEN + length)
                }
                (HANDSHAKE, 1..) => Header::Handshake(HEADER_LEN + length),
                _ => no_record,
            }
        }
        _ => Header::Cut,
    }
}

/// One record, header included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// `legacy_record_version`.
    pub(super) fn version(self) -> [u8; 2] {
        match *self.0 {
            [_, major, minor, ..] => [major, minor],
            _ => [3, 3],
        }
    }

    pub(super) fn payload(self) -> &'a [u8] {
        self.0.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// Puts handshake messages together that are spread over records.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pending: Vec<u8>,
    /// How much of `pending` was given out.
    taken: usize,
}

impl Messages {
    /// Takes more bytes; what was given out is forgotten, and moves nothing twice as in [`Records::push`].
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(payload);
    }

    /// The next whole message, header included.
    pub(super) fn next_message(&mut self) -> Option<&[u8]> {
        let (message, _) = split_message(self.pending.get(self.taken..)?)?;
        self.taken += message.len();
        Some(message)
    }

    /// True if the message claims more than rustls takes, and so will never be whole.
    pub(super) fn is_oversized(&self) -> bool {
        is_oversized(self.pending.get(self.taken..).unwrap_or_default())
    }
}

/// The first message, header included, and what is behind it; `None` if it is not there whole.
pub(super) fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(MESSAGE_HEADER_LEN + announced(bytes)?)
}

/// True if the first message claims more than rustls takes, and so will never be whole.
pub(super) fn is_oversized(bytes: &[u8]) -> bool {
    announced(bytes).is_some_and(|length| length > MAX_MESSAGE)
}

fn announced(bytes: &[u8]) -> Option<usize> {
    let &[_, a, b, c, ..] = bytes else {
        return None;
    };
    Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
}

/// A whole ClientHello as a client sends it over TCP.
pub(crate) fn in_records(hello: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(hello.len() + HEADER_LEN);
    write_message([3, 1], hello, &mut out);
    out
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

const CLIENT_HELLO: u8 = 1;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// change_cipher_spec to heartbeat.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=24;
const MAJOR_VERSION: u8 = 3;
const HEADER_LEN: usize = 5;
const MESSAGE_HEADER_LEN: usize = 4;
const MAX_FRAGMENT: usize = 1 << 14;
/// Bytes that rustls refuses, as the payload of one record.
const MAX_PAYLOAD: usize = MAX_FRAGMENT + 2048;
/// rustls's own limit for one handshake message.
const MAX_MESSAGE: usize = 0xffff;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The number of bytes that the next push is going to move.
    fn left(records: &Records) -> usize {
        match records.taken {
            0 => 0,
            _ => records.unread().len(),
        }
    }

    fn record(kind: u8, length: usize) -> Vec<u8> {
        let header = u16::try_from(length).unwrap().to_be_bytes();
        [&[kind, 3, 3], &header[..], &vec![1; length]].concat()
    }

    fn bytes(piece: Piece<'_>) -> Vec<u8> {
        match piece {
            Piece::Handshake(record) => record.0.to_vec(),
            Piece::Other(bytes) => bytes.to_vec(),
        }
    }

    proptest! {
        /// However a stream is cut, no byte moves twice.
        #[test]
        fn what_moves_is_never_more_than_what_came(
            lengths in vec((20..24_u8, 1..400_usize), 1..20),
            pushes in vec(1..900_usize, 1..6),
        ) {
            let stream: Vec<u8> = lengths.iter().flat_map(|(kind, length)| record(*kind, *length)).collect();
            let (mut records, mut rest, mut moved, mut last) = (Records::default(), &stream[..], 0, 0);
            let mut seen = Vec::new();
            for push in pushes.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, behind) = rest.split_at(push.min(rest.len()));
                prop_assert!(left(&records) < last.max(1));
                moved += left(&records);
                (rest, last) = (behind, piece.len());
                records.push(piece);
                while let Some(piece) = records.next_piece() {
                    seen.extend(bytes(piece));
                }
            }
            prop_assert!(moved <= stream.len());
            seen.extend(records.take_rest());
            prop_assert_eq!(seen, stream);
        }
    }

    #[test]
    fn nonsense_does_not_wait_for_the_length_that_it_says() {
        for nonsense in [
            &b"G"[..],
            &[22, 2, 0],
            &[22, 3, 3, 0, 0],
            &[22, 3, 3, 0x48, 0],
            &[20, 3, 3, 0, 0],
            &[23, 3, 3, 0xff, 0xff],
        ] {
            let mut records = Records::default();
            records.push(nonsense);
            assert_eq!(records.next_piece().map(bytes).as_deref(), Some(nonsense));
            records.push(&record(22, 3));
            assert_eq!(records.next_piece().map(bytes), Some(record(22, 3)));
            assert!(records.next_piece().is_none());
        }
    }

    #[test]
    fn only_a_handshake_record_is_waited_for() {
        let mut records = Records::default();
        records.push(&[23, 3, 3, 0, 9, 1]);
        assert_eq!(
            records.next_piece().map(bytes),
            Some(vec![23, 3, 3, 0, 9, 1])
        );
        records.push(&[[2; 8].to_vec(), vec![22, 3, 1, 0, 2, 7]].concat());
        assert_eq!(records.next_piece().map(bytes), Some(vec![2; 8]));
        assert!(records.next_piece().is_none());
        records.push(&[8]);
        let Some(Piece::Handshake(whole)) = records.next_piece() else {
            panic!("no record");
        };
        assert_eq!((whole.version(), whole.payload()), ([3, 1], &[7, 8][..]));
    }

    #[test]
    fn one_hello_in_one_record_is_told_from_all_else() {
        let hello = [1, 0, 0, 2, 7, 7];
        let whole = in_records(&hello);
        for length in 0..whole.len() {
            assert_eq!(HelloRecord::of(&whole[..length]), HelloRecord::Cut);
        }
        assert_eq!(HelloRecord::of(&whole), HelloRecord::Whole(&hello));
        let other_version = [&[22, 3, 9], &whole[3..]].concat();
        assert_eq!(HelloRecord::of(&other_version), HelloRecord::Whole(&hello));
        for other in [
            [&whole[..], &[20]].concat(),
            in_records(&hello[..5]),
            in_records(&[&hello[..], &[0]].concat()),
            in_records(&[2, 0, 0, 2, 7, 7]),
            record(21, 2),
            vec![22, 2, 9],
            vec![22, 3, 3, 0xff, 0xff],
            vec![22, 3, 3, 0, 0],
        ] {
            assert_eq!(HelloRecord::of(&other), HelloRecord::Other, "{other:?}");
        }
    }
}
