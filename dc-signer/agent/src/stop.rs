//! The end of the process, asked for by signals.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// A request that the process ends, which may come at any time.
#[derive(Debug)]
pub struct Stop {
    /// Where it is told; nowhere if nobody does.
    told: Option<UnixStream>,
    is_told: bool,
}

impl Stop {
    /// On SIGTERM and SIGINT, which end the process in no other way from now on.
    ///
    /// Fails if the system has no socket, or does not let signals be taken.
    pub fn on_signals() -> io::Result<Self> {
        let (told, tell) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            pipe::register(signal, tell.try_clone()?)?;
        }
        Ok(Self::on(told))
    }

    /// On whatever is written to the other end, or when that is dropped.
    #[must_use]
    pub fn on(told: UnixStream) -> Self {
        Self {
            told: Some(told),
            is_told: false,
        }
    }

    /// Never.
    #[must_use]
    pub fn never() -> Self {
        Self {
            told: None,
            is_told: false,
        }
    }

    /// True if somebody has wanted it by now, as far as [`wait`](Self::wait) has noticed.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// Waits this long, or until somebody wants the process to end: then it is true, and stays so.
    #[must_use]
    pub fn wait(&mut self, time: Duration) -> bool {
        if !self.is_told {
            self.is_told = match &mut self.told {
                Some(told) => is_told(told, time),
                None => {
                    sleep(time);
                    false
                }
            };
        }
        self.is_told
    }
}

fn is_told(told: &mut UnixStream, time: Duration) -> bool {
    // Zero would mean for ever.
    let time = time.max(Duration::from_millis(1));
    if told.set_read_timeout(Some(time)).is_err() {
        return true;
    }
    match told.read_exact(&mut [0]) {
        Ok(()) => true,
        Err(error) => !matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
        ),
    }
}
