//! From a client's query to the answer, whichever way it came.

use std::net::IpAddr;

use hickory_net::proto::op::{DnsResponse, Message, ResponseCode};
use hickory_net::proto::rr::Name;

use crate::designated::{self, Ports};
use crate::home::Home;
use crate::identity::Follower;
use crate::message::{Asked, Refusal, encode};
use crate::upstream::Upstream;
use crate::{own, padding};

/// Answers queries, mostly with what the upstream says.
#[derive(Debug)]
pub(crate) struct Resolver {
    pub(crate) upstream: Upstream,
    pub(crate) identity: Follower,
    pub(crate) home: Home,
    pub(crate) ports: Ports,
}

/// The way that a query has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) client: IpAddr,
    /// Where the client has reached us.
    pub(crate) local: IpAddr,
    /// True if nobody could read it.
    pub(crate) is_private: bool,
}

/// The answer to a client.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// For how many seconds it may be kept; `None` for what must not be kept.
    pub(crate) max_age: Option<u32>,
}

/// A query that is answered, or has to be asked of the upstream.
#[derive(Debug)]
pub(crate) enum Begun {
    Answered(Answer),
    Asking(Asked),
}

/// The query has no id that an answer could have.
#[derive(Debug)]
pub(crate) struct NotDns;

impl Resolver {
    /// Answers one query.
    ///
    /// Fails with [`NotDns`]; everything else has an answer, if only one that says what is wrong.
    pub(crate) async fn answer(&self, query: &[u8], way: Way) -> Result<Answer, NotDns> {
        Ok(match self.begin(query, way)? {
            Begun::Answered(answer) => answer,
            Begun::Asking(asked) => self.finish(&asked, way).await,
        })
    }

    /// Answers what needs nobody else, so that it is not waited for.
    ///
    /// Fails as [`Self::answer`].
    pub(crate) fn begin(&self, query: &[u8], way: Way) -> Result<Begun, NotDns> {
        let asked = match Asked::parse(query) {
            Ok(asked) => asked,
            Err(Refusal::Answer(bytes)) => return Ok(Begun::Answered(Answer::failure(bytes))),
            Err(Refusal::NotDns) => return Err(NotDns),
        };
        Ok(match self.of_its_own(&asked, way) {
            Some(own) => Begun::Answered(own.padded(&asked, way)),
            None => Begun::Asking(asked),
        })
    }

    /// Asks the upstream, and answers with what it says.
    pub(crate) async fn finish(&self, asked: &Asked, way: Way) -> Answer {
        let answer = match self.upstream.ask(asked.message()).await {
            Ok(response) => Answer::forward(asked.message().id, response),
            Err(_) => Answer::failure(asked.refuse(ResponseCode::ServFail)),
        };
        answer.padded(asked, way)
    }

    /// The answer to a question about the router itself; `None` if it is about anything else.
    ///
    /// Its addresses are for clients at home: others get what all the world gets.
    fn of_its_own(&self, asked: &Asked, way: Way) -> Option<Answer> {
        let question = asked.message().queries.first()?;
        if designated::is_about_the_resolver(question.name()) {
            let router = self.identity.name();
            return Some(Answer::own(asked, |answer| {
                designated::complete(answer, router.as_deref(), way.local, self.ports);
            }));
        }
        if self.home.is_nowhere() || !self.home.has(way.client) {
            return None;
        }
        let router = self.identity.name()?;
        let name = Name::from_ascii(format!("{router}.")).ok()?;
        own::is_about(question, &name).then(|| {
            Answer::own(asked, |answer| {
                own::complete(answer, &router, &self.home.addresses(), self.ports);
            })
        })
    }
}

impl Answer {
    /// What nobody else needs to be asked for.
    fn own(asked: &Asked, complete: impl FnOnce(&mut Message)) -> Self {
        let mut answer = asked.answer();
        complete(&mut answer);
        Self {
            bytes: encode(asked.message().id, &answer),
            max_age: answer.answers.iter().map(|record| record.ttl).min(),
        }
    }

    /// As it came, but with the client's id: what this program does not know passes too.
    fn forward(id: u16, response: DnsResponse) -> Self {
        let max_age = max_age(&response);
        let mut bytes = response.into_buffer();
        if let Some(own) = bytes.first_chunk_mut() {
            *own = id.to_be_bytes();
        }
        Self { bytes, max_age }
    }

    /// Padded, if the client pads and nobody else can read it anyway.
    fn padded(mut self, asked: &Asked, way: Way) -> Self {
        if way.is_private && padding::is_wanted(asked.message()) {
            padding::pad(&mut self.bytes);
        }
        self
    }

    fn failure(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            max_age: None,
        }
    }
}

