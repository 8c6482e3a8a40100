//! Multicast DNS (RFC 6762) in the home's network: the router's services are announced, and found by whoever looks for
//! services, without any configuration.
//!
//! The services' host is the router's unique name. Nobody else has that, so it is not asked for before it is said.

mod link;
mod records;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_net::proto::op::{Message, MessageType, OpCode, ResponseCode};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use crate::Failure;
use crate::resolver::Resolver;
use link::{Link, PORT};
use records::{Records, is_for_one};

/// The router as it speaks on all links of the home.
#[derive(Clone, Debug)]
pub(crate) struct Announcer {
    resolver: Arc<Resolver>,
    links: Vec<Arc<Speaker>>,
}

/// What is said on one link.
#[derive(Debug)]
struct Speaker {
    link: Link,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    name: Option<String>,
    /// None before there is a name.
    records: Option<Arc<Records>>,
    /// How often it is to be announced still, unasked.
    announcements: u8,
    /// When each record was said to everybody.
    said: BTreeMap<usize, Instant>,
}

impl Announcer {
    /// Listens on the links of these addresses.
    ///
    /// Fails if the router has not such an address.
    pub(crate) fn open(addresses: &[IpAddr], resolver: &Arc<Resolver>) -> Result<Self, Failure> {
        let speaker = |link| {
            Arc::new(Speaker {
                link,
                state: Mutex::default(),
            })
        };
        Ok(Self {
            resolver: Arc::clone(resolver),
            links: { Link::open_all(addresses)?.into_iter() }
                .map(speaker)
                .collect(),
        })
    }

    /// Announces and answers, for ever.
    pub(crate) async fn serve(self) {
        let mut speaking = JoinSet::new();
        for link in self.links {
            let resolver = Arc::clone(&self.resolver);
            speaking.spawn(async move { link.speak(&resolver).await });
        }
        while speaking.join_next().await.is_some() {}
    }

    /// Takes back what was said, before the router is gone.
    pub(crate) async fn goodbye(&self) {
        for link in &self.links {
            link.goodbye().await;
        }
    }
}

impl Speaker {
    async fn speak(&self, resolver: &Resolver) {
        let mut looks = interval(LOOK);
        let mut packet = vec![0; LONGEST];
        loop {
            tokio::select! {
                _ = looks.tick() => self.look(resolver).await,
                received = self.link.socket.recv_from(&mut packet) => match received {
                    Ok((length, from)) if self.link.has(from, &resolver.home) => {
                        self.hear(packet.get(..length).unwrap_or_default(), from).await;
                    }
                    Ok(_) => {}
                    // A link that is down is no reason to stop.
                    Err(_) => sleep(LOOK).await,
                },
            }
        }
    }

    /// Announces a name that is new, once and again a second later (RFC 6762 §8.3).
    async fn look(&self, resolver: &Resolver) {
        let name = resolver.identity.name();
        if self.lock().name != name {
            self.goodbye().await;
            let addresses = resolver.home.addresses();
            let records = name
                .as_ref()
                .and_then(|name| Records::new(name, &addresses, resolver.ports).ok());
            *self.lock() = State {
                name,
                records: records.map(Arc::new),
                announcements: ANNOUNCEMENTS,
                said: BTreeMap::new(),
            };
        }
        let due = {
            let mut state = self.lock();
            let is_due = state.announcements > 0;
            state.announcements = state.announcements.saturating_sub(1);
            state.records.clone().filter(|_| is_due)
        };
        if let Some(records) = due {
            self.tell(&records, &records.all(), &[]).await;
        }
    }

    async fn hear(&self, packet: &[u8], from: SocketAddr) {
        let records = self.lock().records.clone();
        let (Some(records), Some(query)) = (records, read(packet)) else {
            return;
        };
        let answers = records.answers(&query);
        if answers.is_empty() {
            return;
        }
        let more = records.more(&answers);
        if from.port() != PORT {
            let answer = records.for_one(&query, &answers, &more);
            self.send(&answer, Some(from)).await;
        } else if query.queries.iter().all(is_for_one) {
            let answer = records.for_all(&answers, &more);
            self.send(&answer, Some(from)).await;
        } else {
            if records.is_shared(&answers) {
                sleep(pause()).await;
            }
            let [answers, more] = [answers, more].map(|places| self.not_just_said(&places));
            if !answers.is_empty() {
                self.tell(&records, &answers, &more).await;
            }
        }
    }

