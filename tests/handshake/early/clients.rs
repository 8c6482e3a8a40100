//! Early data to servers that ask for credentials of clients: of the client that the session was made with.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dc_core::{Form, Role};
use dc_rustls::client::{Config, EarlyDataStatus, IdentityStore, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings};
use dc_tests::pipe::pipe;
use dc_tests::vendor::provider;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use rustls::time_provider::TimeProvider;

use super::EarlyDataStatus::{Accepted, NotSent, Rejected};
use super::LIMIT;
use crate::clients::{FRONTS, Front, Site};
use crate::setup::{ALL, Clock, HOUR, stock_server};

const CAMERA: &str = "camera.cpe.example.com";

/// A server that asks for credentials, and takes early data whatever it answers with.
fn acceptor(site: &Site, front: Front, clock: &Clock, policy: ClientCredentials) -> Acceptor {
    let settings = Settings::new(provider())
        .max_early_data(LIMIT)
        .time_provider(Arc::new(clock.clone()));
    let mut fallback = ServerConfig::clone(&stock_server(&site.vendor));
    fallback.max_early_data_size = LIMIT;
    fallback.time_provider = Arc::new(clock.clone());
    let acceptor = site.acceptor_with(front, settings, policy);
    acceptor.fallback(Arc::new(fallback))
}

/// A client whose credential ends after an hour.
fn client(site: &Site, clock: &Clock) -> Config {
    let now = clock.current_time().unwrap();
    let stored = site
        .clients
        .issue_as(Role::Client, &site.camera, Form::Named, now, HOUR);
    let identities = IdentityStore::with_time_provider(provider(), Arc::new(clock.clone()));
    identities.install(site.identity(vec![stored])).unwrap();
    let builder = site.builder().client_identity(identities).early_data();
    let builder = builder.time_provider(Arc::new(clock.clone()));
    builder.build().unwrap()
}

/// What became of early data, and who the server said that it is from, early and late.
#[derive(Debug)]
struct Report {
    status: EarlyDataStatus,
    early: Vec<(Vec<u8>, Option<String>)>,
    late: Option<String>,
}

fn name_of(peer: Option<&Peer>) -> Option<String> {
    match peer? {
        Peer::Delegated { unique_name, .. } => unique_name.as_ref().map(ToString::to_string),
        other => panic!("{other:?}"),
    }
}

fn exchange(site: &Site, client: &Config, server: &Acceptor, chunk: usize) -> Report {
    let name = ServerName::try_from(site.router.name.clone()).unwrap();
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut early = Vec::new();
            let mut tls = server
                .accept_early(far, |data| {
                    early.push((data.bytes().to_vec(), name_of(data.peer())));
                    data.write_all(b"soon")
                })
                .unwrap();
            tls.read_exact(&mut [0; 4]).unwrap();
            tls.write_all(b"late").unwrap();
            (early, name_of(tls.peer()))
        });
        let mut tls = client
            .connect_early(name, near, |data| data.write_all(b"early"))
            .unwrap();
        tls.write_all(b"ping").unwrap();
        let expected: &[u8] = match tls.early_data() {
            Accepted => b"soonlate",
            NotSent | Rejected => b"late",
        };
        let mut reply = vec![0; expected.len()];
        tls.read_exact(&mut reply).unwrap();
        assert_eq!(reply, expected);
        let (early, late) = server.join().unwrap();
        Report {
            status: tls.early_data(),
            early,
            late,
        }
    })
}

impl Report {
    #[track_caller]
    fn assert(&self, status: EarlyDataStatus, late: Option<&str>) {
        assert_eq!((self.status, self.late.as_deref()), (status, late));
        let early = match status {
            Accepted => vec![(b"early".to_vec(), Some(CAMERA.to_owned()))],
            NotSent | Rejected => vec![],
        };
        assert_eq!(self.early, early);
    }
}

#[test]
fn early_data_says_which_client_it_is_from() {
    let site = Site::new();
    for front in FRONTS {
        for chunk in [1, ALL] {
            let clock = Clock::now();
            let server = acceptor(&site, front, &clock, site.policy());
            let client = client(&site, &clock);
            exchange(&site, &client, &server, chunk).assert(NotSent, Some(CAMERA));
            exchange(&site, &client, &server, chunk).assert(Accepted, Some(CAMERA));
        }
    }
}

/// RFC 9345 §7.4: the session ends with the credential of the client, and so does what comes with it.
#[test]
fn no_early_data_after_the_credential_of_the_client() {
    let site = Site::new();
    for front in FRONTS {
        let clock = Clock::now();
        let server = acceptor(&site, front, &clock, site.policy().optional());
        let client = client(&site, &clock);
        exchange(&site, &client, &server, ALL).assert(NotSent, Some(CAMERA));
        clock.forward(HOUR + Duration::from_secs(1));
        exchange(&site, &client, &server, ALL).assert(Rejected, None);
    }
}

#[test]
fn no_early_data_of_a_client_that_is_not_wanted_any_more() {
    let site = Site::new();
    for front in FRONTS {
        let clock = Clock::now();
        let is_wanted = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_wanted);
        let policy = site.policy();
        let policy = policy.authorize(move |_| asked.load(Ordering::Relaxed));
        let server = acceptor(&site, front, &clock, policy);
        let client = client(&site, &clock);
        exchange(&site, &client, &server, ALL).assert(NotSent, Some(CAMERA));
        is_wanted.store(false, Ordering::Relaxed);
        let name = ServerName::try_from(site.router.name.clone()).unwrap();
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            let server = scope.spawn(|| server.accept_early(far, |_| panic!("early data")).err());
            let connected = client.connect_early(name, near, |data| data.write_all(b"early"));
            let end = connected.and_then(|mut tls| {
                assert_eq!(tls.early_data(), Rejected);
                Ok(tls.read(&mut [0; 4])?)
            });
            assert!(end.is_err());
            let refused = server.join().unwrap().unwrap();
            let wanted = dc_rustls::Refusal::NotAuthorized;
            assert!(matches!(refused, dc_rustls::Error::Refused(it) if it == wanted));
        });
    }
}
