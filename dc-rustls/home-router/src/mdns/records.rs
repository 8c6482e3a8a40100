//! What the router says of itself over multicast DNS: its services (RFC 6763), whose host is its unique name, and that name's
//! addresses.

use std::net::IpAddr;

use hickory_net::proto::ProtoError;
use hickory_net::proto::op::{Message, OpCode, Query};
use hickory_net::proto::rr::rdata::{NULL, PTR, SRV, TXT};
use hickory_net::proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_net::proto::serialize::binary::BinEncodable;

use crate::designated::Ports;
use crate::own::data;

/// Everything that is said, for one name and its addresses.
#[derive(Debug)]
pub(crate) struct Records(Vec<Said>);

/// One record; it is found again by its place among the others.
#[derive(Debug)]
struct Said {
    record: Record,
    /// True if nobody else has records of this name and type.
    is_unique: bool,
}

impl Records {
    /// The services of a router with this name and these addresses.
    ///
    /// Fails if the name is none that DNS knows.
    pub(crate) fn new(
        router: &str,
        addresses: &[IpAddr],
        ports: Ports,
    ) -> Result<Self, ProtoError> {
        let host = Name::from_ascii(format!("{router}."))?;
        let mut said = Vec::new();
        for (service, port, text) in [
            ("_https._tcp.local.", ports.https, "path=/"),
            // DNS over TLS as IANA calls it.
            ("_domain-s._tcp.local.", ports.dot, ""),
        ] {
            let service = Name::from_ascii(service)?;
            let instance = service.prepend_label(label(router))?;
            let all = Name::from_ascii("_services._dns-sd._udp.local.")?;
            let srv = RData::SRV(SRV::new(0, 0, port, host.clone()));
            let txt = RData::TXT(TXT::new(vec![text.to_owned()]));
            said.extend([
                Said::shared(all, RData::PTR(PTR(service.clone()))),
                Said::shared(service, RData::PTR(PTR(instance.clone()))),
                Said::unique(instance.clone(), srv, SHORT),
                Said::unique(instance.clone(), txt, LONG),
                Said::unique(
                    instance.clone(),
                    nothing_but(&instance, &[RecordType::TXT, RecordType::SRV])?,
                    SHORT,
                ),
            ]);
        }
        let addresses: Vec<RData> = addresses.iter().map(|address| data(*address)).collect();
        let types: Vec<RecordType> = addresses.iter().map(RData::record_type).collect();
        let nothing_but = nothing_but(&host, &types)?;
        let addresses = addresses.into_iter().chain([nothing_but]);
        said.extend(addresses.map(|data| Said::unique(host.clone(), data, SHORT)));
        Ok(Self(said))
    }

    /// The places of all records that are said without being asked for.
    pub(crate) fn all(&self) -> Vec<usize> {
        let places = 0..self.0.len();
        let is_told = |place: &usize| self.is(*place, |said| !said.denies());
        places.filter(is_told).collect()
    }

    /// The places of the records that answer a query, without those that the client says it has (RFC 6762 §7.1).
    pub(crate) fn answers(&self, query: &Message) -> Vec<usize> {
        let answers = |said: &Said| {
            let asked = query
                .queries
                .iter()
                .any(|question| self.answer(said, question));
            asked && !query.answers.iter().any(|known| said.is_known_by(known))
        };
        let places = 0..self.0.len();
        places.filter(|place| self.is(*place, answers)).collect()
    }

    fn answer(&self, said: &Said, question: &Query) -> bool {
        let (of, is_there) = (question.query_type(), said.record.record_type());
        let is_asked = |said: &Said| said.record.name == *question.name();
        let has = |said: &Said| is_asked(said) && said.record.record_type() == of;
        is_internet(question)
            && is_asked(said)
            && match said.denies() {
                true => of == is_there || of != RecordType::ANY && !self.0.iter().any(has),
                false => of == is_there || of == RecordType::ANY,
            }
    }

    /// The places of the records that whoever gets these asks for next (RFC 6763 §12), unless they are there already.
    pub(crate) fn more(&self, answers: &[usize]) -> Vec<usize> {
        let mut places: Vec<usize> = answers.to_vec();
        // From a service to its instance, and from that to its host.
        for _ in 0..2 {
            let targets: Vec<&Name> = places.iter().filter_map(|at| self.target(*at)).collect();
            let is_next = |said: &Said| !said.denies() && targets.contains(&&said.record.name);
            let next = (0..self.0.len()).filter(|at| self.is(*at, is_next));
            let next: Vec<usize> = next.filter(|at| !places.contains(at)).collect();
            places.extend(next);
        }
        places.split_off(answers.len())
    }

    fn target(&self, at: usize) -> Option<&Name> {
        match &self.0.get(at)?.record.data {
            // A service is found by asking for it.
            RData::PTR(PTR(target)) if target.num_labels() == INSTANCE => Some(target),
            RData::SRV(srv) => Some(&srv.target),
            _ => None,
        }
    }

    /// True if somebody else may answer the same question with another record at the same moment.
    pub(crate) fn is_shared(&self, answers: &[usize]) -> bool {
        answers
            .iter()
            .any(|at| self.is(*at, |said| !said.is_unique))
    }

