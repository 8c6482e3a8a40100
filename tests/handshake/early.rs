//! Early data: to a peer that is known from its session, once, and only where both sides want it.

mod asynchronous;
mod clients;
mod protocols;
mod rejected;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{Config, EarlyDataStatus, NamePolicy, Peer, Stream};
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use dc_tests::message::find_extension;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use rustls::{HandshakeKind, ServerConfig};

use crate::setup::{ALL, Clock, HOUR, client_of, stock_server};

const EARLY_DATA: u16 = 42;
const PRE_SHARED_KEY: u16 = 41;
const LIMIT: u32 = 1000;

/// A device, and the sessions that its servers share.
struct Scene {
    vendor: Vendor,
    device: Device,
    sessions: Arc<dyn StoresServerSessions>,
}

impl Scene {
    fn new() -> Self {
        Self {
            vendor: Vendor::default(),
            device: Device::new("router"),
            sessions: ServerSessionMemoryCache::new(64),
        }
    }

    fn name(&self) -> ServerName<'static> {
        ServerName::try_from(self.device.name.clone()).unwrap()
    }

    fn client(&self) -> Config {
        client_of(&self.vendor).early_data().build().unwrap()
    }

    fn server_with(&self, settings: Settings) -> Acceptor {
        let store = Store::with_settings(settings.session_storage(Arc::clone(&self.sessions)));
        store
            .install(self.vendor.enrol(&self.device, &[Form::Named]))
            .unwrap();
        Acceptor::new(store)
    }

    fn server(&self, limit: u32) -> Acceptor {
        self.server_with(Settings::new(provider()).max_early_data(limit))
    }

    /// One connection in which the client sends `early` early if it may, and a line later.
    fn exchange(&self, client: &Config, server: &Acceptor, early: &[u8], chunk: usize) -> Report {
        let (near, far) = pipe(chunk);
        thread::scope(|scope| {
            let server = scope.spawn(|| serve(server, far));
            let mut asked = None;
            let mut protocol = None;
            let mut tls = client
                .connect_early(self.name(), near, |data| {
                    asked = Some(data.peer().clone());
                    protocol = data.alpn_protocol().map(<[u8]>::to_vec);
                    assert!(data.authenticates(&self.name()));
                    data.write_all(early)
                })
                .unwrap();
            if tls.early_data() == EarlyDataStatus::Accepted {
                assert_eq!(asked.as_ref(), Some(tls.peer()));
            }
            let (early, later) = finish(&mut tls, server);
            Report {
                status: tls.early_data(),
                early,
                later,
                sent: tls.get_ref().sent().to_vec(),
                peer: tls.peer().clone(),
                kind: tls.connection().handshake_kind().unwrap(),
                protocol,
            }
        })
    }
}

/// Answers early data early and a line late, and gives both back.
fn serve(server: &Acceptor, far: End) -> (Vec<u8>, Vec<u8>) {
    let mut early = Vec::new();
    let mut tls = server
        .accept_early(far, |data| {
            early.extend_from_slice(data.bytes());
            data.write_all(b"soon")
        })
        .unwrap();
    let mut later = Vec::new();
    tls.read_to_end(&mut later).unwrap();
    tls.write_all(b"late").unwrap();
    (early, later)
}

fn finish(
    tls: &mut Stream<End>,
    server: thread::ScopedJoinHandle<'_, (Vec<u8>, Vec<u8>)>,
) -> (Vec<u8>, Vec<u8>) {
    if tls.early_data() == EarlyDataStatus::Accepted {
        let mut soon = [0; 4];
        tls.read_exact(&mut soon).unwrap();
        assert_eq!(&soon, b"soon");
    }
    tls.write_all(b"ping").unwrap();
    tls.connection_mut().send_close_notify();
    tls.flush().unwrap();
    let served = server.join().unwrap();
    let mut reply = [0; 4];
    tls.read_exact(&mut reply).unwrap();
    assert!(reply == *b"late" || reply == *b"soon");
    served
}