    /// RFC 6762 §6: no record is said to everybody twice in a second, whoever asks for it.
    fn not_just_said(&self, places: &[usize]) -> Vec<usize> {
        let state = self.lock();
        let is_old = |place: &&usize| {
            let said = state.said.get(place);
            said.is_none_or(|said| said.elapsed() >= LOOK)
        };
        places.iter().filter(is_old).copied().collect()
    }

    async fn tell(&self, records: &Records, answers: &[usize], more: &[usize]) {
        let now = Instant::now();
        let said = answers.iter().chain(more).map(|place| (*place, now));
        self.lock().said.extend(said);
        self.send(&records.for_all(answers, more), None).await;
    }

    async fn goodbye(&self) {
        let records = self.lock().records.take();
        if let Some(records) = records {
            self.send(&records.goodbye(), None).await;
        }
    }

    async fn send(&self, message: &Message, to: Option<SocketAddr>) {
        let Ok(message) = message.to_vec() else {
            return;
        };
        match to {
            Some(to) => self.link.answer(&message, to).await,
            None => self.link.tell(&message).await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query; `None` for what is none, and for what has more in it than anybody asks at once.
fn read(packet: &[u8]) -> Option<Message> {
    let [_, _, _, _, counts @ ..] = packet.first_chunk::<12>()?;
    let (counts, _) = counts.as_chunks();
    if counts
        .iter()
        .any(|count| u16::from_be_bytes(*count) > MAX_RECORDS)
    {
        return None;
    }
    let message = Message::from_vec(packet).ok()?;
    let is_query = message.message_type == MessageType::Query
        && message.op_code == OpCode::Query
        && message.response_code == ResponseCode::NoError;
    is_query.then_some(message)
}

/// 20 to 120 ms, so that not all who have an answer say it at once (RFC 6762 §6).
fn pause() -> Duration {
    let random = RandomState::new().build_hasher().finish();
    Duration::from_millis(20 + random % 101)
}

const ANNOUNCEMENTS: u8 = 2;
/// Between two looks for a new name, two announcements, and two times that a record is said to everybody.
const LOOK: Duration = Duration::from_secs(1);
/// RFC 6762 §17.
const LONGEST: usize = 9000;
const MAX_RECORDS: u16 = 256;

#[cfg(test)]
mod tests {
    use hickory_net::proto::op::Query;
    use hickory_net::proto::rr::{Name, RecordType};
    use proptest::prelude::*;

    use super::*;

    fn query() -> Message {
        let mut query = Message::new(0, MessageType::Query, OpCode::Query);
        let name = Name::from_ascii("_https._tcp.local.").unwrap();
        query.add_query(Query::query(name, RecordType::PTR));
        query
    }

    #[test]
    fn only_queries_are_read() {
        let good = query().to_vec().unwrap();
        assert!(read(&good).is_some());
        assert!(read(&query().into_response().to_vec().unwrap()).is_none());
        let mut update = query();
        update.metadata.op_code = OpCode::Notify;
        assert!(read(&update.to_vec().unwrap()).is_none());
        for at in [4, 6, 8, 10] {
            let mut many = good.clone();
            many[at] = 0xff;
            assert!(read(&many).is_none(), "{at}");
        }
    }

    #[test]
    fn answers_of_several_are_a_tenth_of_a_second_apart() {
        for _ in 0..100 {
            let pause = pause().as_millis();
            assert!((20..=120).contains(&pause), "{pause}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(packet in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..40, byte: u8) {
            let _ = read(&packet);
            let mut changed = query().to_vec().unwrap();
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            let records = Records::new("k3v.cpe.example.com", &[], PORTS).unwrap();
            if let Some(query) = read(&changed) {
                let answers = records.answers(&query);
                let more = records.more(&answers);
                prop_assert!(records.for_one(&query, &answers, &more).to_vec().is_ok());
            }
        }
    }

    const PORTS: crate::designated::Ports = crate::designated::Ports {
        dot: 853,
        https: 443,
        doq: None,
        http3: None,
    };
}
