//! What a server asks its clients for, and what a client answers, as a peer that nobody here wrote sees it: stock
//! rustls, whose transcript is listened to.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, IdentityStore, NamePolicy};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::message::{CERTIFICATE, edit_blocks, extension, extensions, split_vector, vector};
use dc_tests::mutant::{self, Rewrite, Wire};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, ServerConfig,
    ServerConnection, StreamOwned,
};

use crate::clients::{FRONTS, Site};
use crate::setup::{ALL, stock_server};

/// CertificateRequest.
const REQUEST: u8 = 13;
const AUTHORITIES: [u8; 2] = [0, 47];

/// The messages of one type that pass, in either direction.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Vec<u8>>>>);

impl Heard {
    /// Listens, and changes messages of the type `changed`.
    fn listen(
        &self,
        kind: u8,
        change: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Rewrite {
        let heard = self.clone();
        Arc::new(move |message| {
            if message.first() == Some(&kind) {
                heard.0.lock().unwrap().push(message.to_vec());
            }
            change(message)
        })
    }

    /// The one that was heard last.
    fn last(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap().last().cloned()
    }
}

/// The extensions of the CertificateRequest that a stock client gets; `None` if it gets none.
fn asked(site: &Site, acceptor: &Acceptor) -> Option<Vec<Vec<u8>>> {
    let heard = Heard::default();
    let rewrite = heard.listen(REQUEST, <[u8]>::to_vec);
    let mutant = mutant::provider(&provider(), &rewrite);
    let config = ClientConfig::builder_with_provider(mutant)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(site.vendor.roots())
        .with_no_client_auth();
    let name = ServerName::try_from(site.router.name.clone()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| acceptor.accept(far).map(drop));
        let wire = Wire::new(near, &rewrite, mutant::Framing::default());
        let mut tls = StreamOwned::new(connection, wire);
        tls.conn.complete_io(&mut tls.sock).unwrap();
        server.join().unwrap().unwrap();
    });
    let request = heard.last()?;
    let (context, rest) = split_vector(&request[4..], 1);
    assert!(context.is_empty());
    let (block, rest) = split_vector(rest, 2);
    assert!(rest.is_empty());
    Some(extensions(block).into_iter().map(<[u8]>::to_vec).collect())
}

fn of_form(form: Form) -> impl Fn(&Vec<u8>) -> bool {
    move |extension| extension[..2] == form.extension_type().to_be_bytes()
}

#[test]
fn a_request_carries_the_list_of_each_form_that_is_taken() {
    let site = Site::new();
    for front in FRONTS {
        for (names, forms) in [
            (NamePolicy::Required, &[Form::Named][..]),
            (NamePolicy::Preferred, &Form::ALL),
            (NamePolicy::Ignored, &[Form::Rfc9345]),
        ] {
            let policy = site.policy().optional().unique_name(names);
            let found = asked(&site, &site.acceptor(front, policy)).unwrap();
            for form in Form::ALL {
                let lists: Vec<_> = found.iter().filter(|one| of_form(form)(one)).collect();
                assert_eq!(lists.len(), usize::from(forms.contains(&form)));
                for list in lists {
                    let list = dc_core::SchemeList::decode(&list[4..]).unwrap();
                    assert!(list.contains(dc_core::SignatureScheme::ECDSA_SECP256R1_SHA256));
                }
            }
            // The stand-in is gone, and the name of the root is still there.
            let authorities = found.iter().find(|one| one[..2] == AUTHORITIES).unwrap();
            let (names, _) = split_vector(&authorities[4..], 2);
            let (name, rest) = split_vector(names, 2);
            assert_eq!((name[0], rest.len()), (0x30, 0));
        }
    }
}

