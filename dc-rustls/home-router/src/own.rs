//! The router's own name in the home's network, which no DNS has to know: its addresses, and nothing under or above it.

use std::net::IpAddr;

use hickory_net::proto::op::{Message, Query};
use hickory_net::proto::rr::rdata::{A, AAAA, HTTPS};
use hickory_net::proto::rr::{Name, RData, Record, RecordType};

use crate::designated::{Ports, TTL, nothing_more, page, soa, with_hints};

/// True if a question is about exactly this name, and its answer the router's to give: what a parent says about the
/// security of a name (DS) is the parent's.
pub(crate) fn is_about(question: &Query, router: &Name) -> bool {
    question.query_type() != RecordType::DS && question.name() == router
}

/// Completes the answer to a question about the router, whose addresses at home these are.
pub(crate) fn complete(answer: &mut Message, router: &str, addresses: &[IpAddr], ports: Ports) {
    answer.metadata.authoritative = true;
    let Some(question) = answer.queries.first() else {
        return;
    };
    let (owner, of) = (question.name().clone(), question.query_type());
    let data: Vec<RData> = match of {
        // RFC 8482 §4.1: some of what there is. These are the shortest.
        RecordType::ANY | RecordType::A | RecordType::AAAA => addresses
            .iter()
            .map(|address| data(*address))
            .filter(|data| of == RecordType::ANY || data.record_type() == of)
            .collect(),
        RecordType::HTTPS => services(router, addresses, ports),
        RecordType::SOA => vec![RData::SOA(soa(&owner))],
        _ => Vec::new(),
    };
    if data.is_empty() {
        answer.add_authority(nothing_more(owner));
        return;
    }
    let record = |data| Record::from_rdata(owner.clone(), TTL, data);
    answer.add_answers(data.into_iter().map(record));
}

/// The data of the record with an address.
pub(crate) fn data(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

/// With these a browser takes `https://` for a name that somebody typed (RFC 9460 §9.5), and HTTP/3 at once. At another port
/// the record belongs to another name.
fn services(router: &str, addresses: &[IpAddr], ports: Ports) -> Vec<RData> {
    let (owner, records) = page(router, ports);
    let own = records.into_iter().filter(|_| owner == router);
    own.map(|svcb| RData::HTTPS(HTTPS(with_hints(svcb, addresses))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: &str = "k3v.cpe.example.com";
    const PORTS: Ports = Ports {
        dot: 853,
        https: 443,
        doq: None,
        http3: None,
    };

    /// What is in the answer, as it goes over the wire.
    fn answer(of: RecordType, ports: Ports) -> (Vec<String>, Message) {
        let mut answer = Message::query().into_response();
        let name = Name::from_ascii("K3V.cpe.example.com.").unwrap();
        answer.add_query(Query::query(name, of));
        let addresses = ["192.168.1.1", "fd00::1", "fd01::1"].map(|text| text.parse().unwrap());
        complete(&mut answer, ROUTER, &addresses, ports);
        let answer = Message::from_vec(&answer.to_vec().unwrap()).unwrap();
        let said = answer.answers.iter().map(|record| record.data.to_string());
        (said.collect(), answer)
    }

    #[test]
    fn addresses_are_given_by_family_for_a_minute() {
        let (said, answer) = answer(RecordType::A, PORTS);
        assert_eq!(said, ["192.168.1.1"]);
        assert!(answer.authoritative && answer.answers[0].ttl == 60);
        // As it was asked for: RFC 5452 has clients that look at the case.
        assert_eq!(answer.answers[0].name.to_ascii(), "K3V.cpe.example.com.");
        assert_eq!(
            self::answer(RecordType::AAAA, PORTS).0,
            ["fd00::1", "fd01::1"]
        );
        assert_eq!(self::answer(RecordType::ANY, PORTS).0.len(), 3);
    }

    #[test]
    fn of_other_types_there_is_nothing_and_it_says_for_how_long() {
        for of in [RecordType::TXT, RecordType::NS, RecordType::MX] {
            let (said, answer) = answer(of, PORTS);
            assert!(said.is_empty(), "{said:?}");
            assert_eq!(answer.authorities[0].record_type(), RecordType::SOA);
            assert_eq!(answer.authorities[0].ttl, 60);
        }
        let (said, answer) = answer(RecordType::SOA, PORTS);
        assert!(said.len() == 1 && answer.authorities.is_empty());
    }

    #[test]
    fn browsers_are_told_that_the_page_is_there_with_tls() {
        let https = |ports| answer(RecordType::HTTPS, ports).0;
        let said = https(PORTS);
        assert_eq!(said.len(), 1);
        for part in ["1 . alpn=h2", "192.168.1.1", "fd00::1"] {
            assert!(said[0].contains(part), "{part} in {said:?}");
        }
        let http3 = Some(443);
        let said = https(Ports { http3, ..PORTS });
        assert!(said[0].contains("alpn=h3,h2"), "{said:?}");
        // That would be a record of _8443._https.k3v.cpe.example.com.
        let https_port = 8443;
        assert!(
            https(Ports {
                https: https_port,
                ..PORTS
            })
            .is_empty()
        );
    }

    #[test]
    fn only_the_exact_name_is_the_routers_and_not_what_its_parent_says() {
        let router = Name::from_ascii("k3v.cpe.example.com.").unwrap();
        for (name, of, is) in [
            ("K3V.CPE.example.com.", RecordType::A, true),
            ("k3v.cpe.example.com.", RecordType::TXT, true),
            ("k3v.cpe.example.com.", RecordType::DS, false),
            ("www.k3v.cpe.example.com.", RecordType::A, false),
            ("cpe.example.com.", RecordType::A, false),
            ("xk3v.cpe.example.com.", RecordType::A, false),
        ] {
            let question = Query::query(Name::from_ascii(name).unwrap(), of);
            assert_eq!(is_about(&question, &router), is, "{name}");
        }
    }
}
