use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What a client sends behind its ClientHello.
#[derive(Clone, Debug)]
enum Sent {
    /// A record that only the early keys open, with so many bytes of data.
    Early(usize),
    ChangeCipherSpec,
    /// A record for the handshake, and all that is behind it.
    Next(usize),
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], &length[..], payload].concat()
}

/// In these tests, a payload that begins with 1 is encrypted for the handshake.
fn is_handshake(payload: &[u8]) -> bool {
    payload.first() == Some(&1)
}

fn encrypted(first: u8, length: usize) -> Vec<u8> {
    let mut payload = vec![first; length + OVERHEAD];
    payload[1..].fill(9);
    record(APPLICATION_DATA, &payload)
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        match *self {
            Self::Early(length) => encrypted(0, length),
            Self::ChangeCipherSpec => record(20, &[1]),
            Self::Next(length) => encrypted(1, length),
        }
    }
}

fn sent() -> impl Strategy<Value = Vec<Sent>> {
    let one = prop_oneof![
        4 => (0..300_usize).prop_map(Sent::Early),
        1 => Just(Sent::ChangeCipherSpec),
    ];
    (vec(one, 0..8), 0..50_usize).prop_map(|(mut sent, length)| {
        sent.push(Sent::Next(length));
        sent
    })
}

fn rejected() -> Verdict {
    Verdict::Rejected(Box::new(is_handshake))
}

/// The bytes for rustls of a stream that arrives in pieces of `chunk` bytes, with the verdict after the first `at` bytes.
fn pass(stream: &[u8], chunk: usize, at: usize, verdict: Verdict, limit: usize) -> Vec<u8> {
    let (mut records, mut out) = (EarlyRecords::new(limit), Vec::new());
    let (mut verdict, mut seen) = (Some(verdict), 0);
    for piece in stream.chunks(chunk) {
        records.push(piece, &mut out);
        seen += piece.len();
        if seen >= at
            && let Some(verdict) = verdict.take()
        {
            records.judge(verdict, &mut out);
        }
    }
    if records.is_over() {
        assert!(records.pending.is_empty());
    }
    out
}

const HELLO: usize = 40;

fn hello() -> Vec<u8> {
    record(22, &[1; HELLO - 5])
}

proptest! {
    #[test]
    fn what_is_rejected_never_arrives_and_all_else_does(
        sent in sent(),
        chunk in 1..400_usize,
        late in 0..600_usize,
    ) {
        let stream = [hello(), sent.iter().flat_map(Sent::bytes).collect()].concat();
        let wanted = sent.iter().filter(|sent| !matches!(sent, Sent::Early(_)));
        let wanted = [hello(), wanted.flat_map(Sent::bytes).collect()].concat();
        let late = (HELLO + late).min(stream.len());
        prop_assert_eq!(pass(&stream, chunk, late, rejected(), usize::MAX), wanted);
        let accepted = pass(&stream, chunk, late, Verdict::Accepted, usize::MAX);
        prop_assert_eq!(accepted, stream);
    }

    #[test]
    fn with_a_retry_all_is_skipped_up_to_the_second_hello(
        sent in sent(),
        chunk in 1..400_usize,
        late in HELLO..600_usize,
    ) {
        let early: Vec<u8> = sent.iter().filter(|sent| matches!(sent, Sent::Early(_))).flat_map(Sent::bytes).collect();
        let second = [hello(), encrypted(0, 7)].concat();
        let (mut records, mut out) = (EarlyRecords::new(usize::MAX), Vec::new());
        let first = [hello(), early].concat();
        let (before, after) = first.split_at(late.min(first.len()));
        records.push(before, &mut out);
        records.judge(Verdict::Retry, &mut out);
        for piece in [after, &second].concat().chunks(chunk) {
            records.push(piece, &mut out);
        }
        prop_assert_eq!(out, [hello(), second].concat());
    }

    /// Whatever comes, nothing is made up, and nothing of it panics.
    #[test]
    fn what_leaves_has_arrived(
        stream in vec(prop_oneof![Just(23_u8), Just(3), Just(0), any::<u8>()], 0..400),
        chunk in 1..50_usize,
        at in 0..400_usize,
        limit in 0..300_usize,
    ) {
        for verdict in [rejected(), Verdict::Retry] {
            let out = pass(&stream, chunk, at, verdict, limit);
            let mut rest = stream.iter();
            prop_assert!(out.iter().all(|byte| rest.any(|it| it == byte)));
        }
        prop_assert!(stream.starts_with(&pass(&stream, chunk, at, Verdict::Accepted, limit)));
    }
}

/// All of the limit is skipped, and one byte more is for rustls to refuse.
#[test]
fn no_more_is_skipped_than_the_limit() {
    let all = [encrypted(0, 60), encrypted(0, 40)].concat();
    let skips = |limit| {
        let stream = [all.clone(), encrypted(1, 9)].concat();
        let out = pass(&stream, 50, 0, rejected(), limit);
        out == encrypted(1, 9)
    };
    assert!(skips(100));
    assert!(!skips(99));
    // Records of nothing count as well.
    let nothing = [encrypted(0, 0), encrypted(0, 0)].concat();
    assert_eq!(pass(&nothing, 50, 0, rejected(), 1), encrypted(0, 0));
}

#[test]
fn early_data_without_a_verdict_is_held() {
    let (mut records, mut out) = (EarlyRecords::new(100), Vec::new());
    records.push(&hello(), &mut out);
    assert!(!records.is_held());
    records.push(&encrypted(0, 3), &mut out);
    assert!(records.is_held() && records.awaits_verdict());
    assert_eq!(out, hello());
    records.judge(Verdict::Accepted, &mut out);
    assert!(records.is_over() && !records.is_held());
    assert_eq!(out, [hello(), encrypted(0, 3)].concat());
}
