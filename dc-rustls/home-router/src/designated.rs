//! The router as the designated resolver of the network (RFC 9462): what it says about itself under `resolver.arpa`.

use std::net::IpAddr;

use hickory_net::proto::op::Message;
use hickory_net::proto::rr::rdata::svcb::{
    Alpn, IpHint, SVCB, SvcParamKey, SvcParamValue, Unknown,
};
use hickory_net::proto::rr::rdata::{A, AAAA, SOA};
use hickory_net::proto::rr::{Name, RData, Record, RecordType};

/// The ports of the router's encrypted resolvers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) dot: u16,
    pub(crate) https: u16,
    /// UDP, if DNS over QUIC is served.
    pub(crate) doq: Option<u16>,
    /// UDP, if HTTP/3 is served.
    pub(crate) http3: Option<u16>,
}

/// True if a question is about the resolver itself. Such a question is never forwarded: what came back would be
/// about another resolver.
pub(crate) fn is_about_the_resolver(name: &Name) -> bool {
    zone().is_some_and(|zone| zone.zone_of(name))
}

/// Completes the answer to a question under `resolver.arpa`.
///
/// `router` is the router's name: without one there is no designation. `local` is the address at which the client
/// has reached the router.
pub(crate) fn complete(answer: &mut Message, router: Option<&str>, local: IpAddr, ports: Ports) {
    answer.metadata.authoritative = true;
    let records = answer.queries.first().and_then(|question| {
        let discovers =
            question.query_type() == RecordType::SVCB && Some(question.name()) == owner().as_ref();
        designations(question.name(), discovers.then_some(router)??, local, ports)
    });
    match (records, zone()) {
        (Some(records), _) => drop(answer.add_answers(records)),
        // RFC 9462 §4: nothing is designated, which differs from a resolver that does not know what this means.
        (None, Some(zone)) => drop(answer.add_authority(nothing_more(zone))),
        (None, None) => {}
    }
}

fn designations(owner: &Name, router: &str, local: IpAddr, ports: Ports) -> Option<Vec<Record>> {
    let record = |svcb| {
        let svcb = with_hints(svcb, &[local]);
        Record::from_rdata(owner.clone(), TTL, RData::SVCB(svcb))
    };
    Some(services(router, ports)?.into_iter().map(record).collect())
}

/// All services, without addresses; the smallest priority is the one to prefer. That is QUIC: its handshake takes a round
/// trip less, and no answer waits for another. Who knows no QUIC passes over it (RFC 9460 §3).
///
/// `None` if the router's name is none that DNS knows.
pub(crate) fn services(router: &str, ports: Ports) -> Option<Vec<SVCB>> {
    let target = Name::from_ascii(format!("{router}.")).ok()?;
    let Ports {
        dot,
        https,
        doq,
        http3,
    } = ports;
    let plain = |name, at| vec![alpn(&[name]), port(at)];
    let doh = |names: &[&str], at| {
        let path = SvcParamValue::Unknown(Unknown(DOHPATH.into()));
        let path = (SvcParamKey::Unknown(DOHPATH_KEY), path);
        vec![alpn(names), port(at), path]
    };
    let all: &[&str] = match http3 == Some(https) {
        true => &["h3", "h2", "http/1.1"],
        false => &["h2", "http/1.1"],
    };
    let apart = http3.filter(|at| *at != https);
    let services = [
        doq.map(|at| plain("doq", at)),
        Some(plain("dot", dot)),
        apart.map(|at| doh(&["h3"], at)),
        Some(doh(all, https)),
    ];
    let by_priority = services.into_iter().flatten().zip(1..);
    let record = |(service, priority)| SVCB::new(priority, target.clone(), service);
    Some(by_priority.map(record).collect())
}

/// The owner of the HTTPS records for the router's page (RFC 9460 §2.3 and §9), and what is in them, without addresses.
pub(crate) fn page(router: &str, ports: Ports) -> (String, Vec<SVCB>) {
    let owner = match ports.https {
        443 => router.to_owned(),
        at => format!("_{at}._https.{router}"),
    };
    let record = |priority, service| SVCB::new(priority, Name::root(), service);
    let records = match ports.http3 {
        None => vec![record(1, vec![alpn(&["h2"])])],
        Some(http3) if http3 == ports.https => vec![record(1, vec![alpn(&["h3", "h2"])])],
        Some(http3) => {
            // At that port there is nothing but HTTP/3.
            let alone = (SvcParamKey::NoDefaultAlpn, SvcParamValue::NoDefaultAlpn);
            let quic = vec![alpn(&["h3"]), alone, port(http3)];
            vec![record(1, quic), record(2, vec![alpn(&["h2"])])]
        }
    };
    (owner, records)
}

