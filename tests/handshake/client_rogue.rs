//! A stock rustls client that sends what rustls never sends: [`dc_tests::mutant`].

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use allocation_counter::measure;
use dc_core::Form;
use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials};
use dc_rustls::{Error, Refusal};
use dc_tests::message::{CERTIFICATE, edit_blocks, extension, split_vector, vector};
use dc_tests::mutant::{self, Cut, Framing, Rewrite, Wire};
use dc_tests::pair::last_words;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Key, Vendor, provider};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::compress::CertCompressor;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription as Alert, ClientConfig, ClientConnection, DigitallySignedStruct,
    DistinguishedName, SignatureScheme, StreamOwned,
};

use crate::clients::{FRONTS, Front, Site};
use crate::misplaced::malformed;
use crate::rogue::Stubborn;
use crate::setup::ALL;

/// Verifies one scheme.
#[derive(Debug)]
struct OnlyP256(Arc<dyn ClientCertVerifier>);

/// The verifier of the site's clients, with ECDSA P-256 alone.
pub(crate) fn only_p256(site: &Site) -> Arc<dyn ClientCertVerifier> {
    let roots = Arc::new(site.clients.roots());
    let inner = WebPkiClientVerifier::builder_with_provider(roots, provider());
    Arc::new(OnlyP256(inner.build().unwrap()))
}

impl ClientCertVerifier for OnlyP256 {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// A client with the clients' chain and the camera's key that puts these blocks next to its certificates.
pub(crate) struct Rogue {
    rewrite: Rewrite,
    framing: Framing,
    /// Empty unless it compresses its Certificate.
    compressors: Vec<&'static dyn CertCompressor>,
}

impl Rogue {
    fn blocks(blocks: Vec<Vec<u8>>) -> Self {
        Self::rewriting(mutant::only(CERTIFICATE, move |message| {
            edit_blocks(message, |index, old| {
                blocks.get(index).map_or(old.to_vec(), Clone::clone)
            })
        }))
    }

    pub(crate) fn rewriting(rewrite: Rewrite) -> Self {
        Self {
            rewrite,
            framing: Framing::default(),
            compressors: Vec::new(),
        }
    }

    pub(crate) fn compressing(mut self, compressor: &'static dyn CertCompressor) -> Self {
        self.compressors = vec![compressor];
        self
    }

    /// Connects; who the server took it for, and what the client heard.
    pub(crate) fn meet(
        &self,
        site: &Site,
        acceptor: &Acceptor,
        chunk: usize,
    ) -> (Result<Option<Peer>, Error>, Option<rustls::Error>) {
        let (near, far) = pipe(chunk);
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let mut tls = acceptor.accept(far)?;
                tls.write_all(b"pong")?;
                Ok(tls.peer().cloned())
            });
            let wire = Wire::new(near, &self.rewrite, self.framing);
            let mut tls = StreamOwned::new(self.connection(site), wire);
            let heard = tls.read_exact(&mut [0; 4]);
            let heard = heard
                .err()
                .and_then(|error| last_words(&mut tls.conn, &mut tls.sock, error));
            (server.join().unwrap(), heard)
        })
    }

    /// Connects, and is gone once its own flight is sent; the most bytes that the server kept of it at once.
    fn leave(&self, site: &Site, acceptor: &Acceptor) -> u64 {
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            let server = scope.spawn(|| measure(|| assert!(acceptor.accept(far).is_err())));
            let mut wire = Wire::new(near, &self.rewrite, self.framing);
            self.connection(site).complete_io(&mut wire).unwrap();
            drop(wire);
            server.join().unwrap().bytes_max
        })
    }

    fn connection(&self, site: &Site) -> ClientConnection {
        let provider = mutant::provider(&provider(), &self.rewrite);
        let key = provider
            .key_provider
            .load_private_key(site.camera.key.private_key());
        let certified = CertifiedKey::new(site.clients.chain(), Arc::new(Stubborn(key.unwrap())));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(site.vendor.roots())
            .with_client_cert_resolver(Arc::new(Always(Arc::new(certified))));
        config.cert_compressors.clone_from(&self.compressors);
        if !self.compressors.is_empty() {
            // What is rewritten is not to be the server's.
            config.cert_decompressors.clear();
        }
        let name = ServerName::try_from(site.router.name.clone()).unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }
}