struct Report {
    status: EarlyDataStatus,
    early: Vec<u8>,
    later: Vec<u8>,
    /// What the client wrote to the network.
    sent: Vec<u8>,
    peer: Peer,
    kind: HandshakeKind,
    /// The application protocol of early data.
    protocol: Option<Vec<u8>>,
}

impl Report {
    fn has(&self, extension: u16) -> bool {
        let length = usize::from(u16::from_be_bytes([self.sent[3], self.sent[4]]));
        find_extension(&self.sent[5..5 + length], extension).is_some()
    }

    #[track_caller]
    fn assert(&self, status: EarlyDataStatus, early: &[u8]) {
        assert_eq!(self.status, status);
        assert_eq!(self.early, early);
        assert_eq!(self.later, b"ping");
        assert!(matches!(self.peer, Peer::Delegated { .. }));
    }
}

use EarlyDataStatus::{Accepted, NotSent, Rejected};

#[test]
fn early_data_goes_to_a_peer_that_is_known_and_is_answered_early() {
    for chunk in [1, ALL] {
        let scene = Scene::new();
        let (client, server) = (scene.client(), scene.server(LIMIT));
        // Nobody knows yet who is there.
        let first = scene.exchange(&client, &server, b"early", chunk);
        first.assert(NotSent, b"");
        assert!(!first.has(EARLY_DATA));
        let second = scene.exchange(&client, &server, b"early", chunk);
        second.assert(Accepted, b"early");
        assert!(second.has(EARLY_DATA) && second.has(PRE_SHARED_KEY));
        assert_eq!(first.peer, second.peer);
    }
}

#[test]
fn nothing_is_sent_early_unless_the_client_wants_it() {
    let scene = Scene::new();
    let server = scene.server(LIMIT);
    let client = client_of(&scene.vendor).build().unwrap();
    for resumed in [false, true] {
        let report = scene.exchange(&client, &server, b"early", ALL);
        report.assert(NotSent, b"");
        assert_eq!(report.has(PRE_SHARED_KEY), resumed);
        assert!(!report.has(EARLY_DATA));
    }
    // Nor by a client that could, but connects as ever.
    let client = scene.client();
    scene.exchange(&client, &server, b"", ALL);
    let (near, mut far) = pipe(ALL);
    thread::scope(|scope| {
        scope.spawn(|| client.connect(scene.name(), near).err());
        let mut record = vec![0; 1 << 14];
        let length = far.read(&mut record).unwrap();
        drop(far);
        assert!(find_extension(&record[5..length], PRE_SHARED_KEY).is_some());
        assert!(find_extension(&record[5..length], EARLY_DATA).is_none());
    });
}

#[test]
fn a_server_takes_nothing_early_unless_it_wants_it() {
    let scene = Scene::new();
    let server = scene.server_with(Settings::new(provider()));
    let client = scene.client();
    for resumed in [false, true] {
        let report = scene.exchange(&client, &server, b"early", ALL);
        report.assert(NotSent, b"");
        assert_eq!(report.has(PRE_SHARED_KEY), resumed);
        assert!(!report.has(EARLY_DATA));
    }
}

/// What an attacker recorded, sent again: to the same server, and to another one that shares its sessions.
#[test]
fn a_replayed_session_gives_no_early_data_a_second_time() {
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(LIMIT));
    scene.exchange(&client, &server, b"", ALL);
    let report = scene.exchange(&client, &server, b"early", ALL);
    report.assert(Accepted, b"early");
    for server in [server, scene.server(LIMIT)] {
        let (mut near, far) = pipe(ALL);
        near.write_all(&report.sent).unwrap();
        let mut early = Vec::new();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                server.accept_early(far, |data| {
                    early.extend_from_slice(data.bytes());
                    Ok(())
                })
            });
            // It answers, with a full handshake that the attacker cannot go on with.
            assert!(near.read(&mut [0; 64]).unwrap() > 0);
            drop(near);
            assert!(server.join().unwrap().is_err());
        });
        assert_eq!(early, b"");
    }
}

