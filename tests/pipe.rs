//! A connection between two threads that cuts what passes into pieces of any size.

use std::io::{self, IoSlice, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// One end of a pipe.
#[derive(Debug)]
pub struct End {
    send: Option<Sender<Vec<u8>>>,
    receive: Receiver<Vec<u8>>,
    unread: Vec<u8>,
    /// How much of `unread` is read.
    taken: usize,
    /// The most that one read or write moves.
    chunk: usize,
    /// Everything that was sent.
    sent: Vec<u8>,
}

/// A pipe whose reads and writes move at most `chunk` bytes.
#[must_use]
pub fn pipe(chunk: usize) -> (End, End) {
    let (a_send, b_receive) = channel();
    let (b_send, a_receive) = channel();
    let end = |send, receive| End {
        send: Some(send),
        receive,
        unread: Vec::new(),
        taken: 0,
        chunk,
        sent: Vec::new(),
    };
    (end(a_send, a_receive), end(b_send, b_receive))
}

impl End {
    /// Everything that was written to this end.
    #[must_use]
    pub fn sent(&self) -> &[u8] {
        &self.sent
    }
}

impl Read for End {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.unread.len() {
            self.unread = match self.receive.recv_timeout(PATIENCE) {
                Ok(bytes) => bytes,
                // The other end is gone: that is the end of the stream.
                Err(RecvTimeoutError::Disconnected) => Vec::new(),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
            };
            self.taken = 0;
        }
        let unread = &self.unread[self.taken..];
        let length = buf.len().min(unread.len()).min(self.chunk);
        buf[..length].copy_from_slice(&unread[..length]);
        self.taken += length;
        Ok(length)
    }
}

impl Write for End {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let bytes = &buf[..buf.len().min(self.chunk)];
        self.sent.extend_from_slice(bytes);
        let sent = self.send.as_ref().map(|send| send.send(bytes.to_vec()));
        match sent {
            Some(Ok(())) => Ok(bytes.len()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// As a socket does: what is handed over together arrives together.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let gathered: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.write(&gathered)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// No test waits longer: one that hangs fails.
const PATIENCE: Duration = Duration::from_secs(30);
