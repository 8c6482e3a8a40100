//! Which of several acceptors serves a client: each in turn is shown the ClientHello, until one answers it.

use std::io::{self, Read, Write};
use std::sync::Arc;

use dc_rustls::server::Acceptor;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

/// A connection whose first bytes can be read again.
#[derive(Debug)]
pub(crate) struct Rewound<T> {
    io: T,
    read: Vec<u8>,
    position: usize,
}

impl<T: Read + Write> Rewound<T> {
    pub(crate) fn new(io: T) -> Self {
        Self {
            io,
            read: Vec::new(),
            position: 0,
        }
    }

    /// Whether this acceptor has an answer other than an alert. Nothing is sent.
    pub(crate) fn suits(&mut self, acceptor: &Acceptor) -> bool {
        self.position = 0;
        let mut trial = Trial {
            io: &mut *self,
            answer: None,
        };
        // It always fails: there is nobody to take the answer.
        let _ = acceptor.accept(&mut trial);
        let answer = trial.answer;
        self.position = 0;
        answer == Some(HANDSHAKE)
    }
}

impl<T: Read> Read for Rewound<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut again = self.read.get(self.position..).unwrap_or_default();
        if again.is_empty() {
            let read = self.io.read(buf)?;
            self.read
                .extend_from_slice(buf.get(..read).unwrap_or_default());
            self.position += read;
            return Ok(read);
        }
        let read = again.read(buf)?;
        self.position += read;
        Ok(read)
    }
}

impl<T: Write> Write for Rewound<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.io.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

/// Reads on, but keeps the type of the first record that is written, and refuses all.
struct Trial<'a, T> {
    io: &'a mut Rewound<T>,
    answer: Option<u8>,
}

impl<T: Read> Read for Trial<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.answer {
            None => self.io.read(buf),
            Some(_) => Ok(0),
        }
    }
}

impl<T> Write for Trial<'_, T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.answer = self.answer.or_else(|| buf.first().copied());
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sessions that a trial does not use up.
#[derive(Debug)]
pub(crate) struct Sessions(Arc<ServerSessionMemoryCache>);

impl Sessions {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(ServerSessionMemoryCache::new(256)))
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.0.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The record type of handshake messages (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
