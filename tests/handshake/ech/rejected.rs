//! Servers that know nothing of Encrypted ClientHello: to a client, they reject it.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dc_core::Form;
use dc_rustls::client::{Builder, Config, EchMode, NamePolicy};
use dc_rustls::server::{Acceptor, Store};
use dc_rustls::{Error, Refusal};
use dc_tests::backend::BACKENDS;
use dc_tests::pair::{Outcome, connect};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::{AlertDescription, CertificateError};
use tokio::io::AsyncReadExt;

use crate::clients::{FRONTS, Site};
use crate::rogue::{Rogue, credential};
use crate::setup::{ALL, acceptor, client_of, stock_server};

use super::opened::{ENCRYPTED_CLIENT_HELLO, Keeper, PUBLIC, SUITE};
use super::{NAME, POLICIES, hiding, vendor};

/// A server with a certificate alone.
fn ordinary(vendor: &Vendor) -> Acceptor {
    Acceptor::new(Store::new(provider())).fallback(stock_server(vendor))
}

#[track_caller]
fn assert_rejected(outcome: &Outcome) {
    match &outcome.client {
        Err(Error::EchRejected {
            retry_configs: None,
        }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(
        outcome.alert_at_server(),
        AlertDescription::EncryptedClientHelloRequired
    );
}

#[test]
fn a_certificate_for_the_public_name_is_enough_to_reject() {
    let vendor = vendor();
    for (policy, _) in POLICIES {
        let keeper = Keeper::new(0);
        let client = hiding(client_of(&vendor).unique_name(policy), &keeper);
        assert_rejected(&connect(&client, NAME, &ordinary(&vendor), ALL));
        // In small pieces, the alert may come when the server finds the client gone.
        for chunk in [1, 50] {
            let outcome = connect(&client, NAME, &ordinary(&vendor), chunk);
            assert!(matches!(
                outcome.client,
                Err(Error::EchRejected {
                    retry_configs: None
                })
            ));
        }
    }
}

#[tokio::test]
async fn an_asynchronous_client_learns_the_same() {
    let vendor = vendor();
    let acceptor = ordinary(&vendor);
    for (policy, _) in POLICIES {
        let client = hiding(client_of(&vendor).unique_name(policy), &Keeper::new(0));
        let (near, far) = tokio::io::duplex(1 << 16);
        let server = async {
            let mut tls = acceptor.accept_async(far).await?;
            Ok::<_, Error>(tls.read_u8().await?)
        };
        let name = NAME.try_into().unwrap();
        let (client, server) = tokio::join!(client.connect_async(name, near), server);
        assert!(matches!(
            client,
            Err(Error::EchRejected {
                retry_configs: None
            })
        ));
        let alert = AlertDescription::EncryptedClientHelloRequired;
        let error = server.unwrap_err();
        assert!(
            matches!(&error, Error::Tls(rustls::Error::AlertReceived(got)) if *got == alert),
            "{error}"
        );
    }
}

/// Nobody but the wanted server may learn who the client is (RFC 9849 §6.1.6).
#[test]
fn a_client_that_was_rejected_presents_nothing() {
    let site = Site::new();
    let keeper = Keeper::with(SUITE, 0, "public.cpe.example.com");
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy().optional());
        let builder = site.builder().client_identity(site.identities(&Form::ALL));
        let client = hiding(builder, &keeper);
        let (near, far) = dc_tests::pipe::pipe(ALL);
        std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let mut tls = acceptor.accept(far)?;
                assert_eq!(tls.peer(), None);
                Ok(tls.read_exact(&mut [0])?)
            });
            let error = client.connect(NAME.try_into().unwrap(), near).unwrap_err();
            assert!(matches!(
                error,
                Error::EchRejected {
                    retry_configs: None
                }
            ));
            let error: Error = server.join().unwrap().unwrap_err();
            let alert = AlertDescription::EncryptedClientHelloRequired;
            assert!(
                matches!(&error, Error::Tls(rustls::Error::AlertReceived(got)) if *got == alert),
                "{error}"
            );
        });
    }
}

/// The application is asked about names that it wants, and this is none.
#[test]
fn nobody_is_asked_about_the_public_name() {
    let vendor = vendor();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let builder = client_of(&vendor).authorize(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    });
    let client = hiding(builder, &Keeper::new(0));
    assert_rejected(&connect(&client, NAME, &ordinary(&vendor), ALL));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

/// Whoever cannot prove to be the public name cannot say either that the name has to be shown.
#[test]
fn a_certificate_for_the_wanted_name_is_not_enough() {
    let vendor = Vendor::default();
    for (policy, _) in POLICIES {
        let client = hiding(client_of(&vendor).unique_name(policy), &Keeper::new(0));
        let outcome = connect(&client, NAME, &ordinary(&vendor), ALL);
        let Err(Error::Tls(rustls::Error::InvalidCertificate(error))) = &outcome.client else {
            panic!("{:?}", outcome.client);
        };
        assert!(matches!(
            error,
            CertificateError::NotValidForNameContext { .. }
        ));
        assert_eq!(outcome.alert_at_server(), AlertDescription::BadCertificate);
    }
}

