//! Memory that strangers can make the service keep: measured for each of what there is a limit of, and added up for the
//! limits that a configuration has.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_signer::config::{Config, Listen, SAMPLE};
use dc_signer::server::listener::most_memory;
use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{CertificateParams, DnType, KeyPair};

use crate::client::{Client, Tls};
use crate::rig::Rig;

fn sample() -> Listen {
    Config::parse(SAMPLE, Path::new("/etc")).unwrap().listen
}

/// The most that one more of something may cost.
fn cost(one_more: impl Fn(&mut Listen)) -> usize {
    let mut more = sample();
    one_more(&mut more);
    most_memory(&more) - most_memory(&sample())
}

fn connection_cost() -> usize {
    cost(|listen| listen.max_connections += 1)
}

/// The memory of a process now, in bytes.
pub(crate) fn resident(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().split(' ').next().unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// How much more it has for each of so many, once the service has got all that they sent.
fn each(rig: &Rig, count: usize, attack: impl Fn(usize) -> Vec<TcpStream>) -> usize {
    // What it needs once, it has then.
    drop(attack(8));
    rig.client().get("/healthz").ok();
    let before = resident(rig.pid());
    let open = attack(count);
    std::thread::sleep(Duration::from_millis(500));
    let after = resident(rig.pid());
    assert_eq!(open.len(), count);
    let each = after.saturating_sub(before) / count;
    eprintln!("{} kB for each of {count}", each / 1024);
    each
}

#[test]
fn the_defaults_stay_below_what_the_unit_allows() {
    let unit = include_str!("../../ops/dc-signer.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("MemoryMax="));
    let gigabytes: usize = line.unwrap().strip_suffix('G').unwrap().parse().unwrap();
    let most = most_memory(&sample());
    assert!(
        most < gigabytes * 1024 * 1024 * 1024,
        "{} MB",
        most / 1024 / 1024
    );
    // And what the sample says of each is so.
    for (kilobytes, each) in [
        (216, connection_cost()),
        (128, cost(|listen| listen.max_handshakes += 1)),
        (96, cost(|listen| listen.max_requests += 1)),
    ] {
        assert_eq!(kilobytes * 1024, each);
    }
    assert!(
        SAMPLE
            .replace("\n# ", " ")
            .contains("216 KB a connection, 128 KB a handshake, and 96 KB a request")
    );
}

const OPEN_LONG: &str =
    "idle_timeout = \"10m\"\nheader_timeout = \"10m\"\nhandshake_timeout = \"10m\"";

#[test]
fn a_connection_costs_no_more_than_is_counted_for_it_whatever_it_sends() {
    let rig = Rig::start_with(OPEN_LONG);
    let each = each(&rig, 300, |count| {
        let clients = (0..count).map(|_| with_a_long_chain(&rig));
        clients.map(|client| clog(&client)).collect()
    });
    assert!(each <= connection_cost(), "{each}");
}

/// As many bytes of certificates as are taken.
fn with_a_long_chain(rig: &Rig) -> Client {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "a".repeat(1850));
    let long: CertificateDer<'static> = params.self_signed(&key).unwrap().into();
    assert!((3950..4096).contains(&long.len()), "{}", long.len());
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let mut client = Client::with_chain(rig.port, &rig.root(), Some((vec![long; 4], key)));
    let mut config = (*client.config).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    client.config = Arc::new(config);
    client
}

/// An HTTP/2 connection that asks for as much as it may, takes none of the answers, and stops in the middle of a head, of a
/// frame and of a record.
fn clog(client: &Client) -> TcpStream {
    let mut tls = client.tls().unwrap();
    assert_eq!(tls.conn.alpn_protocol(), Some(&b"h2"[..]));
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE: no body of an answer may be sent.
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    let path = format!("/sign-in?next=/{}", "a".repeat(1000));
    // More than are answered at once.
    for stream in 0..40 {
        bytes.extend(frame(1, 0x5, 2 * stream + 1, &head(&path)));
    }
    // The longest frame, and its head goes on in the next.
    let unfinished = [head("/"), literal(0x00, b"x-long"), vec![0x7f, 0x80, 0x7d]].concat();
    let filler = vec![b'a'; 16_384 - unfinished.len()];
    bytes.extend(frame(1, 0, 81, &[unfinished, filler].concat()));
    bytes.extend([0, 0x40, 0, 9, 0, 0, 0, 0, 81]);
    bytes.extend(vec![b'a'; 16_000]);
    // The service may have had enough of it before its end.
    let _ = tls.write_all(&bytes).and_then(|()| tls.flush());
    let mut record = vec![0x17, 3, 3, 0x41, 0];
    record.extend(vec![0; 0x4100 - 1]);
    let _ = tls.sock.write_all(&record);
    into_tcp(tls)
}

fn into_tcp(tls: Tls) -> TcpStream {
    tls.into_parts().1
}

/// An HTTP/2 frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A head in HPACK: GET, https, localhost and a path.
fn head(path: &str) -> Vec<u8> {
    let mut head = vec![0x82, 0x87, 0x01];
    head.extend(text(b"localhost"));
    head.push(0x04);
    head.extend(text(path.as_bytes()));
    head
}

/// A field whose value is to follow (RFC 7541 §6.2.2).
fn literal(first: u8, name: &[u8]) -> Vec<u8> {
    let mut field = vec![first];
    field.extend(text(name));
    field
}

/// A length and a text (RFC 7541 §5).
fn text(text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => coded.push(length),
        _ => {
            let rest = text.len() - 127;
            coded.push(127);
            coded.push(u8::try_from(rest % 128).unwrap() | 0x80);
            coded.push(u8::try_from(rest / 128).unwrap());
        }
    }
    coded.extend(text);
    coded
}

