//! Sessions with clients that presented a credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dc_core::{Form, Role};
use dc_rustls::Refusal;
use dc_rustls::client::{Config, IdentityStore};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings};
use dc_tests::vendor::provider;
use rustls::AlertDescription;

use crate::clients::{FRONTS, Front, Site};
use crate::setup::{ALL, Clock, HOUR, stock_server};

const CAMERA: &str = "camera.cpe.example.com";

/// A server whose own credential lasts for a day, and whose time is `clock`'s.
fn acceptor(site: &Site, front: Front, clock: &Clock, policy: ClientCredentials) -> Acceptor {
    let clock = Arc::new(clock.clone());
    let settings = Settings::new(provider()).time_provider(clock.clone());
    let mut config = (*stock_server(&site.vendor)).clone();
    config.time_provider = clock;
    let acceptor = site.acceptor_with(front, settings, policy);
    acceptor.fallback(Arc::new(config))
}

/// A client whose credential lasts for so long.
fn client(site: &Site, clock: &Clock, lifetime: Duration) -> Config {
    use rustls::time_provider::TimeProvider;
    let now = clock.current_time().unwrap();
    let camera = &site.camera;
    let stored = site
        .clients
        .issue_as(Role::Client, camera, Form::Named, now, lifetime);
    let clock = Arc::new(clock.clone());
    let identities = IdentityStore::with_time_provider(provider(), clock.clone());
    identities.install(site.identity(vec![stored])).unwrap();
    let builder = site.builder().client_identity(identities);
    builder.time_provider(clock).build().unwrap()
}

#[test]
fn a_resumed_connection_still_knows_its_client() {
    let site = Site::new();
    for front in FRONTS {
        for chunk in [1, ALL] {
            let acceptor = site.acceptor(front, site.policy());
            let client = site.client(&Form::ALL);
            for is_resumed in [false, true, true] {
                let meeting = site.meet(&client, &acceptor, chunk);
                assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
                assert_eq!(meeting.known().is_resumed, is_resumed, "{front:?}");
                assert_eq!(meeting.known().certificates, 1);
            }
        }
    }
}

#[test]
fn a_session_ends_with_the_credential_of_the_client() {
    let site = Site::new();
    for front in FRONTS {
        let clock = Clock::now();
        let acceptor = acceptor(&site, front, &clock, site.policy().optional());
        let client = client(&site, &clock, HOUR);
        assert_eq!(
            site.meet(&client, &acceptor, ALL).delegated().0,
            Form::Named
        );
        clock.forward(HOUR - Duration::from_secs(60));
        let meeting = site.meet(&client, &acceptor, ALL);
        assert!(meeting.known().is_resumed);
        assert_eq!(meeting.delegated().0, Form::Named);
        clock.forward(Duration::from_secs(120));
        // Its credential has ended, and so it presents none.
        let meeting = site.meet(&client, &acceptor, ALL);
        assert!(!meeting.known().is_resumed);
        assert_eq!(meeting.peer(), None);
    }
}

#[test]
fn a_client_is_asked_about_again_before_a_session_is_resumed() {
    let site = Site::new();
    for front in FRONTS {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_wanted);
        let policy = site.policy();
        let policy = policy.authorize(move |_| asked.load(Ordering::Relaxed));
        let acceptor = site.acceptor(front, policy);
        let client = site.client(&Form::ALL);
        assert!(!site.meet(&client, &acceptor, ALL).known().is_resumed);
        assert!(site.meet(&client, &acceptor, ALL).known().is_resumed);
        is_wanted.store(false, Ordering::Relaxed);
        let meeting = site.meet(&client, &acceptor, ALL);
        let alert = AlertDescription::AccessDenied;
        assert_eq!(meeting.refused(), (&Refusal::NotAuthorized, alert));
    }
}

/// What is kept in one place for two policies is not taken for the other's.
#[test]
fn a_session_without_a_client_is_none_where_one_is_required() {
    let site = Site::new();
    for front in FRONTS {
        let shared = rustls::server::ServerSessionMemoryCache::new(32);
        let acceptor = |policy| {
            let settings = Settings::new(provider()).session_storage(shared.clone());
            let mut config = (*stock_server(&site.vendor)).clone();
            config.session_storage = shared.clone();
            let acceptor = site.acceptor_with(front, settings, policy);
            acceptor.fallback(Arc::new(config))
        };
        let nobody = site.builder().build().unwrap();
        let lax = acceptor(site.policy().optional());
        assert_eq!(site.meet(&nobody, &lax, ALL).peer(), None);
        assert!(site.meet(&nobody, &lax, ALL).known().is_resumed);
        let strict = acceptor(site.policy());
        let meeting = site.meet(&nobody, &strict, ALL);
        assert_eq!(meeting.alert(), AlertDescription::CertificateRequired);
    }
}
