//! Real handshakes over rustls 0.24: each test is a row of `README.md`.

mod entries;
#[path = "../../../pipe.rs"]
mod pipe;
mod scene;
mod today;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use dc_core::Form;
use dc_next::Failure;
use dc_next::client::Peer;
use dc_next::server::Carrier;
use rustls::HandshakeKind::{
    Full, FullWithHelloRetryRequest, Resumed, ResumedWithHelloRetryRequest,
};
use rustls::pki_types::UnixTime;

use scene::{ALL, Scene, connect, connect_at, greet, serve};

const CARRIERS: [Carrier; 2] = [Carrier::Status, Carrier::PseudoEntry];

/// Every carrier with every form.
fn each(mut test: impl FnMut(&Scene, Carrier, Form)) {
    let scene = Scene::new();
    for carrier in CARRIERS {
        for form in Form::ALL {
            test(&scene, carrier, form);
        }
    }
}

#[test]
fn a_full_handshake_and_one_that_resumes_it() {
    each(|scene, carrier, form| {
        for chunk in [1, 50, ALL] {
            let client = scene.client(&Form::ALL);
            let server = scene.server(carrier, form);
            connect(&client, &server, chunk).assert_delegated(form, Full);
            connect(&client, &server, chunk).assert_delegated(form, Resumed);
        }
    });
}

/// Its offer becomes a status request of a type that rustls does not know, and goes back for the transcript.
#[test]
fn a_client_that_asks_for_no_status() {
    each(|scene, carrier, form| {
        for chunk in [1, ALL] {
            let server = scene.server(carrier, form);
            let client = scene.client(&[form]).without_status_request();
            connect(&client, &server, chunk).assert_delegated(form, Full);
            connect(&client, &server, chunk).assert_delegated(form, Resumed);
            let client = scene.retrying_client(&[form]).without_status_request();
            let first = connect(&client, &server, chunk);
            first.assert_delegated(form, FullWithHelloRetryRequest);
        }
    });
}

/// Behind it are the extensions of rustls, with a status request only if one is wanted.
#[test]
fn the_offer_is_the_first_extension_on_the_wire() {
    let scene = Scene::new();
    for (client, asks) in [
        (scene.client(&Form::ALL), true),
        (scene.client(&Form::ALL).without_status_request(), false),
    ] {
        let (near, far) = pipe::pipe(ALL);
        drop(far);
        let mut near = Silent(near);
        let failure = greet(&client, &mut near, UnixTime::now()).unwrap_err();
        assert!(matches!(failure, Failure::Io(_)));
        let kinds = extension_kinds(near.0.sent());
        let offered = Form::ALL.map(|form| usize::from(form.extension_type()));
        assert_eq!(kinds[..2], offered);
        assert_eq!(kinds.contains(&5), asks);
    }
}

/// An end of a pipe that nobody answers, and to which everything can be written.
struct Silent(pipe::End);

impl Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Silent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The types of a ClientHello's extensions, from the first record that was sent.
fn extension_kinds(sent: &[u8]) -> Vec<usize> {
    let u16_at = |at: usize| usize::from(sent[at]) << 8 | usize::from(sent[at + 1]);
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(sent[at]);
    at += 2 + u16_at(at);
    at += 1 + usize::from(sent[at]);
    let end = at + 2 + u16_at(at);
    at += 2;
    let mut kinds = Vec::new();
    while at < end {
        kinds.push(u16_at(at));
        at += 4 + u16_at(at + 2);
    }
    kinds
}

#[test]
fn a_hello_retry_request_and_a_session_after_it() {
    each(|scene, carrier, form| {
        for chunk in [1, ALL] {
            let client = scene.retrying_client(&[form]);
            let server = scene.server(carrier, form);
            let first = connect(&client, &server, chunk);
            first.assert_delegated(form, FullWithHelloRetryRequest);
            // The binder of the second hello covers both hellos.
            let second = connect(&client, &server, chunk);
            second.assert_delegated(form, ResumedWithHelloRetryRequest);
        }
    });
}

#[test]
fn a_session_ends_with_its_credential() {
    let scene = Scene::new();
    let client = scene.client(&[Form::Named]);
    let server = scene.server(Carrier::Status, Form::Named);
    connect(&client, &server, ALL).assert_delegated(Form::Named, Full);
    let later = UnixTime::since_unix_epoch(Duration::from_secs(
        UnixTime::now().as_secs() + 8 * 24 * 3600,
    ));
    connect_at(&client, &server, ALL, later).assert_delegated(Form::Named, Full);
}

#[test]
fn a_tampered_credential_is_refused_with_illegal_parameter() {
    each(|scene, carrier, form| {
        let outcome = connect(
            &scene.client(&[form]),
            &scene.tampered_server(carrier, form),
            ALL,
        );
        let Err(Failure::Credential(error)) = &outcome.client else {
            panic!("{outcome:?}");
        };
        assert_eq!(outcome.alert_at_server(), error.alert().code());
        assert_eq!(outcome.alert_at_server(), 47);
    });
}

#[test]
fn another_key_than_the_credentials_is_refused_with_decrypt_error() {
    each(|scene, carrier, form| {
        let outcome = connect(&scene.client(&[form]), &scene.impostor(carrier, form), ALL);
        assert!(outcome.client.is_err());
        assert_eq!(outcome.alert_at_server(), 51);
    });
}

#[test]
fn a_form_that_was_not_offered_is_not_served() {
    each(|scene, carrier, form| {
        let other = Form::ALL.into_iter().find(|other| *other != form).unwrap();
        let client = scene.client(&[other]);
        let refusing = connect(&client, &scene.server(carrier, form), ALL);
        let alert = refusing.client.unwrap_err().received().unwrap();
        assert_eq!(alert.0, 40);
        let server = scene.server(carrier, form).with_fallback(scene.stock());
        let outcome = connect(&client, &server, ALL);
        assert_eq!(outcome.client.unwrap().0, Peer::Certificate);
        assert!(!outcome.server.unwrap());
    });
}

#[test]
fn over_a_socket() {
    each(|scene, carrier, form| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = (scene.client(&Form::ALL), scene.server(carrier, form));
        thread::scope(|scope| {
            let served = scope.spawn(|| serve(&server, listener.accept().unwrap().0));
            let socket = TcpStream::connect(address).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            let (peer, kind) = greet(&client, socket, UnixTime::now()).unwrap();
            assert!(matches!(peer, Peer::Delegated { .. }));
            assert_eq!(kind, Full);
            assert!(served.join().unwrap().unwrap());
        });
    });
}