/// RFC 8484 §5.1: no longer than any record of the answer lives, or than its absence may be remembered.
fn max_age(response: &DnsResponse) -> Option<u32> {
    match response.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        _ => return None,
    }
    let smallest = response.answers.iter().map(|record| record.ttl).min();
    smallest.or_else(|| response.negative_ttl())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hickory_net::proto::op::{Edns, Query};
    use hickory_net::proto::rr::rdata::opt::EdnsOption;
    use hickory_net::proto::rr::rdata::{A, SOA};
    use hickory_net::proto::rr::{RData, Record, RecordType};

    use super::*;

    fn response(code: ResponseCode, ttls: &[u32], minimum: Option<u32>) -> DnsResponse {
        let mut message = Message::query().into_response();
        message.metadata.response_code = code;
        for ttl in ttls {
            let data = RData::A(A::new(192, 0, 2, 1));
            message.add_answer(Record::from_rdata(Name::root(), *ttl, data));
        }
        if let Some(minimum) = minimum {
            let soa = SOA::new(Name::root(), Name::root(), 1, 2, 3, 4, minimum);
            message.add_authority(Record::from_rdata(Name::root(), 600, RData::SOA(soa)));
        }
        DnsResponse::from_message(message).unwrap()
    }

    #[test]
    fn is_kept_as_long_as_the_shortest_record() {
        let fine = ResponseCode::NoError;
        assert_eq!(max_age(&response(fine, &[300, 20, 60], None)), Some(20));
        assert_eq!(max_age(&response(fine, &[0], None)), Some(0));
    }

    #[test]
    fn what_does_not_exist_is_kept_as_long_as_its_zone_says() {
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            assert_eq!(max_age(&response(code, &[], Some(30))), Some(30));
            assert_eq!(max_age(&response(code, &[], Some(3600))), Some(600));
            assert_eq!(max_age(&response(code, &[], None)), None);
        }
    }

    #[test]
    fn failures_are_not_kept() {
        let failed = response(ResponseCode::ServFail, &[], Some(30));
        assert_eq!(max_age(&failed), None);
    }

    #[test]
    fn an_answer_is_forwarded_with_the_clients_id_and_is_else_the_same() {
        let response = response(ResponseCode::NoError, &[300], None);
        let sent = response.as_buffer().to_vec();
        let answer = Answer::forward(0xabcd, response);
        assert_eq!(answer.bytes[..2], [0xab, 0xcd]);
        assert_eq!(answer.bytes[2..], sent[2..]);
    }

    fn resolver(home: &[&str]) -> Resolver {
        let networks: Vec<_> = home.iter().map(|text| text.parse().unwrap()).collect();
        Resolver {
            upstream: Upstream::new(([127, 0, 0, 1], 9).into(), Duration::from_secs(1)),
            identity: Follower::of("k3v.cpe.example.com"),
            home: Home::new(&networks),
            ports: Ports {
                dot: 853,
                https: 443,
                doq: None,
                http3: None,
            },
        }
    }

    fn asked(name: &str) -> Asked {
        let mut query = Message::query();
        let name = Name::from_ascii(name).unwrap();
        query.add_query(Query::query(name, RecordType::A));
        Asked::parse(&query.to_vec().unwrap()).unwrap()
    }

    fn from(client: &str) -> Way {
        Way {
            client: client.parse().unwrap(),
            local: [192, 168, 1, 1].into(),
            is_private: true,
        }
    }

    #[test]
    fn its_name_is_told_at_home_and_to_nobody_else() {
        let told = |home: &[&str], name: &str, client: &str| {
            resolver(home)
                .of_its_own(&asked(name), from(client))
                .is_some()
        };
        let home = ["192.168.1.1/24"];
        let own = "k3v.cpe.example.com.";
        assert!(told(&home, own, "192.168.1.7") && told(&home, own, "127.0.0.1"));
        assert!(!told(&home, own, "203.0.113.7") && !told(&[], own, "127.0.0.1"));
        for name in ["www.k3v.cpe.example.com.", "cpe.example.com."] {
            assert!(!told(&home, name, "192.168.1.7"), "{name}");
        }
        // Whom it designates everybody may know.
        assert!(told(&[], "_dns.resolver.arpa.", "203.0.113.7"));
    }

    #[tokio::test]
    async fn what_everybody_can_read_is_not_padded() {
        let mut query = Message::query();
        let name = Name::from_ascii("k3v.cpe.example.com.").unwrap();
        query.add_query(Query::query(name, RecordType::A));
        let mut edns = Edns::new();
        edns.options_mut()
            .insert(EdnsOption::Unknown(12, vec![0; 8]));
        query.set_edns(edns);
        let query = query.to_vec().unwrap();
        let resolver = resolver(&["192.168.1.1/24"]);
        for (is_private, length) in [(true, 468..=468), (false, 1..=100)] {
            let way = Way {
                is_private,
                ..from("192.168.1.7")
            };
            let answer = resolver.answer(&query, way).await.unwrap();
            assert!(
                length.contains(&answer.bytes.len()),
                "{}",
                answer.bytes.len()
            );
            assert_eq!(answer.max_age, Some(60));
        }
    }
}
