//! Plain DNS in the home's network, over UDP and TCP: so that who has nothing but the router's address finds its name.
//!
//! Nobody outside is answered, and no answer over UDP is longer than a packet that every network passes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Failure;
use crate::clients::{Clients, Service};
use crate::dot;
use crate::message::{Asked, Refusal, encode};
use crate::resolver::{Begun, NotDns, Resolver, Way};

/// One of the router's addresses, where it answers both ways.
#[derive(Debug)]
pub(crate) struct Door {
    udp: UdpSocket,
    tcp: TcpListener,
    local: IpAddr,
}

impl Door {
    /// Opens the port at an address.
    ///
    /// Fails with a hint, if another DNS server has it.
    pub(crate) async fn open(address: IpAddr, port: u16) -> Result<Self, Failure> {
        let at = SocketAddr::new(address, port);
        let explain = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "let the DNS server that is there listen on another port, and give that as --upstream"
                }
                io::ErrorKind::AddrNotAvailable => "give --home an address that this router has",
                _ => "give another --dns-port, or the right to use ports below 1024",
            };
            format!("cannot listen on {at} for DNS: {error}; {hint}")
        };
        Ok(Self {
            udp: UdpSocket::bind(at).await.map_err(explain)?,
            tcp: TcpListener::bind(at).await.map_err(explain)?,
            local: address,
        })
    }
}

/// Answers at all doors, for ever.
pub(crate) async fn serve(doors: Vec<Door>, resolver: Arc<Resolver>, clients: Clients) {
    let mut serving = JoinSet::new();
    for Door { udp, tcp, local } in doors {
        serving.spawn(over_tcp(tcp, local, Arc::clone(&resolver), clients.clone()));
        serving.spawn(over_udp(udp, local, Arc::clone(&resolver)));
    }
    while serving.join_next().await.is_some() {}
}

async fn over_tcp(tcp: TcpListener, local: IpAddr, resolver: Arc<Resolver>, clients: Clients) {
    loop {
        let (stream, from) = match tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("not accepted: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        if !resolver.home.has(from.ip()) {
            continue;
        }
        let Some(client) = clients.admit(from.ip(), Service::Dns) else {
            continue;
        };
        let (resolver, way) = (Arc::clone(&resolver), way(from, local));
        tokio::spawn(async move { dot::talk(resolver, stream, client.connection(), way).await });
    }
}

