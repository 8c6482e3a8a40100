//! `handshakes.json`: what a client makes of a server that presents and signs exactly what a vector says, and what is common
//! to the replay of both roles.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::thread;

use dc_core::DelegatedCredential;
use dc_rustls::client::{Builder, Config, Peer};
use dc_tests::message::{
    CERTIFICATE, ENCRYPTED_EXTENSIONS, NEW_SESSION_TICKET, SERVER_HELLO, extension,
    insert_extensions, message, split_vector, vector,
};
use dc_tests::mutant::Rewrite;
use dc_tests::pair::last_words;
use dc_tests::pipe::{End, pipe};
use dc_vectors::fault::Fault;
use dc_vectors::format::handshakes::{Accepted, Entry, HandshakeVector, Message, Outcome};
use dc_vectors::format::{Needs, Policy, Role};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, SignatureScheme};

use super::files::{CREDENTIALS, HANDSHAKES};
use super::forger::Forger;
use super::peers::accepted;
use super::{backend, form, record, roots, under};
use crate::gullible::Gullible;
use crate::rogue::{CHUNKS, Rogue};
use crate::setup::Clock;

#[test]
fn every_handshake_with_a_server_is_as_published() {
    all_are_as_published(Role::Server, 100, differs);
}

/// Runs the vectors of ends with this role, of which there are more than `least`.
///
/// None of our ends asks for raw public keys.
pub(super) fn all_are_as_published(
    role: Role,
    least: usize,
    differs: fn(&HandshakeVector) -> Option<String>,
) {
    let vectors = HANDSHAKES.handshakes.iter();
    let (ends, _): (Vec<_>, Vec<_>) =
        vectors.partition(|(_, vector)| vector.role == role && !vector.raw_public_key);
    let (left_out, shown): (Vec<_>, Vec<_>) = ends
        .into_iter()
        .partition(|(_, vector)| vector.needs.iter().any(is_missing));
    assert!(shown.len() > least, "{}", shown.len());
    let wrong: Vec<String> = shown
        .into_iter()
        .filter_map(|(name, vector)| Some(format!("{name}: {}", differs(vector)?)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let needs = |needs| {
        left_out
            .iter()
            .filter(|(_, vector)| vector.needs.contains(&needs))
            .count()
    };
    let counted = [Needs::P521, Needs::Ed448, Needs::RsaPssPss].map(needs);
    assert_eq!(left_out.len(), counted.iter().sum::<usize>(), "{counted:?}");
}

/// Whether the provider lacks what a vector needs.
pub(super) fn is_missing(needs: &Needs) -> bool {
    let schemes = backend()
        .provider()
        .signature_verification_algorithms
        .supported_schemes();
    let lacks = |scheme: u16| !schemes.contains(&scheme.into());
    match needs {
        Needs::P521 => lacks(0x0603),
        Needs::Ed448 => lacks(0x0808),
        Needs::RsaPssPss => lacks(0x0809),
        Needs::LenientUsage => true,
    }
}

/// What came of a handshake.
#[derive(Debug, PartialEq)]
pub(super) enum Came {
    Accepted(Accepted),
    Alert(u8),
    /// Neither.
    Otherwise(String),
}

impl Came {
    /// Whether it is the vector's outcome, with the alert of the vector or another that the specification allows.
    pub(super) fn is_as(&self, vector: &HandshakeVector) -> bool {
        match (self, &vector.outcome) {
            (Self::Accepted(came), Outcome::Accepted(expected)) => came == expected,
            (Self::Alert(alert), Outcome::Refused(refused)) => {
                Some(*alert) == refused.alert
                    || refused.also.contains(*alert)
                    || allowed(vector, refused.error).contains(alert)
            }
            // rustls ignores what it does not know in a ticket, as RFC 8446 §4.6.1 has it.
            (Self::Accepted(came), Outcome::Refused(refused)) => {
                let credential = vector.entries[0].extensions[0].kind;
                refused.error == Fault::WrongMessage
                    && is_elsewhere(vector, Message::NewSessionTicket)
                    && came.form.map(|own| form(own).extension_type()) == Some(credential)
            }
            _ => false,
        }
    }
}

/// The other alerts that a stack like this one may send.
fn allowed(vector: &HandshakeVector, fault: Fault) -> &'static [u8] {
    match fault {
        // What is no key is found where the lengths around it are read.
        Fault::MalformedKey => &[DECODE_ERROR],
        // The entry is parsed before anybody looks what is in it.
        Fault::BothForms if !decodes(vector) => &[DECODE_ERROR],
        // rustls tells a wrong signature from one of a stranger.
        Fault::UntrustedPath => &[DECRYPT_ERROR],
        // To rustls this is an extension as unsolicited as any other.
        Fault::WrongMessage => &[UNSUPPORTED_EXTENSION],
        // The application is asked when all of the certificate is known, before CertificateVerify comes.
        Fault::BadCertificateVerify if !vector.withdrawn.is_empty() => &[ACCESS_DENIED],
        // A server has no reference identity: its application says whom it wants.
        Fault::WrongName if vector.role == Role::Client => &[ACCESS_DENIED],
        // A server that requires a name offers no other form than the named one, which this vector's did.
        Fault::CredentialRequired if vector.role == Role::Client && has_both(vector) => {
            &[UNEXPECTED_MESSAGE]
        }
        _ => &[],
    }
}

/// True if both forms were offered.
fn has_both(vector: &HandshakeVector) -> bool {
    vector.offer.rfc9345.is_some() && vector.offer.named.is_some()
}

/// Whether all that looks like a credential in the first entry is one.
fn decodes(vector: &HandshakeVector) -> bool {
    let extensions = &vector.entries[0].extensions;
    extensions.iter().all(|extension| {
        let form = dc_core::Form::ALL
            .into_iter()
            .find(|form| form.extension_type() == extension.kind);
        form.is_none_or(|form| DelegatedCredential::decode(form, &extension.data.0).is_ok())
    })
}

/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3): SHA-256 of "HelloRetryRequest".
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
/// RFC 6066, which no server here asks for.
const STATUS_REQUEST: u16 = 5;
/// RFC 6962, which nobody here asks for.
const SIGNED_CERTIFICATE_TIMESTAMP: u16 = 18;
const UNEXPECTED_MESSAGE: u8 = 10;
const ACCESS_DENIED: u8 = 49;
const DECODE_ERROR: u8 = 50;
const DECRYPT_ERROR: u8 = 51;
const UNSUPPORTED_EXTENSION: u8 = 110;