#[test]
fn a_request_costs_no_more_than_is_counted_for_it() {
    let count = 60;
    let rig = Rig::start_with(OPEN_LONG);
    let clients: Vec<Client> = (0..count)
        .map(|_| crate::router::client(&rig, &KeyPair::generate().unwrap()))
        .collect();
    // All of a body but its last octet, an octet at a time as far as HTTP sees it: pieces must not be kept one by one.
    let mut body = b"1\r\n{\r\n".to_vec();
    for _ in 0..64 * 1024 - 2 {
        body.extend(b"1\r\n \r\n");
    }
    let each = each(&rig, count, |count| {
        let send = |client: &Client| {
            let mut tls = client.tls().unwrap();
            let head = client.head("POST", "/v1/enroll");
            let head = format!(
                "{head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            tls.write_all(head.as_bytes()).unwrap();
            tls.write_all(&body).unwrap();
            tls.flush().unwrap();
            into_tcp(tls)
        };
        clients.iter().take(count).map(send).collect()
    });
    let most = connection_cost() + cost(|listen| listen.max_requests += 1);
    assert!(each <= most, "{each}");
}

#[test]
fn a_handshake_costs_no_more_than_is_counted_for_it() {
    let rig = Rig::start_with(OPEN_LONG);
    // A ClientHello of the longest length, in records of the longest length, without its end.
    let mut hello = vec![1, 0, 0xff, 0xf0];
    hello.extend(vec![0; 0xffe0]);
    let records: Vec<u8> = hello
        .chunks(16_384)
        .flat_map(|part| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[0x16, 3, 1][..], &length, part].concat()
        })
        .collect();
    let each = each(&rig, 300, |count| {
        let send = |_| {
            let mut tcp = rig.client().tcp().unwrap();
            tcp.write_all(&records).unwrap();
            tcp
        };
        (0..count).map(send).collect()
    });
    let most = cost(|listen| listen.max_handshakes += 1);
    assert!(each <= most, "{each}");
}
