//! Servers that accept Encrypted ClientHello.

use std::io::Write;
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, EarlyData, EarlyDataStatus, EchMode, EchStatus, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Store};
use dc_rustls::{Error, Refusal};
use dc_tests::backend::BACKENDS;
use dc_tests::message::{ENCRYPTED_EXTENSIONS, extension, insert_extensions};
use dc_tests::mutant;
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::crypto::CryptoProvider;
use rustls::{AlertDescription, HandshakeKind};

use crate::rogue::{Rogue, credential};
use crate::setup::{ALL, acceptor, client_of, stock_server};

use super::accepting::Accepting;
use super::opened::{ENCRYPTED_CLIENT_HELLO, Keeper, PUBLIC, SUITE};
use super::{NAME, hiding, vendor};

const CASES: [(NamePolicy, Form); 4] = [
    (NamePolicy::Required, Form::Named),
    (NamePolicy::Preferred, Form::Named),
    (NamePolicy::Preferred, Form::Rfc9345),
    (NamePolicy::Ignored, Form::Rfc9345),
];

/// The device, as a server that has Encrypted ClientHello.
fn server(vendor: &Vendor, device: &Device, form: Form) -> Accepting {
    let block = credential(vendor, device, form);
    let key = device.key.private_key();
    Accepting::new(Keeper::new(64), &provider(), vendor, key, block)
}

#[test]
fn both_forms_in_full_and_resumed() {
    let (vendor, device) = (vendor(), Device::new("router"));
    for (policy, form) in CASES {
        let server = server(&vendor, &device, form);
        for chunk in [1, ALL] {
            let client = hiding(client_of(&vendor).unique_name(policy), server.keeper());
            let met = server.meet(&client, NAME, chunk);
            let full = met.accepted(HandshakeKind::Full).clone();
            assert!(
                matches!(&full, Peer::Delegated { form: found, .. } if *found == form),
                "{full:?}"
            );
            // The binder is over the inner hello, with the offer in it.
            let met = server.meet(&client, NAME, chunk);
            assert_eq!(*met.accepted(HandshakeKind::Resumed), full);
        }
    }
}

#[test]
fn both_forms_after_a_hello_retry_request_in_full_and_resumed() {
    let (vendor, device) = (vendor(), Device::new("router"));
    for backend in BACKENDS {
        for (policy, form) in CASES {
            let block = credential(&vendor, &device, form);
            let key = device.key.private_key();
            let keeper = Keeper::new(0);
            let provider = backend.x25519_only();
            let server = Accepting::new(keeper, &provider, &vendor, key, block);
            let builder = Config::builder(backend.prefers_p384())
                .roots(vendor.roots())
                .unique_name(policy);
            let client = hiding(builder, server.keeper());
            let met = server.meet(&client, NAME, ALL);
            let kind = HandshakeKind::FullWithHelloRetryRequest;
            let full = met.accepted(kind).clone();
            let stream = met.client.unwrap();
            let opened = server.keeper().open(stream.get_ref().sent());
            let [first, second] = opened.as_slice() else {
                panic!("{} hellos", opened.len());
            };
            assert!(!first.secret.is_empty() && second.secret.is_empty());
            for opened in [first, second] {
                assert_eq!(opened.outer.extensions[0], opened.inner.extensions[0]);
                assert_eq!(opened.padded % 32, 0);
            }
            let met = server.meet(&client, NAME, ALL);
            assert_eq!(*met.accepted(HandshakeKind::Resumed), full);
        }
    }
}

/// The second binder is over both inner hellos, and the HelloRetryRequest between them.
#[test]
fn a_resumption_that_is_retried() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let keeper = Arc::new(Keeper::new(0));
    for (policy, form) in CASES {
        let server = |provider: Arc<CryptoProvider>| {
            let block = credential(&vendor, &device, form);
            let key = device.key.private_key();
            Accepting::new(Arc::clone(&keeper), &provider, &vendor, key, block)
        };
        let first = server(BACKENDS[0].prefers_p384());
        let second = server(BACKENDS[0].x25519_only()).sharing_sessions(&first);
        let builder = Config::builder(BACKENDS[0].prefers_p384())
            .roots(vendor.roots())
            .unique_name(policy);
        let client = hiding(builder, &keeper);
        let full = first.meet(&client, NAME, ALL);
        let full = full.accepted(HandshakeKind::Full).clone();
        let met = second.meet(&client, NAME, ALL);
        assert_eq!(*met.accepted(HandshakeKind::Resumed), full);
        let stream = met.client.unwrap();
        assert_eq!(keeper.open(stream.get_ref().sent()).len(), 2);
    }
}

