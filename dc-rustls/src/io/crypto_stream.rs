//! ClientHellos in the CRYPTO frames of QUIC, which has no records (RFC 9001 §4.1.3).

use super::records::{is_oversized, split_message};

/// Puts a ClientHello together that arrives in any pieces.
///
/// It keeps at most one, of the length that rustls takes: 2^16 bytes and what came with its last piece.
#[derive(Debug, Default)]
pub(crate) struct HelloGatherer {
    bytes: Vec<u8>,
    /// True once something else has been passed on: no ClientHello begins in the middle of that.
    passes: bool,
}

/// The bytes that a client has sent up to now, once they can be judged.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Gathered {
    /// One whole ClientHello, and what came behind it.
    Hello { hello: Vec<u8>, behind: Vec<u8> },
    /// No ClientHello, or one that is longer than rustls takes: it refuses this, or waits for more of it.
    Other(Vec<u8>),
}

impl HelloGatherer {
    /// Takes the next bytes of the stream. `None` while the ClientHello is not there whole.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Gathered> {
        self.bytes.extend_from_slice(bytes);
        match *self.bytes.first()? {
            _ if self.passes => {}
            CLIENT_HELLO if is_oversized(&self.bytes) => {}
            CLIENT_HELLO => {
                let (hello, behind) = split_message(&self.bytes)?;
                let (hello, behind) = (hello.to_vec(), behind.to_vec());
                self.bytes = Vec::new();
                return Some(Gathered::Hello { hello, behind });
            }
            _ => {}
        }
        self.passes = true;
        Some(Gathered::Other(std::mem::take(&mut self.bytes)))
    }
}

const CLIENT_HELLO: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pieces of a stream that was cut at these places.
    fn cut(stream: &[u8], at: &[usize]) -> Vec<Vec<u8>> {
        let mut at: Vec<usize> = at.iter().map(|at| at % (stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        at.windows(2)
            .map(|ends| stream[ends[0]..ends[1]].to_vec())
            .collect()
    }

    fn hello(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO], &length[1..], body].concat()
    }

    proptest! {
        #[test]
        fn a_hello_comes_out_whole_however_it_is_cut(
            body in proptest::collection::vec(any::<u8>(), 0..2000),
            at in proptest::collection::vec(any::<usize>(), 0..40),
        ) {
            let whole = hello(&body);
            let mut gatherer = HelloGatherer::default();
            let mut pieces = cut(&whole, &at);
            // Nothing may come behind the piece that ends it.
            while pieces.last().is_some_and(Vec::is_empty) {
                pieces.pop();
            }
            let last = pieces.pop().unwrap();
            for piece in pieces {
                prop_assert_eq!(gatherer.push(&piece), None);
            }
            let gathered = gatherer.push(&last).unwrap();
            prop_assert_eq!(gathered, Gathered::Hello { hello: whole, behind: vec![] });
        }

        #[test]
        fn nothing_is_lost_or_kept_for_ever(
            stream in proptest::collection::vec(any::<u8>(), 0..300),
            at in proptest::collection::vec(any::<usize>(), 0..9),
        ) {
            let mut gatherer = HelloGatherer::default();
            let mut out = Vec::new();
            for piece in cut(&stream, &at) {
                match gatherer.push(&piece) {
                    Some(Gathered::Hello { hello, behind }) => out.extend([hello, behind].concat()),
                    Some(Gathered::Other(bytes)) => out.extend(bytes),
                    None => {}
                }
            }
            out.extend_from_slice(&gatherer.bytes);
            prop_assert_eq!(out, stream);
        }
    }

    #[test]
    fn a_hello_that_is_too_long_is_passed_on_as_soon_as_it_says_so() {
        let mut gatherer = HelloGatherer::default();
        assert_eq!(gatherer.push(&[1, 1, 0]), None);
        let passed = Gathered::Other(vec![1, 1, 0, 0]);
        assert_eq!(gatherer.push(&[0]), Some(passed));
        let mut gatherer = HelloGatherer::default();
        assert_eq!(gatherer.push(&[1, 0, 255, 255]), None);
    }

    #[test]
    fn what_is_no_hello_is_not_waited_for() {
        let mut gatherer = HelloGatherer::default();
        assert_eq!(gatherer.push(&[2]), Some(Gathered::Other(vec![2])));
        // Nor is what looks like one in the middle of it.
        let hello = hello(&[]);
        assert_eq!(gatherer.push(&hello), Some(Gathered::Other(hello.clone())));
    }
}