    /// A message for everybody on the link.
    pub(crate) fn for_all(&self, answers: &[usize], more: &[usize]) -> Message {
        self.message(0, answers, more, |said| said.marked(said.record.ttl))
    }

    /// The same for those who shall forget the records.
    pub(crate) fn goodbye(&self) -> Message {
        self.message(0, &self.all(), &[], |said| said.marked(0))
    }

    /// A message for one client that asked as it would ask any DNS server (RFC 6762 §6.7).
    pub(crate) fn for_one(&self, query: &Message, answers: &[usize], more: &[usize]) -> Message {
        let as_usual = |said: &Said| {
            let mut record = said.record.clone();
            record.ttl = record.ttl.min(TTL_FOR_ONE);
            record
        };
        let mut message = self.message(query.id, answers, more, as_usual);
        message.add_queries(query.queries.iter().cloned());
        message
    }

    fn message(
        &self,
        id: u16,
        answers: &[usize],
        more: &[usize],
        record: impl Fn(&Said) -> Record,
    ) -> Message {
        let records = |places: &[usize]| -> Vec<Record> {
            let said = places.iter().filter_map(|at| self.0.get(*at));
            said.map(&record).collect()
        };
        let mut message = Message::response(id, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_answers(records(answers));
        message.add_additionals(records(more));
        message
    }

    fn is(&self, at: usize, of: impl Fn(&Said) -> bool) -> bool {
        self.0.get(at).is_some_and(of)
    }
}

impl Said {
    fn shared(name: Name, data: RData) -> Self {
        Self {
            record: Record::from_rdata(name, LONG, data),
            is_unique: false,
        }
    }

    fn unique(name: Name, data: RData, ttl: u32) -> Self {
        Self {
            record: Record::from_rdata(name, ttl, data),
            is_unique: true,
        }
    }

    /// True for the record that says which types there are not.
    fn denies(&self) -> bool {
        self.record.record_type() == RecordType::NSEC
    }

    fn is_known_by(&self, known: &Record) -> bool {
        let Self { record, .. } = self;
        known.name == record.name && known.data == record.data && known.ttl >= record.ttl / 2
    }

    /// With the mark that whatever else was said before is to be forgotten, if all of it is here (RFC 6762 §10.2).
    fn marked(&self, ttl: u32) -> Record {
        let mut record = self.record.clone();
        record.ttl = ttl;
        if self.is_unique {
            record.dns_class = DNSClass::Unknown(MARKED);
        }
        record
    }
}

/// True if the answer is wanted by the client alone (RFC 6762 §5.4).
pub(crate) fn is_for_one(question: &Query) -> bool {
    u16::from(question.query_class()) & MARK != 0
}

fn is_internet(question: &Query) -> bool {
    let class = DNSClass::from(u16::from(question.query_class()) & !MARK);
    matches!(class, DNSClass::IN | DNSClass::ANY)
}

/// What people read in a list of services: the unique name, or what of it is the router's.
fn label(router: &str) -> &[u8] {
    let first = router.split('.').next().unwrap_or_default();
    match router.len() {
        ..=MAX_LABEL => router.as_bytes(),
        _ => first.as_bytes(),
    }
}

/// NSEC as RFC 6762 §6.1 has it: there are these types of the name, all below 256, and no others.
fn nothing_but(name: &Name, types: &[RecordType]) -> Result<RData, ProtoError> {
    let mut bits = [0u8; 32];
    for of in types {
        let number = usize::from(u16::from(*of));
        if let Some(byte) = bits.get_mut(number / 8) {
            *byte |= 0x80 >> (number % 8);
        }
    }
    let mut data = name.to_bytes()?;
    // Window 0, as a whole.
    data.extend([0, 32]);
    data.extend(bits);
    Ok(RData::Unknown {
        code: RecordType::NSEC,
        rdata: NULL::with(data),
    })
}

/// The mark of classes: in questions that one client asks, in records that all of them are there.
const MARK: u16 = 0x8000;
const MARKED: u16 = MARK | 1;
/// Seconds; RFC 6762 §10 has these for what names a host, and for everything else.
const SHORT: u32 = 120;
const LONG: u32 = 4500;
/// Whoever asks as usual is not told when something changes.
const TTL_FOR_ONE: u32 = 10;
const MAX_LABEL: usize = 63;
/// The labels of an instance: itself, `_https`, `_tcp` and `local`.
const INSTANCE: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports {
        dot: 853,
        https: 443,
        doq: None,
        http3: None,
    };
    const INSTANCE_NAME: &str = "k3v\\.cpe\\.example\\.com._https._tcp.local.";

    fn records(addresses: &[&str]) -> Records {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Records::new("k3v.cpe.example.com", &addresses, PORTS).unwrap()
    }

