//! The published vectors (`docs/vectors/`), each in a real connection: what they say is what our ends do.

mod clients;
mod credentials;
mod files;
mod forger;
mod handshakes;
mod held;
mod hello;
mod offers;
mod peers;
mod selection;
mod server_sessions;
mod sessions;

use std::io::Read;

use dc_rustls::client::{Builder, NamePolicy};
use dc_tests::backend::{BACKENDS, Backend};
use dc_tests::message::number;
use dc_tests::pipe::End;
use dc_vectors::format::Policy;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// The provider with the most algorithms.
fn backend() -> Backend {
    BACKENDS[BACKENDS.len() - 1]
}

/// The client that follows this policy.
fn under(policy: Policy, client: Builder) -> Builder {
    match policy {
        Policy::Required => client.unique_name(NamePolicy::Required),
        Policy::RequiredOrCertificate => client.unique_name(NamePolicy::Required).or_certificate(),
        Policy::Preferred => client.unique_name(NamePolicy::Preferred),
        Policy::Ignored => client.unique_name(NamePolicy::Ignored),
    }
}

fn form(form: dc_vectors::format::Form) -> dc_core::Form {
    match form {
        dc_vectors::format::Form::Rfc9345 => dc_core::Form::Rfc9345,
        dc_vectors::format::Form::Named => dc_core::Form::Named,
    }
}

/// The root of all vectors.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(files::CREDENTIALS.root.0.clone()))
        .unwrap();
    roots
}

/// What is in the next record; nothing if the other end is gone.
fn record(far: &mut End) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    far.read_exact(&mut head).ok()?;
    let mut payload = vec![0; number(&head[3..])];
    far.read_exact(&mut payload).ok()?;
    Some(payload)
}
