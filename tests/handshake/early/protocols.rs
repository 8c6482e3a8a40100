//! Early data is in the application protocol of its session, or it is none (RFC 8446 §4.2.10).

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_rustls::client::{Config, Stream};
use dc_rustls::server::{Acceptor, Settings};
use dc_rustls::{Error, Refusal};
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::provider;
use rustls::AlertDescription;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use tokio::io::{AsyncReadExt, duplex};

use super::EarlyDataStatus::{Accepted, NotSent, Rejected};
use super::{LIMIT, Scene};
use crate::setup::{ALL, client_of};

/// Two protocols whose names are of one length.
const OLD: &str = "old/1";
const NEW: &str = "new/2";

fn server(scene: &Scene, protocol: &str) -> Acceptor {
    let settings = Settings::new(provider()).max_early_data(LIMIT);
    scene.server_with(settings.alpn_protocols([protocol.into()]))
}

/// A client that speaks both.
fn client(scene: &Scene) -> Config {
    client_of(&scene.vendor)
        .early_data()
        .alpn_protocols([OLD.into(), NEW.into()])
        .build()
        .unwrap()
}

#[test]
fn early_data_is_in_the_protocol_of_the_session() {
    let scene = Scene::new();
    let client = client(&scene);
    scene
        .exchange(&client, &server(&scene, NEW), b"early", ALL)
        .assert(NotSent, b"");
    let report = scene.exchange(&client, &server(&scene, NEW), b"early", ALL);
    report.assert(Accepted, b"early");
    assert_eq!(report.protocol.as_deref(), Some(NEW.as_bytes()));
    // The server has changed, and the session has not.
    let report = scene.exchange(&client, &server(&scene, OLD), b"early", ALL);
    report.assert(Rejected, b"");
    assert_eq!(report.protocol.as_deref(), Some(NEW.as_bytes()));
    let report = scene.exchange(&client, &server(&scene, OLD), b"early", ALL);
    report.assert(Accepted, b"early");
    assert_eq!(report.protocol.as_deref(), Some(OLD.as_bytes()));
}

/// Sessions of a server that believes of all of them that they were made for the new protocol.
#[derive(Debug)]
struct Forgetful(Arc<dyn StoresServerSessions>);

impl StoresServerSessions for Forgetful {
    fn put(&self, key: Vec<u8>, mut value: Vec<u8>) -> bool {
        let old = value.windows(OLD.len()).position(|it| it == OLD.as_bytes());
        if let Some(at) = old {
            value[at..at + NEW.len()].copy_from_slice(NEW.as_bytes());
        }
        self.0.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// A client with a session for the old protocol, and a server that takes early data for the new one.
fn misled() -> (Scene, Config, Acceptor) {
    let mut scene = Scene::new();
    scene.sessions = Arc::new(Forgetful(ServerSessionMemoryCache::new(8)));
    let client = client(&scene);
    scene.exchange(&client, &server(&scene, OLD), b"", ALL);
    let server = server(&scene, NEW);
    (scene, client, server)
}

#[track_caller]
fn assert_refused<T>(client: Result<T, Error>, server: Result<usize, Error>) {
    let refused = client.map(drop).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::ProtocolChanged)));
    // It may come with the end of the handshake, or after it.
    let received = match server.unwrap_err() {
        Error::Tls(error) => error,
        Error::Io(error) => error.downcast().unwrap(),
        other => panic!("{other:?}"),
    };
    let alert = AlertDescription::IllegalParameter;
    assert_eq!(received, rustls::Error::AlertReceived(alert));
}

#[test]
fn a_server_that_takes_early_data_for_another_protocol_is_refused() {
    let (scene, client, server) = misled();
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let accepted = server.accept_early(far, |_| Ok(()));
            accepted.and_then(|mut tls| Ok(tls.read(&mut [0; 4])?))
        });
        let connected: Result<Stream<End>, Error> =
            client.connect_early(scene.name(), near, |data| data.write_all(b"early"));
        assert_refused(connected, server.join().unwrap());
    });
}

#[tokio::test]
async fn a_server_that_takes_early_data_for_another_protocol_is_refused_asynchronously() {
    let (scene, client, server) = misled();
    let (near, far) = duplex(1 << 16);
    let serve = async {
        let mut tls = server.accept_early_async(far, |_| Ok(())).await?;
        Ok(tls.read(&mut [0; 4]).await?)
    };
    let ask = client.connect_early_async(scene.name(), near, |data| data.write_all(b"early"));
    let (asked, served) = tokio::join!(ask, serve);
    assert_refused(asked, served);
}
