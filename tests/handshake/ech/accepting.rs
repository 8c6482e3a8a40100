//! A server that has Encrypted ClientHello, made of stock rustls, which has not: in front of it the hellos are opened,
//! and behind it ServerHello and HelloRetryRequest get their confirmation (RFC 9849 §7).

use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;

use dc_rustls::Error;
use dc_rustls::client::{Config, EchStatus, Peer, Stream};
use dc_tests::message::{
    CERTIFICATE, CLIENT_HELLO, SERVER_HELLO, edit_blocks, extension, insert_extensions, message,
    number, vector,
};
use dc_tests::mutant::{Framing, Rewrite, Wire};
use dc_tests::pair::last_words;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::Vendor;
use rustls::crypto::hpke::HpkeOpener;
use rustls::crypto::{CryptoProvider, tls13};
use rustls::pki_types::PrivateKeyDer;
use rustls::{
    CipherSuite, HandshakeKind, ServerConfig, ServerConnection, StreamOwned, SupportedCipherSuite,
    Tls13CipherSuite,
};

use crate::rogue::Rogue;

use super::opened::{ENCRYPTED_CLIENT_HELLO, Hello, Keeper, Opened};

/// The server, for one client after another.
pub(super) struct Accepting {
    keeper: Arc<Keeper>,
    config: Arc<ServerConfig>,
    rewrite: Rewrite,
    seen: Arc<Mutex<Seen>>,
}

/// What of the current connection the confirmations are made of: messages with their headers.
#[derive(Default)]
struct Seen {
    /// The inner hellos.
    hellos: Vec<Vec<u8>>,
    /// The HelloRetryRequest, as the client gets it.
    retry: Vec<u8>,
}

impl Accepting {
    /// Sends the vendor's chain with this block next to the first certificate, and signs with this key.
    pub(super) fn new(
        keeper: impl Into<Arc<Keeper>>,
        provider: &CryptoProvider,
        vendor: &Vendor,
        key: PrivateKeyDer<'static>,
        block: Vec<u8>,
    ) -> Self {
        let mut provider = provider.clone();
        provider
            .cipher_suites
            .retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
        let suite = suite(&provider);
        let seen = Arc::<Mutex<Seen>>::default();
        let to_confirm = Arc::clone(&seen);
        let rewrite: Rewrite = Arc::new(move |message| match message.first() {
            Some(&SERVER_HELLO) => confirm(suite, &mut to_confirm.lock().unwrap(), message),
            Some(&CERTIFICATE) => edit_blocks(message, |index, old| match index {
                0 => block.clone(),
                _ => old.to_vec(),
            }),
            _ => message.to_vec(),
        });
        let rogue = Rogue::new(vendor, key)
            .provider(Arc::new(provider))
            .rewrite(Arc::clone(&rewrite));
        Self {
            keeper: keeper.into(),
            config: rogue.config(),
            rewrite,
            seen,
        }
    }

    /// Takes so many bytes of early data.
    pub(super) fn taking_early_data(mut self, max: u32) -> Self {
        let config = Arc::get_mut(&mut self.config).unwrap();
        config.max_early_data_size = max;
        self
    }

    /// Resumes the sessions of this other one too.
    pub(super) fn sharing_sessions(mut self, other: &Self) -> Self {
        let storage = Arc::clone(&other.config.session_storage);
        Arc::get_mut(&mut self.config).unwrap().session_storage = storage;
        self
    }

    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Serves one client that wants this name.
    pub(super) fn meet(&self, client: &Config, wanted: &str, chunk: usize) -> Met {
        self.meet_early(client, wanted, chunk, b"")
    }

    /// The same with early data, if the client knows whom it is for.
    pub(super) fn meet_early(
        &self,
        client: &Config,
        wanted: &str,
        chunk: usize,
        early: &[u8],
    ) -> Met {
        let (near, far) = pipe(chunk);
        thread::scope(|scope| {
            let server = scope.spawn(|| self.serve(far));
            let client = client
                .connect_early(wanted.to_owned().try_into().unwrap(), near, |data| {
                    data.write_all(early)
                })
                .and_then(|mut tls| {
                    tls.write_all(b"ping")?;
                    tls.read_exact(&mut [0; 4])?;
                    Ok(tls)
                });
            Met {
                client,
                server: server.join().unwrap(),
            }
        })
    }

    /// The early data that came.
    fn serve(&self, far: End) -> Result<Vec<u8>, rustls::Error> {
        *self.seen.lock().unwrap() = Seen::default();
        let front = Front {
            io: far,
            keeper: Arc::clone(&self.keeper),
            opener: None,
            seen: Arc::clone(&self.seen),
            unread: Vec::new(),
        };
        let connection = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        let wire = Wire::new(front, &self.rewrite, Framing::default());
        let mut tls = StreamOwned::new(connection, wire);
        let served = tls
            .read_exact(&mut [0; 4])
            .and_then(|()| tls.write_all(b"pong"));
        if let Err(error) = served {
            let error = last_words(&mut tls.conn, &mut tls.sock, error);
            return Err(error.expect("an error of rustls"));
        }
        let mut early = Vec::new();
        if let Some(mut data) = tls.conn.early_data() {
            data.read_to_end(&mut early).unwrap();
        }
        Ok(early)
    }
}