/// It is under the keys of the inner hello, so only the server behind the public name can read it.
#[test]
fn early_data_is_hidden_too() {
    let (vendor, device) = (vendor(), Device::new("router"));
    for (policy, form) in CASES {
        let server = server(&vendor, &device, form).taking_early_data(100);
        let builder = client_of(&vendor).unique_name(policy).early_data();
        let client = hiding(builder, server.keeper());
        let early = b"GET /hidden";
        let met = server.meet_early(&client, NAME, ALL, early);
        let full = met.accepted(HandshakeKind::Full).clone();
        assert_eq!(met.server, Ok(Vec::new()));
        let met = server.meet_early(&client, NAME, ALL, early);
        assert_eq!(*met.accepted(HandshakeKind::Resumed), full);
        assert_eq!(met.server, Ok(early.to_vec()));
        let stream = met.client.unwrap();
        assert_eq!(stream.early_data(), EarlyDataStatus::Accepted);
        // The outer hello says that there is some: the server may reject it with the rest.
        let opened = server.keeper().open(stream.get_ref().sent()).remove(0);
        for hello in [&opened.inner, &opened.outer] {
            assert!(hello.kinds().contains(&EARLY_DATA));
        }
    }
}

/// Early data that goes with a rejected hello is read by nobody, and the client knows that it was not taken.
#[test]
fn early_data_with_a_hello_that_is_rejected() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let server = server(&vendor, &device, Form::Named).taking_early_data(100);
    let client = hiding(client_of(&vendor).early_data(), server.keeper());
    drop(server.meet(&client, NAME, ALL).client.unwrap());
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let (near, far) = pipe(ALL);
    let error = thread::scope(|scope| {
        scope.spawn(|| acceptor.accept(far).map(drop));
        let mut asked = false;
        let early = |data: &mut EarlyData<'_>| {
            asked = true;
            data.write_all(b"GET /hidden")
        };
        let connected = client.connect_early(NAME.try_into().unwrap(), near, early);
        let error = connected.unwrap_err();
        assert!(asked);
        error
    });
    assert!(matches!(
        error,
        Error::EchRejected {
            retry_configs: None
        }
    ));
}

/// Who watches the network does not see which session is resumed: identity and binder of the outer hello are random.
#[test]
fn the_ticket_is_in_the_inner_hello_alone() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let server = server(&vendor, &device, Form::Named);
    let client = hiding(client_of(&vendor), server.keeper());
    drop(server.meet(&client, NAME, ALL).client.unwrap());
    let met = server.meet(&client, NAME, ALL);
    met.accepted(HandshakeKind::Resumed);
    let stream = met.client.unwrap();
    let opened = server.keeper().open(stream.get_ref().sent()).remove(0);
    let [inner, outer] = [&opened.inner, &opened.outer].map(|hello| {
        assert_eq!(hello.kinds().last(), Some(&PRE_SHARED_KEY));
        hello.extension(PRE_SHARED_KEY).unwrap().to_vec()
    });
    assert_eq!(inner.len(), outer.len());
    let ticket = &inner[4..inner.len() - 4 - 3 - 32];
    assert!(ticket.len() > 16);
    assert!(!outer.windows(16).any(|w| w == &ticket[..16]));
}

/// The name is hidden, and checked as if it were not.
#[test]
fn the_wanted_name_is_checked_as_ever() {
    let (vendor, twin) = (vendor(), Device::new("twin"));
    let server = server(&vendor, &twin, Form::Named);
    for policy in [NamePolicy::Required, NamePolicy::Preferred] {
        let client = hiding(client_of(&vendor).unique_name(policy), server.keeper());
        let met = server.meet(&client, NAME, ALL);
        let Err(Error::Refused(Refusal::Credential(error))) = &met.client else {
            panic!("{:?}", met.client);
        };
        assert!(matches!(error, dc_core::Error::NameMismatch { .. }));
        let alert = AlertDescription::IllegalParameter;
        assert_eq!(met.server, Err(rustls::Error::AlertReceived(alert)));
    }
}