/// What is else than published, with records in one piece or in single bytes.
fn differs(vector: &HandshakeVector) -> Option<String> {
    CHUNKS.into_iter().find_map(|chunk| {
        let came = match (vector.tls13, vector.policy) {
            (true, _) => meets(vector, &client(vector).build().unwrap(), chunk),
            (false, Policy::Required) => with_stubborn(vector, chunk),
            (false, _) => with_old(vector, chunk),
        };
        (!came.is_as(vector)).then(|| format!("expected {:?}, came {came:?}", vector.outcome))
    })
}

/// What this client makes of a server that presents what the vector has.
pub(super) fn meets(vector: &HandshakeVector, client: &Config, chunk: usize) -> Came {
    let forger = Arc::new(Forger::new(vector.role, &vector.certificate_verify));
    // Every client of a vector sends a share for another group first.
    let rogue = Rogue::signing(chain(vector), forger).rewrite(rewrite(vector));
    let rogue = match is_elsewhere(vector, Message::HelloRetryRequest) {
        true => rogue.provider(backend().x25519_only()),
        false => rogue,
    };
    let verdict = rogue.meet_as(client, vector.wanted_name.as_ref().unwrap(), chunk);
    came(verdict.client, verdict.server)
}

fn is_elsewhere(vector: &HandshakeVector, message: Message) -> bool {
    vector.elsewhere.iter().any(|one| one.message == message)
}

