//! Early data (RFC 8446 §2.3) as a server gets it: before the handshake is over, and perhaps not for the first time.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{HandshakeKind, ServerConfig, ServerConnection, Writer};

use super::client_verifier::{ConnectionVerifier, client_of};
use super::{Peer, Served};
use crate::Error;
use crate::handover;
use crate::io::{Adapter, Verdict};
use crate::record::opens;

/// The bytes that a client sent early, and the way to answer at once.
///
/// Whoever sends them proves nothing by it: they were written by one that has the session, and may come from one that has
/// recorded them.
pub struct EarlyData<'a> {
    bytes: &'a [u8],
    served: &'a Served,
    peer: Option<Arc<Peer>>,
    writer: Writer<'a>,
}

impl EarlyData<'_> {
    /// The bytes that arrived since the last call. A request may come in several pieces.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The credential or certificate that answers the client.
    #[must_use]
    pub fn served(&self) -> &Served {
        self.served
    }

    /// The client that the session was made with, and that has written the bytes, if it had a certificate then, as
    /// [`Stream::peer`](super::Stream::peer) says it of a connection.
    ///
    /// Its credential is still valid, and [`ClientCredentials::authorize`](super::ClientCredentials::authorize) still
    /// wants it: there is no early data without that.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_deref()
    }
}

impl Write for EarlyData<'_> {
    /// Answers before the handshake is over; where clients are asked for a certificate, as soon as it is.
    ///
    /// Up to 64 KiB wait for that; the rest has to be written to the stream.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writer.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl fmt::Debug for EarlyData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyData")
            .field("bytes", &self.bytes.len())
            .field("served", self.served)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The same configuration for a connection whose early data nobody would read: none is taken, and the sessions that it makes
/// allow none.
pub(super) fn refusing(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if config.max_early_data_size == 0 {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.max_early_data_size = 0;
    Arc::new(config)
}

/// The socket of a connection with this configuration, which keeps early data from rustls that it does not take.
pub(super) fn skipping<T>(io: Adapter<T>, config: &ServerConfig) -> Adapter<T> {
    let limit = usize::try_from(config.max_early_data_size).unwrap_or(usize::MAX);
    io.skipping_early_data(limit.max(ONE_RECORD))
}

/// Lets rustls process what has been read, and the socket know what it does with early data.
pub(super) fn step<T>(connection: &mut ServerConnection, io: &mut Adapter<T>) -> Result<(), Error> {
    if !io.awaits_verdict() {
        let (step, _) = handover::scope(|| connection.process_new_packets());
        return Ok(step.map(drop)?);
    }
    let ((step, decrypter), _) = handover::scope(|| {
        handover::share_decrypters();
        let step = connection.process_new_packets();
        (step, handover::take_decrypter())
    });
    step?;
    let is_retry = connection.handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest);
    let verdict = match decrypter {
        _ if connection.early_data().is_some() => Verdict::Accepted,
        Some(decrypter) => Verdict::Rejected(Box::new(move |payload| opens(&decrypter, payload))),
        None if is_retry => Verdict::Retry,
        None if !connection.is_handshaking() => Verdict::Accepted,
        None => return Ok(()),
    };
    io.judge_early_data(verdict);
    Ok(())
}

/// Gives the application what has arrived early since it was last asked.
pub(super) fn hand_over(
    connection: &mut ServerConnection,
    served: &Served,
    client: Option<&ConnectionVerifier>,
    take: &mut impl FnMut(&mut EarlyData<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    if let Some(mut early) = connection.early_data() {
        early.read_to_end(&mut bytes)?;
    }
    if bytes.is_empty() {
        return Ok(());
    }
    take(&mut EarlyData {
        bytes: &bytes,
        served,
        peer: client_of(client, connection),
        writer: connection.writer(),
    })
}

/// The bytes that rustls skips where it takes none.
const ONE_RECORD: usize = 1 << 14;
