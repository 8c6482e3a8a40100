//! What is counted, by name: each is one run of this program under callgrind.

use std::hint::black_box;

use dc_core::{Credential, DelegatedCredential, DelegationCertificate, Form, Role, signed_bytes};
use dc_rustls::client::NamePolicy;
use dc_tests::vendor::provider;
use rustls::HandshakeKind;

use crate::scene::{Cast, Client, End, Scene, is_delegated};
use crate::wire::{Mute, counted};

/// Counts what `name` is, as often as [`rounds`] says; the caller divides.
pub(crate) fn run(name: &str, rounds: usize) {
    if name == VERIFICATION {
        return verify(rounds);
    }
    if let Some((what, schemes)) = name.rsplit_once(OFFER) {
        return answer(what, schemes.parse().unwrap(), rounds);
    }
    let (end, what) = name.split_once(", ").unwrap();
    let end = match end {
        "client" => End::Client,
        "server" => End::Server,
        "client over tokio" => End::AsyncClient,
        "server over tokio" => End::AsyncServer,
        other => panic!("no end is called {other}"),
    };
    let scene = scene(what);
    assert_eq!(
        is_delegated(&scene.client, &scene),
        what.contains("credential")
    );
    // Whatever happens once only.
    for _ in 0..WARM_UP {
        scene.meet(end, false);
    }
    for _ in 0..rounds {
        scene.meet(end, true);
    }
}

/// Over how many connections `name` is counted: a megabyte each way says in fewer what it costs.
pub(crate) fn rounds(name: &str, rounds: usize) -> usize {
    match name.ends_with(BULK) {
        true => rounds.div_ceil(8),
        false => rounds,
    }
}

fn scene(what: &str) -> Scene {
    let (what, cast) = match what.rsplit_once(CHAIN) {
        Some((what, length)) => {
            let length: usize = length.parse().unwrap();
            (what, Cast::with_intermediates(length - 1))
        }
        None => (what, Cast::default()),
    };
    if let Some((NAMED, identities)) = what.rsplit_once(IDENTITIES) {
        let server = cast.our_server_alone(identities.parse().unwrap());
        return cast.scene(cast.our_client(NamePolicy::Required), server);
    }
    let stock = |resumes| cast.scene(cast.stock_client(resumes), cast.stock_server());
    let named = |client| cast.scene(client, cast.our_server(&[Form::Named]));
    let required = || cast.builder(NamePolicy::Required);
    match what {
        "stock" => stock(false),
        "stock, resumed" => resumed(stock(true)),
        "stock, a megabyte each way" => bulk(stock(false)),
        "certificate" => cast.scene(cast.our_client(NamePolicy::Preferred), cast.stock_server()),
        "fallback" => cast.scene(cast.stock_client(false), cast.our_server(&[Form::Named])),
        "RFC 9345 credential" => cast.scene(
            cast.our_client(NamePolicy::Ignored),
            cast.our_server(&[Form::Rfc9345]),
        ),
        NAMED => named(cast.our_client(NamePolicy::Required)),
        "named credential, remembered" => named(cast.remembering_client()),
        "named credential, resumed" => resumed(named(Client::Ours(required().build().unwrap()))),
        "named credential, a megabyte each way" => {
            bulk(named(cast.our_client(NamePolicy::Required)))
        }
        other => panic!("nothing is called {other}"),
    }
}

/// A server's answer to a ClientHello with so many schemes for credentials, of which it knows the last. No client has as many,
/// so nobody takes the answer.
fn answer(what: &str, schemes: u16, rounds: usize) {
    let cast = Cast::default();
    let server = match what {
        "server, stock" => cast.stock_server(),
        // It answers with a credential or not at all.
        "server, named credential" => cast.our_server_alone(1),
        other => panic!("nothing is called {other}"),
    };
    let hello = cast.hello(schemes);
    for round in 0..WARM_UP + rounds {
        let mut mute = Mute::new(&hello);
        match round < WARM_UP {
            true => server.answer(&mut mute),
            false => counted(|| server.answer(&mut mute)),
        }
        assert!(mute.has_heard_more_than_an_alert());
    }
}

/// Behind a full handshake that makes the first session.
fn resumed(scene: Scene) -> Scene {
    scene.meet(End::Client, false);
    Scene {
        kind: HandshakeKind::Resumed,
        ..scene
    }
}

/// 64 full records each way.
fn bulk(scene: Scene) -> Scene {
    Scene {
        bytes: 16 * 1024,
        times: 64,
        ..scene
    }
}

/// Nothing but the signature of a credential.
fn verify(rounds: usize) {
    let cast = Cast::default();
    let stored = cast.vendor.issue(&cast.device, Form::Named);
    let credential = DelegatedCredential::decode(Form::Named, &stored.bytes).unwrap();
    let chain = cast.vendor.chain();
    let certificate = DelegationCertificate::parse(chain[0].clone()).unwrap();
    let mut encoded = Vec::new();
    let claim: &Credential<'_> = credential.credential();
    claim.encode(&mut encoded).unwrap();
    let message = signed_bytes(
        Role::Server,
        Form::Named,
        &chain[0],
        &encoded,
        credential.algorithm(),
    );
    // The uncompressed point at the end of a P-256 SubjectPublicKeyInfo.
    let (_, point) = certificate.spki().split_last_chunk::<65>().unwrap();
    let algorithms = provider().signature_verification_algorithms;
    let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
    let (_, algorithms) = algorithms
        .mapping
        .iter()
        .find(|(known, _)| *known == scheme)
        .unwrap();
    let verifier = algorithms
        .iter()
        .find(|algorithm| {
            algorithm
                .verify_signature(point, &message, credential.signature())
                .is_ok()
        })
        .unwrap();
    for _ in 0..rounds {
        counted(|| {
            let point = black_box(&point[..]);
            verifier.verify_signature(point, &message, credential.signature())
        })
        .unwrap();
    }
}

/// The one that is no connection.
pub(crate) const VERIFICATION: &str = "one verification";
pub(crate) const NAMED: &str = "named credential";
/// Behind it is the number of certificates that a server sends.
pub(crate) const CHAIN: &str = ", chain of ";
/// Behind it is the number of identities that a server has.
pub(crate) const IDENTITIES: &str = ", one of ";
/// Behind it is the number of schemes that a client offers.
pub(crate) const OFFER: &str = ", schemes offered: ";
const BULK: &str = "a megabyte each way";
const WARM_UP: usize = 6;