fn came(client: Result<Peer, dc_rustls::Error>, server: Option<rustls::Error>) -> Came {
    match (client, server) {
        (Ok(peer), None) => Came::Accepted(accepted(&peer)),
        (Err(_), Some(rustls::Error::AlertReceived(alert))) => Came::Alert(alert.into()),
        (client, server) => Came::Otherwise(format!("{client:?}, {server:?}")),
    }
}

fn client(vector: &HandshakeVector) -> Builder {
    let client = Config::builder(provider(vector));
    let client = match stands_for_excluded(vector) {
        // rustls's verifier refuses a certificate with such a wildcard, whichever name is wanted.
        true => client.verifier(Arc::new(Gullible(
            provider(vector).signature_verification_algorithms,
        ))),
        false => client.roots(roots()),
    };
    trusting(vector, client)
}

/// Whether the certificate's wildcard stands for names that its issuer excludes.
fn stands_for_excluded(vector: &HandshakeVector) -> bool {
    CREDENTIALS.certificates.iter().any(|(name, certificate)| {
        name.starts_with("excluding") && certificate.der == vector.entries[0].certificate
    })
}

/// The vector's client that trusts as it is told to.
pub(super) fn trusting(vector: &HandshakeVector, client: Builder) -> Builder {
    let client = under(vector.policy, client).time_provider(Arc::new(Clock::at(vector.now)));
    let (names, keys) = (vector.withdrawn.clone(), vector.withdrawn_keys.clone());
    client.authorize(move |_, peer| match peer {
        Peer::Delegated {
            unique_name, spki, ..
        } => {
            let name = unique_name.as_ref();
            !name.is_some_and(|name| names.iter().any(|one| one == name.as_str()))
                && !keys.iter().any(|key| &key.0 == spki)
        }
        _ => true,
    })
}

/// Whether a client of this project makes the vector's offer: in the lists of both forms it has what it can verify and
/// no credential is forbidden.
pub(super) fn can_offer(vector: &HandshakeVector) -> bool {
    let verifiable = |list: &[u16]| -> BTreeSet<u16> {
        let known = backend()
            .provider()
            .signature_verification_algorithms
            .supported_schemes();
        let known = known.into_iter().map(u16::from);
        let is_for_keys = |scheme: &u16| {
            dc_core::SignatureScheme::FOR_CREDENTIAL_KEYS
                .contains(&dc_core::SignatureScheme(*scheme))
        };
        known
            .filter(|scheme| list.contains(scheme) && is_for_keys(scheme))
            .collect()
    };
    let all = verifiable(&vector.offer.signature_algorithms);
    let lists = [&vector.offer.named, &vector.offer.rfc9345];
    !all.is_empty()
        && lists
            .into_iter()
            .flatten()
            .all(|list| verifiable(list) == all)
}

/// The provider, with no more than what is in the vector's signature_algorithms: a client offers what it can verify.
pub(super) fn provider(vector: &HandshakeVector) -> Arc<CryptoProvider> {
    let base = backend().prefers_p384();
    let own = base.signature_verification_algorithms;
    let listed = &vector.offer.signature_algorithms;
    let is_offered = |scheme: &SignatureScheme| listed.contains(&u16::from(*scheme));
    let mapping = own.mapping.iter().filter(|(scheme, _)| is_offered(scheme));
    let mapping: Vec<_> = mapping.copied().collect();
    Arc::new(CryptoProvider {
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            mapping: mapping.leak(),
            ..own
        },
        ..CryptoProvider::clone(&base)
    })
}

fn name(vector: &HandshakeVector) -> ServerName<'static> {
    ServerName::try_from(vector.wanted_name.clone().unwrap()).unwrap()
}

pub(super) fn chain(vector: &HandshakeVector) -> Vec<CertificateDer<'static>> {
    let entries = vector.entries.iter();
    entries
        .map(|entry| CertificateDer::from(entry.certificate.0.clone()))
        .collect()
}

