//! CompressedCertificate (RFC 8879), both ways.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::Form;
use dc_rustls::Refusal;
use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::message::{
    CERTIFICATE, COMPRESSED_CERTIFICATE, edit_body, extension, message, number, status, vector,
};
use dc_tests::mutant::{self, Cut, Framing, Rewrite, Wire};
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::compress::{
    BROTLI_COMPRESSOR, BROTLI_DECOMPRESSOR, CertCompressor, CertDecompressor, CompressionLevel,
    ZLIB_COMPRESSOR, ZLIB_DECOMPRESSOR,
};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription as Alert, ServerConfig};

use crate::misplaced::malformed;
use crate::rogue::{NAME, Rogue, Scene, credential};
use crate::setup::{ALL, client, stock_server};

/// What the sender compresses with.
#[derive(Clone, Copy)]
pub(crate) struct Algorithm {
    pub(crate) compressor: &'static dyn CertCompressor,
    pub(crate) decompressor: &'static dyn CertDecompressor,
    alone: fn(&mut ServerConfig),
}

pub(crate) const ALGORITHMS: [Algorithm; 2] = [
    Algorithm {
        compressor: ZLIB_COMPRESSOR,
        decompressor: ZLIB_DECOMPRESSOR,
        alone: |config| config.cert_compressors = vec![ZLIB_COMPRESSOR],
    },
    Algorithm {
        compressor: BROTLI_COMPRESSOR,
        decompressor: BROTLI_DECOMPRESSOR,
        alone: |config| config.cert_compressors = vec![BROTLI_COMPRESSOR],
    },
];

impl Algorithm {
    /// Puts `block` next to the end-entity certificate, inside.
    fn block(self, block: Vec<u8>) -> Rewrite {
        self.blocks(vec![block])
    }

    /// Puts these blocks next to the certificates of the first entries, inside.
    pub(crate) fn blocks(self, blocks: Vec<Vec<u8>>) -> Rewrite {
        mutant::only(COMPRESSED_CERTIFICATE, move |old| {
            let (algorithm, rest) = old[4..].split_at(2);
            let (length, rest) = rest.split_at(3);
            let mut body = vec![0; number(length)];
            let compressed = &rest[3..];
            self.decompressor.decompress(compressed, &mut body).unwrap();
            let body = edit_body(&body, |index, old| {
                blocks.get(index).map_or(old.to_vec(), Clone::clone)
            });
            let length = vector(3, &body)[..3].to_vec();
            let compressed = self
                .compressor
                .compress(body, CompressionLevel::Interactive)
                .unwrap();
            let body = [algorithm, &length, &vector(3, &compressed)].concat();
            message(COMPRESSED_CERTIFICATE, &body)
        })
    }
}

#[test]
fn a_credential_inside_is_accepted() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Preferred);
    for algorithm in ALGORITHMS {
        for form in Form::ALL {
            let own = credential(&vendor, &device, form);
            let ocsp = status(&[0x30, 3, 0x0a, 1, 3]);
            for block in [
                own.clone(),
                [own.clone(), ocsp.clone()].concat(),
                [ocsp.clone(), own].concat(),
            ] {
                for cut in [Cut::Coalesced, Cut::Every(1)] {
                    let verdict = Rogue::new(&vendor, device.key.private_key())
                        .rewrite(algorithm.block(block.clone()))
                        .change(algorithm.alone)
                        .framing(Framing { cut, padding: 0 })
                        .meet(&client, ALL);
                    let found = verdict.accepted();
                    assert!(matches!(found, Peer::Delegated { form: found, .. } if *found == form));
                }
            }
        }
    }
}

#[test]
fn a_malformed_credential_inside_is_refused() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Preferred);
    for algorithm in ALGORITHMS {
        let mut block = credential(&vendor, &device, Form::Named);
        block[12] ^= 1;
        let verdict = Rogue::new(&vendor, device.key.private_key())
            .rewrite(algorithm.block(block))
            .change(algorithm.alone)
            .meet(&client, ALL);
        let malformed = (&Refusal::MalformedExtensions, Alert::DecodeError);
        assert_eq!(verdict.refused(), malformed);
    }
}