async fn over_udp(udp: UdpSocket, local: IpAddr, resolver: Arc<Resolver>) {
    let udp = Arc::new(udp);
    // A query has a place while it is answered, as a connection has elsewhere; one client has so many.
    let places = Clients::default();
    let mut packet = [0; MAX_QUERY];
    loop {
        let (length, from) = match udp.recv_from(&mut packet).await {
            Ok(received) => received,
            Err(error) => {
                eprintln!("not received: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let query = packet.get(..length).unwrap_or_default();
        if !resolver.home.has(from.ip()) || !is_query(query) {
            continue;
        }
        let way = way(from, local);
        let asked = match resolver.begin(query, way) {
            Ok(Begun::Asking(asked)) => asked,
            Ok(Begun::Answered(answer)) => {
                // It may be lost on its way, too.
                let _ = udp.send_to(&fitting(query, answer.bytes), from).await;
                continue;
            }
            Err(NotDns) => continue,
        };
        // Only here, so that the router is found while no upstream answers.
        let Some(place) = places.admit(from.ip(), Service::Dns) else {
            continue;
        };
        let (resolver, udp, query) = (Arc::clone(&resolver), Arc::clone(&udp), query.to_vec());
        tokio::spawn(async move {
            let answer = resolver.finish(&asked, way).await;
            let _ = udp.send_to(&fitting(&query, answer.bytes), from).await;
            drop(place);
        });
    }
}

fn way(from: SocketAddr, local: IpAddr) -> Way {
    Way {
        client: from.ip(),
        local,
        is_private: false,
    }
}

/// False for answers: two servers that answer each other's would never stop.
fn is_query(packet: &[u8]) -> bool {
    packet.get(2).is_some_and(|flags| flags & RESPONSE == 0)
}

/// The answer, or the word that it has to be asked for over TCP, if it is longer than the client or the network takes.
fn fitting(query: &[u8], answer: Vec<u8>) -> Vec<u8> {
    let asked = match Asked::parse(query) {
        Ok(asked) => asked,
        // What refuses a query is as short as that.
        Err(Refusal::Answer(_) | Refusal::NotDns) => return answer,
    };
    let taken = usize::from(asked.message().max_payload()).min(MAX_ANSWER);
    if answer.len() <= taken {
        return answer;
    }
    let mut cut = asked.answer();
    cut.metadata.truncation = true;
    encode(asked.message().id, &cut)
}

/// The bit QR.
const RESPONSE: u8 = 0x80;
const MAX_QUERY: usize = 4096;
/// What fits into the smallest packet of IPv6 (RFC 9715).
const MAX_ANSWER: usize = 1232;
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use hickory_net::proto::op::{Edns, Message, Query};
    use hickory_net::proto::rr::{Name, RecordType};
    use proptest::prelude::*;

    use super::*;
    use crate::designated::Ports;
    use crate::home::Home;
    use crate::identity::Follower;
    use crate::upstream::Upstream;

    fn query(payload: Option<u16>) -> Vec<u8> {
        let mut query = Message::query();
        query.add_query(Query::query(
            Name::from_ascii("www.example.").unwrap(),
            RecordType::TXT,
        ));
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            query.set_edns(edns);
        }
        query.to_vec().unwrap()
    }

    #[test]
    fn an_answer_that_the_client_or_the_network_does_not_take_is_to_be_fetched_over_tcp() {
        for (payload, taken) in [
            (None, 512),
            (Some(100), 512),
            (Some(700), 700),
            (Some(4096), MAX_ANSWER),
        ] {
            let query = query(payload);
            let fits = vec![0; taken];
            assert_eq!(fitting(&query, fits.clone()), fits);
            let cut = fitting(&query, vec![0; taken + 1]);
            assert!(cut.len() < 512, "{}", cut.len());
            let cut = Message::from_vec(&cut).unwrap();
            assert!(cut.truncation && cut.answers.is_empty(), "{cut:?}");
            assert_eq!(cut.edns.is_some(), payload.is_some());
        }
    }

    proptest! {
        #[test]
        fn nobody_makes_it_send_more_than_a_packet(payload: Option<u16>, length in 0usize..70_000) {
            let sent = fitting(&query(payload), vec![0; length]);
            prop_assert!(sent.len() <= MAX_ANSWER.min(payload.unwrap_or_default().max(512).into()));
        }

        #[test]
        fn anything_may_come(query in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (is_query(&query), fitting(&query, vec![0; MAX_ANSWER]));
        }
    }

    #[test]
    fn what_is_an_answer_is_not_answered() {
        assert!(is_query(&query(None)));
        let answer = Message::query().into_response().to_vec().unwrap();
        assert!(!is_query(&answer) && !is_query(&[0, 0]));
    }

    /// As it is when the internet is away, and somebody looks at the page to see why.
    #[tokio::test]
    async fn the_name_is_answered_while_the_upstream_answers_nothing() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let resolver = Resolver {
            upstream: Upstream::new(silent.local_addr().unwrap(), Duration::from_secs(600)),
            identity: Follower::of("k3v.cpe.example.com"),
            home: Home::new(&["192.168.1.1/24".parse().unwrap()]),
            ports: Ports {
                dot: 853,
                https: 443,
                doq: None,
                http3: None,
            },
        };
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = udp.local_addr().unwrap();
        tokio::spawn(over_udp(udp, at.ip(), Arc::new(resolver)));
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for _ in 0..50 {
            client.send_to(&query(None), at).await.unwrap();
        }
        let mut own = Message::query();
        let name = Name::from_ascii("k3v.cpe.example.com.").unwrap();
        own.add_query(Query::query(name, RecordType::A));
        client.send_to(&own.to_vec().unwrap(), at).await.unwrap();
        let mut answer = [0; 512];
        let (length, _) = client.recv_from(&mut answer).await.unwrap();
        let answer = Message::from_vec(&answer[..length]).unwrap();
        assert_eq!((answer.id, answer.answers.len()), (own.id, 1));
    }
}