#[test]
fn a_request_without_authorities_is_whole() {
    let site = Site::new();
    let verifier = crate::client_rogue::only_p256(&site);
    let policy = dc_rustls::server::ClientCredentials::verifier(&provider(), verifier);
    for front in FRONTS {
        for names in [NamePolicy::Required, NamePolicy::Preferred] {
            let policy = policy.clone().optional().unique_name(names);
            let found = asked(&site, &site.acceptor(front, policy)).unwrap();
            assert!(found.iter().any(of_form(Form::Named)));
            assert!(!found.iter().any(|one| one[..2] == AUTHORITIES));
        }
    }
}

#[test]
fn a_server_that_takes_none_offers_no_list() {
    let site = Site::new();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&site.vendor));
    assert_eq!(asked(&site, &acceptor), None);
    let roots = Arc::new(site.clients.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(site.vendor.chain(), site.vendor.private_key())
        .unwrap();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(Arc::new(config));
    let found = asked(&site, &acceptor).unwrap();
    assert!(
        !Form::ALL
            .iter()
            .any(|&form| found.iter().any(of_form(form)))
    );
}

/// The Certificate that our client sends, in the bytes of the wire, to a stock server that puts this into its
/// CertificateRequest.
fn answered(site: &Site, identities: &Arc<IdentityStore>, offer: &[u8]) -> Vec<u8> {
    let heard = Heard::default();
    let listening = heard.listen(CERTIFICATE, <[u8]>::to_vec);
    let client = Config::builder(mutant::provider(&provider(), &listening))
        .roots(site.vendor.roots())
        .or_certificate()
        .client_identity(Arc::clone(identities))
        .build()
        .unwrap();
    let offer = offer.to_vec();
    let rewrite = mutant::only(REQUEST, move |message| {
        let (_, rest) = split_vector(&message[4..], 1);
        let (block, _) = split_vector(rest, 2);
        let block = vector(2, &[block, &offer].concat());
        dc_tests::message::message(REQUEST, &[&[0], &block[..]].concat())
    });
    let connection = ServerConnection::new(asking_config(site, &rewrite)).unwrap();
    let (near, far) = pipe(ALL);
    let name = ServerName::try_from(site.router.name.clone()).unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let wire = Wire::new(far, &rewrite, mutant::Framing::default());
            let mut tls = StreamOwned::new(connection, wire);
            // Stock rustls refuses a credential.
            let _ = tls.write_all(b"pong").and_then(|()| tls.read(&mut [0]));
        });
        let wire = Wire::new(near, &listening, mutant::Framing::default());
        client.connect(name, wire).unwrap();
        server.join().unwrap();
    });
    let heard = heard.0.lock().unwrap();
    // The server's is the first.
    assert!(heard.len() > 1);
    heard.last().cloned().unwrap()
}