/// Case 86, and what TLS refuses.
#[test]
fn a_malformed_credential_next_to_an_intermediate_inside_is_ignored() {
    let scene = Scene::with_intermediate();
    let client = scene.client(NamePolicy::Preferred);
    for algorithm in ALGORITHMS {
        let meet = |own: &[u8], other: Vec<u8>| {
            let rewrite = algorithm.blocks(vec![own.to_vec(), other]);
            let rogue = scene.device().rewrite(rewrite).change(algorithm.alone);
            rogue.meet(&client, ALL)
        };
        for form in Form::ALL {
            let own = scene.credential(form);
            for bad in malformed(form, &own) {
                let verdict = meet(&own, extension(form.extension_type(), &bad));
                assert!(matches!(verdict.accepted(), Peer::Delegated { .. }));
            }
            for (block, alert) in [
                ([&*own, &own].concat(), Alert::IllegalParameter),
                ([&*own, &[0]].concat(), Alert::DecodeError),
                (
                    [&*own, &extension(18, &[])].concat(),
                    Alert::UnsupportedExtension,
                ),
            ] {
                assert_eq!(meet(&own, block).failed().1, alert);
            }
        }
    }
}

#[test]
fn a_compressed_certificate_without_credential_is_one() {
    let vendor = Vendor::default();
    for algorithm in ALGORITHMS {
        let mut config = ServerConfig::clone(&stock_server(&vendor));
        (algorithm.alone)(&mut config);
        let acceptor = Acceptor::new(Store::new(provider())).fallback(Arc::new(config));
        let client = client(&vendor, NamePolicy::Preferred);
        let outcome = connect(&client, NAME, &acceptor, ALL);
        assert_eq!(*outcome.peer(), Peer::Certificate);
    }
}

/// The kinds of the messages that our server sends with these settings, in handshakes that succeed.
fn sent(settings: impl FnOnce(Settings) -> Settings) -> Vec<u8> {
    let vendor = Vendor::with_intermediates(Key::p256(), 2, 2000);
    let device = Device::new("router");
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let rewrite: Rewrite = Arc::new(move |message| {
        seen.lock().unwrap().push(message[0]);
        message.to_vec()
    });
    let provider = mutant::provider(&provider(), &rewrite);
    let store = Store::with_settings(settings(Settings::new(provider)));
    let forms = [Form::Named, Form::Rfc9345];
    store.install(vendor.enrol(&device, &forms)).unwrap();
    let acceptor = Acceptor::new(store);
    for policy in [NamePolicy::Required, NamePolicy::Ignored] {
        // The second time from the cache of what was compressed.
        for _ in 0..2 {
            let client = client(&vendor, policy);
            let (near, far) = pipe(ALL);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let far = Wire::new(far, &rewrite, Framing::default());
                    acceptor.accept(far).unwrap().write_all(b"pong").unwrap();
                });
                let name = ServerName::try_from(NAME).unwrap();
                let mut tls = client.connect(name, near).unwrap();
                tls.read_exact(&mut [0; 4]).unwrap();
                assert!(matches!(tls.peer(), Peer::Delegated { .. }));
            });
        }
    }
    std::mem::take(&mut *sent.lock().unwrap())
}

#[test]
fn a_credential_of_our_server() {
    let sent = sent(|settings| settings);
    assert!(sent.contains(&COMPRESSED_CERTIFICATE));
    assert!(!sent.contains(&CERTIFICATE));
}

#[test]
fn our_server_compresses_nothing_if_it_is_told_so() {
    let sent = sent(Settings::without_certificate_compression);
    assert!(sent.contains(&CERTIFICATE));
    assert!(!sent.contains(&COMPRESSED_CERTIFICATE));
}
