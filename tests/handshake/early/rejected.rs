//! Early data that a server does not take: the connection goes on without it.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_rustls::Error;
use dc_rustls::client::Config;
use dc_rustls::server::Settings;
use dc_tests::backend::BACKENDS;
use dc_tests::pair::last_words;
use dc_tests::pipe::pipe;
use dc_tests::vendor::provider;
use rustls::crypto::CryptoProvider;
use rustls::server::ServerSessionMemoryCache;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, PeerMisbehaved, ServerConfig,
    ServerConnection, StreamOwned,
};

use super::EarlyDataStatus::Rejected;
use super::{EARLY_DATA, LIMIT, Scene};
use crate::setup::{ALL, stock_server};

/// The session allows it, and the server has changed its mind.
#[test]
fn early_data_that_is_rejected_is_for_the_application_to_send_again() {
    for chunk in [1, ALL] {
        let scene = Scene::new();
        let client = scene.client();
        scene.exchange(&client, &scene.server(LIMIT), b"", chunk);
        let report = scene.exchange(&client, &scene.server(0), b"early", chunk);
        report.assert(Rejected, b"");
        assert!(report.has(EARLY_DATA));
    }
}

/// A server that would not read it must not say that it has it.
#[test]
fn a_server_that_accepts_as_ever_rejects_early_data() {
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(LIMIT));
    scene.exchange(&client, &server, b"", ALL);
    let (near, far) = pipe(ALL);
    let status = thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut line = [0; 5];
            server.accept(far).unwrap().read_exact(&mut line).unwrap();
            line
        });
        let early = |data: &mut dyn Write| data.write_all(b"early");
        let mut tls = client
            .connect_early(scene.name(), near, |data| early(data))
            .unwrap();
        tls.write_all(b"again").unwrap();
        assert_eq!(&server.join().unwrap(), b"again");
        tls.early_data()
    });
    assert_eq!(status, Rejected);
}

#[test]
fn early_data_is_rejected_with_a_retry() {
    let groups = |provider: Arc<CryptoProvider>, scene: &Scene| {
        scene.server_with(Settings::new(provider).max_early_data(LIMIT))
    };
    for backend in BACKENDS {
        for chunk in [1, ALL] {
            let scene = Scene::new();
            let client = Config::builder(backend.prefers_p384())
                .roots(scene.vendor.roots())
                .early_data()
                .build()
                .unwrap();
            scene.exchange(&client, &groups(backend.provider(), &scene), b"", chunk);
            let retries = groups(backend.x25519_only(), &scene);
            let report = scene.exchange(&client, &retries, b"early", chunk);
            report.assert(Rejected, b"");
            assert!(report.has(EARLY_DATA), "{}", backend.name);
        }
    }
}

/// A server that has lost its sessions skips all that it has allowed, however it arrives.
#[test]
fn as_much_is_rejected_as_was_allowed() {
    // The last one in four records.
    for (limit, chunk) in [(LIMIT, 1), (LIMIT, ALL), (50_000, 999), (50_000, ALL)] {
        let mut scene = Scene::new();
        let client = scene.client();
        scene.exchange(&client, &scene.server(limit), b"", chunk);
        scene.sessions = ServerSessionMemoryCache::new(8);
        let early = vec![7; limit as usize];
        let report = scene.exchange(&client, &scene.server(limit), &early, chunk);
        report.assert(Rejected, b"");
    }
}

#[test]
fn as_much_is_rejected_with_a_retry_as_was_allowed() {
    for backend in BACKENDS {
        for (limit, chunk) in [(LIMIT, 1), (50_000, ALL)] {
            let scene = Scene::new();
            let client = Config::builder(backend.prefers_p384())
                .roots(scene.vendor.roots())
                .early_data()
                .build()
                .unwrap();
            let settings = |provider| Settings::new(provider).max_early_data(limit);
            let first = scene.server_with(settings(backend.provider()));
            scene.exchange(&client, &first, b"", chunk);
            let retries = scene.server_with(settings(backend.x25519_only()));
            let early = vec![7; limit as usize];
            let report = scene.exchange(&client, &retries, &early, chunk);
            report.assert(Rejected, b"");
        }
    }
}

/// Why our sockets skip rejected early data: rustls counts the same records again each time that it is called, and with it a client
/// that keeps to the limit is told that its records cannot be decrypted.
#[test]
fn rustls_alone_counts_rejected_early_data_each_time_that_it_is_called() {
    for (length, is_served) in [(400, true), (900, false)] {
        let scene = Scene::new();
        let mut server = ServerConfig::clone(&stock_server(&scene.vendor));
        server.max_early_data_size = LIMIT;
        let server = Arc::new(server);
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(scene.vendor.roots())
            .with_no_client_auth();
        client.enable_early_data = true;
        let client = Arc::new(client);
        let connect = |early: &[u8]| {
            let (near, far) = pipe(ALL);
            thread::scope(|scope| {
                let served = scope.spawn(|| {
                    let mut connection = ServerConnection::new(Arc::clone(&server)).unwrap();
                    connection.reject_early_data();
                    let mut tls = StreamOwned::new(connection, far);
                    let mut line = [0; 4];
                    let read = tls.read_exact(&mut line);
                    read.map_err(|error| last_words(&mut tls.conn, &mut tls.sock, error))
                });
                let mut connection =
                    ClientConnection::new(Arc::clone(&client), scene.name()).unwrap();
                if let Some(mut data) = connection.early_data() {
                    data.write_all(early).unwrap();
                }
                let mut tls = StreamOwned::new(connection, near);
                tls.write_all(b"ping").unwrap();
                // Takes the tickets.
                let _ = tls.read(&mut [0; 4]);
                served.join().unwrap()
            })
        };
        connect(b"").unwrap();
        let served = connect(&vec![7; length]);
        match is_served {
            true => served.unwrap(),
            false => assert_eq!(served, Err(Some(rustls::Error::DecryptError))),
        }
    }
}

/// What a server says to a client that sends more than it may: of another server that shares its sessions, in these tests.
#[test]
fn a_client_that_sends_too_much_is_told_so() {
    let refused = |limit, length, alert, error: fn(&Error) -> bool| {
        let scene = Scene::new();
        let client = scene.client();
        scene.exchange(&client, &scene.server(100_000), b"", ALL);
        let server = scene.server(limit);
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            let served = scope.spawn(|| server.accept_early(far, |_| Ok(())).map(drop));
            let connected =
                client.connect_early(scene.name(), near, |data| data.write_all(&vec![7; length]));
            // It has not read the alert yet, if it could say that it is done.
            let end = connected.and_then(|mut tls| Ok(tls.read(&mut [0; 4])?));
            let received = end.map_err(|error| match error {
                Error::Io(error) => error.downcast().map_err(Error::Io),
                Error::Tls(error) => Ok(error),
                other => Err(other),
            });
            let received = received.unwrap_err().unwrap();
            assert_eq!(received, rustls::Error::AlertReceived(alert));
            let failed = served.join().unwrap().unwrap_err();
            assert!(error(&failed), "{failed:?}");
        });
    };
    // It takes early data, and this is more than it takes.
    refused(8, 9, AlertDescription::UnexpectedMessage, |error| {
        let too_much = PeerMisbehaved::TooMuchEarlyDataReceived;
        matches!(error, Error::Tls(rustls::Error::PeerMisbehaved(why)) if *why == too_much)
    });
    // It takes none, skips what one record holds, and so does rustls.
    refused(0, 60_000, AlertDescription::BadRecordMac, |error| {
        matches!(error, Error::Tls(rustls::Error::DecryptError))
    });
}