/// A stock server that asks for a certificate, without insisting.
fn asking_config(site: &Site, rewrite: &Rewrite) -> Arc<ServerConfig> {
    let roots = Arc::new(site.clients.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let mut config = ServerConfig::builder_with_provider(mutant::provider(&provider(), rewrite))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(site.vendor.chain(), site.vendor.private_key())
        .unwrap();
    config.cert_compressors.clear();
    config.cert_decompressors.clear();
    Arc::new(config)
}

/// The blocks next to the certificates of a Certificate message.
fn blocks(certificate: &[u8]) -> Vec<Vec<u8>> {
    let blocks = Mutex::new(Vec::new());
    let _ = edit_blocks(certificate, |_, block| {
        blocks.lock().unwrap().push(block.to_vec());
        Vec::new()
    });
    blocks.into_inner().unwrap()
}

fn list(form: Form, schemes: &[u8]) -> Vec<u8> {
    extension(form.extension_type(), &vector(2, schemes))
}

#[test]
fn a_client_sends_a_credential_next_to_its_certificate_if_it_is_asked_for_one() {
    let site = Site::with_clients(Vendor::with_intermediates(
        dc_tests::vendor::Key::p256(),
        1,
        0,
    ));
    let stored = Form::ALL.map(|form| site.issue(form));
    let identities = IdentityStore::new(provider());
    identities.install(site.identity(stored.to_vec())).unwrap();
    for (form, stored) in Form::ALL.iter().zip(&stored) {
        // One that nobody knows, and one that is the key's.
        let offer = list(*form, &[0x0a, 0x0a, 4, 3]);
        let own = extension(form.extension_type(), &stored.bytes);
        let found = blocks(&answered(&site, &identities, &offer));
        assert_eq!(found, [own, Vec::new()]);
    }
    assert_eq!(identities.presented(), Form::ALL.len() as u64);
}

#[test]
fn a_client_sends_no_credential_that_it_is_not_asked_for() {
    let site = Site::new();
    let rfc9345 = site.identities(&[Form::Rfc9345]);
    let named = site.identities(&[Form::Named]);
    for (identities, offer) in [
        (&rfc9345, Vec::new()),
        (&named, Vec::new()),
        (&rfc9345, list(Form::Named, &[4, 3])),
        (&named, list(Form::Rfc9345, &[4, 3])),
        // Of another scheme.
        (&rfc9345, list(Form::Rfc9345, &[8, 7])),
        (&named, list(Form::Named, &[8, 7])),
        // Malformed: no list, an odd one, one that is cut.
        (&rfc9345, extension(34, &[])),
        (&rfc9345, list(Form::Rfc9345, &[4, 3, 4])),
        (&rfc9345, extension(34, &[0, 4, 4, 3])),
    ] {
        assert!(blocks(&answered(&site, identities, &offer)).is_empty());
        assert_eq!(identities.presented(), 0);
    }
}

/// The second hello changes nothing of what is asked and presented.
#[test]
fn a_client_presents_a_credential_behind_a_hello_retry_request() {
    let site = Site::new();
    for front in FRONTS {
        let mut last = (*provider()).clone();
        // The last is one that the client sends no share for.
        let group = last.kx_groups.pop().unwrap();
        last.kx_groups = vec![group];
        let last = Arc::new(last);
        let policy = site.policy().unique_name(NamePolicy::Preferred);
        let settings = Settings::new(last.clone());
        let acceptor = site.acceptor_with(front, settings, policy);
        let config = ServerConfig::builder_with_provider(last)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(site.vendor.chain(), site.vendor.private_key())
            .unwrap();
        let acceptor = acceptor.fallback(Arc::new(config));
        for form in Form::ALL {
            let (near, far) = pipe(ALL);
            let client = site.client(&[form]);
            let name = ServerName::try_from(site.router.name.clone()).unwrap();
            thread::scope(|scope| {
                let server = scope.spawn(|| acceptor.accept(far).unwrap().peer().cloned());
                let tls = client.connect(name, near).unwrap();
                let kind = tls.connection().handshake_kind();
                assert_eq!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
                match server.join().unwrap() {
                    Some(dc_rustls::client::Peer::Delegated { form: found, .. }) => {
                        assert_eq!(found, form, "{front:?}");
                    }
                    other => panic!("{other:?}"),
                }
            });
        }
    }
}

/// A server whose Certificate has an entry that would be taken for a credential of its client is refused.
#[test]
fn a_server_with_an_entry_that_is_no_certificate() {
    let site = Site::new();
    let client = site.client(&Form::ALL);
    let mut chain = site.vendor.chain();
    chain.push(vec![0x22; 80].into());
    let key = provider()
        .key_provider
        .load_private_key(site.vendor.private_key());
    let certified = rustls::sign::CertifiedKey::new(chain, key.unwrap());
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.cert_compressors.clear();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(Arc::new(config));
    let meeting = site.meet(&client, &acceptor, ALL);
    let refused = dc_rustls::Refusal::MalformedExtensions;
    assert!(matches!(meeting.client, Err(Error::Refused(found)) if found == refused));
    match meeting.server {
        Err(Error::Tls(rustls::Error::AlertReceived(AlertDescription::DecodeError))) => {}
        other => panic!("{other:?}"),
    }
    // It is nothing to a client that presents none.
    let nobody = site.builder().build().unwrap();
    assert!(site.meet(&nobody, &acceptor, ALL).client.is_ok());
}
