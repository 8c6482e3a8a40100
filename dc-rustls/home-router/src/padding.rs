//! Padding (RFC 7830), so that nobody tells from lengths which names are asked for.

use hickory_net::proto::op::{Header, Message};
use hickory_net::proto::rr::Record;
use hickory_net::proto::rr::rdata::opt::EdnsCode;
use hickory_net::proto::serialize::binary::{BinDecodable, BinDecoder};

/// True if a client has to be answered with padding: RFC 7830 §4, if it pads itself.
pub(crate) fn is_wanted(query: &Message) -> bool {
    let edns = query.edns.as_ref();
    edns.is_some_and(|edns| edns.option(EdnsCode::Padding).is_some())
}

/// Pads an answer to a multiple of [`BLOCK`] bytes, as long as that is a DNS message.
///
/// The option is added to the bytes as they came, so that nothing else changes. An answer whose last record is not
/// OPT stays as it is: it comes from a resolver that has no EDNS, or signs.
pub(crate) fn pad(answer: &mut Vec<u8>) {
    let Some(opt) = last_record(answer).filter(|at| is_opt(answer, *at)) else {
        return;
    };
    let length_at = opt + FIXED - 2;
    let Some(rdlength) = answer.get(length_at..).and_then(<[u8]>::first_chunk::<2>) else {
        return;
    };
    let padding = (BLOCK - (answer.len() + OPTION) % BLOCK) % BLOCK;
    let rdlength = usize::from(u16::from_be_bytes(*rdlength)) + OPTION + padding;
    let (Ok(rdlength), Ok(padding)) = (u16::try_from(rdlength), u16::try_from(padding)) else {
        return;
    };
    if answer.len() + OPTION + usize::from(padding) > LONGEST {
        return;
    }
    if let Some(bytes) = answer
        .get_mut(length_at..)
        .and_then(<[u8]>::first_chunk_mut)
    {
        *bytes = rdlength.to_be_bytes();
    }
    answer.extend(u16::from(EdnsCode::Padding).to_be_bytes());
    answer.extend(padding.to_be_bytes());
    answer.resize(answer.len() + usize::from(padding), 0);
}

/// Where the last record begins, if nothing is behind it.
fn last_record(answer: &[u8]) -> Option<usize> {
    let mut decoder = BinDecoder::new(answer);
    let counts = Header::read(&mut decoder).ok()?.counts;
    Message::read_queries(&mut decoder, counts.queries.into()).ok()?;
    let mut last = None;
    for count in [counts.answers, counts.authorities, counts.additionals] {
        for _ in 0..count {
            last = Some(decoder.index());
            Record::read(&mut decoder).ok()?;
        }
    }
    last.filter(|_| decoder.is_empty())
}

/// The root's name, and the type 41.
fn is_opt(answer: &[u8], at: usize) -> bool {
    answer
        .get(at..)
        .is_some_and(|record| record.starts_with(&[0, 0, 41]))
}

/// RFC 8467 §4.1.
const BLOCK: usize = 468;
const LONGEST: usize = 0xffff;
/// An OPT record without options: its name, type, class, TTL and length.
const FIXED: usize = 11;
/// An option without data.
const OPTION: usize = 4;

#[cfg(test)]
mod tests {
    use hickory_net::proto::op::{Edns, Query};
    use hickory_net::proto::rr::rdata::TXT;
    use hickory_net::proto::rr::rdata::opt::EdnsOption;
    use hickory_net::proto::rr::{Name, RData, RecordType};
    use proptest::prelude::*;

    use super::*;

    fn message(texts: &[String], options: Option<&[Vec<u8>]>) -> Message {
        let mut message = Message::query().into_response();
        let name = Name::from_ascii("www.example.").unwrap();
        message.add_query(Query::query(name.clone(), RecordType::TXT));
        for text in texts {
            let data = RData::TXT(TXT::new(vec![text.clone()]));
            message.add_answer(Record::from_rdata(name.clone(), 300, data));
        }
        if let Some(options) = options {
            let mut edns = Edns::new();
            for data in options {
                let option = EdnsOption::Unknown(65_001, data.clone());
                edns.options_mut().insert(option);
            }
            message.set_edns(edns);
        }
        message
    }

    #[test]
    fn only_who_pads_is_padded_for() {
        let mut query = message(&[], Some(&[]));
        assert!(!is_wanted(&query) && !is_wanted(&message(&[], None)));
        let edns = query.edns.as_mut().unwrap();
        edns.options_mut()
            .insert(EdnsOption::Unknown(12, vec![0; 3]));
        let query = Message::from_vec(&query.to_vec().unwrap()).unwrap();
        assert!(is_wanted(&query));
    }

    #[test]
    fn an_answer_without_edns_stays_as_it_is() {
        let before = message(&["text".to_owned()], None).to_vec().unwrap();
        let mut after = before.clone();
        pad(&mut after);
        assert_eq!(after, before);
    }

    #[test]
    fn what_is_nearly_too_long_is_not_padded_beyond_the_longest() {
        let texts = vec!["x".repeat(250); 246];
        let before = message(&texts, Some(&[])).to_vec().unwrap();
        assert!(
            before.len() > LONGEST - BLOCK && before.len() <= LONGEST,
            "{}",
            before.len()
        );
        let mut after = before.clone();
        pad(&mut after);
        assert!(after.len() <= LONGEST);
    }

    proptest! {
        #[test]
        fn a_padded_answer_is_a_whole_number_of_blocks_and_says_the_same(
            texts in prop::collection::vec("[a-z]{0,200}", 0..6),
            options in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3),
        ) {
            let before = message(&texts, Some(&options));
            let mut padded = before.to_vec().unwrap();
            pad(&mut padded);
            prop_assert_eq!(padded.len() % BLOCK, 0);
            let mut after = Message::from_vec(&padded).unwrap();
            let edns = after.edns.as_mut().unwrap();
            prop_assert!(edns.option(EdnsCode::Padding).is_some());
            edns.options_mut().remove(EdnsCode::Padding);
            prop_assert_eq!(after, before);
        }

        #[test]
        fn no_answer_makes_it_panic(mut answer in prop::collection::vec(any::<u8>(), 0..300)) {
            pad(&mut answer);
        }
    }
}
