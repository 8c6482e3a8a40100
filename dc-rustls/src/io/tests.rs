use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::client_hello;

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod early_data;

/// A network that gives and takes as much as it is told, and keeps what was written.
#[derive(Debug, Default)]
struct Network {
    arriving: VecDeque<Vec<u8>>,
    sent: Vec<u8>,
    /// How often it was asked to send.
    calls: usize,
    /// How many bytes each write takes; `WouldBlock` for 0, everything when there are no more.
    takes: VecDeque<usize>,
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
        self.calls += 1;
        let taken = match self.takes.pop_front() {
            Some(0) => return Err(io::ErrorKind::WouldBlock.into()),
            Some(most) => buf.len().min(most),
            None => buf.len(),
        };
        self.sent.extend_from_slice(&buf[..taken]);
        Ok(taken)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(
            &bufs
                .iter()
                .flat_map(|buf| buf.iter().copied())
                .collect::<Vec<u8>>(),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], length.as_slice(), payload].concat()
}

/// One message in handshake records of at most `length` bytes.
fn records(message: &[u8], length: usize) -> Vec<u8> {
    message
        .chunks(length)
        .flat_map(|part| record(22, part))
        .collect()
}

/// A ClientHello of TLS 1.3 with these extensions behind supported_versions.
fn client_hello(extensions: &[u8]) -> Vec<u8> {
    let extensions = [&[0, 43, 0, 3, 2, 3, 4], extensions].concat();
    let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let head = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &length].concat();
    message(1, &[head, extensions].concat())
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn server_hello(random: [u8; 32]) -> Vec<u8> {
    let body = [&[3, 3], random.as_slice(), &[0, 0x13, 1, 0, 0, 0]].concat();
    message(2, &body)
}

/// SHA-256 of "HelloRetryRequest".
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
const OFFER: &[u8] = &[0, 34, 0, 4, 0, 2, 4, 3];
const CCS: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// The output of a client's adapter for `bytes`, written in pieces of these lengths.
fn sent_by_client(bytes: &[u8], lengths: &[usize]) -> Vec<u8> {
    let mut adapter = Adapter::client(Network::default(), OFFER);
    for piece in pieces(bytes, lengths) {
        adapter.write_all(piece).unwrap();
    }
    adapter.flush().unwrap();
    adapter.io.sent
}

/// The bytes that rustls reads from a server's adapter; the first piece was read before.
fn read_by_server(bytes: &[u8], lengths: &[usize]) -> Result<Vec<u8>, io::Error> {
    let mut pieces = pieces(bytes, lengths).into_iter();
    let mut adapter = Adapter::server(Network::default(), pieces.next().unwrap_or_default());
    adapter.io.arriving = pieces.map(<[u8]>::to_vec).collect();
    let mut read = Vec::new();
    adapter.read_to_end(&mut read).map(|_| read)
}

/// Cuts `bytes` at these lengths and again; none is empty.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*length).clamp(1, bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// The wire view of a hello, in one record.
fn wire(hello: &[u8]) -> Vec<u8> {
    record(22, &client_hello::insert_extensions(hello, OFFER).unwrap())
}

/// The rustls view of a hello, in one record.
fn rustls(hello: &[u8]) -> Vec<u8> {
    let mut hello = hello.to_vec();
    client_hello::offer_to_rustls(&mut hello);
    record(22, &hello)
}

#[test]
fn a_retry_ends_nothing_and_the_server_hello_everything() {
    let hello = client_hello(&[]);
    let mut adapter = Adapter::client(Network::default(), OFFER);
    let receive = |adapter: &mut Adapter<Network>, bytes: &[u8]| {
        adapter.io.arriving.push_back(bytes.to_vec());
        let mut read = vec![0; bytes.len()];
        adapter.read_exact(&mut read).unwrap();
        assert_eq!(read, bytes);
    };
    for _ in 0..2 {
        adapter.write_all(&record(22, &hello)).unwrap();
        adapter.flush().unwrap();
        assert_eq!(std::mem::take(&mut adapter.io.sent), wire(&hello));
        receive(&mut adapter, &record(22, &server_hello(RETRY)));
        receive(&mut adapter, &CCS);
    }
    receive(&mut adapter, &records(&server_hello([9; 32]), 5));
    assert!(matches!(adapter.hellos, Hellos::Over));
    adapter.write_all(&record(22, &hello)).unwrap();
    assert_eq!(adapter.io.sent, record(22, &hello));
}

