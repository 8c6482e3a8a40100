//! How a CA finds out whether somebody has a name: RFC 8555 §8.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::Result;
use crate::acme::jws;
use crate::acme::server::Account;

/// Where proofs are looked for.
#[derive(Clone, Debug)]
pub(crate) enum Validation {
    /// dns-01: TXT records from the DNS server at this address.
    Dns(SocketAddr),
    /// http-01: files from the server at this address, whatever the name.
    Http(SocketAddr),
    /// No proof: whose account is bound with this key has these names. RFC 8555 §7.4.1 leaves to the CA how it came to
    /// know that.
    Known(BTreeMap<String, Vec<String>>),
}

/// What is to be proved.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) key_authorization: String,
}

impl Validation {
    /// The challenge of this CA, as ACME names it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns-01",
            Self::Http(_) => "http-01",
            Self::Known(_) => "none",
        }
    }

    /// Names of this account that need no proof.
    pub(super) fn knows(&self, account: &Account) -> Vec<String> {
        let Self::Known(names) = self else {
            return Vec::new();
        };
        let binding = account.binding.as_ref();
        let names = binding.and_then(|kid| names.get(kid));
        names.cloned().unwrap_or_default()
    }

    /// Looks for the proof. Fails with what was found instead.
    pub(super) fn prove(&self, question: &Question) -> Result<()> {
        match self {
            Self::Dns(server) => prove_by_dns(*server, question),
            Self::Http(server) => prove_by_http(*server, question),
            Self::Known(_) => Err(format!("{} is not of this account", question.name).into()),
        }
    }
}

/// RFC 8555 §8.4.
fn prove_by_dns(server: SocketAddr, question: &Question) -> Result<()> {
    let name = format!("_acme-challenge.{}.", question.name);
    let wanted = jws::sha256(&question.key_authorization);
    let texts = look_up(server, &name)?;
    match texts.contains(&wanted) {
        true => Ok(()),
        false => Err(format!("no TXT record of {name} is {wanted}; there are {texts:?}").into()),
    }
}

/// RFC 8555 §8.3.
fn prove_by_http(server: SocketAddr, question: &Question) -> Result<()> {
    let url = format!(
        "http://{server}/.well-known/acme-challenge/{}",
        question.token
    );
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .proxy(None)
        .build()
        .into();
    let request = agent.get(&url).header("Host", &question.name);
    let found = request.call()?.body_mut().read_to_string()?;
    match found.trim_end() == question.key_authorization {
        true => Ok(()),
        false => Err(format!("{url} is something else").into()),
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
