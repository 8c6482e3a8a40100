//! What arrives before a server has decided how to answer: however it is cut, and with whatever behind it.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;

use allocation_counter::measure;
use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::NamePolicy;
use dc_rustls::server::{Acceptor, Store};
use dc_tests::message::{add_extensions, extension, vector};
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

use crate::setup::{ALL, acceptor, client, stock_server};

/// A client that has said its hello and never says anything again.
struct Mute {
    hello: Vec<u8>,
    read: usize,
}

impl Read for Mute {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = (&self.hello[self.read..]).read(buf)?;
        self.read += read;
        Ok(read)
    }
}

impl Write for Mute {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn client_config(vendor: &Vendor) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth()
}

/// As much of a ClientHello in records of one byte as is waited for; it offers to take a credential.
fn hello_in_records_of_one_byte(vendor: &Vendor) -> Vec<u8> {
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(Arc::new(client_config(vendor)), name).unwrap();
    let mut record = Vec::new();
    client.write_tls(&mut record).unwrap();
    let offer = extension(0xff22, &vector(2, &[4, 3]));
    let padding = extension(21, &vec![0; 4_600 - record.len()]);
    let hello = add_extensions(&record[5..], &[offer, padding].concat());
    hello
        .iter()
        .flat_map(|&byte| [22, 3, 1, 0, 1, byte])
        .collect()
}

/// Work that grows with the square of the length would show as bytes that are copied to a new place.
#[test]
fn a_hello_in_records_of_one_byte_is_copied_a_few_times() {
    let vendor = Vendor::default();
    let hello = hello_in_records_of_one_byte(&vendor);
    assert!((27_000..28 << 10).contains(&hello.len()));
    let mute = || Mute {
        hello: hello.clone(),
        read: 0,
    };
    let credential = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let fallback = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let [ours, falls_back] = [credential, fallback]
        .map(|acceptor| measure(|| assert!(acceptor.accept(mute()).is_err())).bytes_total);
    let stock = measure(|| {
        let mut connection = ServerConnection::new(stock_server(&vendor)).unwrap();
        assert!(connection.complete_io(&mut mute()).is_err());
    });
    let stock = stock.bytes_total;
    println!("ours {ours} bytes, fallback {falls_back}, stock {stock}");
    let more = 8 * hello.len() as u64;
    assert!(ours < stock + more, "{ours}, stock {stock}");
    assert!(falls_back < stock + more, "{falls_back}, stock {stock}");
}

/// The beginning of a ClientHello that would be as long as rustls takes, in records of this size.
fn endless_hello(record: usize) -> Vec<u8> {
    let hello = [&[1, 0, 0xff, 0xff, 3, 3][..], &[0; 0xfff0]].concat();
    hello
        .chunks(record)
        .flat_map(|piece| {
            let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
            [&[22, 3, 1], &length[..], piece].concat()
        })
        .collect()
}

/// What strangers can make a server keep is what they can take from it, times the handshakes that it does at once.
#[test]
fn a_hello_that_does_not_end_is_kept_up_to_a_limit() {
    let vendor = Vendor::default();
    let credential = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let fallback = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    for acceptor in [credential, fallback] {
        for record in [1, 100, 1 << 14] {
            let mut mute = Mute {
                hello: endless_hello(record),
                read: 0,
            };
            let mut refused = None;
            let kept = measure(|| refused = acceptor.accept(Attempt(&mut mute)).err());
            let too_large = rustls::InvalidMessage::HandshakePayloadTooLarge;
            match refused {
                Some(Error::Tls(rustls::Error::InvalidMessage(fault))) if fault == too_large => {}
                other => panic!("{other:?}"),
            }
            assert!(mute.read <= (28 << 10) + 4096, "{}", mute.read);
            println!("{record}: {} bytes at most", kept.bytes_max);
            assert!(kept.bytes_max <= 90_000, "{record}: {}", kept.bytes_max);
        }
    }
}

/// It gets the alert that rustls has for what it cannot read.
struct Attempt<'a>(&'a mut Mute);