/// Nothing is copied or kept any more.
#[test]
fn it_is_transparent_behind_the_server_hello() {
    let mut adapter = Adapter::client(Network::default(), OFFER);
    adapter.write_all(&record(22, &client_hello(&[]))).unwrap();
    let flight = [record(22, &server_hello([9; 32])), record(23, b"secret")].concat();
    adapter.io.arriving.push_back(flight.clone());
    let mut read = vec![0; flight.len()];
    adapter.read_exact(&mut read).unwrap();
    assert_eq!(read, flight);
    adapter.io.takes = [3, 0].into();
    assert_eq!(adapter.write(b"no record at all").unwrap(), 3);
    let blocked = adapter.write(b"no record at all").unwrap_err();
    assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(
        adapter.outbound.bytes.capacity() + adapter.inbound.bytes.capacity(),
        0
    );
}

#[test]
fn a_server_is_transparent_behind_its_server_hello() {
    let hello = client_hello(OFFER);
    let mut adapter = Adapter::server(Network::default(), &record(22, &hello));
    let mut read = vec![0; rustls(&hello).len()];
    adapter.read_exact(&mut read).unwrap();
    assert_eq!(read, rustls(&hello));
    let flight = [record(22, &server_hello([9; 32])), CCS.to_vec()].concat();
    for piece in flight.chunks(10) {
        assert_eq!(adapter.write(piece).unwrap(), piece.len());
    }
    assert_eq!(adapter.io.sent, flight);
    assert!(matches!(adapter.hellos, Hellos::Over));
    adapter.io.arriving.push_back(record(22, &hello));
    adapter.read_exact(&mut read).unwrap();
    assert_eq!(read, record(22, &hello));
}

/// Records that rustls hands over together leave together, whatever the adapter has to do with them.
#[test]
fn records_leave_in_one_call() {
    let hello = client_hello(OFFER);
    let flight = [
        record(22, &server_hello([9; 32])),
        CCS.to_vec(),
        record(23, b"secret"),
    ];
    let bufs = flight.each_ref().map(|record| IoSlice::new(record));
    let whole = flight.concat();
    let mut server = Adapter::server(Network::default(), &record(22, &hello));
    server
        .read_exact(&mut vec![0; rustls(&hello).len()])
        .unwrap();
    assert_eq!(server.write_vectored(&bufs).unwrap(), whole.len());
    assert!(matches!(server.hellos, Hellos::Over));
    let mut stock = Adapter::stock(Network::default(), &record(22, &hello));
    assert_eq!(stock.write_vectored(&bufs).unwrap(), whole.len());
    assert_eq!(stock.io.calls + server.io.calls, 2);
    let mut client = Adapter::client(Network::default(), OFFER);
    let first = [
        record(22, &client_hello(&[])),
        CCS.to_vec(),
        record(23, b"early"),
    ];
    let bufs = first.each_ref().map(|record| IoSlice::new(record));
    assert_eq!(client.write_vectored(&bufs).unwrap(), first.concat().len());
    assert_eq!(client.io.calls, 1);
}

/// A send that stops in the middle of the ServerHello has not ended the plaintext yet.
#[test]
fn what_a_gathered_send_leaves_is_not_taken_for_sent() {
    let flight = [record(22, &server_hello([9; 32])), CCS.to_vec()];
    let bufs = flight.each_ref().map(|record| IoSlice::new(record));
    let mut adapter = Adapter::server(Network::default(), &[]);
    adapter.io.takes = [20].into();
    assert_eq!(adapter.write_vectored(&bufs).unwrap(), 20);
    assert!(matches!(adapter.hellos, Hellos::Inbound(_)));
    adapter.write_all(&flight.concat()[20..]).unwrap();
    assert!(matches!(adapter.hellos, Hellos::Over));
}

#[test]
fn what_was_read_before_comes_first() {
    let mut adapter = Adapter::stock(Network::default(), &record(23, b"before"));
    adapter.io.arriving.push_back(record(23, b"after"));
    let mut read = Vec::new();
    adapter.read_to_end(&mut read).unwrap();
    assert_eq!(read, [record(23, b"before"), record(23, b"after")].concat());
    let mut adapter = Adapter::stock(Network::default(), &record(23, b"unread"));
    adapter.hellos = Hellos::Over;
    assert!(adapter.into_transparent().is_none());
}

