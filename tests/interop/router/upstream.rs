//! A DNS server on loopback, over UDP and TCP, that the router forwards to: what a name is called is what happens.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SOA, TXT},
    },
};

/// The server, for as long as the test program runs.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) id: u16,
    /// The port it came from.
    pub(crate) port: u16,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let (udp, tcp) = both();
        let upstream = Self {
            address: udp.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let this = upstream.clone();
        thread::spawn(move || this.serve_udp(&udp));
        let this = upstream.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let this = this.clone();
                thread::spawn(move || this.serve_tcp(stream));
            }
        });
        upstream
    }

    /// All questions so far for names that begin so.
    pub(crate) fn asked(&self, name: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let matching = asked.iter().filter(|asked| asked.name.starts_with(name));
        matching.cloned().collect()
    }

    fn note(&self, query: &Message, port: u16) -> String {
        let name = query.queries[0].name().to_string().to_lowercase();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(Asked {
            name: name.clone(),
            id: query.metadata.id,
            port,
        });
        name
    }

    fn serve_udp(&self, udp: &UdpSocket) {
        let mut packet = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut packet) {
            let query = Message::from_vec(&packet[..length]).unwrap();
            let name = self.note(&query, from.port());
            let udp = udp.try_clone().unwrap();
            thread::spawn(move || {
                for answer in datagrams(&query, &name) {
                    udp.send_to(&answer.to_vec().unwrap(), from).unwrap();
                }
            });
        }
    }

    fn serve_tcp(&self, mut stream: TcpStream) {
        let port = stream.peer_addr().unwrap().port();
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut query).unwrap();
            let query = Message::from_vec(&query).unwrap();
            let name = self.note(&query, port);
            let mut answer = answer(&query, &name);
            if name.starts_with("swapped.") {
                answer.queries[0].set_name(Name::from_ascii("other.example.").unwrap());
            }
            let answer = answer.to_vec().unwrap();
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            stream
                .write_all(&[&length, answer.as_slice()].concat())
                .unwrap();
        }
    }
}

/// What is sent over UDP, in this order.
fn datagrams(query: &Message, name: &str) -> Vec<Message> {
    let right = answer(query, name);
    match name.split('.').next().unwrap() {
        "silent" => Vec::new(),
        "slow" => {
            thread::sleep(SLOW);
            vec![right]
        }
        "big" | "swapped" => vec![right.truncate()],
        // Somebody guesses ids, and somebody answers what was not asked.
        "forged" => {
            let mut id = forged(&right);
            id.metadata.id = !id.metadata.id;
            let mut question = forged(&right);
            question.queries[0].set_name(Name::from_ascii("other.example.").unwrap());
            vec![id, question, right]
        }
        _ => vec![right],
    }
}

fn answer(query: &Message, name: &str) -> Message {
    let mut answer = query.clone().into_response();
    answer.metadata.recursion_available = true;
    let owner = query.queries[0].name().clone();
    let record = |ttl, data| Record::from_rdata(owner.clone(), ttl, data);
    match name.split('.').next().unwrap() {
        "none" => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let zone = Name::from_ascii("example.").unwrap();
            let soa = SOA::new(zone.clone(), zone.clone(), 1, 2, 3, 4, 61);
            answer.add_authority(Record::from_rdata(zone, 300, RData::SOA(soa)));
        }
        "big" => {
            for number in 0..BIG {
                let text = format!("{number:0200}");
                answer.add_answer(record(300, RData::TXT(TXT::new(vec![text]))));
            }
        }
        "loopback" => {
            if query.queries[0].query_type() == RecordType::A {
                let data = RData::A(A::new(127, 0, 0, 1));
                answer.add_answer(record(300, data));
            }
        }
        _ => {
            answer.add_answer(record(300, address(1)));
            answer.add_answer(record(7, address(2)));
        }
    }
    answer
}

fn forged(right: &Message) -> Message {
    let mut forged = right.clone();
    for record in &mut forged.answers {
        record.data = address(66);
    }
    forged
}

fn address(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

/// UDP and TCP on the same port, which is free.
fn both() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

/// How many texts of 200 bytes the big answer has.
pub(crate) const BIG: usize = 20;
/// Longer than the others take, and shorter than a second try.
const SLOW: Duration = Duration::from_millis(250);
