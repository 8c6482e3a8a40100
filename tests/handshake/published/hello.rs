//! Clients that say the ClientHello of a vector.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, NamePolicy, Presented};
use dc_rustls::server::Acceptor;
use dc_tests::message::{CLIENT_HELLO, add_extensions, extension, remove_extension, server_name};
use dc_tests::mutant::{self, Framing, Rewrite, Wire};
use dc_tests::pair::last_words;
use dc_tests::pipe::{End, pipe};
use dc_vectors::format::Extension;
use dc_vectors::format::selection::SelectionVector;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::backend;
use crate::gullible::Gullible;
use crate::offers::{Answer, accept, is_second};
use crate::setup::{ALL, Clock};

/// What came from a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// A credential, whole.
    Credential(Form, Vec<u8>),
    /// An end-entity certificate without a credential.
    Certificate(Vec<u8>),
    /// An alert before anything else.
    Alert(u8),
    /// Nothing of these.
    Nothing(String),
}

/// What a server makes of a vector's hello, as the client sees it and as the server says. The client is one of this
/// project, which takes whatever certificate it gets, and a credential for `wanted`.
pub(super) fn ask(vector: &SelectionVector, wanted: &str, acceptor: &Acceptor) -> (Seen, Answer) {
    let rewrite = rewrite(vector);
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| accept(acceptor, far));
        let wire = Wire::new(near, &rewrite, Framing::default());
        let seen = match vector.tls13 {
            true => ask_in_tls13(&rewrite, wanted, vector.now, wire),
            false => ask_in_tls12(&rewrite, wire),
        };
        (seen, server.join().unwrap())
    })
}

fn ask_in_tls13(rewrite: &Rewrite, wanted: &str, now: u64, wire: Wire<End>) -> Seen {
    let base = backend().prefers_p384();
    let came = Arc::new(Mutex::new(None));
    let notes = Arc::clone(&came);
    let config = Config::builder(mutant::provider(&base, rewrite))
        .verifier(Arc::new(Gullible(base.signature_verification_algorithms)))
        .unique_name(NamePolicy::Preferred)
        .time_provider(Arc::new(Clock::at(now)))
        .observe(move |presented| *notes.lock().unwrap() = Some(seen(presented)))
        .build()
        .unwrap();
    let name = ServerName::try_from(wanted.to_owned()).unwrap();
    let exchanged = config.connect(name, wire).and_then(|mut tls| {
        tls.write_all(b"ping")?;
        Ok(tls.read_exact(&mut [0; 4])?)
    });
    let came = came.lock().unwrap().clone();
    match (came, exchanged) {
        (Some(came), _) => came,
        (None, Err(Error::Tls(rustls::Error::AlertReceived(alert)))) => Seen::Alert(alert.into()),
        (None, other) => Seen::Nothing(format!("{other:?}")),
    }
}

fn seen(presented: &Presented<'_>) -> Seen {
    match presented.credential {
        Some((form, bytes)) => Seen::Credential(form, bytes.to_vec()),
        None => Seen::Certificate(presented.end_entity.to_vec()),
    }
}

/// With stock rustls: our client always offers TLS 1.3.
fn ask_in_tls12(rewrite: &Rewrite, wire: Wire<End>) -> Seen {
    let base = backend().provider();
    let config = ClientConfig::builder_with_provider(mutant::provider(&base, rewrite))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible(
            base.signature_verification_algorithms,
        )))
        .with_no_client_auth();
    let name = ServerName::try_from("said.below.example").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tls = StreamOwned::new(connection, wire);
    let exchanged = tls
        .write_all(b"ping")
        .and_then(|()| tls.read_exact(&mut [0; 4]));
    let Err(error) = exchanged else {
        return Seen::Certificate(tls.conn.peer_certificates().unwrap()[0].to_vec());
    };
    match last_words(&mut tls.conn, &mut tls.sock, error) {
        Some(rustls::Error::AlertReceived(alert)) => Seen::Alert(alert.into()),
        other => Seen::Nothing(format!("{other:?}")),
    }
}

/// Puts the vector's extensions into the client's hellos, in the place of its own.
fn rewrite(vector: &SelectionVector) -> Rewrite {
    let name = vector.server_name.as_deref().map(server_name);
    let block = |extensions: &[Extension]| {
        let listed = extensions
            .iter()
            .map(|one| extension(one.kind, &one.data.0));
        name.clone()
            .into_iter()
            .chain(listed)
            .collect::<Vec<_>>()
            .concat()
    };
    let first = block(&vector.extensions);
    let second = vector.second_extensions.as_deref().map(block);
    mutant::only(CLIENT_HELLO, move |hello| {
        let remove = |hello: Vec<u8>, kind| remove_extension(&hello, kind);
        let own = OF_INTEREST.into_iter().fold(hello.to_vec(), remove);
        match &second {
            Some(second) if is_second(hello) => add_extensions(&own, second),
            _ => add_extensions(&own, &first),
        }
    })
}

/// server_name, signature_algorithms and those of both forms.
const OF_INTEREST: [u16; 4] = [0, 13, 34, 0xff22];