#[test]
fn a_certificate_of_another_authority_is_not_enough() {
    let client = hiding(client_of(&Vendor::default()), &Keeper::new(0));
    let outcome = connect(&client, NAME, &ordinary(&vendor()), ALL);
    let Err(Error::Tls(rustls::Error::InvalidCertificate(error))) = &outcome.client else {
        panic!("{:?}", outcome.client);
    };
    assert_eq!(*error, CertificateError::UnknownIssuer);
    assert_eq!(outcome.alert_at_server(), AlertDescription::UnknownCA);
}

/// A credential without a name is the public name's as its certificate is.
#[test]
fn a_credential_for_the_public_name_rejects_too() {
    let (vendor, device) = (vendor(), Device::new("front"));
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345]);
    for policy in [NamePolicy::Preferred, NamePolicy::Ignored] {
        let client = hiding(client_of(&vendor).unique_name(policy), &Keeper::new(0));
        // The second time, it is remembered.
        for _ in 0..2 {
            assert_rejected(&connect(&client, NAME, &acceptor, ALL));
        }
    }
}

/// The device of the wanted name answers, but as if the name had been in the open: it is not told.
#[test]
fn a_credential_for_the_wanted_name_is_refused() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let block = credential(&vendor, &device, Form::Named);
    let rogue = Rogue::new(&vendor, device.key.private_key()).block(0, block);
    for (policy, _) in POLICIES {
        if policy == NamePolicy::Ignored {
            continue;
        }
        let client = hiding(client_of(&vendor).unique_name(policy), &Keeper::new(0));
        let verdict = rogue.meet(&client, ALL);
        let (refusal, alert) = verdict.refused();
        let Refusal::Credential(dc_core::Error::NameMismatch { wanted, .. }) = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(*wanted, PUBLIC.try_into().unwrap());
        assert_eq!(alert, AlertDescription::IllegalParameter);
    }
}

/// If the public name is the wanted one, nothing tells acceptance from rejection, so the policy holds.
#[test]
fn the_policy_holds_for_a_public_name_that_is_wanted() {
    let vendor = vendor();
    let keeper = Keeper::new(0);
    let client = |policy| hiding(client_of(&vendor).unique_name(policy), &keeper);
    let outcome = connect(
        &client(NamePolicy::Required),
        PUBLIC,
        &ordinary(&vendor),
        ALL,
    );
    assert_eq!(*outcome.refusal(), Refusal::CredentialRequired);
    let outcome = connect(
        &client(NamePolicy::Preferred),
        PUBLIC,
        &ordinary(&vendor),
        ALL,
    );
    assert_rejected(&outcome);
}

#[test]
fn after_a_hello_retry_request_the_second_hello_has_the_same_extension() {
    let (vendor, keeper) = (vendor(), Keeper::new(0));
    let store = Store::new(BACKENDS[0].x25519_only());
    let acceptor = Acceptor::new(store).fallback({
        let config = rustls::ServerConfig::builder_with_provider(BACKENDS[0].x25519_only())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vendor.chain(), vendor.private_key())
            .unwrap();
        Arc::new(config)
    });
    let builder = |policy| -> Builder {
        Config::builder(BACKENDS[0].prefers_p384())
            .roots(vendor.roots())
            .unique_name(policy)
    };
    for (policy, kinds) in POLICIES {
        let client = hiding(builder(policy), &keeper);
        let (mut near, far) = dc_tests::pipe::pipe(ALL);
        let error = std::thread::scope(|scope| {
            scope.spawn(|| acceptor.accept(far).map(drop));
            client
                .connect(NAME.try_into().unwrap(), &mut near)
                .unwrap_err()
        });
        assert!(matches!(
            error,
            Error::EchRejected {
                retry_configs: None
            }
        ));
        let hellos = super::client_hellos(near.sent());
        let [first, second] = hellos.as_slice() else {
            panic!("{} hellos", hellos.len());
        };
        for hello in [first, second] {
            assert_eq!(hello.kinds()[..kinds.len()], *kinds);
        }
        let extension = first.extension(ENCRYPTED_CLIENT_HELLO);
        assert_eq!(extension, second.extension(ENCRYPTED_CLIENT_HELLO));
    }
}

/// A session that was made in the open stays there, and one that was made here is never seen.
#[test]
fn sessions_with_and_without_a_hidden_name_are_apart() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let acceptor = acceptor(&vendor, &device, &[Form::Named]).fallback(stock_server(&vendor));
    let keeper = Keeper::new(0);
    let open = client_of(&vendor).build().unwrap();
    let mode = EchMode::enable(keeper.list(), &[SUITE]).unwrap();
    let hiding = open.with_ech(&mode).unwrap();
    drop(connect(&open, NAME, &acceptor, ALL).client.unwrap());
    let opened = keeper.open(&super::sent(&hiding, NAME)).remove(0);
    for hello in [&opened.outer, &opened.inner] {
        assert_eq!(hello.extension(41), None);
    }
    let resumed = connect(&open, NAME, &acceptor, ALL).client.unwrap();
    assert_eq!(
        resumed.connection().handshake_kind(),
        Some(rustls::HandshakeKind::Resumed)
    );
}