impl Read for Attempt<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Attempt<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        assert_eq!(buf, [21, 3, 3, 0, 2, 2, 50]);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A ClientHello of as many bytes as one record holds, and early data behind it that is read with its end.
#[test]
fn what_was_read_with_the_end_of_a_long_hello_is_not_lost() {
    let vendor = Vendor::default();
    let mut server = ServerConfig::clone(&stock_server(&vendor));
    server.max_early_data_size = 1 << 16;
    server.alpn_protocols = vec![b"h2".to_vec()];
    let forms = [Form::Named];
    let acceptor = acceptor(&vendor, &Device::new("router"), &forms).fallback(Arc::new(server));
    let mut client = client_config(&vendor);
    client.enable_early_data = true;
    // The first connection gets a ticket, and the second says how long a hello with one is.
    client.alpn_protocols = padding(2000);
    let (_, _) = early(&acceptor, &client);
    let (length, there) = early(&acceptor, &client);
    assert_eq!(there, EARLY);
    for missing in [0, 1, 4] {
        client.alpn_protocols = padding(2000 + MAX_RECORD - missing - length);
        let (length, there) = early(&acceptor, &client);
        assert_eq!(length, MAX_RECORD - missing);
        assert!(there == EARLY, "{missing}: {} bytes", there.len());
    }
}

/// A network that a signal interrupts before each read, write and flush.
struct Interrupted {
    io: End,
    reads: bool,
    writes: bool,
}

/// Fails each other time.
fn interrupt(is_next: &mut bool) -> io::Result<()> {
    *is_next = !*is_next;
    match *is_next {
        true => Err(io::ErrorKind::Interrupted.into()),
        false => Ok(()),
    }
}

impl Read for Interrupted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        interrupt(&mut self.reads)?;
        self.io.read(buf)
    }
}

impl Write for Interrupted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        interrupt(&mut self.writes)?;
        self.io.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        interrupt(&mut self.writes)?;
        self.io.flush()
    }
}

/// A network that takes nothing.
struct Full {
    hello: Mute,
    writes: usize,
}

impl Read for Full {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.hello.read(buf)
    }
}

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        assert!(self.writes < 100, "it is tried again and again");
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_network_that_takes_nothing_ends_the_handshake() {
    let vendor = Vendor::default();
    let credential = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let fallback = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    for acceptor in [credential, fallback] {
        let hello = hello_in_records_of_one_byte(&vendor);
        let hello = Mute { hello, read: 0 };
        let served = acceptor.accept(Full { hello, writes: 0 });
        let is_zero = |error: &Error| matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WriteZero);
        let error = served.map(drop).unwrap_err();
        assert!(is_zero(&error), "{error}");
    }
}

#[test]
fn what_is_interrupted_is_tried_again() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let client = client(&vendor, NamePolicy::Required);
    let (near, far) = pipe(ALL);
    let interrupted = |io| Interrupted {
        io,
        reads: false,
        writes: false,
    };
    thread::scope(|scope| {
        let server = scope.spawn(|| acceptor.accept(interrupted(far)).map(drop));
        let name = ServerName::try_from(NAME).unwrap();
        let tls = client.connect(name, interrupted(near)).unwrap();
        server.join().unwrap().unwrap();
        drop(tls);
    });
}

/// Application protocols that take so many bytes in a hello.
fn padding(length: usize) -> Vec<Vec<u8>> {
    let mut protocols = vec![b"h2".to_vec()];
    let mut left = length;
    while left > 0 {
        // Each has a length of one byte in front, and none is empty.
        let next = match left {
            ..=256 => left,
            257..=259 => 200,
            _ => 256,
        };
        protocols.push(vec![b'x'; next - 1]);
        left -= next;
    }
    protocols
}

/// The length of the ClientHello, and what early data arrived.
fn early(acceptor: &Acceptor, client: &ClientConfig) -> (usize, Vec<u8>) {
    let name = ServerName::try_from(NAME).unwrap();
    let mut connection = ClientConnection::new(Arc::new(client.clone()), name).unwrap();
    if let Some(mut data) = connection.early_data() {
        data.write_all(EARLY).unwrap();
    }
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far).unwrap();
            let mut there = Vec::new();
            if let Some(mut data) = tls.connection_mut().early_data() {
                data.read_to_end(&mut there).unwrap();
            }
            tls.write_all(b"pong").unwrap();
            there
        });
        let mut tls = StreamOwned::new(connection, near);
        tls.read_exact(&mut [0; 4]).unwrap();
        let sent = tls.sock.sent();
        let length = usize::from(u16::from_be_bytes([sent[3], sent[4]]));
        (length, server.join().unwrap())
    })
}

const NAME: &str = "router.cpe.example.com";
const MAX_RECORD: usize = 1 << 14;
const EARLY: &[u8] = &[7; 9000];