/// What is enough for the public name is nothing for the wanted one.
#[test]
fn a_certificate_is_not_enough_where_a_name_is_required() {
    let vendor = vendor();
    let key = vendor.private_key();
    let server = Accepting::new(Keeper::new(0), &provider(), &vendor, key, Vec::new());
    for (wanted, policy, accepts) in [
        (NAME, NamePolicy::Required, false),
        (PUBLIC, NamePolicy::Required, false),
        (NAME, NamePolicy::Preferred, true),
        (NAME, NamePolicy::Ignored, true),
    ] {
        let client = hiding(client_of(&vendor).unique_name(policy), server.keeper());
        let met = server.meet(&client, wanted, ALL);
        if accepts {
            assert_eq!(*met.accepted(HandshakeKind::Full), Peer::Certificate);
            continue;
        }
        let Err(Error::Refused(refusal)) = &met.client else {
            panic!("{:?}", met.client);
        };
        assert_eq!(*refusal, Refusal::CredentialRequired);
        let alert = AlertDescription::HandshakeFailure;
        assert_eq!(met.server, Err(rustls::Error::AlertReceived(alert)));
    }
}

#[test]
fn the_application_is_asked_about_the_wanted_name() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let server = server(&vendor, &device, Form::Named);
    let builder = client_of(&vendor).authorize(|name, _| *name != NAME.try_into().unwrap());
    let client = hiding(builder, server.keeper());
    let met = server.meet(&client, NAME, ALL);
    assert!(matches!(
        met.client,
        Err(Error::Refused(Refusal::NotAuthorized))
    ));
}

/// Retry configurations come out as the server has sent them, and the one that is understood among them works.
#[test]
fn a_rejected_client_tries_again_with_what_the_server_wants() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let accepting = server(&vendor, &device, Form::Named);
    let list = with_another_version(&accepting.keeper().list());
    let sent = list.clone();
    let rejecting = Rogue::new(&vendor, vendor.private_key())
        .rewrite(mutant::only(ENCRYPTED_EXTENSIONS, move |message| {
            insert_extensions(message, &extension(ENCRYPTED_CLIENT_HELLO, &sent))
        }));
    let stale = Keeper::new(0);
    let client = hiding(client_of(&vendor), &stale);
    let verdict = rejecting.meet(&client, ALL);
    let Err(Error::EchRejected {
        retry_configs: Some(wanted),
    }) = verdict.client
    else {
        panic!("{:?}", verdict.client);
    };
    assert_eq!(*wanted, *list);
    let alert = AlertDescription::EncryptedClientHelloRequired;
    assert_eq!(verdict.server, Some(rustls::Error::AlertReceived(alert)));
    let client = client
        .with_ech(&EchMode::enable(wanted, &[SUITE]).unwrap())
        .unwrap();
    let met = accepting.meet(&client, NAME, ALL);
    assert!(matches!(
        met.accepted(HandshakeKind::Full),
        Peer::Delegated { .. }
    ));
}

/// A list with an ECHConfig of a version that nobody knows in front.
fn with_another_version(list: &[u8]) -> Vec<u8> {
    let unknown = [0xfe, 0x99, 0, 3, 1, 2, 3];
    dc_tests::message::vector(2, &[&unknown, &list[2..]].concat())
}

#[test]
fn clones_for_other_lists_share_their_sessions() {
    let (vendor, device) = (vendor(), Device::new("router"));
    let server = server(&vendor, &device, Form::Named);
    let stale = Keeper::new(0);
    let open = client_of(&vendor).build().unwrap();
    let with = |config: &Config, keeper: &Keeper| {
        let mode = EchMode::enable(keeper.list(), &[SUITE]).unwrap();
        config.with_ech(&mode).unwrap()
    };
    let first = with(&open, server.keeper());
    drop(server.meet(&first, NAME, ALL).client.unwrap());
    let second = with(&with(&open, &stale), server.keeper());
    let met = server.meet(&second, NAME, ALL);
    met.accepted(HandshakeKind::Resumed);
    // A connection that does not hide the name neither shows a ticket of one that did nor gives it any.
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let stream = connect(&open, NAME, &acceptor, ALL).client.unwrap();
    let kind = stream.connection().handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Full));
    assert_eq!(stream.ech_status(), EchStatus::NotOffered);
}

const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