/// Presents this whatever is asked for.
#[derive(Debug)]
pub(crate) struct Always(pub(crate) Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

pub(crate) fn credential(site: &Site, form: Form) -> Vec<u8> {
    extension(form.extension_type(), &site.issue(form).bytes)
}

pub(crate) fn policy(site: &Site) -> ClientCredentials {
    site.policy().unique_name(NamePolicy::Preferred)
}

#[track_caller]
fn refuses(
    site: &Site,
    policy: &ClientCredentials,
    blocks: &[Vec<u8>],
    refusal: &Refusal,
    alert: Alert,
) {
    for front in FRONTS {
        let acceptor = site.acceptor(front, policy.clone());
        for chunk in [1, ALL] {
            let (server, client) = Rogue::blocks(blocks.to_vec()).meet(site, &acceptor, chunk);
            match server {
                Err(Error::Refused(found)) => assert_eq!(found, *refusal),
                other => panic!("not refused: {other:?}"),
            }
            assert_eq!(client, Some(rustls::Error::AlertReceived(alert)));
        }
    }
}

#[test]
fn a_foreign_client_with_a_credential_in_records_of_any_size() {
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 2, 300));
    for front in FRONTS {
        let acceptor = site.acceptor(front, policy(&site));
        for form in Form::ALL {
            for cut in [
                Cut::Coalesced,
                Cut::Messages,
                Cut::Every(59),
                Cut::Every(3),
                Cut::Every(1),
            ] {
                let mut rogue = Rogue::blocks(vec![credential(&site, form)]);
                rogue.framing = Framing { cut, padding: 0 };
                let (server, _) = rogue.meet(&site, &acceptor, ALL);
                match server.unwrap() {
                    Some(Peer::Delegated { form: found, .. }) => assert_eq!(found, form, "{cut:?}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn cut_after_every_byte_of_a_client_credential() {
    let site = Site::new();
    let acceptor = site.acceptor(FRONTS[1], policy(&site));
    for at in (0..1400).step_by(7) {
        let mut rogue = Rogue::blocks(vec![credential(&site, Form::Named)]);
        rogue.framing.cut = Cut::Once(at);
        let (server, _) = rogue.meet(&site, &acceptor, ALL);
        assert!(
            matches!(server.unwrap(), Some(Peer::Delegated { .. })),
            "{at}"
        );
    }
}

#[test]
fn a_client_credential_of_a_form_that_was_not_offered() {
    let site = Site::new();
    for (names, form) in [
        (NamePolicy::Required, Form::Rfc9345),
        (NamePolicy::Ignored, Form::Named),
    ] {
        let policy = site.policy().unique_name(names);
        let refusal = Refusal::Credential(dc_core::Error::FormNotOffered { form });
        let own = credential(&site, form);
        refuses(
            &site,
            &policy,
            std::slice::from_ref(&own),
            &refusal,
            Alert::UnexpectedMessage,
        );
        let cut = extension(form.extension_type(), &own[4..own.len() - 1]);
        refuses(&site, &policy, &[cut], &refusal, Alert::UnexpectedMessage);
    }
}

#[test]
fn a_malformed_client_credential() {
    let site = Site::new();
    for form in Form::ALL {
        let own = credential(&site, form);
        let body = &own[4..];
        for broken in [
            &body[..body.len() - 1],
            &[body, &[0][..]].concat(),
            &body[..8],
        ] {
            let block = extension(form.extension_type(), broken);
            let refusal = Refusal::MalformedExtensions;
            refuses(
                &site,
                &policy(&site),
                &[block],
                &refusal,
                Alert::DecodeError,
            );
        }
    }
}

#[test]
fn a_client_credential_with_something_beside_it() {
    const SCT: [u8; 6] = [0, 18, 0, 2, 0, 0];
    let site = Site::new();
    let [named, rfc9345] = [Form::Named, Form::Rfc9345].map(|form| credential(&site, form));
    let two = [
        [named.clone(), named.clone()].concat(),
        [named.clone(), rfc9345.clone()].concat(),
        [rfc9345, named.clone()].concat(),
    ];
    for block in two {
        let refusal = Refusal::DuplicateExtension;
        refuses(
            &site,
            &policy(&site),
            &[block],
            &refusal,
            Alert::IllegalParameter,
        );
    }
    for block in [
        [named.clone(), SCT.to_vec()].concat(),
        [SCT.to_vec(), named].concat(),
        SCT.to_vec(),
    ] {
        let refusal = Refusal::UnexpectedExtension;
        refuses(
            &site,
            &policy(&site),
            &[block],
            &refusal,
            Alert::UnsupportedExtension,
        );
    }
}

#[test]
fn a_client_credential_that_is_changed_anywhere() {
    let site = Site::new();
    let acceptor = site.acceptor(FRONTS[1], policy(&site).optional());
    let own = credential(&site, Form::Named);
    for at in (0..own.len()).step_by(5) {
        let mut changed = own.clone();
        changed[at] ^= 0x40;
        let (server, client) = Rogue::blocks(vec![changed]).meet(&site, &acceptor, ALL);
        assert!(server.is_err(), "{at}");
        assert!(client.is_some(), "{at}");
    }
}

/// RFC 9345 §4.1.2, M5 of the catalogue.
#[test]
fn a_credential_next_to_an_intermediate_of_a_client_is_ignored() {
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 1, 0));
    let [named, rfc9345] = [Form::Named, Form::Rfc9345].map(|form| credential(&site, form));
    for front in FRONTS {
        let acceptor = site.acceptor(front, policy(&site));
        let rogue = Rogue::blocks(vec![named.clone(), rfc9345.clone()]);
        let (server, _) = rogue.meet(&site, &acceptor, ALL);
        assert!(matches!(
            server.unwrap(),
            Some(Peer::Delegated {
                form: Form::Named,
                ..
            })
        ));
        // It is no credential of the client: it has the certificate's key to show, and has not.
        let rogue = Rogue::blocks(vec![Vec::new(), named.clone()]);
        let (server, client) = rogue.meet(&site, &acceptor, ALL);
        assert!(matches!(
            server,
            Err(Error::Tls(rustls::Error::InvalidCertificate(_)))
        ));
        assert_eq!(
            client,
            Some(rustls::Error::AlertReceived(Alert::DecryptError))
        );
    }
}

/// RFC 9345 §4.1.2: a server does not have to understand what it ignores.
#[test]
fn case_86_a_malformed_one_next_to_an_intermediate_of_a_client_is_ignored() {
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 1, 0));
    for front in FRONTS {
        let acceptor = site.acceptor(front, policy(&site));
        for form in Form::ALL {
            let own = credential(&site, form);
            for bad in malformed(form, &own) {
                let block = extension(form.extension_type(), &bad);
                for cut in [Cut::Coalesced, Cut::Every(1), Cut::Every(59)] {
                    let mut rogue = Rogue::blocks(vec![own.clone(), block.clone()]);
                    rogue.framing.cut = cut;
                    let (server, client) = rogue.meet(&site, &acceptor, ALL);
                    let peer = server.unwrap();
                    assert!(
                        matches!(peer, Some(Peer::Delegated { form: found, .. }) if found == form)
                    );
                    assert_eq!(client, None);
                }
            }
        }
    }
}

