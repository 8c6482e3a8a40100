//! Drives one handshake over a blocking stream.

use std::io::{self, Read, Write};
use std::ops::DerefMut;

use rustls::{ConnectionCommon, SideData};

use crate::Error;
use crate::io::is_gone;

/// Does the whole handshake; `step` lets rustls process what has been read.
///
/// When it fails, the alert has been sent as far as the network took it.
pub(crate) fn complete<C, D, S>(
    connection: &mut C,
    io: &mut S,
    mut step: impl FnMut(&mut C, &mut S) -> Result<(), Error>,
) -> Result<(), Error>
where
    S: Read + Write,
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
{
    while connection.is_handshaking() {
        let sent = send(connection, io);
        if !connection.wants_read() && sent.is_ok() {
            break;
        }
        match sent {
            Err(error) if !is_gone(&error) => return Err(error.into()),
            Err(error) => last_words(connection, io, &mut step, error)?,
            Ok(()) => receive(connection, io, &mut step)?,
        }
    }
    match send(connection, io) {
        Err(error) if is_gone(&error) => {
            let gone = io::Error::from(error.kind());
            last_words(connection, io, &mut step, error)?;
            Err(gone.into())
        }
        sent => Ok(sent?),
    }
}

/// Receives once more from a peer that is gone: it may have sent an alert before it went.
fn last_words<C, D, S>(
    connection: &mut C,
    io: &mut S,
    step: &mut impl FnMut(&mut C, &mut S) -> Result<(), Error>,
    error: io::Error,
) -> Result<(), Error>
where
    S: Read + Write,
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
{
    receive(connection, io, step).map_err(|last| match last {
        Error::Io(_) => error.into(),
        last => last,
    })
}

fn receive<C, D, S>(
    connection: &mut C,
    io: &mut S,
    step: &mut impl FnMut(&mut C, &mut S) -> Result<(), Error>,
) -> Result<(), Error>
where
    S: Read + Write,
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
{
    let received = match connection.read_tls(io) {
        Ok(0) => return Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
        Ok(_) => step(connection, io),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error.into()),
    };
    received.inspect_err(|_| {
        // What went wrong matters more than whether the peer could be told.
        let _ = send(connection, io);
    })
}

/// Sends all that rustls has to send.
pub(crate) fn send<D: SideData>(
    connection: &mut ConnectionCommon<D>,
    io: &mut impl Write,
) -> io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(io) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    flush(io)
}

/// Flushes, however often a signal interrupts it.
pub(crate) fn flush(io: &mut impl Write) -> io::Result<()> {
    loop {
        match io.flush() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            flushed => return flushed,
        }
    }
}
