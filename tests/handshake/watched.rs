//! A store that follows an identity folder.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use dc_core::Form;
use dc_core::pem::{StoredCredential, write};
use dc_rustls::Error;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Settings, Store, Watch};
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, provider};

use crate::setup::{ALL, client, stock_server};

pub(crate) const INTERVAL: Duration = Duration::from_millis(20);

/// Writes an identity and renames it into place, as a renewal should.
fn put(folder: &Path, vendor: &Vendor, device: &Device) {
    put_as(folder, vendor, device, &vendor.issue(device, Form::Named));
}

/// The same with this credential.
pub(crate) fn put_as(folder: &Path, vendor: &Vendor, device: &Device, stored: &StoredCredential) {
    let next = folder.with_extension("next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("chain.pem"), vendor.chain_pem()).unwrap();
    fs::write(
        next.join("credential.pem"),
        write(stored.form, &stored.bytes),
    )
    .unwrap();
    fs::write(next.join("key.pem"), device.key.private_key_pem()).unwrap();
    let old = folder.with_extension("old");
    if folder.exists() {
        fs::rename(folder, &old).unwrap();
    }
    fs::rename(next, folder).unwrap();
    let _ = fs::remove_dir_all(old);
}

fn follow(folder: &Path) -> (Watch, Acceptor, Receiver<Result<(), Error>>) {
    let store = Store::new(provider());
    let (report, reports) = channel();
    let watch = store
        .watch(folder, INTERVAL, move |news| report.send(news).unwrap())
        .unwrap();
    (watch, Acceptor::new(store), reports)
}

pub(crate) fn next(reports: &Receiver<Result<(), Error>>) -> Result<(), Error> {
    reports.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn installs_what_is_there_and_what_is_renamed_into_place() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let vendor = Vendor::default();
    let [first, second] = ["first", "second"].map(Device::new);
    put(&folder, &vendor, &first);
    let (_watch, acceptor, reports) = follow(&folder);
    next(&reports).unwrap();
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .without_resumption()
        .build()
        .unwrap();
    let accepts = |device: &Device| {
        let outcome = connect(&client, &device.name, &acceptor, ALL);
        matches!(
            outcome.client.map(|s| s.peer().clone()),
            Ok(Peer::Delegated { .. })
        )
    };
    assert!(accepts(&first));
    put(&folder, &vendor, &second);
    next(&reports).unwrap();
    assert!(accepts(&second) && !accepts(&first));
}

#[test]
fn what_is_there_is_served_when_the_watch_has_begun() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    put(&folder, &vendor, &device);
    let (_watch, acceptor, reports) = follow(&folder);
    reports.try_recv().unwrap().unwrap();
    let client = client(&vendor, NamePolicy::Required);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert!(outcome.client.is_ok());
}

#[test]
fn a_bad_update_is_told_once_and_the_last_good_one_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let vendor = Vendor::default();
    let device = Device::new("router");
    put(&folder, &vendor, &device);
    let (_watch, acceptor, reports) = follow(&folder);
    next(&reports).unwrap();
    fs::write(folder.join("credential.pem"), "-----BEGIN DELEGATED").unwrap();
    let told = next(&reports).unwrap_err().to_string();
    assert!(told.contains("credential.pem"), "{told}");
    assert!(reports.recv_timeout(5 * INTERVAL).is_err());
    let client = client(&vendor, NamePolicy::Required);
    assert!(
        connect(&client, &device.name, &acceptor, ALL)
            .client
            .is_ok()
    );
    put(&folder, &vendor, &device);
    next(&reports).unwrap();
}

#[test]
fn a_folder_that_comes_later_is_found() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let (watch, _, reports) = follow(&folder);
    assert!(matches!(next(&reports), Err(Error::File { .. })));
    put(&folder, &Vendor::default(), &Device::new("router"));
    next(&reports).unwrap();
    drop(watch);
    // The thread is gone, and with it the sender.
    assert!(reports.recv().is_err());
}

