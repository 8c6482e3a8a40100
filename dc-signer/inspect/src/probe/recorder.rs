//! A connection that is written down from its first byte on, and ends at its deadline.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The beginning of what went each way; it outlives the connection.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Bytes>>);

#[derive(Default)]
struct Bytes {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Log {
    pub(super) fn sent<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.bytes().sent)
    }

    pub(super) fn received<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.bytes().received)
    }

    fn bytes(&self) -> MutexGuard<'_, Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = MAX_KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

/// A TCP connection that keeps a log.
pub(super) struct Recorder {
    tcp: TcpStream,
    deadline: Instant,
    log: Log,
}

impl Recorder {
    /// Fails reads and writes with [`io::ErrorKind::TimedOut`] when so much time has passed.
    pub(super) fn new(tcp: TcpStream, time: Duration, log: Log) -> Self {
        Self {
            tcp,
            deadline: Instant::now() + time,
            log,
        }
    }

    /// Waits only so long from now on.
    pub(super) fn shorten(&mut self, time: Duration) {
        self.deadline = self.deadline.min(Instant::now() + time);
    }

    /// Waits so long from now on, whatever was left.
    pub(super) fn allow(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// The time that is left, of which a server that sends byte by byte gets no more.
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Recorder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(self.left()?)?;
        let count = self.tcp.read(buffer).map_err(timed_out)?;
        if let Some(bytes) = buffer.get(..count) {
            keep(&mut self.log.bytes().received, bytes);
        }
        Ok(count)
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(self.left()?)?;
        let count = self.tcp.write(bytes).map_err(timed_out)?;
        if let Some(bytes) = bytes.get(..count) {
            keep(&mut self.log.bytes().sent, bytes);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// A timeout of a socket looks like a socket that never waits.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// More than both hellos ever have.
const MAX_KEPT: usize = 1 << 16;
