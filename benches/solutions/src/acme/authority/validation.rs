//! How a CA finds out whether somebody has a name: dns-01, RFC 8555 §8.4.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::Result;
use crate::acme::jws;

/// What is to be proved.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) key_authorization: String,
}

/// Looks for the proof at the DNS server with this address. Fails with what was found instead.
pub(super) fn prove(server: SocketAddr, question: &Question) -> Result<()> {
    let name = format!("_acme-challenge.{}.", question.name);
    let wanted = jws::sha256(&question.key_authorization);
    let texts = look_up(server, &name)?;
    match texts.contains(&wanted) {
        true => Ok(()),
        false => Err(format!("no TXT record of {name} is {wanted}; there are {texts:?}").into()),
    }
}

/// The TXT records of a name.
fn look_up(server: SocketAddr, name: &str) -> Result<Vec<String>> {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name)?, RecordType::TXT));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(&query.to_vec()?)?;
    let mut packet = [0; 4096];
    let length = socket
        .recv(&mut packet)
        .map_err(|error| format!("the DNS server {server} does not answer: {error}"))?;
    let answer = Message::from_vec(packet.get(..length).unwrap_or_default())?;
    if answer.metadata.id != query.metadata.id {
        return Err("the DNS server answers to something else".into());
    }
    let texts = answer
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::TXT(text) => Some(text.to_string()),
            _ => None,
        });
    Ok(texts.collect())
}

const PATIENCE: Duration = Duration::from_secs(5);
