//! Certificate in records of every shape: cut anywhere, one byte each, padded, over many records.

use std::io::{Read, Write};
use std::sync::Arc;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::message::status;
use dc_tests::mutant::{self, Cut, Framing, Rewrite, Wire};
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::pki_types::ServerName;

use crate::rogue::{NAME, Rogue, credential};
use crate::setup::{ALL, client};

/// Cuts of the usual servers (fizz, one message each, all in one), and of unusual ones.
const CUTS: [Cut; 9] = [
    Cut::Coalesced,
    Cut::Messages,
    Cut::Once(1000),
    Cut::Every(1),
    Cut::Every(2),
    Cut::Every(7),
    Cut::Every(64),
    Cut::Every(1000),
    Cut::Every(16_384),
];

fn is_named(peer: &Peer) -> bool {
    matches!(
        peer,
        Peer::Delegated {
            form: Form::Named,
            ..
        }
    )
}

#[test]
fn of_every_shape() {
    let vendor = Vendor::with_intermediates(Key::p256(), 1, 700);
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Required);
    let own = credential(&vendor, &device, Form::Named);
    // A response of usual size, so that the block is cut in it too.
    let response = [&[0x30, 0x82, 2, 0, 0x0a, 1, 0], [0; 509].as_slice()].concat();
    for block in [
        own.clone(),
        [own.clone(), status(&response)].concat(),
        [status(&response), own].concat(),
    ] {
        for cut in CUTS {
            for padding in [0, 1, 300] {
                // rustls takes no more than 64 KiB of records for one flight.
                if padding == 300 && matches!(cut, Cut::Every(..64)) {
                    continue;
                }
                for chunk in [1, ALL] {
                    let verdict = Rogue::new(&vendor, device.key.private_key())
                        .block(0, block.clone())
                        .framing(Framing { cut, padding })
                        .meet(&client, chunk);
                    assert!(is_named(verdict.accepted()), "{cut:?}");
                }
            }
        }
    }
}

#[test]
fn cut_after_every_byte() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Required);
    let block = [
        credential(&vendor, &device, Form::Named),
        status(&[0x30, 3, 0x0a, 1, 3]),
    ];
    let block = block.concat();
    let rogue = || Rogue::new(&vendor, device.key.private_key()).block(0, block.clone());
    // EncryptedExtensions, Certificate and the beginning of CertificateVerify.
    let length = 40 + vendor.chain()[0].len() + block.len();
    for at in 1..length {
        let cut = Cut::Once(at);
        let framing = Framing { cut, padding: 0 };
        let verdict = rogue().framing(framing).meet(&client, ALL);
        assert!(is_named(verdict.accepted()), "{at}");
    }
}

#[test]
fn over_many_records() {
    for size in [4000, 9000, 14_000] {
        let vendor = Vendor::with_intermediates(Key::p256(), 4, size);
        let device = Device::new("router");
        let client = client(&vendor, NamePolicy::Required);
        let own = credential(&vendor, &device, Form::Named);
        for cut in [Cut::Coalesced, Cut::Messages, Cut::Every(1000)] {
            let verdict = Rogue::new(&vendor, device.key.private_key())
                .block(0, own.clone())
                .framing(Framing { cut, padding: 0 })
                .meet(&client, ALL);
            assert!(is_named(verdict.accepted()), "{size}, {cut:?}");
        }
    }
}

/// The end-entity's block begins at each place around the end of the first record.
#[test]
fn straddling_two_records_of_full_size() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Required);
    let own = credential(&vendor, &device, Form::Named);
    let before = 6 + 4 + 4 + 3 + vendor.chain()[0].len() + 2;
    for offset in 0..own.len() + 40 {
        // A CertificateRequest would do it too; padding of EncryptedExtensions is not checked.
        let fill = 16_384 - before - offset;
        let rewrite = filled(fill, own.clone());
        let verdict = Rogue::new(&vendor, device.key.private_key())
            .rewrite(rewrite)
            .meet(&client, ALL);
        assert!(is_named(verdict.accepted()), "{offset}");
    }
}

/// EncryptedExtensions grow by `fill` bytes of server_name, and `block` is put in.
fn filled(fill: usize, block: Vec<u8>) -> Rewrite {
    use dc_tests::message::*;
    Arc::new(move |old| match old[0] {
        ENCRYPTED_EXTENSIONS => {
            let (extensions, _) = split_vector(&old[4..], 2);
            // supported_groups: rustls reads and ignores them here.
            let groups = vector(2, &vec![0x2a; (fill - 6) & !1]);
            let groups = extension(10, &groups);
            message(
                ENCRYPTED_EXTENSIONS,
                &vector(2, &[extensions, &groups].concat()),
            )
        }
        CERTIFICATE => edit_blocks(old, |index, old| match index {
            0 => block.clone(),
            _ => old.to_vec(),
        }),
        _ => old.to_vec(),
    })
}

/// Our own server's flight, cut by a wire between: what it hashes is what it sends.
#[test]
fn of_our_server_by_a_middle_layer() {
    let vendor = Vendor::with_intermediates(Key::p256(), 2, 300);
    let device = Device::new("router");
    let rewrite = mutant::unchanged();
    let store = Store::new(mutant::provider(&provider(), &rewrite));
    let forms = [Form::Named, Form::Rfc9345];
    store.install(vendor.enrol(&device, &forms)).unwrap();
    let acceptor = Acceptor::new(store);
    for policy in [NamePolicy::Required, NamePolicy::Ignored] {
        let client = client(&vendor, policy);
        for cut in CUTS {
            let framing = Framing { cut, padding: 3 };
            assert!(matches!(
                serve(&acceptor, &client, &rewrite, framing),
                Peer::Delegated { .. }
            ));
        }
    }
}

fn serve(acceptor: &Acceptor, client: &Config, rewrite: &Rewrite, framing: Framing) -> Peer {
    let (near, far) = pipe(ALL);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut tls = acceptor.accept(Wire::new(far, rewrite, framing)).unwrap();
            tls.write_all(b"pong").unwrap();
            let _ = tls.read(&mut [0]);
        });
        let name = ServerName::try_from(NAME).unwrap();
        let mut tls = client.connect(name, near).unwrap();
        tls.read_exact(&mut [0; 4]).unwrap();
        tls.peer().clone()
    })
}

#[test]
fn a_long_chain_of_our_server() {
    for (intermediates, size) in [(3, 1000), (4, 4000), (3, 15_000), (2, 20_000)] {
        let vendor = Vendor::with_intermediates(Key::p256(), intermediates, size);
        let device = Device::new("router");
        let store = Store::new(provider());
        let forms = [Form::Named, Form::Rfc9345];
        store.install(vendor.enrol(&device, &forms)).unwrap();
        let acceptor = Acceptor::new(store);
        for policy in [NamePolicy::Required, NamePolicy::Ignored] {
            for chunk in [1, ALL] {
                let outcome = connect(&client(&vendor, policy), NAME, &acceptor, chunk);
                assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
            }
        }
    }
}
