//! A client and a server, connected.

use std::io::{self, Read, Write};
use std::thread;

use dc_rustls::{Error, client, server};
use rustls::pki_types::ServerName;
use rustls::{ConnectionCommon, SideData};

use crate::pipe::{End, pipe};

/// How a connection went at both ends.
#[derive(Debug)]
pub struct Outcome {
    /// The client's connection, or why there is none.
    pub client: Result<client::Stream<End>, Error>,
    /// What the server served with, or why not.
    pub server: Result<server::Served, Error>,
}

impl Outcome {
    /// Who answered the client.
    #[must_use]
    #[track_caller]
    pub fn peer(&self) -> &client::Peer {
        self.client.as_ref().unwrap().peer()
    }

    /// The alert that the server got from the client.
    #[must_use]
    #[track_caller]
    pub fn alert_at_server(&self) -> rustls::AlertDescription {
        match &self.server {
            Err(Error::Tls(rustls::Error::AlertReceived(alert))) => *alert,
            other => panic!("no alert at the server: {other:?}"),
        }
    }

    /// The alert that the client got from the server.
    #[must_use]
    #[track_caller]
    pub fn alert_at_client(&self) -> rustls::AlertDescription {
        match &self.client {
            Err(Error::Tls(rustls::Error::AlertReceived(alert))) => *alert,
            other => panic!("no alert at the client: {other:?}"),
        }
    }

    /// Why the client refused.
    #[must_use]
    #[track_caller]
    pub fn refusal(&self) -> &dc_rustls::Refusal {
        match &self.client {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// Connects, with reads and writes of at most `chunk` bytes, and exchanges a line each way.
#[must_use]
pub fn connect(
    client: &client::Config,
    name: &str,
    acceptor: &server::Acceptor,
    chunk: usize,
) -> Outcome {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far)?;
            let mut line = [0; 4];
            tls.read_exact(&mut line)?;
            assert_eq!(&line, b"ping");
            tls.write_all(b"pong")?;
            Ok(tls.served().clone())
        });
        let client = client.connect(name, near).and_then(|mut tls| {
            tls.write_all(b"ping")?;
            let mut line = [0; 4];
            tls.read_exact(&mut line)?;
            assert_eq!(&line, b"pong");
            Ok(tls)
        });
        Outcome {
            client,
            server: server.join().unwrap(),
        }
    })
}

/// Why a stock connection failed, as far as rustls knows.
///
/// rustls gives up when it cannot write, though what the peer said before it went may be there to read.
pub fn last_words<D: SideData>(
    connection: &mut ConnectionCommon<D>,
    io: &mut impl Read,
    error: io::Error,
) -> Option<rustls::Error> {
    if let Ok(error) = error.downcast() {
        return Some(error);
    }
    while connection.read_tls(io).is_ok_and(|read| read > 0) {
        if let Err(error) = connection.process_new_packets() {
            return Some(error);
        }
    }
    None
}
