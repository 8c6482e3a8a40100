//! From a client's query to the answer, whichever way it came.

use std::net::IpAddr;

use hickory_net::proto::op::{DnsResponse, Query, ResponseCode};

use crate::designated::{self, Ports};
use crate::identity::Follower;
use crate::message::{Asked, Refusal, encode};
use crate::padding;
use crate::upstream::Upstream;

/// Answers queries, mostly with what the upstream says.
#[derive(Debug)]
pub(crate) struct Resolver {
    pub(crate) upstream: Upstream,
    pub(crate) identity: Follower,
    pub(crate) ports: Ports,
}

/// The answer to a client.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// For how many seconds it may be kept; `None` for what must not be kept.
    pub(crate) max_age: Option<u32>,
}

/// The query has no id that an answer could have.
#[derive(Debug)]
pub(crate) struct NotDns;

impl Resolver {
    /// Answers one query; `local` is where the client has reached us.
    ///
    /// Fails with [`NotDns`]; everything else has an answer, if only one that says what is wrong.
    pub(crate) async fn answer(&self, query: &[u8], local: IpAddr) -> Result<Answer, NotDns> {
        let asked = match Asked::parse(query) {
            Ok(asked) => asked,
            Err(Refusal::Answer(bytes)) => return Ok(Answer::failure(bytes)),
            Err(Refusal::NotDns) => return Err(NotDns),
        };
        let mut names = asked.message().queries.iter().map(Query::name);
        let mut answer = match names.any(designated::is_about_the_resolver) {
            true => self.describe_itself(&asked, local),
            false => self.forward(&asked).await,
        };
        if padding::is_wanted(asked.message()) {
            padding::pad(&mut answer.bytes);
        }
        Ok(answer)
    }

    async fn forward(&self, asked: &Asked) -> Answer {
        match self.upstream.ask(asked.message()).await {
            Ok(response) => Answer::forward(asked.message().id, response),
            Err(_) => Answer::failure(asked.refuse(ResponseCode::ServFail)),
        }
    }

    fn describe_itself(&self, asked: &Asked, local: IpAddr) -> Answer {
        let credential = self.identity.standing().credential;
        let name = credential.and_then(|credential| credential.name);
        let mut answer = asked.answer();
        designated::complete(&mut answer, name.as_deref(), local, self.ports);
        Answer {
            bytes: encode(asked.message().id, &answer),
            max_age: answer.answers.iter().map(|record| record.ttl).min(),
        }
    }
}

impl Answer {
    /// As it came, but with the client's id: what this program does not know passes too.
    fn forward(id: u16, response: DnsResponse) -> Self {
        let max_age = max_age(&response);
        let mut bytes = response.into_buffer();
        if let Some(own) = bytes.first_chunk_mut() {
            *own = id.to_be_bytes();
        }
        Self { bytes, max_age }
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
    use hickory_net::proto::op::Message;
    use hickory_net::proto::rr::rdata::{A, SOA};
    use hickory_net::proto::rr::{Name, RData, Record};

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
}
