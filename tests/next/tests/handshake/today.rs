//! The seam of dc-rustls on rustls 0.23 at the other end: what is deployed when 0.24 comes.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_next::server::Carrier;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Identity, Store};
use rustls::HandshakeKind::{Full, Resumed};
use rustls::pki_types::{ServerName, UnixTime};
use rustls_today::crypto::ring;
use rustls_today::{AlertDescription, RootCertStore};

use crate::each;
use crate::pipe::pipe;
use crate::scene::{ALL, NAME, Scene, greet, serve};

fn client(scene: &Scene, names: NamePolicy) -> Config {
    let mut roots = RootCertStore::empty();
    roots.add(scene.root()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = Config::builder(provider).roots(roots).unique_name(names);
    builder.build().unwrap()
}

/// The client's result and the server's.
fn meet(
    client: &Config,
    server: &dc_next::server::Server,
    chunk: usize,
) -> (
    Result<Peer, dc_rustls::Error>,
    Result<bool, dc_next::Failure>,
) {
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(server, far));
        let name = ServerName::try_from(NAME).unwrap();
        let client = client.connect(name, near).and_then(|mut tls| {
            tls.write_all(b"ping")?;
            let mut pong = [0; 4];
            tls.read_exact(&mut pong)?;
            assert_eq!(&pong, b"pong");
            Ok(tls.peer().clone())
        });
        (client, server.join().unwrap())
    })
}

fn policy(form: Form) -> NamePolicy {
    match form {
        Form::Named => NamePolicy::Required,
        Form::Rfc9345 => NamePolicy::Ignored,
    }
}

/// With the credential in an OCSP response, and without one, in a certificate entry.
#[test]
fn a_client_of_today_takes_what_either_carrier_has() {
    each(|scene, carrier, form| {
        for chunk in [1, 50, ALL] {
            let server = scene.server(carrier, form);
            let client = client(scene, policy(form));
            // Full, then resumed.
            for _ in 0..2 {
                let (peer, served) = meet(&client, &server, chunk);
                let Peer::Delegated {
                    form: found,
                    unique_name,
                    ..
                } = peer.unwrap()
                else {
                    panic!("{carrier:?} {form:?}");
                };
                assert_eq!(found, form);
                let name = unique_name.as_ref().map(dc_core::UniqueName::as_str);
                assert_eq!(name, (form == Form::Named).then_some(NAME));
                assert!(served.unwrap());
            }
        }
    });
}

#[test]
fn a_client_of_today_refuses_what_is_wrong_in_either_carrier() {
    each(|scene, carrier, form| {
        for (server, expected) in [
            (
                scene.tampered_server(carrier, form),
                AlertDescription::IllegalParameter,
            ),
            (
                scene.impostor(carrier, form),
                AlertDescription::DecryptError,
            ),
        ] {
            let (peer, served) = meet(&client(scene, policy(form)), &server, ALL);
            assert!(peer.is_err(), "{carrier:?} {form:?}");
            let alert = served.unwrap_err().received().unwrap();
            assert_eq!(alert.0, u8::from(expected));
        }
    });
}

#[test]
fn a_client_of_tomorrow_takes_what_a_server_of_today_has() {
    each(|scene, carrier, form| {
        // It has one carrier.
        if carrier != Carrier::Status {
            return;
        }
        let store = Store::new(Arc::new(ring::default_provider()));
        let stored = dc_core::pem::StoredCredential::new(form, &scene.credential(form));
        let (chain, key) = scene.identity();
        store
            .install(Identity::new(chain, vec![stored], key))
            .unwrap();
        let acceptor = Acceptor::new(store);
        for chunk in [1, 50, ALL] {
            let client = scene.client(&[form]);
            for expected in [Full, Resumed] {
                let (near, far) = pipe(chunk);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let mut tls = acceptor.accept(far).unwrap();
                        let mut ping = [0; 4];
                        tls.read_exact(&mut ping).unwrap();
                        tls.write_all(b"pong").unwrap();
                        tls.flush().unwrap();
                    });
                    let (peer, kind) = greet(&client, near, UnixTime::now()).unwrap();
                    assert!(
                        matches!(peer, dc_next::client::Peer::Delegated { form: found, .. } if found == form)
                    );
                    assert_eq!(kind, expected);
                });
            }
        }
    });
}
