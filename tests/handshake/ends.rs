//! Ends of a connection that are ours or rustls as it comes, driven in one way.

use std::io::{self, Read, Write};
use std::sync::Arc;

use dc_rustls::client::{self, Config, EarlyDataStatus, Peer};
use dc_rustls::server::{self, Acceptor, Served};
use dc_tests::pipe::End;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection, StreamOwned,
};

/// A client of either kind.
pub(crate) enum AnyClient {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

/// How it went for the client.
#[derive(Debug)]
pub(crate) struct Near {
    pub(crate) peer: Option<Peer>,
    pub(crate) kind: HandshakeKind,
    pub(crate) early: Option<bool>,
}

impl AnyClient {
    pub(crate) fn ask(
        &self,
        name: &str,
        io: End,
        request: &[u8],
    ) -> Result<Near, dc_rustls::Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        match self {
            Self::Ours(config) => {
                let mut tls = config.connect_early(name, io, |data| data.write_all(EARLY))?;
                ask(&mut tls, request)?;
                Ok(Near {
                    peer: Some(client::Stream::peer(&tls).clone()),
                    kind: tls.connection().handshake_kind().unwrap(),
                    early: match tls.early_data() {
                        EarlyDataStatus::NotSent => None,
                        EarlyDataStatus::Accepted => Some(true),
                        EarlyDataStatus::Rejected => Some(false),
                    },
                })
            }
            Self::Stock(config) => {
                let mut connection = ClientConnection::new(Arc::clone(config), name)?;
                let early = connection.early_data().map(|mut early| {
                    early.write_all(EARLY).unwrap();
                });
                let mut tls = StreamOwned::new(connection, io);
                ask(&mut tls, request)?;
                Ok(Near {
                    peer: None,
                    kind: tls.conn.handshake_kind().unwrap(),
                    early: early.map(|()| tls.conn.is_early_data_accepted()),
                })
            }
        }
    }
}

fn ask(tls: &mut (impl Read + Write), request: &[u8]) -> io::Result<()> {
    tls.write_all(request)?;
    tls.flush()?;
    let mut reply = vec![0; request.len()];
    tls.read_exact(&mut reply)?;
    assert!(reply.iter().zip(request).all(|(a, b)| a ^ b == 0xff));
    Ok(())
}

/// A server of either kind, which sends back what it gets with all bits flipped.
pub(crate) enum AnyServer {
    Stock(Arc<ServerConfig>),
    Ours(Acceptor),
}

/// How it went for the server.
#[derive(Debug)]
pub(crate) struct Far {
    pub(crate) served: Option<Served>,
    pub(crate) kind: HandshakeKind,
    pub(crate) early: Option<bool>,
}

impl AnyServer {
    pub(crate) fn serve(&self, io: End, length: usize) -> Result<Far, dc_rustls::Error> {
        match self {
            Self::Ours(acceptor) => {
                let mut early = Vec::new();
                let mut tls = acceptor.accept_early(io, |data| {
                    early.extend_from_slice(data.bytes());
                    Ok(())
                })?;
                reply(&mut tls, length)?;
                Ok(Far {
                    served: Some(server::Stream::served(&tls).clone()),
                    kind: tls.connection().handshake_kind().unwrap(),
                    early: is_early(&early),
                })
            }
            Self::Stock(config) => {
                let connection = ServerConnection::new(Arc::clone(config))?;
                let mut tls = StreamOwned::new(connection, io);
                while tls.conn.is_handshaking() {
                    tls.conn.complete_io(&mut tls.sock)?;
                }
                let early = read_early(&mut tls.conn);
                reply(&mut tls, length)?;
                Ok(Far {
                    served: None,
                    kind: tls.conn.handshake_kind().unwrap(),
                    early,
                })
            }
        }
    }
}

fn read_early(connection: &mut ServerConnection) -> Option<bool> {
    let mut early = connection.early_data()?;
    let mut data = Vec::new();
    early.read_to_end(&mut data).unwrap();
    // Without any, rustls gives an empty reader if the configuration would take some.
    is_early(&data)
}

/// Whether it is what was sent early; `None` if there is nothing.
fn is_early(data: &[u8]) -> Option<bool> {
    (!data.is_empty()).then(|| data == EARLY)
}

fn reply(tls: &mut (impl Read + Write), length: usize) -> io::Result<()> {
    let mut body = vec![0; length];
    tls.read_exact(&mut body)?;
    body.iter_mut().for_each(|byte| *byte ^= 0xff);
    tls.write_all(&body)?;
    tls.flush()
}

const EARLY: &[u8] = b"early";