/// How it went at both ends.
pub(super) struct Met {
    pub(super) client: Result<Stream<End>, Error>,
    /// The early data that the server got, or why there is no connection.
    pub(super) server: Result<Vec<u8>, rustls::Error>,
}

impl Met {
    /// The peer of a client whose name was hidden.
    #[track_caller]
    pub(super) fn accepted(&self, kind: HandshakeKind) -> &Peer {
        assert!(self.server.is_ok(), "{:?}", self.server);
        let stream = self.client.as_ref().unwrap();
        assert_eq!(stream.ech_status(), EchStatus::Accepted);
        assert_eq!(stream.connection().handshake_kind(), Some(kind));
        stream.peer()
    }
}

/// The client's side of the server: gives it the inner hellos in the place of the outer ones.
struct Front {
    io: End,
    keeper: Arc<Keeper>,
    opener: Option<Box<dyn HpkeOpener>>,
    seen: Arc<Mutex<Seen>>,
    unread: Vec<u8>,
}

impl Front {
    /// One record, or nothing at the end.
    fn next_record(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0; 5];
        if self.io.read(&mut header[..1])? == 0 {
            return Ok(Vec::new());
        }
        self.io.read_exact(&mut header[1..])?;
        let mut payload = vec![0; number(&header[3..])];
        self.io.read_exact(&mut payload)?;
        if header[0] != HANDSHAKE {
            return Ok([&header[..], &payload].concat());
        }
        let (outer, rest) = Hello::split(&payload[4..]);
        assert_eq!((payload[0], rest), (CLIENT_HELLO, &[][..]));
        let opened: Opened = self.keeper.open_one(outer, &mut self.opener);
        let inner = message(CLIENT_HELLO, &opened.expanded().body());
        self.seen.lock().unwrap().hellos.push(inner.clone());
        Ok([&header[..3], &vector(2, &inner)].concat())
    }
}

impl Read for Front {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            self.unread = self.next_record()?;
        }
        let length = buf.len().min(self.unread.len());
        buf[..length].copy_from_slice(&self.unread[..length]);
        self.unread.drain(..length);
        Ok(length)
    }
}

impl Write for Front {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.io.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

/// A ServerHello or HelloRetryRequest of a server that has accepted (RFC 9849 §7.2).
fn confirm(suite: &Tls13CipherSuite, seen: &mut Seen, hello: &[u8]) -> Vec<u8> {
    let hash = |bytes: &[u8]| suite.common.hash_provider.hash(bytes).as_ref().to_vec();
    let random = seen.hellos[0][RANDOM].to_vec();
    let derive = |label: &str, transcript: &[u8]| -> [u8; 8] {
        let expander = suite.hkdf_provider.extract_from_secret(None, &random);
        let label = vector(1, format!("tls13 {label}").as_bytes());
        let context = vector(1, &hash(transcript));
        tls13::expand(expander.as_ref(), &[&[0, 8], &label, &context])
    };
    // RFC 8446 §4.4.1.
    let first_hash = message(254, &hash(&seen.hellos[0]));
    if hello[RANDOM] == HELLO_RETRY_REQUEST {
        let with = |confirmation: &[u8]| {
            insert_extensions(hello, &extension(ENCRYPTED_CLIENT_HELLO, confirmation))
        };
        let transcript = [first_hash, with(&[0; 8])].concat();
        seen.retry = with(&derive("hrr ech accept confirmation", &transcript));
        return seen.retry.clone();
    }
    let mut confirmed = hello.to_vec();
    confirmed[CONFIRMATION].fill(0);
    let transcript = match seen.hellos.as_slice() {
        [only] => [only.as_slice(), &confirmed].concat(),
        [_, second] => [&first_hash, &seen.retry, second, &confirmed]
            .map(Vec::as_slice)
            .concat(),
        hellos => panic!("{} hellos", hellos.len()),
    };
    let confirmation = derive("ech accept confirmation", &transcript);
    confirmed[CONFIRMATION].copy_from_slice(&confirmation);
    confirmed
}

fn suite(provider: &CryptoProvider) -> &'static Tls13CipherSuite {
    let suites = provider.cipher_suites.iter();
    suites
        .filter_map(SupportedCipherSuite::tls13)
        .next()
        .unwrap()
}

const HANDSHAKE: u8 = 22;
/// Where the random of a hello is: behind the message header and the version.
const RANDOM: Range<usize> = 6..38;
/// Its last eight bytes.
const CONFIRMATION: Range<usize> = 30..38;
/// The random of a HelloRetryRequest (RFC 8446 §4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
