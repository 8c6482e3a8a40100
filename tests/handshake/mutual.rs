//! What rustls does around the credential: client certificates, revocation lists, secrets for the kernel.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, Peer};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{AlertDescription, ConnectionTrafficSecrets};

use crate::clients::certificate;
use crate::setup::{ALL, client_of};

/// Asks clients for a certificate of this vendor's.
fn verifier(of: &Vendor) -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(of.roots()), provider())
        .build()
        .unwrap()
}

#[test]
fn a_client_certificate_that_is_trusted_and_one_that_is_not() {
    let (vendor, clients) = (Vendor::default(), Vendor::default());
    let device = Device::new("router");
    let store = Store::with_settings(Settings::new(provider()).client_auth(verifier(&clients)));
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store);
    let client = |certificate| client_of(&vendor).client_auth(certificate).build().unwrap();
    for chunk in [1, ALL] {
        let trusted = client(certificate(&clients));
        for _ in 0..2 {
            let outcome = connect(&trusted, &device.name, &acceptor, chunk);
            assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
            assert!(outcome.server.is_ok());
        }
        let stranger = connect(
            &client(certificate(&vendor)),
            &device.name,
            &acceptor,
            chunk,
        );
        // The client's handshake is over before its certificate is judged, so it may write first.
        assert!(stranger.client.is_err());
        assert!(matches!(
            stranger.server,
            Err(Error::Tls(rustls::Error::InvalidCertificate(_)))
        ));
        let nobody = client_of(&vendor).build().unwrap();
        let nobody = connect(&nobody, &device.name, &acceptor, chunk);
        assert!(nobody.client.is_err());
        assert!(matches!(
            nobody.server,
            Err(Error::Tls(rustls::Error::NoCertificatesPresented))
        ));
    }
}

/// Sessions in one place: who was accepted by one verifier, or by none, has not been judged by another.
#[test]
fn a_session_is_resumed_only_by_the_verifier_that_judged_its_client() {
    let (vendor, clients, others) = (Vendor::default(), Vendor::default(), Vendor::default());
    let device = Device::new("router");
    let shared = rustls::server::ServerSessionMemoryCache::new(32);
    let acceptor = |settings: Settings| {
        let store = Store::with_settings(settings.session_storage(shared.clone()));
        let identity = vendor.enrol(&device, &[Form::Named]);
        store.install(identity).unwrap();
        Acceptor::new(store)
    };
    let lax = acceptor(Settings::new(provider()));
    let ours = acceptor(Settings::new(provider()).client_auth(verifier(&clients)));
    let theirs = acceptor(Settings::new(provider()).client_auth(verifier(&others)));
    for (first, then) in [(&ours, &theirs), (&lax, &ours)] {
        let builder =
            client_of(&vendor).client_auth(certificate(match std::ptr::eq(first, &lax) {
                true => &others,
                false => &clients,
            }));
        let client = builder.build().unwrap();
        for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
            let outcome = connect(&client, &device.name, first, ALL);
            assert!(outcome.server.is_ok());
            let tls = outcome.client.unwrap();
            assert_eq!(tls.connection().handshake_kind(), Some(kind));
        }
        let outcome = connect(&client, &device.name, then, ALL);
        assert!(matches!(
            outcome.server,
            Err(Error::Tls(rustls::Error::InvalidCertificate(_)))
        ));
    }
}

/// rustls signs the messages as it saw them there.
#[test]
fn a_client_certificate_is_not_for_tls12() {
    let vendor = Vendor::default();
    let config = client_of(&vendor)
        .allow_tls12()
        .client_auth(certificate(&vendor))
        .build();
    assert!(matches!(config, Err(Error::ClientAuthBelowTls13)));
}

#[test]
fn a_delegation_certificate_that_the_ca_has_revoked() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::new(provider());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store);
    for revokes in [false, true] {
        let roots = Arc::new(vendor.roots());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .with_crls([vendor.revocation_list(revokes)])
            .build()
            .unwrap();
        let client = Config::builder(provider())
            .verifier(verifier)
            .build()
            .unwrap();
        let outcome = connect(&client, &device.name, &acceptor, ALL);
        match revokes {
            false => assert!(matches!(outcome.peer(), Peer::Delegated { .. })),
            true => assert_eq!(
                outcome.alert_at_server(),
                AlertDescription::CertificateRevoked
            ),
        }
    }
}

fn key(secrets: &ConnectionTrafficSecrets) -> &[u8] {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, .. }
        | ConnectionTrafficSecrets::Aes256Gcm { key, .. }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, .. } => key.as_ref(),
        _ => panic!("a suite that rustls did not have"),
    }
}

#[test]
fn secrets_that_a_kernel_can_go_on_with() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::with_settings(Settings::new(provider()).enable_secret_extraction());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store);
    let client = client_of(&vendor)
        .enable_secret_extraction()
        .build()
        .unwrap();
    let name = ServerName::try_from(device.name.clone()).unwrap();
    let (near, far) = pipe(ALL);
    let (client, server) = thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far).unwrap();
            tls.read_exact(&mut [0; 4]).unwrap();
            let (connection, _) = tls.into_parts().unwrap();
            connection.dangerous_extract_secrets().unwrap()
        });
        let mut tls = client.connect(name, near).unwrap();
        tls.write_all(b"ping").unwrap();
        let server = server.join().unwrap();
        let (connection, _) = tls.into_parts().unwrap();
        (connection.dangerous_extract_secrets().unwrap(), server)
    });
    assert_eq!(key(&client.tx.1), key(&server.rx.1));
    assert_eq!(key(&client.rx.1), key(&server.tx.1));
}
