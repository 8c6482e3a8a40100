//! Sessions that a server made, and hellos that would resume them.

use std::collections::BTreeMap;

use super::sessions::{EXPIRES, certificate, named, unnamed};
use crate::format::handshakes::{Accepted, ClientSession, ServerSessionVector};
use crate::format::{Hex, Policy};
use crate::make::keys::{DEVICE, OTHER_DEVICE};
use crate::make::{NAME, NOW};

pub(super) fn all() -> BTreeMap<String, ServerSessionVector> {
    let rows = [of_time(), of_names(), of_clients(), of_clients_policies()].concat();
    let mut all = BTreeMap::new();
    for (id, vector) in rows {
        assert!(all.insert(id.to_owned(), vector).is_none(), "{id} twice");
    }
    all
}

type Rows = Vec<(&'static str, ServerSessionVector)>;

const NEIGHBOUR: &str = "neighbour.cpe.example.com";

/// A session that may be resumed.
fn session(note: &str, own: Accepted) -> ServerSessionVector {
    ServerSessionVector {
        note: note.to_owned(),
        section: "sessions".to_owned(),
        own,
        made_with: Some(NAME.to_owned()),
        server_name: Some(NAME.to_owned()),
        client: None,
        now: NOW,
        resumes: true,
    }
}

#[rustfmt::skip]
fn of_time() -> Rows {
    let row = |id, note, own, now, resumes| (id, ServerSessionVector { now, resumes, ..session(note, own) });
    vec![
        row("named", "made with a named credential", named(), NOW, true),
        row("unnamed", "made with RFC 9345's form", unnamed(), NOW, true),
        row("certificate", "made with a certificate's own key", certificate(), NOW, true),
        row("last-second", "the last second of the credential", named(), EXPIRES, true),
        row("expired", "a second after the credential has ended", named(), EXPIRES + 1, false),
        row("unnamed-last-second", "the last second of the credential", unnamed(), EXPIRES, true),
        row("unnamed-expired", "a second after the credential has ended", unnamed(), EXPIRES + 1, false),
        row("certificate-later", "a certificate's own key has no such end", certificate(), EXPIRES + 1, true),
    ]
}

#[rustfmt::skip]
fn of_names() -> Rows {
    let row = |id, note, own, made_with: Option<&str>, server_name: Option<&str>, resumes| {
        let (made_with, server_name) = (made_with.map(Into::into), server_name.map(Into::into));
        (id, ServerSessionVector { made_with, server_name, resumes, ..session(note, own) })
    };
    vec![
        row("other-name", "the hello has another server_name", named(), Some(NAME), Some(NEIGHBOUR), false),
        row("name-gone", "the hello has no server_name any more", named(), Some(NAME), None, false),
        row("name-new", "the hello has a server_name, and the session was made without", named(), None, Some(NAME), false),
        row("no-name", "the session was made without server_name, and the hello has none", named(), None, None, true),
    ]
}

/// A client that a server verified.
fn client(peer: Accepted) -> ClientSession {
    ClientSession {
        peer,
        key: Some(Hex(DEVICE.spki())),
        made_for: Some(NAME.to_owned()),
        made_under: Policy::Required,
        wanted_name: Some(NAME.to_owned()),
        policy: Policy::Required,
        withdrawn: Vec::new(),
        withdrawn_keys: Vec::new(),
    }
}

fn row(
    id: &'static str,
    note: &str,
    client: ClientSession,
    resumes: bool,
) -> (&'static str, ServerSessionVector) {
    let vector = ServerSessionVector {
        client: Some(client),
        resumes,
        ..session(note, certificate())
    };
    (id, vector)
}

#[rustfmt::skip]
fn of_clients() -> Rows {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let good = || client(named());
    let late = |id, note, now, resumes| {
        let (id, vector) = row(id, note, good(), resumes);
        (id, ServerSessionVector { now, ..vector })
    };
    let withdrawal = |(id, vector)| (id, ServerSessionVector { section: "withdrawal".to_owned(), ..vector });
    vec![
        row("client", "a client with a name, which is the expected one", good(), true),
        row("client-of-any-name", "a client with a name, where none was expected", ClientSession { made_for: None, wanted_name: None, ..good() }, true),
        row("client-expected-now", "another client is expected now", ClientSession { wanted_name: Some(NEIGHBOUR.to_owned()), ..good() }, false),
        late("client-last-second", "the last second of the client's credential", EXPIRES, true),
        late("client-expired", "a second after the client's credential has ended", EXPIRES + 1, false),
        withdrawal(row("client-withdrawn", "the client's name was withdrawn since", ClientSession { withdrawn: names(&[NAME]), ..good() }, false)),
        withdrawal(row("client-other-withdrawn", "another client's name was withdrawn since", ClientSession { withdrawn: names(&[NEIGHBOUR]), ..good() }, true)),
        withdrawal(row("client-key-withdrawn", "the client's key was withdrawn since", ClientSession { withdrawn_keys: vec![Hex(DEVICE.spki())], ..good() }, false)),
        withdrawal(row("client-other-key-withdrawn", "another client's key was withdrawn since", ClientSession { withdrawn_keys: vec![Hex(OTHER_DEVICE.spki())], ..good() }, true)),
    ]
}

#[rustfmt::skip]
fn of_clients_policies() -> Rows {
    use Policy::{Ignored, Preferred, Required};
    let under = |peer, made_under, policy| ClientSession { made_under, policy, ..client(peer) };
    vec![
        row("client-unnamed", "a client with RFC 9345's form, under the same policy", under(unnamed(), Ignored, Ignored), true),
        row("client-unnamed-then-required", "made without a name, which the server requires now", under(unnamed(), Preferred, Required), false),
        row("client-certificate-then-required", "made without a name, which the server requires now", under(certificate(), Preferred, Required), false),
        row("client-named-then-preferred", "made with the name, under a stronger policy", under(named(), Required, Preferred), true),
    ]
}
