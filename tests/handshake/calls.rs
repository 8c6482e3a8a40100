//! What a connection asks of the operating system: our ends send and read no oftener than stock rustls.
//!
//! A send too many is more than its own cost: a small packet behind another one waits until the peer has
//! acknowledged that, up to 40 ms.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy};
use dc_rustls::server::Acceptor;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::setup::{ALL, acceptor, client, stock_server};

/// What one end asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Calls {
    reads: usize,
    sends: usize,
}

/// A network that counts.
struct Counted<T> {
    io: T,
    calls: Arc<Mutex<Calls>>,
}

impl<T> Counted<T> {
    fn new(io: T) -> (Self, Arc<Mutex<Calls>>) {
        let calls = Arc::default();
        (
            Self {
                io,
                calls: Arc::clone(&calls),
            },
            calls,
        )
    }

    fn sent(&self) {
        self.calls.lock().unwrap().sends += 1;
    }

    fn read(&self) {
        self.calls.lock().unwrap().reads += 1;
    }
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Self::read(self);
        self.io.read(buf)
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sent();
        self.io.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.sent();
        self.io.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        Self::read(&self);
        Poll::Ready(result)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.io).poll_write(cx, buf));
        self.sent();
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs));
        self.sent();
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A client of either kind.
enum Near {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

/// A server of either kind.
enum Far {
    Stock(Arc<ServerConfig>),
    Ours(Acceptor),
}

impl Near {
    fn ask(&self, io: Counted<End>) {
        let name = ServerName::try_from(NAME).unwrap();
        match self {
            Self::Ours(config) => exchange(config.connect(name, io).unwrap(), REQUEST, REPLY),
            Self::Stock(config) => {
                let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
                let mut tls = StreamOwned::new(connection, io);
                while tls.conn.is_handshaking() {
                    tls.conn.complete_io(&mut tls.sock).unwrap();
                }
                exchange(tls, REQUEST, REPLY);
            }
        }
    }

    async fn ask_async(&self, io: Counted<DuplexStream>) {
        let name = ServerName::try_from(NAME).unwrap();
        match self {
            Self::Ours(config) => {
                let tls = config.connect_async(name, io).await.unwrap();
                exchange_async(tls, REQUEST, REPLY).await;
            }
            Self::Stock(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                exchange_async(connector.connect(name, io).await.unwrap(), REQUEST, REPLY).await;
            }
        }
    }
}

impl Far {
    fn answer(&self, io: Counted<End>) {
        match self {
            Self::Ours(acceptor) => exchange(acceptor.accept(io).unwrap(), REPLY, REQUEST),
            Self::Stock(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                let mut tls = StreamOwned::new(connection, io);
                while tls.conn.is_handshaking() {
                    tls.conn.complete_io(&mut tls.sock).unwrap();
                }
                exchange(tls, REPLY, REQUEST);
            }
        }
    }

