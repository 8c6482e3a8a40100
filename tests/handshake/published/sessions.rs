//! `handshakes.json`: whether a session is offered again, and what an open connection may be used for.

use std::sync::{Arc, Mutex};
use std::thread;

use dc_rustls::client::{Config, Peer};
use dc_tests::message::find_extension;
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_vectors::format::handshakes::{ReuseVector, SessionVector};
use dc_vectors::format::{Form, Hex, Policy};
use rustls::HandshakeKind;
use rustls::pki_types::ServerName;

use super::files::HANDSHAKES;
use super::peers::{Home, accepted};
use super::{backend, record, under};
use crate::setup::{ALL, Clock};

#[test]
fn every_session_is_resumed_as_published() {
    let vectors = HANDSHAKES.sessions.iter();
    let shown: Vec<_> = vectors.filter(|(_, vector)| is_shown(vector)).collect();
    assert!(shown.len() >= 20, "{}", shown.len());
    let wrong: Vec<String> = shown
        .into_iter()
        .filter_map(|(name, vector)| {
            let (resumes, expected) = (resumes(vector), expected(vector));
            (resumes != expected).then(|| format!("{name}: expected {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lifetime of tickets is rustls's to keep, and no session here is of a connection that was resumed itself.
fn is_shown(vector: &SessionVector) -> bool {
    vector.ticket.is_none() && vector.inherited.is_empty()
}

/// Sessions are a configuration's own here, which has one policy: what may be resumed under another one is not.
fn expected(vector: &SessionVector) -> bool {
    vector.resumes && vector.policy == vector.made_under
}

/// Makes the session, lets the time come, and sees whether it is offered.
fn resumes(vector: &SessionVector) -> bool {
    let end = vector.peer.expires.unwrap_or(vector.now);
    let clock = Clock::at(end.min(vector.now) - MINUTE);
    let (_, zone) = vector.made_for.split_once('.').unwrap();
    let home = Home::new(
        &vector.peer,
        &vector.made_for,
        &[format!("*.{zone}")],
        &clock,
    );
    let withdrawn = Arc::new(Mutex::new(Withdrawn::default()));
    let client = |policy: Policy| {
        let client = Config::builder(backend().provider()).roots(home.vendor.roots());
        let (clock, withdrawn) = (Arc::new(clock.clone()), Arc::clone(&withdrawn));
        let client = under(policy, client).time_provider(clock);
        let allows = move |peer: &Peer| withdrawn.lock().unwrap().allows(peer);
        client
            .authorize(move |_, peer| allows(peer))
            .build()
            .unwrap()
    };
    let first = client(vector.made_under);
    let outcome = connect(&first, &vector.made_for, &home.acceptor, ALL);
    if !accepts(vector.made_under, vector.peer.form) {
        // Nor does this client make such a session.
        assert!(outcome.client.is_err());
        return false;
    }
    assert_eq!(accepted(outcome.peer()), vector.peer);
    clock.set(vector.now);
    *withdrawn.lock().unwrap() = Withdrawn::of(vector, outcome.peer());
    if vector.policy != vector.made_under {
        return offers_session(&client(vector.policy), &vector.wanted_name);
    }
    // There is a second ticket for the server to take.
    let offers = offers_session(&first, &vector.wanted_name);
    if offers {
        let again = connect(&first, &vector.wanted_name, &home.acceptor, ALL);
        assert_eq!(accepted(again.peer()), vector.peer);
        let connection = again.client.unwrap();
        assert_eq!(
            connection.connection().handshake_kind(),
            Some(HandshakeKind::Resumed)
        );
    }
    offers
}

/// What the application does not want any more.
#[derive(Default)]
struct Withdrawn {
    names: Vec<String>,
    keys: Vec<Vec<u8>>,
}

impl Withdrawn {
    /// What the vector says, with this peer's key for that of the vector's.
    fn of(vector: &SessionVector, peer: &Peer) -> Self {
        let own = |key: &Hex| match (peer, vector.key.as_ref() == Some(key)) {
            (Peer::Delegated { spki, .. }, true) => spki.clone(),
            _ => key.0.clone(),
        };
        Self {
            names: vector.withdrawn.clone(),
            keys: vector.withdrawn_keys.iter().map(own).collect(),
        }
    }

    fn allows(&self, peer: &Peer) -> bool {
        let name = accepted(peer).unique_name;
        let key = match peer {
            Peer::Delegated { spki, .. } => self.keys.contains(spki),
            _ => false,
        };
        !key && name.is_none_or(|name| !self.names.contains(&name))
    }
}

/// Whether a client with this policy connects to a server with such a credential, or none.
fn accepts(policy: Policy, form: Option<Form>) -> bool {
    match policy {
        Policy::Required => form == Some(Form::Named),
        Policy::RequiredOrCertificate => form != Some(Form::Rfc9345),
        Policy::Preferred => true,
        Policy::Ignored => form != Some(Form::Named),
    }
}

fn offers_session(client: &Config, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name.to_owned()) else {
        return false;
    };
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let hello = scope.spawn(move || record(&mut { far }));
        client.connect(name, near).unwrap_err();
        let hello = hello.join().unwrap();
        hello.is_some_and(|hello| find_extension(&hello, PRE_SHARED_KEY).is_some())
    })
}

#[test]
fn every_connection_is_reused_as_published() {
    let vectors = HANDSHAKES.reuse.iter();
    let shown: Vec<_> = vectors
        .filter(|(_, vector)| is_about_names(vector))
        .collect();
    assert!(shown.len() >= 20, "{}", shown.len());
    let wrong: Vec<&String> = shown
        .into_iter()
        .filter(|(_, vector)| authenticates(vector) != may_be_asked(vector))
        .map(|(name, _)| name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A connection says whom it authenticates. Its policy, its end and what was withdrawn are for whoever keeps connections.
fn is_about_names(vector: &ReuseVector) -> bool {
    let is_late = vector.peer.expires.is_some_and(|end| vector.now > end);
    vector.policy == vector.made_under
        && accepts(vector.policy, vector.peer.form)
        && !is_late
        && vector.withdrawn.is_empty()
        && vector.withdrawn_keys.is_empty()
}

/// Without a unique name, a certificate stands for all of its names. A connection of this project is only the name that
/// it was made for all the same, and leaves the others to whoever reads the certificate.
fn may_be_asked(vector: &ReuseVector) -> bool {
    let other = vector.other.strip_suffix('.').unwrap_or(&vector.other);
    let is_reference = other.eq_ignore_ascii_case(REFERENCE);
    vector.authoritative && (vector.peer.form == Some(Form::Named) || is_reference)
}

/// Whether a connection with the vector's peer is authoritative for the other origin.
fn authenticates(vector: &ReuseVector) -> bool {
    let clock = Clock::at(vector.peer.expires.unwrap_or(NOW) - MINUTE);
    let home = Home::new(&vector.peer, REFERENCE, &vector.dns_names, &clock);
    let client = Config::builder(backend().provider()).roots(home.vendor.roots());
    let client = under(Policy::Preferred, client)
        .time_provider(Arc::new(clock))
        .build()
        .unwrap();
    let outcome = connect(&client, REFERENCE, &home.acceptor, ALL);
    assert_eq!(accepted(outcome.peer()), vector.peer);
    let Ok(other) = ServerName::try_from(vector.other.clone()) else {
        return false;
    };
    outcome.client.unwrap().authenticates(&other)
}

/// The name that connections are made for.
const REFERENCE: &str = "k3v.cpe.example.com";
/// pre_shared_key (RFC 8446 §4.2.11).
const PRE_SHARED_KEY: u16 = 41;
/// Unix time of peers that have no end.
const NOW: u64 = 1_800_000_000;
const MINUTE: u64 = 60;
