//! `selection.json`: what a server sends in answer to an offer, and what of it dc-core decides for a client.

use std::sync::Arc;

use dc_core::{DelegatedCredential, Form, Offer, SchemeList};
use dc_rustls::server::{Acceptor, Served, Settings};
use dc_vectors::fault::Fault;
use dc_vectors::format::selection::{Answer, Held, SelectionVector};
use dc_vectors::format::{self, Role};
use rcgen::generate_simple_self_signed;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::files::SELECTIONS;
use super::hello::{Seen, ask};
use super::{backend, form, held};
use crate::offers;
use crate::rogue::Stubborn;

#[test]
fn every_selection_of_a_server_is_as_published() {
    let vectors = SELECTIONS.selections.iter();
    let servers: Vec<_> = vectors
        .filter(|(_, vector)| vector.role == Role::Server)
        .collect();
    assert!(servers.len() > 100, "{}", servers.len());
    let wrong: Vec<String> = servers
        .into_iter()
        .filter_map(|(name, vector)| Some(format!("{name}: {}", differs(vector)?)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// dc-rustls has no credentials of clients yet, so no connection shows how a client answers a CertificateRequest. What
/// dc-core decides of it is shown: whether the lists decode, and which credentials they take. Left to whoever uses it
/// are extensions that are there twice or missing and the certificate that is sent where no credential is.
#[test]
fn every_selection_of_a_client_is_as_published_as_far_as_dc_core_decides() {
    let vectors = SELECTIONS.selections.iter();
    let (twice, others): (Vec<_>, Vec<_>) = vectors
        .filter(|(_, vector)| vector.role == Role::Client)
        .partition(|(_, vector)| is_twice(vector) || is_without_algorithms(vector));
    assert!(
        others.len() > 2 * twice.len(),
        "{} and {}",
        others.len(),
        twice.len()
    );
    let wrong: Vec<String> = others
        .into_iter()
        .filter_map(|(name, vector)| Some(format!("{name}: {}", client_differs(vector)?)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_twice(vector: &SelectionVector) -> bool {
    let fault = Fault::DuplicateExtension;
    matches!(&vector.answer, Answer::Refused(refused) if refused.error == fault)
}

/// Without signature_algorithms there is no offer to ask dc-core about.
fn is_without_algorithms(vector: &SelectionVector) -> bool {
    let mut extensions = vector.extensions.iter();
    !extensions.any(|one| one.kind == SIGNATURE_ALGORITHMS)
}

fn client_differs(vector: &SelectionVector) -> Option<String> {
    let expected = match &vector.answer {
        Answer::Credential(name) => Ok(Some(name)),
        Answer::Refused(refused) if refused.error == Fault::MalformedList => {
            Err(refused.alert.unwrap())
        }
        Answer::Certificate | Answer::Empty | Answer::Refused(_) => Ok(None),
    };
    let chosen = requested(vector)
        .map(|offer| choice(vector, &offer))
        .map_err(|error| error.alert().code());
    (chosen != expected).then(|| format!("expected {expected:?}, chosen {chosen:?}"))
}

/// The offer that a CertificateRequest makes.
fn requested(vector: &SelectionVector) -> Result<Offer, dc_core::Error> {
    let list = |kind: u16| {
        let listed = vector.extensions.iter().find(|one| one.kind == kind);
        listed
            .map(|one| SchemeList::decode(&one.data.0))
            .transpose()
    };
    let offer = Offer::new(list(SIGNATURE_ALGORITHMS)?.unwrap());
    let forms = [Form::Named, Form::Rfc9345];
    forms.into_iter().try_fold(offer, |offer, form| {
        Ok(match list(form.extension_type())? {
            Some(schemes) => offer.with(form, schemes),
            None => offer,
        })
    })
}

/// Of what the offer takes and has not ended, the first with a name, else the first.
fn choice<'v>(vector: &'v SelectionVector, offer: &Offer) -> Option<&'v String> {
    let suits = |name: &&String| {
        let held = &SELECTIONS.held[*name];
        let credential = DelegatedCredential::decode(form(held.form), &held.credential.0).unwrap();
        offer.suits(&credential).is_ok() && vector.now <= held::last_second(held)
    };
    let is_unnamed = |name: &&String| SELECTIONS.held[*name].form != format::Form::Named;
    vector.held.iter().filter(suits).min_by_key(is_unnamed)
}

/// What a server does that holds what the vector says, if that is something else than the vector says.
fn differs(vector: &SelectionVector) -> Option<String> {
    let provider = match vector.second_extensions {
        // Asks again whoever sends no share for X25519.
        Some(_) => backend().x25519_only(),
        None => backend().provider(),
    };
    let plain = PlainServer::new(&provider);
    let acceptor = acceptor(vector, provider);
    let acceptor = match vector.certificate {
        true => acceptor.fallback(Arc::clone(&plain.config)),
        false => acceptor,
    };
    let (seen, served) = ask(vector, &wanted(vector), &acceptor);
    let expected = match &vector.answer {
        Answer::Credential(name) => sent(&SELECTIONS.held[name]),
        Answer::Certificate => Seen::Certificate(plain.certificate.to_vec()),
        Answer::Empty => return Some("a server always sends something".to_owned()),
        Answer::Refused(refused) => Seen::Alert(refused.alert.unwrap()),
    };
    // rustls knows no missing_extension here.
    let is_missing = expected == Seen::Alert(109) && seen == Seen::Alert(40);
    let is_allowed = match (&vector.answer, &seen) {
        (Answer::Refused(refused), Seen::Alert(alert)) => refused.also.contains(*alert),
        _ => false,
    };
    let is_same = (seen == expected || is_missing || is_allowed) && agrees(&vector.answer, &served);
    (!is_same).then(|| {
        format!(
            "expected {:?}, came {seen:?}, served {served:?}",
            vector.answer
        )
    })
}

fn acceptor(vector: &SelectionVector, provider: Arc<CryptoProvider>) -> Acceptor {
    let change = |settings: Settings| match vector.named_without_server_name {
        true => settings.named_without_server_name(),
        false => settings,
    };
    let held: Vec<&Held> = vector
        .held
        .iter()
        .map(|name| &SELECTIONS.held[name])
        .collect();
    Acceptor::new(held::store(&held, provider, change, vector.now))
}

/// The name that makes the client accept what is to come.
fn wanted(vector: &SelectionVector) -> String {
    let named = match &vector.answer {
        Answer::Credential(name) => held::unique_name(&SELECTIONS.held[name]),
        Answer::Certificate | Answer::Empty | Answer::Refused(_) => None,
    };
    named.unwrap_or_else(|| "anybody.example".to_owned())
}

fn sent(held: &Held) -> Seen {
    Seen::Credential(form(held.form), held.credential.0.clone())
}

/// Whether the server knows what it did.
fn agrees(answer: &Answer, served: &offers::Answer) -> bool {
    match (answer, served) {
        (Answer::Certificate, Ok(Served::Certificate)) | (Answer::Refused(_), Err(_)) => true,
        (
            Answer::Credential(name),
            Ok(Served::Delegated {
                form: found,
                unique_name,
                expires,
                ..
            }),
        ) => {
            let own = &SELECTIONS.held[name];
            *found == form(own.form)
                && unique_name.as_ref().map(|name| name.as_str())
                    == held::unique_name(own).as_deref()
                && expires.as_secs() == held::last_second(own)
        }
        _ => false,
    }
}

/// A server with a certificate that every client takes.
struct PlainServer {
    certificate: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl PlainServer {
    fn new(provider: &Arc<CryptoProvider>) -> Self {
        let own = generate_simple_self_signed(["anybody.example".to_owned()]).unwrap();
        let certificate = own.cert.der().clone();
        let key = own.signing_key.serialize_der();
        let key = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(key.into()))
            .unwrap();
        let certified = CertifiedKey::new(vec![certificate.clone()], Arc::new(Stubborn(key)));
        let config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Self {
            certificate,
            config: Arc::new(config),
        }
    }
}

const SIGNATURE_ALGORITHMS: u16 = 13;