fn port(at: u16) -> (SvcParamKey, SvcParamValue) {
    (SvcParamKey::Port, SvcParamValue::Port(at))
}

fn alpn(protocols: &[&str]) -> (SvcParamKey, SvcParamValue) {
    let protocols = protocols.iter().map(|name| (*name).to_owned()).collect();
    (SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(protocols)))
}

/// A service with its addresses.
pub(crate) fn with_hints(mut svcb: SVCB, addresses: &[IpAddr]) -> SVCB {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(address) => v4.push(A(*address)),
            IpAddr::V6(address) => v6.push(AAAA(*address)),
        }
    }
    if !v4.is_empty() {
        let hint = SvcParamValue::Ipv4Hint(IpHint(v4));
        svcb.svc_params.push((SvcParamKey::Ipv4Hint, hint));
    }
    if !v6.is_empty() {
        let hint = SvcParamValue::Ipv6Hint(IpHint(v6));
        svcb.svc_params.push((SvcParamKey::Ipv6Hint, hint));
    }
    // RFC 9460 §2.2: in the order of their numbers.
    svcb.svc_params.sort_by_key(|(key, _)| u16::from(*key));
    svcb
}

/// With the zone's SOA, clients may remember for a while that there is nothing (RFC 2308).
pub(crate) fn nothing_more(zone: Name) -> Record {
    let soa = soa(&zone);
    Record::from_rdata(zone, TTL, RData::SOA(soa))
}

/// A zone that is nowhere else.
pub(crate) fn soa(zone: &Name) -> SOA {
    let ttl = i32::try_from(TTL).unwrap_or(i32::MAX);
    SOA::new(zone.clone(), Name::root(), 1, ttl, ttl, ttl, TTL)
}

fn zone() -> Option<Name> {
    Name::from_ascii("resolver.arpa.").ok()
}

fn owner() -> Option<Name> {
    Name::from_ascii("_dns.resolver.arpa.").ok()
}

/// A minute: the address may change with the network, and the answer costs nothing.
pub(crate) const TTL: u32 = 60;
/// RFC 9461 §5.
const DOHPATH_KEY: u16 = 7;
const DOHPATH: &[u8] = b"/dns-query{?dns}";

#[cfg(test)]
mod tests {
    use hickory_net::proto::op::Query;

    use super::*;

    const PORTS: Ports = Ports {
        dot: 853,
        https: 8443,
        doq: None,
        http3: None,
    };

    fn answer(name: &str, of: RecordType, router: Option<&str>) -> Message {
        answer_at(PORTS, name, of, router)
    }

    fn answer_at(ports: Ports, name: &str, of: RecordType, router: Option<&str>) -> Message {
        let mut answer = Message::query().into_response();
        answer.add_query(Query::query(Name::from_ascii(name).unwrap(), of));
        complete(&mut answer, router, [192, 0, 2, 1].into(), ports);
        // As it goes over the wire.
        Message::from_vec(&answer.to_vec().unwrap()).unwrap()
    }

    #[test]
    fn designates_itself_by_its_unique_name() {
        let answer = answer(
            "_DNS.resolver.arpa.",
            RecordType::SVCB,
            Some("k3v.cpe.example.com"),
        );
        let [dot, doh] = [0, 1].map(|at| match &answer.answers[at].data {
            RData::SVCB(svcb) => svcb,
            other => panic!("{other}"),
        });
        let target = Name::from_ascii("k3v.cpe.example.com.").unwrap();
        assert_eq!((dot.svc_priority, &dot.target_name), (1, &target));
        assert_eq!((doh.svc_priority, &doh.target_name), (2, &target));
        let here = IpHint(vec![A::new(192, 0, 2, 1)]);
        let here = (SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(here));
        let port = |port| (SvcParamKey::Port, SvcParamValue::Port(port));
        let path = SvcParamValue::Unknown(Unknown(b"/dns-query{?dns}".into()));
        assert_eq!(dot.svc_params, [alpn(&["dot"]), port(853), here.clone()]);
        let expected = [
            alpn(&["h2", "http/1.1"]),
            port(8443),
            here,
            (SvcParamKey::Unknown(7), path),
        ];
        assert_eq!(doh.svc_params, expected);
    }

