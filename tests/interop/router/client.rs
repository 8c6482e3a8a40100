//! A connection over TLS that a test keeps open, with our client.

use std::path::Path;

use dc_rustls::{
    Error,
    client::{AsyncStream, Peer},
};
use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Router;
use crate::connection::connect;

/// A connection for DNS over TLS.
#[derive(Debug)]
pub(crate) struct Dot(AsyncStream<TcpStream>);

impl Dot {
    pub(crate) async fn connect(router: &Router, root: &Path, name: &str) -> Result<Self, Error> {
        connect(router.dot, root, name, "dot").await.map(Self)
    }

    /// When the credential ends that the router has proved itself with.
    pub(crate) fn expires(&self) -> u64 {
        match self.0.peer() {
            Peer::Delegated { expires, .. } => expires.as_secs(),
            _ => panic!("no credential"),
        }
    }

    pub(crate) async fn send(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).unwrap();
        self.0.write_u16(length).await.unwrap();
        self.0.write_all(message).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// `None` if the router has closed the connection.
    pub(crate) async fn receive(&mut self) -> Option<Vec<u8>> {
        let length = self.0.read_u16().await.ok()?;
        let mut message = vec![0; length.into()];
        self.0.read_exact(&mut message).await.ok()?;
        Some(message)
    }

    /// The addresses of a name.
    pub(crate) async fn resolve(&mut self, name: &str) -> String {
        let query = query(name);
        self.send(&query).await;
        let answer = Message::from_vec(&self.receive().await.unwrap()).unwrap();
        assert_eq!(answer.metadata.id.to_be_bytes(), query[..2]);
        let data = answer.answers.iter().map(|record| record.data.to_string());
        data.collect::<Vec<_>>().join(" ")
    }
}

/// A question for the addresses of a name.
pub(crate) fn query(name: &str) -> Vec<u8> {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    query.to_vec().unwrap()
}
