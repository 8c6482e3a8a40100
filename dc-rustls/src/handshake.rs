//! Drives one handshake over a blocking stream.

use std::io::{self, Read, Write};

use rustls::{ConnectionCommon, SideData};

use crate::Error;

/// Does the whole handshake; `step` lets rustls process what has been read.
///
/// When it fails, the alert has been sent as far as the network took it.
pub(crate) fn complete<D: SideData>(
    connection: &mut ConnectionCommon<D>,
    io: &mut (impl Read + Write),
    mut step: impl FnMut(&mut ConnectionCommon<D>) -> Result<(), rustls::Error>,
) -> Result<(), Error> {
    while connection.is_handshaking() {
        send(connection, io)?;
        if !connection.wants_read() {
            break;
        }
        if connection.read_tls(io)? == 0 {
            return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Err(error) = step(connection) {
            // What went wrong matters more than whether the peer could be told.
            let _ = send(connection, io);
            return Err(error.into());
        }
    }
    send(connection, io)?;
    Ok(())
}

fn send<D: SideData>(connection: &mut ConnectionCommon<D>, io: &mut impl Write) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(io)?;
    }
    io.flush()
}
