//! CompressedCertificate (RFC 8879) of clients.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, Peer};
use dc_rustls::server::Settings;
use dc_rustls::{Error, Refusal};
use dc_tests::message::{COMPRESSED_CERTIFICATE, extension};
use dc_tests::mutant::{self, Framing, Rewrite, Wire};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Key, Vendor, provider};
use rustls::compress::{CertDecompressor, DecompressionFailed};
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription as Alert, CertificateCompressionAlgorithm, ServerConfig};

use crate::client_rogue::{Rogue, credential, policy};
use crate::clients::{FRONTS, Front, Site, certificate};
use crate::compressed::ALGORITHMS;
use crate::ends::{AnyClient, AnyServer};
use crate::misplaced::malformed;
use crate::setup::ALL;

/// A chain that is worth it.
fn site() -> Site {
    Site::with_clients(Vendor::with_intermediates(Key::p256(), 1, 2000))
}

#[test]
fn a_client_credential_inside_is_accepted_with_either_algorithm() {
    let site = site();
    for algorithm in ALGORITHMS {
        for front in FRONTS {
            let acceptor = site.acceptor(front, policy(&site));
            for form in Form::ALL {
                let rewrite = algorithm.blocks(vec![credential(&site, form)]);
                let rogue = Rogue::rewriting(rewrite).compressing(algorithm.compressor);
                let (server, client) = rogue.meet(&site, &acceptor, ALL);
                let peer = server.unwrap();
                assert!(matches!(peer, Some(Peer::Delegated { form: found, .. }) if found == form));
                assert_eq!(client, None);
            }
        }
    }
}

#[test]
fn a_malformed_client_credential_inside_is_refused() {
    let site = site();
    let own = credential(&site, Form::Named);
    let mut broken = own.clone();
    broken[12] ^= 1;
    for algorithm in ALGORITHMS {
        for front in FRONTS {
            let acceptor = site.acceptor(front, policy(&site));
            for (block, refusal) in [
                (broken.clone(), Refusal::MalformedExtensions),
                ([&*own, &own].concat(), Refusal::DuplicateExtension),
                (
                    [&*own, &extension(18, &[])].concat(),
                    Refusal::UnexpectedExtension,
                ),
            ] {
                let alert = refusal.alert();
                let rogue = Rogue::rewriting(algorithm.blocks(vec![block]));
                let rogue = rogue.compressing(algorithm.compressor);
                let (server, client) = rogue.meet(&site, &acceptor, ALL);
                match server {
                    Err(Error::Refused(found)) => assert_eq!(found, refusal),
                    other => panic!("not refused: {other:?}"),
                }
                assert_eq!(client, Some(rustls::Error::AlertReceived(alert)));
            }
        }
    }
}

/// Case 86, and what TLS refuses.
#[test]
fn a_malformed_credential_next_to_an_intermediate_of_a_client_inside_is_ignored() {
    let site = site();
    for algorithm in ALGORITHMS {
        let acceptor = site.acceptor(Front::Credential, policy(&site));
        let meet = |own: &[u8], other: Vec<u8>| {
            let rogue = Rogue::rewriting(algorithm.blocks(vec![own.to_vec(), other]));
            let rogue = rogue.compressing(algorithm.compressor);
            rogue.meet(&site, &acceptor, ALL)
        };
        for form in Form::ALL {
            let own = credential(&site, form);
            for bad in malformed(form, &own) {
                let (server, _) = meet(&own, extension(form.extension_type(), &bad));
                assert!(matches!(server.unwrap(), Some(Peer::Delegated { .. })));
            }
            for (block, alert) in [
                ([&*own, &own].concat(), Alert::IllegalParameter),
                ([&*own, &[0]].concat(), Alert::DecodeError),
                (
                    [&*own, &extension(18, &[])].concat(),
                    Alert::UnsupportedExtension,
                ),
            ] {
                let (_, client) = meet(&own, block);
                assert_eq!(client, Some(rustls::Error::AlertReceived(alert)));
            }
        }
    }
}

/// The kinds of the messages in a handshake of our client with our server, which compresses nothing itself.
fn said(site: &Site) -> Vec<u8> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&said);
    let rewrite: Rewrite = Arc::new(move |message| {
        seen.lock().unwrap().push(message[0]);
        message.to_vec()
    });
    let client = Config::builder(mutant::provider(&provider(), &rewrite))
        .roots(site.vendor.roots())
        .client_identity(site.identities(&Form::ALL))
        .build()
        .unwrap();
    let settings = Settings::new(provider()).without_certificate_compression();
    let acceptor = site.acceptor_with(Front::Credential, settings, policy(site));
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far).unwrap();
            tls.write_all(b"pong").unwrap();
            tls.peer().cloned()
        });
        let name = ServerName::try_from(site.router.name.clone()).unwrap();
        let near = Wire::new(near, &rewrite, Framing::default());
        let mut tls = client.connect(name, near).unwrap();
        tls.read_exact(&mut [0; 4]).unwrap();
        let peer = server.join().unwrap();
        assert!(matches!(peer, Some(Peer::Delegated { .. })));
    });
    let said = said.lock().unwrap();
    said.clone()
}

#[test]
fn our_client_compresses_its_credential_for_our_server() {
    assert!(said(&site()).contains(&COMPRESSED_CERTIFICATE));
}

/// Counts what it decompresses.
#[derive(Debug)]
struct Counting(&'static dyn CertDecompressor, AtomicUsize);

impl CertDecompressor for Counting {
    fn decompress(&self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressionFailed> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.decompress(input, output)
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        self.0.algorithm()
    }
}

#[test]
fn our_client_compresses_a_certificate_for_a_stock_server_with_either_algorithm() {
    let site = site();
    let client = site
        .builder()
        .client_identity(site.identities(&Form::ALL))
        .client_auth(certificate(&site.clients))
        .build()
        .unwrap();
    for algorithm in ALGORITHMS {
        let counting = Counting(algorithm.decompressor, AtomicUsize::new(0));
        let counting: &'static Counting = Box::leak(Box::new(counting));
        let roots = Arc::new(site.clients.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(site.vendor.chain(), site.vendor.private_key())
            .unwrap();
        server.cert_decompressors = vec![counting];
        let server = AnyServer::Stock(Arc::new(server));
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            let served = scope.spawn(|| server.serve(far, 4));
            let client = AnyClient::Ours(client.clone());
            client.ask(&site.router.name, near, b"ping").unwrap();
            served.join().unwrap().unwrap();
        });
        assert_eq!(counting.1.load(Ordering::Relaxed), 1);
    }
}