/// RFC 8446 §4.2, §4.4.2 and §6: what is ignored is a credential, not the framing around it.
#[test]
fn what_tls_refuses_next_to_an_intermediate_of_a_client() {
    const SCT: [u8; 6] = [0, 18, 0, 2, 0, 0];
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 1, 0));
    let [named, rfc9345] = [Form::Named, Form::Rfc9345].map(|form| credential(&site, form));
    let mut past_the_end = named.clone();
    past_the_end[3] += 1;
    for (block, refusal, alert) in [
        (
            [&*named, &named].concat(),
            Refusal::DuplicateExtension,
            Alert::IllegalParameter,
        ),
        (
            [&*named, &SCT].concat(),
            Refusal::UnexpectedExtension,
            Alert::UnsupportedExtension,
        ),
        (
            SCT.to_vec(),
            Refusal::UnexpectedExtension,
            Alert::UnsupportedExtension,
        ),
        (
            [&*named, &[0]].concat(),
            Refusal::MalformedExtensions,
            Alert::DecodeError,
        ),
        (
            past_the_end,
            Refusal::MalformedExtensions,
            Alert::DecodeError,
        ),
    ] {
        refuses(
            &site,
            &policy(&site),
            &[rfc9345.clone(), block],
            &refusal,
            alert,
        );
    }
    // rustls reads nothing that is as short as this.
    let acceptor = site.acceptor(FRONTS[0], policy(&site));
    let (server, client) =
        Rogue::blocks(vec![rfc9345, extension(34, &[])]).meet(&site, &acceptor, ALL);
    assert!(matches!(
        server,
        Err(Error::Tls(rustls::Error::InvalidMessage(_)))
    ));
    assert_eq!(
        client,
        Some(rustls::Error::AlertReceived(Alert::DecodeError))
    );
}

