//! The socket adapters of both sides, before the ServerHello.
#![no_main]

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use dc_rustls::fuzzing::{client_adapter, server_adapter, without_early_data};
use libfuzzer_sys::fuzz_target;

const OFFER: &[u8] = &[0xff, 0x22, 0, 4, 0, 2, 4, 3, 0, 34, 0, 4, 0, 2, 8, 7];

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, a, b], input)) = input.split_first_chunk() else {
        return;
    };
    let stream = match mode % 2 {
        0 => input.to_vec(),
        _ => records(input, 1 + usize::from(a)),
    };
    let lengths = [usize::from(a), usize::from(b), usize::from(mode)];
    let sent = sent_by_client(&stream, &[stream.len()]);
    assert_eq!(sent_by_client(&stream, &lengths), sent);
    for stream in [&stream, &sent] {
        let read = read_by_server(stream, &[stream.len()]);
        assert_eq!(read_by_server(stream, &lengths), read);
    }
    check_watch(&stream, &lengths);
    for is_retry in [false, true] {
        let skipped = |pieces: &[&[u8]]| without_early_data(pieces, is_retry, usize::from(b));
        assert_eq!(skipped(&pieces(input, &lengths)), skipped(&[input]));
    }
});

/// What arrives at a client, and what a server sends, passes whatever it is.
fn check_watch(stream: &[u8], lengths: &[usize]) {
    let mut client = client_adapter(Network::arriving(stream, lengths), OFFER);
    let mut read = Vec::new();
    client
        .read_to_end(&mut read)
        .expect("the network has no errors");
    assert_eq!(read, stream);
    let mut server = server_adapter(Network::default(), &[]);
    for piece in pieces(stream, lengths) {
        server.write_all(piece).expect("the network has no errors");
    }
    assert_eq!(server.get_ref().sent, stream);
}

fn sent_by_client(stream: &[u8], lengths: &[usize]) -> Vec<u8> {
    let mut adapter = client_adapter(Network::default(), OFFER);
    for piece in pieces(stream, lengths) {
        adapter.write_all(piece).expect("the network has no errors");
    }
    adapter.flush().expect("the network has no errors");
    std::mem::take(&mut adapter.get_mut().sent)
}

/// `None` if the adapter refused it.
fn read_by_server(stream: &[u8], lengths: &[usize]) -> Option<Vec<u8>> {
    let mut adapter = server_adapter(Network::arriving(stream, lengths), &[]);
    let mut read = Vec::new();
    adapter.read_to_end(&mut read).ok().map(|_| read)
}

/// Handshake records, cut anywhere.
fn records(bytes: &[u8], length: usize) -> Vec<u8> {
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).expect("short").to_be_bytes();
        [&[22, 3, 3], length.as_slice(), part].concat()
    };
    bytes.chunks(length).flat_map(record).collect()
}

fn pieces<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(length.clamp(1, bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

#[derive(Default)]
struct Network {
    arriving: VecDeque<Vec<u8>>,
    sent: Vec<u8>,
}

impl Network {
    fn arriving(stream: &[u8], lengths: &[usize]) -> Self {
        Self {
            arriving: pieces(stream, lengths)
                .into_iter()
                .map(<[u8]>::to_vec)
                .collect(),
            sent: Vec::new(),
        }
    }
}

impl Read for Network {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(mut bytes) = self.arriving.pop_front() else {
            return Ok(0);
        };
        let rest = bytes.split_off(bytes.len().min(buf.len()));
        buf[..bytes.len()].copy_from_slice(&bytes);
        if !rest.is_empty() {
            self.arriving.push_front(rest);
        }
        Ok(bytes.len())
    }
}

impl Write for Network {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sent.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
