//! DNS over TLS (RFC 7858): messages with their length in front, many at a time, answered as the answers come.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clients::Connection;
use crate::listen::Greeted;
use crate::resolver::{Resolver, Way};

/// Serves a connection until the client closes it, is silent for too long, or sends what is not DNS.
pub(crate) async fn serve(resolver: Arc<Resolver>, greeted: Greeted) {
    let Greeted { tls, client, local } = greeted;
    let way = client.connection().way(local);
    talk(resolver, tls, client.connection(), way).await;
}

/// The same over any stream.
pub(crate) async fn talk(
    resolver: Arc<Resolver>,
    stream: impl AsyncRead + AsyncWrite,
    connection: &Arc<Connection>,
    way: Way,
) {
    let (reader, writer) = tokio::io::split(stream);
    let (send, answers) = channel(MAX_IN_FLIGHT);
    let asking = Asking {
        resolver,
        connection: Arc::clone(connection),
        way,
        send,
    };
    let mut write = pin!(write_all(writer, answers));
    tokio::select! {
        // What was asked before the client was done is still answered.
        () = asking.read_all(reader) => write.await,
        () = &mut write => {}
    }
}

/// The parts that answer a client's queries.
struct Asking {
    resolver: Arc<Resolver>,
    connection: Arc<Connection>,
    way: Way,
    send: Sender<Vec<u8>>,
}

impl Asking {
    /// Reads queries until there are no more, and returns when the last is answered.
    async fn read_all(self, mut reader: impl AsyncRead + Unpin) {
        let this = Arc::new(self);
        let permits = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut queries = JoinSet::new();
        // With too many under way, the client waits: its queries stay in the network.
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            let Ok(Ok(query)) = timeout(IDLE, read(&mut reader)).await else {
                break;
            };
            while queries.try_join_next().is_some() {}
            // What is too short to be answered was not sent by a client that can be talked to.
            if query.len() < MIN_LENGTH {
                break;
            }
            this.connection.count_query();
            let this = Arc::clone(&this);
            queries.spawn(async move {
                this.answer(&query).await;
                drop(permit);
            });
        }
        while queries.join_next().await.is_some() {}
    }

    async fn answer(&self, query: &[u8]) {
        if let Ok(answer) = self.resolver.answer(query, self.way).await {
            // Nobody is there any more to read it, if this fails.
            let _ = self.send.send(answer.bytes).await;
        }
    }
}

/// Writes answers until nobody makes any more, or the client does not read them.
async fn write_all(mut writer: impl AsyncWrite + Unpin, mut answers: Receiver<Vec<u8>>) {
    while let Some(answer) = answers.recv().await {
        let written = timeout(IDLE, write(&mut writer, &answer)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    let _ = timeout(IDLE, writer.shutdown()).await;
}

/// One message, behind its length.
async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = reader.read_u16().await?;
    let mut message = Vec::new();
    // Room is made for what comes, not for what is announced.
    let read = reader.take(length.into()).read_to_end(&mut message).await?;
    match read == usize::from(length) {
        true => Ok(message),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    // In one record: RFC 7766 §8.
    let mut framed = Vec::with_capacity(2 + message.len());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    writer.write_all(&framed).await?;
    writer.flush().await
}

/// For one client; the upstream has a limit for all.
const MAX_IN_FLIGHT: usize = 32;
/// RFC 7766 §6.2.3 wants it in the order of seconds; phones keep a connection longer than that if they may.
const IDLE: Duration = Duration::from_secs(30);
/// The header of a DNS message.
const MIN_LENGTH: usize = 12;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;

    use hickory_net::proto::op::{Message, Query};
    use hickory_net::proto::rr::{Name, RecordType};
    use proptest::prelude::*;
    use tokio::io::{DuplexStream, duplex};
    use tokio::runtime::Builder;
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::clients::{Clients, Service};
    use crate::designated::Ports;
    use crate::home::Home;
    use crate::identity::Follower;
    use crate::upstream::Upstream;

    proptest! {
        #[test]
        fn reads_what_was_written_and_nothing_behind_a_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5),
            cut in 1usize..50,
        ) {
            let runtime = Builder::new_current_thread().build().unwrap();
            let read_back = runtime.block_on(async {
                let mut wire = Vec::new();
                for message in &messages {
                    write(&mut wire, message).await.unwrap();
                }
                wire.truncate(wire.len().saturating_sub(cut));
                let mut reader = wire.as_slice();
                let mut read_back = Vec::new();
                while let Ok(message) = read(&mut reader).await {
                    read_back.push(message);
                }
                read_back
            });
            prop_assert!(read_back.len() < messages.len().max(1));
            prop_assert!(messages.starts_with(&read_back));
        }
    }

    #[tokio::test]
    async fn a_message_that_has_no_length_is_not_sent() {
        let mut wire = Vec::new();
        let long = vec![0; usize::from(u16::MAX) + 1];
        assert!(write(&mut wire, &long).await.is_err());
        assert!(wire.is_empty());
    }

    /// A client, and the other end of its connection as it is served. Nothing here asks the upstream.
    fn client(buffer: usize) -> (DuplexStream, JoinHandle<()>) {
        let resolver = Arc::new(Resolver {
            upstream: Upstream::new(([127, 0, 0, 1], 9).into(), IDLE),
            identity: Follower::new(Path::new("nowhere")),
            home: Home::default(),
            ports: Ports {
                dot: 1,
                https: 2,
                doq: None,
                http3: None,
            },
        });
        let (ours, theirs) = duplex(buffer);
        let served = tokio::spawn(async move {
            let local = Ipv4Addr::LOCALHOST.into();
            let admitted = Clients::default().admit(local, Service::Dot).unwrap();
            let way = admitted.connection().way(local);
            talk(resolver, theirs, admitted.connection(), way).await;
        });
        (ours, served)
    }

    fn query(id: u16) -> Vec<u8> {
        let mut query = Message::query();
        query.metadata.id = id;
        let name = Name::from_ascii("_dns.resolver.arpa.").unwrap();
        query.add_query(Query::query(name, RecordType::SVCB));
        query.to_vec().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_let_go() {
        let (mut ours, served) = client(1024);
        let begun = Instant::now();
        // Half a query is no reason to wait for longer.
        ours.write_all(&[0, 40, 1]).await.unwrap();
        served.await.unwrap();
        assert_eq!(begun.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_no_answers_is_let_go() {
        let (mut ours, served) = client(64);
        let asking = async {
            // Until nobody reads it any more.
            while write(&mut ours, &query(1)).await.is_ok() {}
        };
        let ended = timeout(3 * IDLE, async { tokio::join!(asking, served) });
        ended.await.unwrap().1.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_is_answered_after_the_client_has_said_goodbye() {
        let (mut ours, served) = client(1 << 16);
        for id in 1..=100 {
            write(&mut ours, &query(id)).await.unwrap();
        }
        ours.shutdown().await.unwrap();
        let mut ids = Vec::new();
        while let Ok(answer) = read(&mut ours).await {
            ids.push(u16::from_be_bytes([answer[0], answer[1]]));
        }
        served.await.unwrap();
        ids.sort_unstable();
        assert_eq!(ids, (1..=100).collect::<Vec<u16>>());
    }
}