    fn question(name: &str, of: RecordType) -> Message {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), of));
        query
    }

    /// Name and type of each record.
    fn names(records: &[Record]) -> Vec<String> {
        let name = |record: &Record| format!("{} {}", record.name.to_ascii(), record.record_type());
        records.iter().map(name).collect()
    }

    #[test]
    fn whoever_looks_for_pages_gets_the_name_and_its_addresses_at_once() {
        let records = records(&["192.168.1.1", "fd00::1"]);
        let query = question("_HTTPS._tcp.local.", RecordType::PTR);
        let answers = records.answers(&query);
        let more = records.more(&answers);
        let message = records.for_all(&answers, &more).to_vec().unwrap();
        let message = Message::from_vec(&message).unwrap();
        assert_eq!(names(&message.answers), ["_https._tcp.local. PTR"]);
        let [srv, txt] = ["SRV", "TXT"].map(|of| format!("{INSTANCE_NAME} {of}"));
        let [a, aaaa] = ["A", "AAAA"].map(|of| format!("k3v.cpe.example.com. {of}"));
        assert_eq!(names(&message.additionals), [srv, txt, a, aaaa]);
        let RData::SRV(srv) = &message.additionals[0].data else {
            panic!("{message:?}");
        };
        assert_eq!(
            (srv.port, srv.target.to_ascii().as_str()),
            (443, "k3v.cpe.example.com.")
        );
        // Somebody else may have pages too, but not of this name.
        assert!(records.is_shared(&answers) && !records.is_shared(&more));
        assert_eq!(message.answers[0].dns_class, DNSClass::IN);
        assert!(
            { message.additionals }
                .iter()
                .all(|record| u16::from(record.dns_class) == 0x8001)
        );
    }

    #[test]
    fn what_the_client_has_is_not_said_again() {
        let records = records(&["192.168.1.1"]);
        let mut query = question("_https._tcp.local.", RecordType::PTR);
        let answers = records.answers(&query);
        let mut known = records.for_all(&answers, &[]).answers.remove(0);
        known.ttl = LONG / 2;
        query.add_answer(known.clone());
        assert!(records.answers(&query).is_empty());
        known.ttl -= 1;
        query.answers = vec![known];
        assert_eq!(records.answers(&query), answers);
    }

    #[test]
    fn of_its_names_it_says_which_types_there_are_not() {
        let records = records(&["192.168.1.1"]);
        for (name, of) in [
            ("k3v.cpe.example.com.", RecordType::AAAA),
            (INSTANCE_NAME, RecordType::A),
        ] {
            let answers = records.answers(&question(name, of));
            let message = records.for_all(&answers, &[]);
            assert_eq!(names(&message.answers), [format!("{name} NSEC")]);
        }
        let answers = records.answers(&question("k3v.cpe.example.com.", RecordType::A));
        let said = names(&records.for_all(&answers, &[]).answers);
        assert_eq!(said, ["k3v.cpe.example.com. A"]);
        let RData::Unknown { rdata, .. } = nothing_but(&Name::root(), &[RecordType::AAAA]).unwrap()
        else {
            panic!("no such record");
        };
        // RFC 4034 §4.1.2: bit 28 is in the fourth byte.
        assert_eq!(rdata.anything[..7], [0, 0, 32, 0, 0, 0, 0x08]);
    }

    #[test]
    fn others_names_are_not_answered() {
        let records = records(&["192.168.1.1"]);
        for (name, of) in [
            ("_http._tcp.local.", RecordType::PTR),
            ("www.k3v.cpe.example.com.", RecordType::A),
            ("k3v.local.", RecordType::A),
        ] {
            assert!(records.answers(&question(name, of)).is_empty(), "{name}");
        }
        let mut chaos = question("k3v.cpe.example.com.", RecordType::A);
        chaos.queries[0].set_query_class(DNSClass::CH);
        assert!(records.answers(&chaos).is_empty());
    }

    #[test]
    fn a_client_that_asks_as_usual_is_answered_as_usual() {
        let records = records(&["192.168.1.1"]);
        let query = question("k3v.cpe.example.com.", RecordType::A);
        let answer = records.for_one(&query, &records.answers(&query), &[]);
        assert_eq!((answer.id, &answer.queries), (query.id, &query.queries));
        assert_eq!(answer.answers[0].ttl, TTL_FOR_ONE);
        assert_eq!(answer.answers[0].dns_class, DNSClass::IN);
        assert!(!is_for_one(&query.queries[0]));
        let mut alone = query;
        alone.queries[0].set_query_class(DNSClass::Unknown(MARKED));
        assert!(is_for_one(&alone.queries[0]) && !records.answers(&alone).is_empty());
    }

    #[test]
    fn a_goodbye_takes_back_all_that_was_said() {
        let records = records(&["192.168.1.1"]);
        let goodbye = records.goodbye();
        assert_eq!(goodbye.answers.len(), records.all().len());
        assert!(goodbye.answers.iter().all(|record| record.ttl == 0));
    }

    #[test]
    fn a_long_name_is_shown_as_its_first_label() {
        let long = format!("k3v.{}.example.com", "x".repeat(60));
        assert_eq!(label(&long), b"k3v");
        assert_eq!(label("k3v.cpe.example.com"), b"k3v.cpe.example.com");
        assert!(Records::new(&"x".repeat(64), &[], PORTS).is_err());
    }
}
