//! A connection over anything that reads and writes.

use std::fmt;
use std::io::{self, Read, Write};

use rustls::error::AlertDescription;
use rustls::{Connection, SideData, Tcp, VecInput};

use crate::hello::Editor;

/// The error of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A credential was refused, and the peer has an alert that says so.
    Credential(dc_core::Error),
    /// The socket failed.
    Io(io::Error),
    /// The second ClientHello offers something else than the first (RFC 8446 §4.1.2).
    OfferChanged,
    /// Everything else that rustls refuses.
    Tls(rustls::Error),
}

impl Failure {
    /// The alert that the peer sent, if that is why.
    #[must_use]
    pub fn received(&self) -> Option<AlertDescription> {
        match self {
            Self::Tls(rustls::Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(error) => write!(f, "the credential was refused: {error}"),
            Self::Io(error) => write!(f, "the socket failed: {error}"),
            Self::OfferChanged => f.write_str("the second ClientHello offers something else"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

/// A connection of either end, with the hellos edited between rustls and the socket.
///
/// The hellos are in plain buffers here, so no adapter stands between rustls and the socket.
#[derive(Debug)]
pub struct Stream<S: SideData, T> {
    pub(crate) connection: Connection<S, Tcp>,
    pub(crate) io: T,
    pub(crate) input: VecInput,
    /// What rustls wants to send.
    pub(crate) output: Vec<u8>,
    pub(crate) received: Vec<u8>,
    pub(crate) inbound: Option<Editor>,
    pub(crate) outbound: Option<Editor>,
}

impl<S: SideData, T: Read + Write> Stream<S, T> {
    /// The connection of rustls, for what it knows.
    #[must_use]
    pub fn connection(&self) -> &Connection<S, Tcp> {
        &self.connection
    }

    /// Sends all of `bytes`.
    ///
    /// Fails with [`Failure::Tls`] if rustls encrypts no more, and with [`Failure::Io`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.connection.write(bytes.into(), &mut self.output)?;
        self.flush()
    }

    /// Receives exactly so many bytes.
    ///
    /// Fails as rustls and the socket do, and with [`io::ErrorKind::UnexpectedEof`].
    pub fn receive(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.received.len() < length {
            self.step()?;
        }
        Ok(self.received.drain(..length).collect())
    }

    pub(crate) fn handshake(&mut self) -> Result<(), Failure> {
        self.flush()?;
        while self.connection.is_handshaking() {
            self.step()?;
        }
        // No ClientHello comes any more.
        (self.inbound, self.outbound) = (None, None);
        Ok(())
    }

    /// Reads once from the socket, and writes what rustls answers.
    fn step(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; CHUNK];
        let read = self.io.read(&mut chunk)?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.take(chunk.get(..read).unwrap_or_default())
    }

    /// Takes what was read from the socket.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let edited = match &mut self.inbound {
            Some(editor) => {
                let edited = editor.edit(bytes);
                if editor.is_offer_changed() {
                    self.io.write_all(&ILLEGAL_PARAMETER)?;
                    return Err(Failure::OfferChanged);
                }
                edited
            }
            None => bytes.to_vec(),
        };
        let mut unread = edited.as_slice();
        while !unread.is_empty() {
            self.input.read(&mut unread)?;
            let handler = self.connection.read_tls(&mut self.input, &mut self.output);
            let result = handler.handle_all(&mut self.received);
            let flushed = self.flush();
            result?;
            flushed?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let output = std::mem::take(&mut self.output);
        let edited = match &mut self.outbound {
            Some(editor) => editor.edit(&output),
            None => output,
        };
        self.io.write_all(&edited)?;
        Ok(self.io.flush()?)
    }
}

/// A fatal alert in plaintext (RFC 8446 §6).
const ILLEGAL_PARAMETER: [u8; 7] = [21, 3, 3, 0, 2, 2, 47];
/// A ClientHello with room to spare.
const CHUNK: usize = 4096;
