//! A stock rustls client that presents over QUIC what rustls never presents, cut as quinn never cuts it: straight into a
//! server's session.

use std::sync::Arc;

use dc_core::Form;
use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::quinn as quic;
use dc_rustls::server::Acceptor;
use dc_tests::message::{CERTIFICATE, edit_blocks, extension, messages};
use dc_tests::mutant;
use dc_tests::vendor::{Key, Vendor, provider};
use proptest::prelude::*;
use quinn_proto::TransportError;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription as Alert, ClientConfig};

use super::hellos::{begin, deliver, feed, session};
use super::pair::{ALPN, alert};
use crate::client_rogue::{Always, credential};
use crate::clients::{FRONTS, Site};
use crate::rogue::Stubborn;

/// The pieces in which the client's last flight arrives.
fn pieces<'a>(flight: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = flight;
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, behind) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Connects with these blocks next to the certificates; who the server takes the client for.
fn meet(
    site: &Site,
    acceptor: &Acceptor,
    blocks: Vec<Vec<u8>>,
    cut: impl Fn(&[u8]) -> Vec<&[u8]>,
) -> Result<Option<Peer>, TransportError> {
    let rewrite = mutant::only(CERTIFICATE, move |message| {
        edit_blocks(message, |index, old| {
            blocks.get(index).map_or(old.to_vec(), Clone::clone)
        })
    });
    let provider = mutant::provider(&provider(), &rewrite);
    let key = provider.key_provider;
    let key = key.load_private_key(site.camera.key.private_key()).unwrap();
    let certified = CertifiedKey::new(site.clients.chain(), Arc::new(Stubborn(key)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(site.vendor.roots())
        .with_client_cert_resolver(Arc::new(Always(Arc::new(certified))));
    config.cert_compressors.clear();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let mut session = session(acceptor);
    let (mut client, hello) = begin(Arc::new(config));
    feed(session.as_mut(), &hello, usize::MAX)?;
    deliver(session.as_mut(), &mut client);
    let mut flight = Vec::new();
    while client.write_hs(&mut flight).is_some() {}
    let flight: Vec<u8> = messages(&flight)
        .into_iter()
        .flat_map(|message| rewrite(message))
        .collect();
    for piece in cut(&flight) {
        // It says nothing of a client that has not signed the handshake.
        assert!(session.peer_identity().is_none());
        session.read_handshake(piece)?;
    }
    assert!(!session.is_handshaking());
    let identity = session.peer_identity().unwrap();
    let client = identity.downcast::<quic::Client>().unwrap();
    assert_eq!(client.certificates, site.clients.chain());
    Ok(client.peer.map(Arc::unwrap_or_clone))
}

#[track_caller]
fn assert_named(outcome: Result<Option<Peer>, TransportError>) {
    match outcome {
        Ok(Some(Peer::Delegated { form, .. })) => assert_eq!(form, Form::Named),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_credential_in_pieces_of_any_size() {
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 2, 300));
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy());
        for size in [1, 2, 3, 59, 1200, usize::MAX] {
            let blocks = vec![credential(&site, Form::Named)];
            assert_named(meet(&site, &acceptor, blocks, |flight| {
                flight.chunks(size).collect()
            }));
        }
    }
}

#[test]
fn cut_after_every_byte() {
    let site = Site::new();
    let acceptor = site.acceptor(FRONTS[1], site.policy());
    for at in (0..1400).step_by(5) {
        let blocks = vec![credential(&site, Form::Named)];
        assert_named(meet(&site, &acceptor, blocks, |flight| {
            pieces(flight, &[at])
        }));
    }
}

/// RFC 9345 §4.1.2: also where it is malformed, and then rustls hashes what was there in the step in which it ends.
#[test]
fn what_is_next_to_an_intermediate_is_ignored_however_it_is_cut() {
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 1, 0));
    let own = credential(&site, Form::Named);
    let malformed = extension(Form::Named.extension_type(), &[1, 2, 3]);
    for beside in [own.clone(), malformed] {
        for front in FRONTS {
            let acceptor = site.acceptor(front, site.policy());
            for size in [1, 7, 700, usize::MAX] {
                let blocks = vec![own.clone(), beside.clone()];
                assert_named(meet(&site, &acceptor, blocks, |flight| {
                    flight.chunks(size).collect()
                }));
            }
        }
    }
}

#[test]
fn what_does_not_fit_gets_its_alert_however_it_is_cut() {
    const SCT: [u8; 6] = [0, 18, 0, 2, 0, 0];
    let site = Site::new();
    let [named, rfc9345] = [Form::Named, Form::Rfc9345].map(|form| credential(&site, form));
    let named_type = Form::Named.extension_type();
    let body = &named[4..];
    let policy = site.policy().unique_name(NamePolicy::Required);
    for (block, expected) in [
        (
            extension(named_type, &body[..body.len() - 1]),
            Alert::DecodeError,
        ),
        (extension(named_type, &body[..8]), Alert::DecodeError),
        (
            extension(named_type, &[body, &[0][..]].concat()),
            Alert::DecodeError,
        ),
        ([&named[..], &named].concat(), Alert::IllegalParameter),
        ([&named[..], &rfc9345].concat(), Alert::IllegalParameter),
        ([&named[..], &SCT].concat(), Alert::UnsupportedExtension),
        (SCT.to_vec(), Alert::UnsupportedExtension),
        (rfc9345.clone(), Alert::UnexpectedMessage),
    ] {
        for front in FRONTS {
            let acceptor = site.acceptor(front, policy.clone());
            for size in [1, 7, usize::MAX] {
                let outcome = meet(&site, &acceptor, vec![block.clone()], |flight| {
                    flight.chunks(size).collect()
                });
                let error = outcome.unwrap_err();
                assert_eq!(alert(error.code.into()), expected, "{error}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_credential_in_any_pieces(cuts in proptest::collection::vec(0usize..700, 0..12)) {
        let (site, acceptor) = &*SITE;
        let blocks = vec![credential(site, Form::Named)];
        assert_named(meet(site, acceptor, blocks, |flight| pieces(flight, &cuts)));
    }

    #[test]
    fn a_changed_byte_is_noticed_whatever_it_is(
        at in any::<usize>(),
        change in 1u8..=255,
        cuts in proptest::collection::vec(0usize..700, 0..5),
    ) {
        let (site, acceptor) = &*SITE;
        let mut block = credential(site, Form::Named);
        let at = at % block.len();
        block[at] ^= change;
        let outcome = meet(site, acceptor, vec![block], |flight| pieces(flight, &cuts));
        prop_assert!(outcome.is_err());
    }
}

static SITE: std::sync::LazyLock<(Site, Acceptor)> = std::sync::LazyLock::new(|| {
    let site = Site::new();
    let acceptor = site.acceptor(FRONTS[1], site.policy());
    (site, acceptor)
});