/// Puts the vector's entries into Certificate, and its extensions where they are.
fn rewrite(vector: &HandshakeVector) -> Rewrite {
    let certificate = certificate(&vector.entries, vector.role);
    let elsewhere = vector.elsewhere.clone();
    Arc::new(move |old| match message_of(old) {
        Some(found) => {
            elsewhere
                .iter()
                .filter(|one| one.message == found)
                .fold(old.to_vec(), |old, one| {
                    insert_extensions(&old, &extension(one.extension.kind, &one.extension.data.0))
                })
        }
        None if old.first() == Some(&CERTIFICATE) => certificate.clone(),
        None => old.to_vec(),
    })
}

fn message_of(old: &[u8]) -> Option<Message> {
    match *old.first()? {
        SERVER_HELLO if old[6..38] == RETRY => Some(Message::HelloRetryRequest),
        SERVER_HELLO => Some(Message::ServerHello),
        ENCRYPTED_EXTENSIONS => Some(Message::EncryptedExtensions),
        NEW_SESSION_TICKET => Some(Message::NewSessionTicket),
        _ => None,
    }
}

/// The Certificate message with these entries (RFC 8446 §4.4.2), as far as this project's end has asked for them.
pub(super) fn certificate(entries: &[Entry], role: Role) -> Vec<u8> {
    let entry = |entry: &Entry| {
        let extensions = entry.extensions.iter().filter(|one| match one.kind {
            SIGNED_CERTIFICATE_TIMESTAMP => false,
            STATUS_REQUEST => role == Role::Server,
            _ => true,
        });
        let block: Vec<u8> = extensions
            .flat_map(|one| extension(one.kind, &one.data.0))
            .collect();
        [vector(3, &entry.certificate.0), vector(2, &block)].concat()
    };
    let list: Vec<u8> = entries.iter().flat_map(entry).collect();
    message(CERTIFICATE, &[vector(1, &[]), vector(3, &list)].concat())
}

/// TLS 1.2 with a client that allows it. Its Certificate has no place for extensions.
fn with_old(vector: &HandshakeVector, chunk: usize) -> Came {
    let certified = CertifiedKey::new(
        chain(vector),
        Arc::new(Forger::new(vector.role, &vector.certificate_verify)),
    );
    let config = ServerConfig::builder_with_provider(backend().provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let client = client(vector).allow_tls12().build().unwrap();
    let (near, mut far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
            let error = connection.complete_io(&mut far).err()?;
            last_words(&mut connection, &mut far, error)
        });
        let client = client
            .connect(name(vector), near)
            .map(|tls| tls.peer().clone());
        came(client, server.join().unwrap())
    })
}

/// TLS 1.2 with a client that does not offer it, from a server that picks it all the same.
fn with_stubborn(vector: &HandshakeVector, chunk: usize) -> Came {
    let client = client(vector).build().unwrap();
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| alert_in_tls12(far));
        let client = client.connect(name(vector), near);
        let alert = server.join().unwrap();
        match (client, alert) {
            (Err(_), Some(alert)) => Came::Alert(alert),
            (client, alert) => Came::Otherwise(format!("{:?}, {alert:?}", client.err())),
        }
    })
}

/// The alert that answers a ServerHello of TLS 1.2.
fn alert_in_tls12(mut far: End) -> Option<u8> {
    let hello = record(&mut far)?;
    let (session, _) = split_vector(&hello[4 + 2 + 32..], 1);
    // Its version, a random, the client's session, ECDHE with ECDSA and AES-128-GCM, no compression, no extensions.
    let body = [
        &[3, 3],
        &[7; 32][..],
        &vector(1, session),
        &[0xc0, 0x2b, 0, 0, 0],
    ]
    .concat();
    let answer = [&[22, 3, 3][..], &vector(2, &message(SERVER_HELLO, &body))].concat();
    far.write_all(&answer).ok()?;
    record(&mut far)?.get(1).copied()
}
