//! A TCP proxy that does what networks do to a connection, and worse.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What is done to each direction of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mischief {
    /// Segments are cut and merged.
    Cut,
    /// Now and then a segment goes through twice.
    Repeat,
    /// At some point the connection ends.
    Reset,
    /// Now and then nothing goes through for a while.
    Stall,
}

/// A proxy in front of a port, for one connection.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    connection: Arc<Connection>,
}

#[derive(Debug, Default)]
struct Connection {
    /// Whether bytes were lost or came twice: failures are then the proxy's doing.
    is_damaged: AtomicBool,
    /// All that the client has sent.
    sent: Mutex<Vec<u8>>,
}

impl Proxy {
    /// Waits for one connection. What is done to it depends on the seed only, and on how its bytes arrive.
    pub(crate) fn start(upstream: u16, mischief: Mischief, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connection = Arc::new(Connection::default());
        let theirs = Arc::clone(&connection);
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).unwrap();
            let up = Pump::new(&client, &server, mischief, seed, &theirs);
            let down = Pump::new(&server, &client, mischief, !seed, &theirs);
            thread::spawn(move || up.run(|bytes| theirs.record(bytes)));
            down.run(|_| {});
        });
        Self { port, connection }
    }

    pub(crate) fn has_damaged(&self) -> bool {
        self.connection.is_damaged.load(Ordering::SeqCst)
    }

    /// All that the client has sent by now.
    pub(crate) fn sent(&self) -> Vec<u8> {
        let sent = self.connection.sent.lock();
        sent.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Connection {
    fn record(&self, bytes: &[u8]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.extend_from_slice(bytes);
    }
}

/// One direction.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    mischief: Mischief,
    dice: Dice,
    connection: Arc<Connection>,
    /// How many bytes go through before a reset.
    left: usize,
}

impl Pump {
    fn new(
        from: &TcpStream,
        to: &TcpStream,
        mischief: Mischief,
        seed: u64,
        connection: &Arc<Connection>,
    ) -> Self {
        to.set_nodelay(true).unwrap();
        let mut dice = Dice(seed);
        let left = match mischief {
            Mischief::Reset => dice.roll(LONGEST_LIFE),
            _ => usize::MAX,
        };
        Self {
            from: from.try_clone().unwrap(),
            to: to.try_clone().unwrap(),
            mischief,
            dice,
            connection: Arc::clone(connection),
            left,
        }
    }

    fn run(mut self, mut watch: impl FnMut(&[u8])) {
        let (mut chunk, mut held) = ([0; 4096], Vec::new());
        loop {
            // What is held waits for more, but not for long.
            let patience = (!held.is_empty()).then_some(HOLD);
            self.from.set_read_timeout(patience).unwrap();
            let read = match self.from.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if is_timeout(error.kind()) => 0,
                Err(_) => break,
            };
            watch(&chunk[..read]);
            held.extend_from_slice(&chunk[..read]);
            if read > 0 && self.dice.roll(3) == 0 {
                continue;
            }
            if self.pass(&held).is_err() {
                return;
            }
            held.clear();
        }
        let _ = self.pass(&held);
        let _ = self.to.shutdown(Shutdown::Write);
    }

    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), ()> {
        while !bytes.is_empty() {
            let longest = if self.dice.roll(2) == 0 { 16 } else { 1500 };
            let length = bytes.len().min(1 + self.dice.roll(longest));
            let (segment, rest) = bytes.split_at(length);
            bytes = rest;
            if segment.len() > self.left {
                return self.reset();
            }
            self.left -= segment.len();
            self.to.write_all(segment).map_err(drop)?;
            match self.mischief {
                Mischief::Stall if self.dice.roll(20) == 0 => thread::sleep(STALL),
                Mischief::Repeat if self.dice.roll(20) == 0 => {
                    self.connection.is_damaged.store(true, Ordering::SeqCst);
                    self.to.write_all(segment).map_err(drop)?;
                }
                // The other side gets to read before there is more.
                _ if self.dice.roll(8) == 0 => thread::sleep(BREATH),
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes that nobody has read make the kernel send a reset where it would else send an ordinary end.
    fn reset(&self) -> Result<(), ()> {
        self.connection.is_damaged.store(true, Ordering::SeqCst);
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
        Err(())
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Random numbers that a seed decides: splitmix64.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Less than `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = usize::try_from((mixed ^ (mixed >> 31)) >> 33);
        number.unwrap_or_default() % sides
    }
}

const HOLD: Duration = Duration::from_millis(3);
const STALL: Duration = Duration::from_millis(150);
const BREATH: Duration = Duration::from_micros(200);
/// About as much as a handshake has in one direction.
const LONGEST_LIFE: usize = 3000;