/// RFC 8446 §8.3: what an attacker has held back comes later than the client says.
#[test]
fn early_data_that_was_delayed_is_rejected() {
    for (seconds, status) in [(59, Accepted), (62, Rejected)] {
        let scene = Scene::new();
        let clock = Clock::now();
        let settings = Settings::new(provider()).max_early_data(LIMIT);
        let server = scene.server_with(settings.time_provider(Arc::new(clock.clone())));
        let builder = client_of(&scene.vendor).early_data();
        let stands_still = Arc::new(Clock::at(clock.seconds()));
        let client = builder.time_provider(stands_still).build().unwrap();
        scene.exchange(&client, &server, b"", ALL);
        clock.forward(Duration::from_secs(seconds));
        let report = scene.exchange(&client, &server, b"early", ALL);
        assert_eq!(report.status, status, "{seconds}");
        assert_eq!(report.kind, HandshakeKind::Resumed);
    }
}

/// RFC 9345 §7.4, and RFC 8446 §4.2.10 for what comes with the session.
#[test]
fn no_early_data_after_the_credential_of_the_session() {
    for clock_of_client in [true, false] {
        let scene = Scene::new();
        let clock = Clock::now();
        let settings = Settings::new(provider()).max_early_data(LIMIT);
        let settings = match clock_of_client {
            true => settings,
            false => settings.time_provider(Arc::new(clock.clone())),
        };
        let settings = settings.session_storage(Arc::clone(&scene.sessions));
        let store = Store::with_settings(settings);
        let stored = scene.vendor.issue_for(&scene.device, Form::Named, HOUR);
        let key = scene.device.key.private_key();
        let identity = Identity::new(scene.vendor.chain(), vec![stored], key);
        store.install(identity).unwrap();
        let server = Acceptor::new(Arc::clone(&store));
        let builder = client_of(&scene.vendor).early_data();
        let builder = match clock_of_client {
            true => builder.time_provider(Arc::new(clock.clone())),
            false => builder,
        };
        let client = builder.build().unwrap();
        scene.exchange(&client, &server, b"", ALL);
        store
            .install(scene.vendor.enrol(&scene.device, &[Form::Named]))
            .unwrap();
        clock.forward(2 * HOUR);
        let report = scene.exchange(&client, &server, b"early", ALL);
        match clock_of_client {
            true => {
                report.assert(NotSent, b"");
                assert!(!report.has(PRE_SHARED_KEY));
            }
            false => {
                report.assert(Rejected, b"");
                assert_eq!(report.kind, HandshakeKind::Full);
            }
        }
    }
}

#[test]
fn nothing_is_sent_early_to_a_peer_that_is_not_authorized_any_more() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let scene = Scene::new();
    let server = scene.server(LIMIT);
    let wanted = Arc::new(AtomicBool::new(true));
    let allowed = Arc::clone(&wanted);
    let client = client_of(&scene.vendor)
        .early_data()
        .authorize(move |_, _| allowed.load(Ordering::Relaxed))
        .build()
        .unwrap();
    scene.exchange(&client, &server, b"", ALL);
    wanted.store(false, Ordering::Relaxed);
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| server.accept_early(far, |_| panic!("early data")).err());
        let refused = client.connect_early(scene.name(), near, |_| panic!("asked"));
        assert!(refused.is_err());
        assert!(server.join().unwrap().is_some());
    });
}

