//! The identities that a client presents: what is not installed, and the folder that is followed.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use dc_core::{Form, Role};
use dc_rustls::Error;
use dc_rustls::client::{Config, IdentityStore, Peer, Watch};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::vendor::{Device, Oddity, Vendor, provider};
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::clients::{DAY, FRONTS, Site};
use crate::setup::{ALL, Clock, HOUR};
use crate::watched::{INTERVAL, next, put_as};

/// Installs a credential of this vendor's at both ends, each for its role.
fn install(vendor: Vendor, clock: &Clock) -> [Result<(), Error>; 2] {
    let site = Site::with_clients(vendor);
    let clock = Arc::new(clock.clone());
    let client = IdentityStore::with_time_provider(provider(), clock.clone());
    let settings = dc_rustls::server::Settings::new(provider()).time_provider(clock);
    let server = Store::with_settings(settings);
    let identity = |role| {
        let (now, camera) = (UnixTime::now(), &site.camera);
        let stored = site
            .clients
            .issue_as(role, camera, Form::Named, now, HOUR / 2);
        site.identity(vec![stored])
    };
    [
        client.install(identity(Role::Client)),
        server.install(identity(Role::Server)),
    ]
}

fn unusable(installed: &Result<(), Error>) -> Option<&CertificateError> {
    match installed {
        Err(Error::CertificateUnusable(why)) => Some(why),
        _ => None,
    }
}

#[test]
fn a_certificate_for_the_other_end_of_connections_is_not_installed() {
    let clock = Clock::now();
    let [client, server] = install(Vendor::odd(Oddity::ForServers), &clock);
    let why = unusable(&client).unwrap();
    assert!(
        matches!(why, CertificateError::InvalidPurposeContext { .. }),
        "{why:?}"
    );
    server.unwrap();
    let [client, server] = install(Vendor::odd(Oddity::ForClients), &clock);
    client.unwrap();
    assert!(unusable(&server).is_some());
    let said = server.unwrap_err().to_string();
    assert!(said.contains("ask the CA for another"), "{said}");
}

#[test]
fn a_certificate_that_has_ended_is_not_installed() {
    let clock = Clock::now();
    let [client, server] = install(Vendor::odd(Oddity::BriefLeaf), &clock);
    client.unwrap();
    server.unwrap();
    clock.forward(2 * HOUR);
    for installed in install(Vendor::odd(Oddity::BriefLeaf), &clock) {
        let why = unusable(&installed).unwrap();
        assert!(
            matches!(why, CertificateError::ExpiredContext { .. }),
            "{why:?}"
        );
    }
}

fn put(folder: &Path, site: &Site, camera: &Device) {
    let (now, role) = (UnixTime::now(), Role::Client);
    let stored = site.clients.issue_as(role, camera, Form::Named, now, DAY);
    put_as(folder, &site.clients, camera, &stored);
}

fn follow(folder: &Path, site: &Site) -> (Watch, Config, Receiver<Result<(), Error>>) {
    let store = IdentityStore::new(provider());
    let (report, reports) = channel();
    let watch = store
        .watch(folder, INTERVAL, move |news| report.send(news).unwrap())
        .unwrap();
    let client = site.builder().without_resumption().client_identity(store);
    (watch, client.build().unwrap(), reports)
}

/// The name that the server learns.
fn presented(site: &Site, client: &Config, acceptor: &Acceptor) -> Option<String> {
    match site.meet(client, acceptor, ALL).peer() {
        Some(Peer::Delegated { unique_name, .. }) => unique_name.as_ref().map(ToString::to_string),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_next_handshake_presents_what_was_renamed_into_place() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let site = Site::new();
    let [first, second] = ["first", "second"].map(Device::new);
    put(&folder, &site, &first);
    let (_watch, client, reports) = follow(&folder, &site);
    reports.try_recv().unwrap().unwrap();
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy());
        let name = presented(&site, &client, &acceptor);
        assert_eq!(name.as_ref(), Some(&first.name));
    }
    put(&folder, &site, &second);
    next(&reports).unwrap();
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy());
        let name = presented(&site, &client, &acceptor);
        assert_eq!(name.as_ref(), Some(&second.name));
    }
}

#[test]
fn a_broken_folder_is_told_once_and_the_last_good_identity_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let site = Site::new();
    put(&folder, &site, &site.camera);
    let (_watch, client, reports) = follow(&folder, &site);
    reports.try_recv().unwrap().unwrap();
    let acceptor = site.acceptor(FRONTS[1], site.policy());
    let is_presented = || presented(&site, &client, &acceptor).as_ref() == Some(&site.camera.name);
    assert!(is_presented());
    // Of a server, which no server takes from a client.
    put_as(
        &folder,
        &site.clients,
        &site.camera,
        &site.issue_as(Role::Server, Form::Named),
    );
    assert!(matches!(
        next(&reports),
        Err(Error::Credential(dc_core::Error::BadSignature))
    ));
    assert!(is_presented());
    std::fs::write(folder.join("credential.pem"), "-----BEGIN DELEGATED").unwrap();
    let told = next(&reports).unwrap_err().to_string();
    assert!(told.contains("credential.pem"), "{told}");
    assert!(reports.recv_timeout(5 * INTERVAL).is_err());
    assert!(is_presented());
    put(&folder, &site, &site.camera);
    next(&reports).unwrap();
    assert!(is_presented());
}

#[test]
fn a_client_without_an_identity_yet_presents_nothing_until_it_comes() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let site = Site::new();
    let (watch, client, reports) = follow(&folder, &site);
    assert!(matches!(next(&reports), Err(Error::File { .. })));
    let acceptor = site.acceptor(FRONTS[0], site.policy().optional());
    assert_eq!(presented(&site, &client, &acceptor), None);
    put(&folder, &site, &site.camera);
    next(&reports).unwrap();
    let name = presented(&site, &client, &acceptor);
    assert_eq!(name.as_ref(), Some(&site.camera.name));
    drop(watch);
    // The thread is gone, and with it the sender.
    assert!(reports.recv().is_err());
}
