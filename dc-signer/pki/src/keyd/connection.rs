//! A connection to a signing process, over its Unix socket or TLS, whose calls end by a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pki_types::ServerName;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustls::{ClientConnection, StreamOwned};

use super::tls::Remote;

/// A connection.
#[derive(Debug)]
pub(super) enum Connection {
    Socket(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Connection {
    /// Connects at once or not at all: a process that hangs leaves its queue full, and connecting would wait without end.
    pub(super) fn to_socket(socket: &Path, patience: Duration) -> io::Result<Self> {
        let address = SocketAddrUnix::new(socket)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let connecting =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&connecting, &address)?;
        let connection = UnixStream::from(connecting);
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        Ok(Self::Socket(connection))
    }

    /// Connects to a host and port, and shows each side to the other.
    pub(super) fn to_host(address: &str, remote: &Remote, patience: Duration) -> io::Result<Self> {
        let until = Instant::now() + patience;
        let config = remote.client_config().map_err(io::Error::other)?;
        let host = address
            .rsplit_once(':')
            .map_or(address, |(host, _)| host)
            .trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut failed = io::Error::other("its host has no address");
        for address in address.to_socket_addrs()? {
            let left = left(until)?;
            match TcpStream::connect_timeout(&address, left) {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    let mut stream = StreamOwned::new(tls, Timed { tcp, until });
                    while stream.conn.is_handshaking() {
                        stream.conn.complete_io(&mut stream.sock).map_err(said)?;
                    }
                    return Ok(Self::Tls(Box::new(stream)));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Lets a question and its answer take so long.
    pub(super) fn begin(&mut self, patience: Duration) {
        if let Self::Tls(stream) = self {
            stream.sock.until = Instant::now() + patience;
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer).map_err(said),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes).map_err(said),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Socket(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush().map_err(said),
        }
    }
}

/// A TCP connection whose reads and writes all end by one time, however little each of them brings.
#[derive(Debug)]
pub(super) struct Timed {
    tcp: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(left(self.until)?))?;
        self.tcp.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(left(self.until)?))?;
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// A refusal of TLS is no garbage of the protocol.
fn said(error: io::Error) -> io::Error {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls) => io::Error::other(format!(
            "TLS: {tls}: the certificate of each side has to be in the other's configuration, and valid"
        )),
        None => error,
    }
}
