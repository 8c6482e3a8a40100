//! The server that is passed to.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use dc_connect::cut::{has_ended, reset_unless_ended};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Backend {
    /// A port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A connection to it.
#[derive(Debug)]
pub struct Plain {
    stream: Stream,
    /// It was cut, which the system says once, to whoever writes or reads next; after that, it looks like an end.
    is_cut: bool,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Backend {
    /// Reads an address, a port of this machine, or the absolute path of a socket; `None` if it is none of them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:").unwrap_or(text) {
            path if path.starts_with('/') => Some(Self::Unix(path.into())),
            address => {
                let port =
                    || Some((IpAddr::from(Ipv4Addr::LOCALHOST), address.parse().ok()?).into());
                address.parse().ok().or_else(port).map(Self::Tcp)
            }
        }
    }

    /// Connects.
    ///
    /// Fails as the system does, or if it takes longer than this.
    pub async fn connect(&self, longest: Duration) -> io::Result<Plain> {
        let connecting = async {
            match self {
                Self::Tcp(address) => {
                    let tcp = TcpStream::connect(address).await?;
                    // What clients send is passed on as it comes.
                    tcp.set_nodelay(true)?;
                    reset_unless_ended(&tcp);
                    Ok(Stream::Tcp(tcp))
                }
                Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            }
        };
        let stream = timeout(longest, connecting)
            .await
            .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
        Ok(Plain {
            stream,
            is_cut: false,
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Plain {
    /// Lets the server tell a client that has ended from one that was cut off: unless this is called, the connection is reset when it is
    /// closed, if it is one over TCP.
    pub fn has_ended(&self) {
        if let Stream::Tcp(stream) = &self.stream {
            has_ended(stream);
        }
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        match read {
            Poll::Ready(Ok(())) if this.is_cut && buf.filled().len() == before => {
                Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
            }
            read => read,
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        if let Poll::Ready(Err(error)) = &written {
            // A pipe that is broken had ended before.
            this.is_cut |= error.kind() == ErrorKind::ConnectionReset;
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_port_and_a_path_are_backends() {
        assert_eq!(Backend::parse("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert_eq!(
            Backend::parse("8080").unwrap().to_string(),
            "127.0.0.1:8080"
        );
        assert_eq!(
            Backend::parse("unix:/run/http.sock"),
            Backend::parse("/run/http.sock")
        );
        for text in ["", "localhost", "run/http.sock", "127.0.0.1", "70000"] {
            assert_eq!(Backend::parse(text), None, "{text}");
        }
    }
}
