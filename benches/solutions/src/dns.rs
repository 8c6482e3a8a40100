//! The DNS server of the vendor's zone, on loopback: where a CA looks for the answer to its challenge.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, Record, RecordType};

use crate::Result;

/// The server, over UDP, for as long as this program runs. Clones are the same server.
#[derive(Clone, Debug)]
pub(crate) struct Dns {
    port: u16,
    texts: Arc<Mutex<Texts>>,
}

/// TXT records, by the name in lower case with its last dot.
type Texts = BTreeMap<String, Vec<String>>;

impl Dns {
    pub(crate) fn start() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let dns = Self {
            port: socket.local_addr()?.port(),
            texts: Arc::default(),
        };
        let server = dns.clone();
        thread::spawn(move || server.serve(&socket));
        Ok(dns)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Adds a TXT record of this name, which has no dot at its end.
    pub(crate) fn add_text(&self, name: &str, text: &str) {
        let mut texts = self.texts();
        texts.entry(absolute(name)).or_default().push(text.into());
    }

    /// Removes all TXT records of this name.
    pub(crate) fn remove_texts(&self, name: &str) {
        self.texts().remove(&absolute(name));
    }

    fn serve(&self, socket: &UdpSocket) {
        let mut packet = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let query = Message::from_vec(packet.get(..length).unwrap_or_default());
            if let Ok(Ok(answer)) = query.map(|query| self.answer(query).to_vec()) {
                // Who has gone gets none.
                let _ = socket.send_to(&answer, from);
            }
        }
    }

    fn answer(&self, query: Message) -> Message {
        let mut answer = query.into_response();
        answer.metadata.authoritative = true;
        let Some(question) = answer.queries.first() else {
            answer.metadata.response_code = ResponseCode::FormErr;
            return answer;
        };
        let (name, kind) = (question.name().clone(), question.query_type());
        let found = self.texts().get(&name.to_string().to_lowercase()).cloned();
        match found {
            None => answer.metadata.response_code = ResponseCode::NXDomain,
            Some(texts) if kind == RecordType::TXT => {
                for text in texts {
                    let data = RData::TXT(TXT::new(vec![text]));
                    answer.add_answer(Record::from_rdata(name.clone(), 0, data));
                }
            }
            Some(_) => {}
        }
        answer
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;

    use super::*;

    fn ask(dns: &Dns, name: &str, kind: RecordType) -> Message {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = (Ipv4Addr::LOCALHOST, dns.port());
        socket.send_to(&query.to_vec().unwrap(), server).unwrap();
        let mut packet = [0; 4096];
        let length = socket.recv(&mut packet).unwrap();
        let answer = Message::from_vec(&packet[..length]).unwrap();
        assert_eq!(answer.metadata.id, query.metadata.id);
        answer
    }

    #[test]
    fn answers_with_the_texts_of_a_name_until_they_are_removed() {
        let dns = Dns::start().unwrap();
        let name = "_acme-challenge.a.example.com";
        dns.add_text(name, "one");
        dns.add_text(name, "two");
        let answer = ask(&dns, "_ACME-challenge.a.example.com.", RecordType::TXT);
        let texts: Vec<String> = { answer.answers.iter() }
            .map(|record| record.data.to_string())
            .collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].contains("one"), "{texts:?}");
        assert!(
            ask(&dns, "_acme-challenge.a.example.com.", RecordType::A)
                .answers
                .is_empty()
        );
        dns.remove_texts(name);
        let answer = ask(&dns, "_acme-challenge.a.example.com.", RecordType::TXT);
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
    }
}
