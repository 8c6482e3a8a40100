//! A client's query: what is one, and the answers that need nobody else.

use hickory_net::proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_net::proto::rr::{DNSClass, RecordType};
use hickory_net::proto::serialize::binary::{BinDecodable, BinDecoder};

/// A query that can be forwarded.
#[derive(Clone, Debug)]
pub(crate) struct Asked(Message);

/// A fault of a query.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Too short to have an id: there is nothing to answer.
    NotDns,
    /// The answer that says so.
    Answer(Vec<u8>),
}

impl Asked {
    /// Takes exactly one ordinary question for the internet.
    ///
    /// Fails with [`Refusal`]: FORMERR for what is malformed, NOTIMP, BADVERS or REFUSED for what this forwarder
    /// does not do.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let header = bytes.first_chunk::<HEADER>().ok_or(Refusal::NotDns)?;
        let malformed = || Refusal::Answer(unparsed(header));
        let [.., questions_high, questions_low, _, _, _, _, _, _] = header;
        // Looked at first, because the parser reserves room for as many as it is told of.
        if [*questions_high, *questions_low] != [0, 1] {
            return Err(malformed());
        }
        let mut decoder = BinDecoder::new(bytes);
        let message = Message::read(&mut decoder).map_err(|_| malformed())?;
        if !decoder.is_empty() || message.message_type != MessageType::Query {
            return Err(malformed());
        }
        let asked = Self(message);
        match asked.objection() {
            Some(code) => Err(Refusal::Answer(asked.refuse(code))),
            None => Ok(asked),
        }
    }

    fn objection(&self) -> Option<ResponseCode> {
        let message = &self.0;
        if message.op_code != OpCode::Query {
            return Some(ResponseCode::NotImp);
        }
        if message.version() != 0 {
            return Some(ResponseCode::BADVERS);
        }
        let question = message.queries.first()?;
        let transfers = [RecordType::AXFR, RecordType::IXFR];
        let is_for_others = question.query_class() != DNSClass::IN;
        (is_for_others || transfers.contains(&question.query_type()))
            .then_some(ResponseCode::Refused)
    }

    /// The query.
    pub(crate) fn message(&self) -> &Message {
        &self.0
    }

    /// An answer to begin with: to this question, without records.
    pub(crate) fn answer(&self) -> Message {
        let mut answer = Message::response(self.0.id, self.0.op_code);
        answer.metadata = Metadata::response_from_request(&self.0.metadata);
        answer.metadata.recursion_available = true;
        answer.add_queries(self.0.queries.iter().cloned());
        if self.0.edns.is_some() {
            // RFC 6891 §6.1.1: who speaks EDNS is answered so, who does not is not.
            answer.set_edns(Edns::new());
        }
        answer
    }

    /// An answer that is nothing but this code.
    pub(crate) fn refuse(&self, code: ResponseCode) -> Vec<u8> {
        let mut answer = self.answer();
        answer.metadata.response_code = code;
        encode(self.0.id, &answer)
    }
}

/// The answer on the wire. A message that cannot be encoded becomes SERVFAIL.
pub(crate) fn encode(id: u16, answer: &Message) -> Vec<u8> {
    answer.to_vec().unwrap_or_else(|_| {
        let [high, low] = id.to_be_bytes();
        [high, low, RESPONSE, SERVFAIL, 0, 0, 0, 0, 0, 0, 0, 0].into()
    })
}

/// FORMERR to what was not understood: the client's id, opcode and RD, and nothing else of it.
fn unparsed(query: &[u8; HEADER]) -> Vec<u8> {
    let [high, low, flags, ..] = *query;
    let flags = RESPONSE | flags & KEPT;
    [high, low, flags, FORMERR, 0, 0, 0, 0, 0, 0, 0, 0].into()
}

const HEADER: usize = 12;
/// The bit QR.
const RESPONSE: u8 = 0x80;
/// The opcode, and the bit RD.
const KEPT: u8 = 0x79;
/// The bit RA, and the code.
const FORMERR: u8 = 0x81;
const SERVFAIL: u8 = 0x82;

#[cfg(test)]
mod tests {
    use hickory_net::proto::op::Query;
    use hickory_net::proto::rr::Name;
    use proptest::prelude::*;

    use super::*;

    fn query() -> Message {
        let mut query = Message::query();
        query.metadata.id = 0x1234;
        query.metadata.recursion_desired = true;
        let name = Name::from_ascii("www.example.").unwrap();
        query.add_query(Query::query(name, RecordType::A));
        query
    }

    fn refusal(bytes: &[u8]) -> Message {
        match Asked::parse(bytes) {
            Err(Refusal::Answer(answer)) => Message::from_vec(&answer).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn takes_one_question_and_answers_with_it() {
        let asked = Asked::parse(&query().to_vec().unwrap()).unwrap();
        let answer = asked.answer();
        assert_eq!(answer.queries, query().queries);
        assert!(answer.recursion_desired && answer.recursion_available);
        assert!(answer.edns.is_none());
    }

    #[test]
    fn says_what_it_does_not_do() {
        let mut update = query();
        update.metadata.op_code = OpCode::Notify;
        let mut transfer = query();
        transfer.queries[0].set_query_type(RecordType::AXFR);
        let mut chaos = query();
        chaos.queries[0].set_query_class(DNSClass::CH);
        let mut future = query();
        future.edns.get_or_insert_default().set_version(1);
        for (query, code) in [
            (update, ResponseCode::NotImp),
            (transfer, ResponseCode::Refused),
            (chaos, ResponseCode::Refused),
            (future, ResponseCode::BADVERS),
        ] {
            let answer = refusal(&query.to_vec().unwrap());
            // BADVERS is also called BADSIG.
            assert_eq!(u16::from(answer.response_code), u16::from(code));
            assert_eq!((answer.id, answer.queries), (0x1234, query.queries));
        }
    }

    #[test]
    fn garbage_behind_a_header_is_a_format_error_with_the_clients_id() {
        let good = query().to_vec().unwrap();
        let mut trailing = good.clone();
        trailing.push(0);
        let mut response = good.clone();
        response[2] |= RESPONSE;
        let mut two = good.clone();
        two[5] = 2;
        let mut none = good[..HEADER].to_vec();
        none[5] = 0;
        let cut = good[..good.len() - 1].to_vec();
        for bytes in [trailing, response, two, none, cut] {
            let answer = refusal(&bytes);
            assert_eq!(answer.id, 0x1234);
            assert_eq!(answer.message_type, MessageType::Response);
            assert_eq!(answer.response_code, ResponseCode::FormErr);
        }
    }

    #[test]
    fn what_has_no_header_is_not_dns() {
        for length in 0..HEADER {
            let bytes = vec![0; length];
            assert!(matches!(Asked::parse(&bytes), Err(Refusal::NotDns)));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Asked::parse(&bytes);
        }

        #[test]
        fn a_damaged_query_is_a_query_or_gets_an_answer(at in 0usize..29, to: u8) {
            let mut bytes = query().to_vec().unwrap();
            bytes[at] = to;
            match Asked::parse(&bytes) {
                Ok(asked) => prop_assert_eq!(asked.message().queries.len(), 1),
                Err(Refusal::Answer(answer)) => prop_assert_eq!(&answer[..2], &bytes[..2]),
                Err(Refusal::NotDns) => prop_assert!(false, "it has a header"),
            }
        }
    }
}