/// A hook of the application's that panics must not let the credential run out.
#[test]
fn a_report_that_panics_does_not_end_it() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let store = Store::new(provider());
    let (report, reports) = channel();
    let mut first = true;
    let watch = store.watch(&folder, INTERVAL, move |news| {
        let begins = std::mem::take(&mut first);
        report.send(news).unwrap();
        assert!(begins, "on purpose");
    });
    let _watch = watch.unwrap();
    next(&reports).unwrap_err();
    let acceptor = Acceptor::new(store);
    let client = client(&vendor, NamePolicy::Required);
    for _ in 0..2 {
        put(&folder, &vendor, &device);
        next(&reports).unwrap();
        let outcome = connect(&client, &device.name, &acceptor, ALL);
        assert!(outcome.client.is_ok());
    }
}

#[test]
fn an_acceptor_follows_a_folder_by_itself_even_one_that_is_not_there_yet() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let (report, reports) = channel();
    let settings = Settings::new(provider());
    let acceptor = Acceptor::follow_with(&folder, settings, move |news| {
        report.send(news).unwrap();
    });
    let acceptor = acceptor.unwrap().fallback(stock_server(&vendor));
    assert!(matches!(
        reports.try_recv().unwrap(),
        Err(Error::File { .. })
    ));
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .or_certificate()
        .build()
        .unwrap();
    let served = |acceptor: &Acceptor| connect(&client, &device.name, acceptor, ALL).server;
    assert_eq!(served(&acceptor).unwrap(), Served::Certificate);
    put(&folder, &vendor, &device);
    // It is looked at every 10 seconds, and has to look the same twice.
    reports
        .recv_timeout(Duration::from_secs(60))
        .unwrap()
        .unwrap();
    // A clone is enough to go on.
    let clone = acceptor.clone();
    drop(acceptor);
    assert!(matches!(served(&clone).unwrap(), Served::Delegated { .. }));
    assert_eq!(reports.try_recv().unwrap_err(), TryRecvError::Empty);
    drop(clone);
    // The thread is gone, and with it the sender.
    assert_eq!(reports.try_recv().unwrap_err(), TryRecvError::Disconnected);
}

/// Whoever cannot read the log has the reason all the same.
#[test]
fn an_acceptor_without_an_identity_says_that_it_has_none_and_why() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let refusal = |acceptor: &Acceptor, client: &Config| {
        let outcome = connect(client, &device.name, acceptor, ALL);
        assert_eq!(
            outcome.alert_at_client(),
            rustls::AlertDescription::HandshakeFailure
        );
        let error = outcome.server.unwrap_err();
        assert!(matches!(error, Error::NothingInstalled { .. }), "{error:?}");
        error.to_string()
    };
    let client = client(&vendor, NamePolicy::Required);
    let empty = Acceptor::new(Store::new(provider()));
    let told = refusal(&empty, &client);
    assert_eq!(told, "no credential is installed");
    let acceptor = Acceptor::follow(&folder, provider()).unwrap();
    let told = refusal(&acceptor, &client);
    let path = folder.join("chain.pem").display().to_string();
    assert!(told.starts_with("no credential is installed: "), "{told}");
    assert!(told.contains(&path), "{told}");
    // Not even a client that offers nothing is to blame.
    let stock = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    let (near, far) = dc_tests::pipe::pipe(ALL);
    let name = device.name.clone().try_into().unwrap();
    let connection = rustls::ClientConnection::new(stock.into(), name).unwrap();
    let refused = std::thread::scope(|scope| {
        let server = scope.spawn(|| acceptor.accept(far).unwrap_err());
        let mut tls = rustls::StreamOwned::new(connection, near);
        assert!(tls.conn.complete_io(&mut tls.sock).is_err());
        server.join().unwrap()
    });
    assert_eq!(refused.to_string(), told);
}

#[test]
fn an_acceptor_serves_what_is_in_the_folder_when_it_is_made() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("identity");
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    put(&folder, &vendor, &device);
    let acceptor = Acceptor::follow(&folder, provider()).unwrap();
    let client = client(&vendor, NamePolicy::Required);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert!(matches!(outcome.server.unwrap(), Served::Delegated { .. }));
}