    /// Priority, protocols and port of each record.
    fn said(ports: Ports) -> Vec<String> {
        let router = Some("k3v.cpe.example.com");
        let answer = answer_at(ports, "_dns.resolver.arpa.", RecordType::SVCB, router);
        let records = answer.answers.iter().map(|record| record.data.to_string());
        let brief = |record: String| {
            let words = record.split(' ').map(|word| word.trim_end_matches(','));
            let kept =
                words.filter(|word| !word.starts_with("ipv4hint=") && !word.starts_with("k3v"));
            kept.collect::<Vec<_>>().join(" ")
        };
        records.map(brief).collect()
    }

    #[test]
    fn designates_what_is_served_over_quic_before_the_rest() {
        let dohpath = r#"unknown7="/dns-query{?dns}""#;
        let doq = Some(8853);
        let (apart, together) = (Some(444), Some(8443));
        for (http3, doh) in [
            (None, vec![format!("alpn=h2,http/1.1 port=8443 {dohpath}")]),
            (
                together,
                vec![format!("alpn=h3,h2,http/1.1 port=8443 {dohpath}")],
            ),
            (
                apart,
                vec![
                    format!("alpn=h3 port=444 {dohpath}"),
                    format!("alpn=h2,http/1.1 port=8443 {dohpath}"),
                ],
            ),
        ] {
            let said = said(Ports {
                doq,
                http3,
                ..PORTS
            });
            let first = ["alpn=doq port=8853", "alpn=dot port=853"].map(str::to_owned);
            let expected = first.into_iter().chain(doh).zip(1..);
            let expected: Vec<String> = expected
                .map(|(service, priority)| format!("{priority} {service}"))
                .collect();
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn the_page_is_said_to_be_there_and_over_http3_if_it_is() {
        let records = |https, http3| {
            let ports = Ports {
                https,
                http3,
                ..PORTS
            };
            let (owner, records) = page("k3v.cpe.example.com", ports);
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            (owner, records.join(" ").replace(',', "").replace("= ", " "))
        };
        let (owner, said) = records(443, None);
        assert_eq!(
            (owner.as_str(), said.trim()),
            ("k3v.cpe.example.com", "1 . alpn=h2")
        );
        let (owner, said) = records(443, Some(443));
        assert_eq!(owner, "k3v.cpe.example.com");
        assert_eq!(said.trim(), "1 . alpn=h3h2");
        let (owner, said) = records(8443, Some(444));
        assert_eq!(owner, "_8443._https.k3v.cpe.example.com");
        assert_eq!(
            said.trim(),
            "1 . alpn=h3 no-default-alpn port=444 2 . alpn=h2"
        );
    }

    #[test]
    fn without_a_name_nothing_is_designated() {
        let answer = answer("_dns.resolver.arpa.", RecordType::SVCB, None);
        assert!(answer.answers.is_empty());
        assert_eq!(answer.authorities[0].record_type(), RecordType::SOA);
    }

    #[test]
    fn other_questions_of_the_zone_have_no_data() {
        let router = Some("k3v.cpe.example.com");
        for (name, of) in [
            ("_dns.resolver.arpa.", RecordType::A),
            ("resolver.arpa.", RecordType::SVCB),
            ("www.resolver.arpa.", RecordType::SVCB),
        ] {
            assert!(answer(name, of, router).answers.is_empty(), "{name}");
        }
    }

    #[test]
    fn only_names_of_the_zone_are_about_the_resolver() {
        let is = |name| is_about_the_resolver(&Name::from_ascii(name).unwrap());
        assert!(is("resolver.arpa.") && is("_dns.Resolver.ARPA.") && is("a.b.resolver.arpa."));
        assert!(!is("arpa.") && !is("xresolver.arpa.") && !is("resolver.arpa.example."));
    }
}