/// The view of rustls is nothing that a client could send.
#[test]
fn an_entry_that_looks_relabelled_already() {
    let site = Site::new();
    let stored = site.issue(Form::Rfc9345);
    let bytes = stored.bytes;
    // Behind valid_time, scheme, key and algorithm.
    let at = 9 + usize::from(bytes[8]) + 2;
    let entry = [&[0x22][..], &bytes[..at], &bytes[at + 2..]].concat();
    let rewrite = mutant::only(CERTIFICATE, move |message| {
        let (list, _) = split_vector(&message[5..], 3);
        let (certificate, _) = split_vector(list, 3);
        let mut list = vector(3, certificate);
        list.extend([0, 0]);
        list.extend(vector(3, &entry));
        list.extend([0, 0]);
        let body = [&[0][..], &vector(3, &list)].concat();
        dc_tests::message::message(CERTIFICATE, &body)
    });
    for front in FRONTS {
        let acceptor = site.acceptor(front, policy(&site));
        let (server, client) = Rogue::rewriting(rewrite.clone()).meet(&site, &acceptor, ALL);
        assert!(
            matches!(server, Err(Error::Refused(Refusal::MalformedExtensions))),
            "{server:?}"
        );
        assert_eq!(
            client,
            Some(rustls::Error::AlertReceived(Alert::DecodeError))
        );
    }
}

/// A stranger decides how many issuers its chain has, and that it does not end.
#[test]
fn a_chain_of_many_issuers_that_does_not_end_is_kept_once() {
    let site = Site::new();
    let acceptor = site.acceptor(Front::Certificate, policy(&site));
    let kept = |entry: &'static [u8]| {
        let rogue = Rogue::rewriting(mutant::only(CERTIFICATE, move |_| unended(entry)));
        rogue.leave(&site, &acceptor)
    };
    // The first handshake compresses the server's certificate, for which brotli takes 32 MiB.
    kept(&[0, 0, 1, 0x30, 0, 0]);
    let plain = kept(&[0, 0, 1, 0x30, 0, 0]);
    let blocks = kept(&[0, 0, 1, 0x30, 0, 6, 0, 34, 0, 2, 1, 2]);
    println!("{plain} bytes at most, with blocks {blocks}");
    assert!((64_000..130_000).contains(&plain), "{plain}");
    assert!(blocks < 180_000, "{blocks}");
}

/// As much of a Certificate message as a server takes, full of these entries.
fn unended(entry: &[u8]) -> Vec<u8> {
    let claimed = u16::MAX - 1000;
    let [high, low] = claimed.to_be_bytes();
    let list = usize::from(claimed) - 4;
    let [list_high, list_low] = (claimed - 4).to_be_bytes();
    let mut message = vec![CERTIFICATE, 0, high, low, 0, 0, list_high, list_low];
    message.extend(
        entry
            .iter()
            .copied()
            .cycle()
            .take((list - 1000) / entry.len() * entry.len()),
    );
    message
}
