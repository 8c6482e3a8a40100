//! Messages of the signing process: what is read is written alike, and a frame has one reading.
#![no_main]

use dc_pki::keyd::{self, Answer, Ask, HEAD, MAX_FRAME};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(ask) = Ask::decode(input) {
        assert_eq!(ask.encode(), input);
    }
    if let Ok(answer) = Answer::decode(input) {
        let again = Answer::decode(&answer.encode());
        // The detail of a refusal may be cut when it is written.
        if !matches!(answer, Answer::Refused { .. }) {
            assert_eq!(again, Ok(answer));
        }
    }
    if let Some((head, rest)) = input.split_first_chunk::<HEAD>() {
        let length = keyd::length(*head);
        assert!(length.is_ok_and(|length| (1..=MAX_FRAME).contains(&length)) || length.is_err());
        let read = keyd::read(&mut &input[..]);
        match (length, read) {
            (Ok(length), Ok(message)) => assert_eq!(message, rest[..length]),
            (Ok(length), Err(_)) => assert!(rest.len() < length),
            (Err(_), read) => assert!(read.is_err()),
        }
    }
});