#[test]
fn what_the_network_does_not_take_waits_in_order() {
    let hello = client_hello(&[]);
    let mut adapter = Adapter::client(Network::default(), OFFER);
    adapter.io.takes = [10, 0, 0, 7, 0, 1].into();
    adapter.write_all(&record(22, &hello)).unwrap();
    assert_eq!(adapter.io.sent.len(), 10);
    let blocked = adapter.flush().unwrap_err();
    assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
    let blocked = adapter.write(&CCS).unwrap_err();
    assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
    adapter.write_all(&CCS).unwrap();
    adapter.flush().unwrap();
    assert_eq!(adapter.io.sent, [wire(&hello), CCS.to_vec()].concat());
}

#[test]
fn a_write_that_is_interrupted_sends_the_hello_once() {
    struct Signals(Vec<u8>, usize);
    impl Write for Signals {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            match self.1 % 3 {
                0 => {
                    self.0.extend_from_slice(&buf[..1]);
                    Ok(1)
                }
                _ => Err(io::ErrorKind::Interrupted.into()),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let hello = client_hello(&[]);
    let mut adapter = Adapter::client(Signals(Vec::new(), 0), OFFER);
    // It tries again when it was interrupted.
    adapter.write_all(&record(22, &hello)).unwrap();
    adapter.flush().unwrap();
    assert_eq!(adapter.io.0, wire(&hello));
}

#[test]
fn a_network_that_takes_nothing_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut adapter = Adapter::client(Full, OFFER);
    let error = adapter.write(&record(22, &client_hello(&[]))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn a_message_that_is_longer_than_rustls_takes_is_not_waited_for() {
    let claims = [1, 1, 0, 0];
    let mut adapter = Adapter::server(Network::default(), &record(22, &claims));
    let mut read = [0; 9];
    adapter.read_exact(&mut read).unwrap();
    assert_eq!(read, *record(22, &claims));
}

#[test]
fn a_record_without_content_is_for_rustls_to_refuse() {
    let hello = client_hello(OFFER);
    let empty = record(22, &[]);
    let read = read_by_server(&[record(22, &hello), empty.clone()].concat(), &[1000]).unwrap();
    assert_eq!(read, [rustls(&hello), empty].concat());
}

#[test]
fn a_record_in_the_middle_of_a_message_stays_there() {
    let hello = client_hello(OFFER);
    let (first, rest) = hello.split_at(20);
    let stream = [record(22, first), CCS.to_vec(), record(22, rest)].concat();
    assert_eq!(read_by_server(&stream, &[1000]).unwrap(), stream);
}

/// rustls refuses it because it is there.
#[test]
fn what_is_behind_a_hello_in_its_record_stays_there() {
    let hello = client_hello(OFFER);
    let part = [20, 0, 0, 32, 7];
    let stream = record(22, &[&hello[..], &part].concat());
    let mut edited = hello.clone();
    client_hello::offer_to_rustls(&mut edited);
    let expected = record(22, &[&edited[..], &part].concat());
    for length in [1, 1000] {
        assert_eq!(read_by_server(&stream, &[length]).unwrap(), expected);
    }
    // Also where the hello fills a record of its own first.
    let (first, rest) = hello.split_at(hello.len() - 1);
    let stream = [record(22, first), record(22, &[rest, &part].concat())].concat();
    let (first, rest) = edited.split_at(hello.len() - 1);
    let expected = [record(22, first), record(22, &[rest, &part].concat())].concat();
    assert_eq!(read_by_server(&stream, &[1000]).unwrap(), expected);
}

#[test]
fn nonsense_arrives_without_waiting_for_what_it_announces() {
    for nonsense in [
        &b"GET / HTTP/1.1\r\n"[..],
        &[22, 2, 9, 0x40, 0],
        &[22, 3, 3, 0xff, 0xff],
    ] {
        let before = record(22, &client_hello(OFFER));
        let stream = [&before[..], nonsense].concat();
        let expected = [&rustls(&client_hello(OFFER))[..], nonsense].concat();
        assert_eq!(read_by_server(&stream, &[1]).unwrap(), expected);
    }
}

#[test]
fn an_offer_that_changes_is_refused_with_an_alert() {
    let (first, second) = (
        client_hello(OFFER),
        client_hello(&[0, 34, 0, 4, 0, 2, 5, 3]),
    );
    let mut adapter = Adapter::server(Network::default(), &record(22, &first));
    adapter.io.arriving = [CCS.to_vec(), record(22, &second)].into();
    let error = adapter.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(Error::from(error), Error::OfferChanged));
    adapter.flush().unwrap();
    assert_eq!(adapter.io.sent, [21, 3, 3, 0, 2, 2, 47]);
}

#[test]
fn the_first_message_is_found_in_any_records() {
    let hello = client_hello(OFFER);
    for length in 1..hello.len() {
        let stream = [records(&hello, length), record(23, b"early")].concat();
        assert_eq!(first_message(&stream), hello);
        assert!(first_message(&stream[..stream.len() - 20]).is_empty());
    }
}

#[test]
fn an_offer_that_changes_is_refused_without_a_credential_too() {
    let algorithms = [0, 13, 0, 4, 0, 2, 4, 3];
    for (second, is_refused) in [
        (OFFER.to_vec(), false),
        ([OFFER, &algorithms].concat(), false),
        (Vec::new(), true),
        (vec![0, 34, 0, 4, 0, 2, 5, 3], true),
    ] {
        let hellos = [OFFER.to_vec(), second].map(|offer| record(22, &client_hello(&offer)));
        let mut adapter = Adapter::stock(Network::default(), &hellos[0]);
        adapter.io.arriving = [CCS.to_vec(), hellos[1].clone()].into();
        let mut read = Vec::new();
        match adapter.read_to_end(&mut read) {
            // Not a byte is another one.
            Ok(_) => assert_eq!(read, [&hellos[0], &CCS[..], &hellos[1]].concat()),
            Err(error) => assert!(matches!(Error::from(error), Error::OfferChanged)),
        }
        adapter.flush().unwrap();
        let alert = match is_refused {
            true => &[21, 3, 3, 0, 2, 2, 47][..],
            false => &[],
        };
        assert_eq!(adapter.io.sent, alert);
    }
}

/// Records that follow each other before a ServerHello, some of them hellos.
fn any_stream() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
    let other = prop_oneof![
        Just(CCS.to_vec()),
        vec(any::<u8>(), 1..50).prop_map(|early| record(23, &early)),
        Just(record(21, &[1, 0])),
    ];
    let hello = (vec(any::<u8>(), 0..200), 1..300_usize);
    let part = prop_oneof![
        other.prop_map(|record| (record, Vec::new())),
        hello.prop_map(|(body, length)| {
            let padding = [&[0, 21], &(body.len() as u16).to_be_bytes(), &body[..]].concat();
            let hello = client_hello(&[OFFER, &padding].concat());
            (records(&hello, length), hello)
        }),
    ];
    vec(part, 1..6).prop_map(|parts| {
        let stream = parts.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let whole = |(bytes, hello): (Vec<u8>, Vec<u8>)| match hello.is_empty() {
            true => bytes,
            false => hello,
        };
        (stream, parts.into_iter().map(whole).collect())
    })
}

proptest! {
    #[test]
    fn hellos_are_edited_and_the_rest_passes(
        (stream, parts) in any_stream(),
        lengths in vec(1..400_usize, 1..5),
    ) {
        let edited = |edit: fn(&[u8]) -> Vec<u8>| -> Vec<u8> {
            let part = |part: &Vec<u8>| match part[0] {
                1 => edit(part),
                _ => part.clone(),
            };
            parts.iter().flat_map(part).collect()
        };
        prop_assert_eq!(sent_by_client(&stream, &lengths), edited(wire));
        prop_assert_eq!(read_by_server(&stream, &lengths).unwrap(), edited(rustls));
    }

    #[test]
    fn garbage_is_the_same_in_any_pieces(
        garbage in vec(prop_oneof![4 => 0..4_u8, 2 => 20..24_u8, 1 => any::<u8>()], 0..300),
        lengths in vec(1..50_usize, 1..5),
    ) {
        let whole = sent_by_client(&garbage, &[garbage.len()]);
        prop_assert_eq!(sent_by_client(&garbage, &lengths), whole);
        let read = |lengths: &[usize]| read_by_server(&garbage, lengths).map_err(|e| e.to_string());
        prop_assert_eq!(read(&lengths), read(&[garbage.len()]));
    }

    /// A hello that is not whole never leaves; what came before it does.
    #[test]
    fn an_end_in_the_middle_is_no_surprise(
        (stream, _) in any_stream(),
        keep in any::<prop::sample::Index>(),
    ) {
        let cut = &stream[..keep.index(stream.len() + 1)];
        let [sent, whole] = [cut, &stream].map(|bytes| sent_by_client(bytes, &[1]));
        prop_assert!(whole.starts_with(&sent));
        let [read, whole] = [cut, &stream].map(|bytes| read_by_server(bytes, &[1]).unwrap());
        prop_assert!(whole.starts_with(&read));
    }
}