#[test]
fn nothing_is_sent_early_for_another_name() {
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(LIMIT));
    scene.exchange(&client, &server, b"", ALL);
    for other in ["twin.cpe.example.com", "example.com"] {
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            let server = scope.spawn(|| server.accept_early(far, |_| panic!("early data")).err());
            let name = ServerName::try_from(other).unwrap();
            let refused = client.connect_early(name, near, |_| panic!("asked"));
            assert!(refused.is_err());
            assert!(server.join().unwrap().is_some());
        });
    }
    // And it was not for want of a session.
    let report = scene.exchange(&client, &server, b"early", ALL);
    report.assert(Accepted, b"early");
}

/// The client learns only that the connection is lost.
#[test]
fn a_server_that_cannot_take_what_arrives_has_no_connection() {
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(LIMIT));
    scene.exchange(&client, &server, b"", ALL);
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let served = scope.spawn(|| {
            let full = |_: &mut dc_rustls::server::EarlyData<'_>| {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            };
            server.accept_early(far, full).map(drop)
        });
        let connected = client.connect_early(scene.name(), near, |data| data.write_all(b"early"));
        let end = connected.and_then(|mut tls| Ok(tls.read_exact(&mut [0; 4])?));
        assert!(end.is_err());
        let failed = served.join().unwrap().unwrap_err();
        let kind = io::ErrorKind::StorageFull;
        assert!(matches!(failed, dc_rustls::Error::Io(error) if error.kind() == kind));
    });
}

#[test]
fn no_more_is_sent_early_than_the_server_allows() {
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(8));
    scene.exchange(&client, &server, b"", ALL);
    let (near, mut far) = pipe(ALL);
    let failed = client.connect_early(scene.name(), near, |data| {
        assert_eq!(data.remaining(), 8);
        data.write_all(b"more than eight")
    });
    let error = failed.unwrap_err();
    assert!(matches!(
        error,
        dc_rustls::Error::Io(ref error) if error.kind() == io::ErrorKind::WriteZero
    ));
    // Nothing was sent.
    assert_eq!(far.read(&mut [0; 64]).unwrap(), 0);
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(8));
    scene.exchange(&client, &server, b"", ALL);
    scene
        .exchange(&client, &server, b"eight by", ALL)
        .assert(Accepted, b"eight by");
}

/// What a fallback takes is in its own configuration.
#[test]
fn a_fallback_takes_early_data_where_its_configuration_does() {
    let scene = Scene::new();
    let mut stock = ServerConfig::clone(&stock_server(&scene.vendor));
    stock.max_early_data_size = LIMIT;
    let server = Acceptor::new(Store::new(provider())).fallback(Arc::new(stock));
    let client = client_of(&scene.vendor)
        .unique_name(NamePolicy::Preferred)
        .early_data()
        .build()
        .unwrap();
    scene.exchange(&client, &server, b"", ALL);
    let report = scene.exchange(&client, &server, b"early", ALL);
    assert_eq!((report.status, &*report.early), (Accepted, &b"early"[..]));
    assert_eq!(report.peer, Peer::Certificate);
}

/// All of what a server allows goes at once, up to 64 KiB and to the last byte.
#[test]
fn as_much_is_sent_early_as_the_server_allows() {
    for (limit, allowed) in [(16_385, 16_385), (1 << 16, 1 << 16), (u32::MAX, 1 << 16)] {
        let scene = Scene::new();
        let (client, server) = (scene.client(), scene.server(limit));
        scene.exchange(&client, &server, b"", ALL);
        let early: Vec<u8> = (0..allowed).map(|at| (at % 251) as u8).collect();
        scene
            .exchange(&client, &server, &early, 20_000)
            .assert(Accepted, &early);
        let (near, _far) = pipe(ALL);
        let failed = client.connect_early(scene.name(), near, |data| {
            assert_eq!(data.remaining(), allowed);
            data.write_all(&early)?;
            assert_eq!(data.remaining(), 0);
            assert_eq!(data.write(b"more")?, 0);
            Err(io::ErrorKind::Other.into())
        });
        assert!(matches!(failed, Err(dc_rustls::Error::Io(_))));
    }
}