    async fn answer_async(&self, io: Counted<DuplexStream>) {
        match self {
            Self::Ours(acceptor) => {
                let tls = acceptor.accept_async(io).await.unwrap();
                exchange_async(tls, REPLY, REQUEST).await;
            }
            Self::Stock(config) => {
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                exchange_async(acceptor.accept(io).await.unwrap(), REPLY, REQUEST).await;
            }
        }
    }
}

/// The client speaks first, and both send two records at once.
fn exchange(mut tls: impl Read + Write, own: &[u8], other: &[u8]) {
    let mut there = vec![0; other.len()];
    if own == REPLY {
        tls.read_exact(&mut there).unwrap();
    }
    tls.write_all(own).unwrap();
    tls.flush().unwrap();
    if own == REQUEST {
        tls.read_exact(&mut there).unwrap();
    }
    assert_eq!(there, other);
}

async fn exchange_async(mut tls: impl AsyncRead + AsyncWrite + Unpin, own: &[u8], other: &[u8]) {
    let mut there = vec![0; other.len()];
    if own == REPLY {
        tls.read_exact(&mut there).await.unwrap();
    }
    tls.write_all(own).await.unwrap();
    tls.flush().await.unwrap();
    if own == REQUEST {
        tls.read_exact(&mut there).await.unwrap();
    }
    assert_eq!(there, other);
}

/// What client and server ask for over blocking streams, each send of which is one read.
fn blocking(near: &Near, far: &Far) -> (Calls, Calls) {
    let (near_io, far_io) = pipe(ALL);
    let ((near_io, near_calls), (far_io, far_calls)) =
        (Counted::new(near_io), Counted::new(far_io));
    thread::scope(|scope| {
        scope.spawn(|| far.answer(far_io));
        near.ask(near_io);
    });
    [near_calls, far_calls]
        .map(|calls| *calls.lock().unwrap())
        .into()
}

/// The same over asynchronous streams, on one thread.
fn asynchronous(near: &Near, far: &Far) -> (Calls, Calls) {
    let (near_io, far_io) = duplex(1 << 16);
    let ((near_io, near_calls), (far_io, far_calls)) =
        (Counted::new(near_io), Counted::new(far_io));
    on_one_thread(async {
        tokio::join!(near.ask_async(near_io), far.answer_async(far_io));
    });
    [near_calls, far_calls]
        .map(|calls| *calls.lock().unwrap())
        .into()
}

fn on_one_thread(both: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(both);
}

/// Two ends, and the same of stock rustls.
struct Scene {
    name: &'static str,
    ours: (Near, Far),
    stock: (Near, Far),
}

fn stock_client(vendor: &Vendor, version: &'static SupportedProtocolVersion) -> Near {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    Near::Stock(Arc::new(config))
}

fn scenes() -> Vec<Scene> {
    let vendor = Vendor::default();
    let credential = || {
        Far::Ours(
            acceptor(&vendor, &Device::new("router"), &[Form::Named])
                .fallback(stock_server(&vendor)),
        )
    };
    let ours = || Near::Ours(client(&vendor, NamePolicy::Preferred));
    let stock = |version| stock_client(&vendor, version);
    let stock_far = || Far::Stock(stock_server(&vendor));
    let (tls13, tls12) = (&rustls::version::TLS13, &rustls::version::TLS12);
    let scene = |name, ours, version| Scene {
        name,
        ours,
        stock: (stock(version), stock_far()),
    };
    vec![
        scene("credential", (ours(), credential()), tls13),
        scene("our client, stock server", (ours(), stock_far()), tls13),
        scene("fallback, TLS 1.3", (stock(tls13), credential()), tls13),
        scene("fallback, TLS 1.2", (stock(tls12), credential()), tls12),
    ]
}

fn compare(run: fn(&Near, &Far) -> (Calls, Calls)) {
    for Scene { name, ours, stock } in scenes() {
        let (ours, stock) = (run(&ours.0, &ours.1), run(&stock.0, &stock.1));
        println!("{name}: ours {ours:?}, stock {stock:?}");
        for (ours, stock) in [(ours.0, stock.0), (ours.1, stock.1)] {
            assert!(stock.sends > 0 && stock.reads > 0);
            assert!(ours.sends <= stock.sends, "{name}: {ours:?} {stock:?}");
            assert!(ours.reads <= stock.reads, "{name}: {ours:?} {stock:?}");
        }
    }
}

#[test]
fn blocking_ends_send_and_read_no_oftener_than_stock_rustls() {
    compare(blocking);
}

#[test]
fn asynchronous_ends_send_and_read_no_oftener_than_stock_rustls() {
    compare(asynchronous);
}

impl<T> fmt::Debug for Counted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

const NAME: &str = "router.cpe.example.com";
/// More than one record.
const REQUEST: &[u8] = &[b'?'; 20_000];
const REPLY: &[u8] = &[b'!'; 20_001];
