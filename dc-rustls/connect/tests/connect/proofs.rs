//! Whom the program takes for the device, and whom not.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use dc_tests::lister::Lister;
use dc_tests::vendor::{Device, Vendor, ZONE, provider};
use rustls::ServerConfig;
use rustls::pki_types::UnixTime;

use crate::device::{Scene, careless, counts, honest, serve, with_input};

/// Connects, and expects this exit status, these words, and that the server was told so.
#[track_caller]
fn refuses(
    scene: &Scene,
    acceptor: Acceptor,
    options: &[&str],
    exit: i32,
    says: &[&str],
    told: &str,
) {
    let port = serve(acceptor, counts);
    let outcome = with_input(scene.pipe(port.address).args(options), b"secret");
    assert_eq!(
        (outcome.exit, outcome.stdout.as_str()),
        (Some(exit), ""),
        "{outcome:?}"
    );
    for said in says {
        assert!(
            outcome.stderr.contains(said),
            "no '{said}' in: {}",
            outcome.stderr
        );
    }
    let went = port.next().unwrap_err();
    assert!(went.contains(told), "{went}");
}

#[test]
fn the_evil_twin_is_refused() {
    let scene = Scene::new();
    let twin = careless(scene.vendor.enrol(&Device::new("twin"), &[Form::Named]));
    let says = [
        "k3v.cpe.example.com",
        "twin.cpe.example.com",
        "another device answers here: look at what --to says",
    ];
    refuses(&scene, twin, &[], 4, &says, "IllegalParameter");
}

#[test]
fn a_server_of_another_protocol_is_not_asked_for_what_was_given() {
    let scene = Scene::new();
    let settings = Settings::new(provider()).alpn_protocols([b"dot".to_vec()]);
    let store = Store::with_settings(settings);
    let identity = scene.vendor.enrol(&scene.device, &[Form::Named]);
    store.install(identity).unwrap();
    let options = ["--alpn", "http/1.1"];
    let says = ["no protocol that --alpn says"];
    refuses(
        &scene,
        Acceptor::new(store),
        &options,
        5,
        &says,
        "known protocol",
    );
}

#[test]
fn a_server_that_has_nothing_for_the_name_is_no_device_of_it() {
    let scene = Scene::new();
    let other = honest(scene.vendor.enrol(&Device::new("other"), &[Form::Named]));
    refuses(
        &scene,
        other,
        &[],
        5,
        &["has no credential for this name"],
        "k3v.cpe.example.com",
    );
}

/// With this option, the program talks to a server.
fn reaches(scene: &Scene, acceptor: Acceptor, option: &str) {
    let port = serve(acceptor, counts);
    let outcome = with_input(scene.pipe(port.address).arg(option), b"abc");
    assert_eq!(
        (outcome.exit, outcome.stdout.as_str()),
        (Some(0), "3 bytes"),
        "{outcome:?}"
    );
}

#[test]
fn a_credential_without_a_name_is_for_those_who_say_so() {
    let scene = Scene::new();
    let unnamed = || honest(scene.vendor.enrol(&scene.device, &[Form::Rfc9345]));
    refuses(&scene, unnamed(), &[], 5, &["has no credential"], "nothing");
    reaches(&scene, unnamed(), "--danger-accept-unnamed");
}

#[test]
fn a_certificate_is_for_those_who_say_so() {
    let scene = Scene::new();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(scene.vendor.chain(), scene.vendor.private_key())
        .unwrap();
    let config = Arc::new(config);
    let ordinary = || Acceptor::new(Store::new(provider())).fallback(config.clone());
    refuses(
        &scene,
        ordinary(),
        &[],
        4,
        &["--danger-accept-certificate"],
        "HandshakeFailure",
    );
    reaches(&scene, ordinary(), "--danger-accept-certificate");
}

#[test]
fn an_expired_credential_is_refused() {
    let scene = Scene::new();
    let hour = Duration::from_secs(3600);
    let then =
        UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs()) - 2 * hour);
    let stored = scene
        .vendor
        .issue_at(&scene.device, Form::Named, then, hour);
    let old = Identity::new(
        scene.vendor.chain(),
        vec![stored],
        scene.device.key.private_key(),
    );
    refuses(
        &scene,
        careless(old),
        &[],
        4,
        &["expired", "has to renew it"],
        "IllegalParameter",
    );
}

#[test]
fn another_vendor_is_refused() {
    let scene = Scene::new();
    let other = honest(Vendor::default().enrol(&scene.device, &[Form::Named]));
    refuses(&scene, other, &[], 4, &["--roots"], "UnknownCA");
}

#[test]
fn a_withdrawn_name_is_refused_and_so_are_all_without_a_list() {
    let scene = Scene::new();
    let (lister, list) = (Lister::new(), scene.file("list"));
    let now = UnixTime::now().as_secs();
    let (path, key) = (list.to_str().unwrap(), lister.key().to_string());
    let options = ["--withdrawn", path, "--list-key", &key];
    let device = || honest(scene.vendor.enrol(&scene.device, &[Form::Named]));
    refuses(
        &scene,
        device(),
        &options,
        1,
        &[
            "is not connected to: refused: there is no current list",
            "--list-policy prefer",
        ],
        "CertificateUnknown",
    );
    fs::write(&list, lister.list(ZONE, 1, &[&scene.device.name], now)).unwrap();
    refuses(
        &scene,
        device(),
        &options,
        4,
        &["withdrawn"],
        "CertificateRevoked",
    );
    // Another name is on it now.
    fs::write(&list, lister.list(ZONE, 2, &["twin.cpe.example.com"], now)).unwrap();
    let port = serve(device(), counts);
    let outcome = with_input(scene.pipe(port.address).args(options), b"abc");
    assert_eq!(
        (outcome.exit, outcome.stdout.as_str()),
        (Some(0), "3 bytes"),
        "{outcome:?}"
    );
    // A list that somebody else has signed is none.
    fs::write(&list, Lister::new().list(ZONE, 3, &[], now)).unwrap();
    refuses(
        &scene,
        device(),
        &options,
        1,
        &["list"],
        "CertificateUnknown",
    );
    let prefer = [&options[..], &["--list-policy", "prefer"]].concat();
    let port = serve(device(), counts);
    let outcome = with_input(scene.pipe(port.address).args(prefer), b"abc");
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("list"), "{outcome:?}");
}

#[test]
fn an_address_is_nobodys_name() {
    let scene = Scene::new();
    let port = scene.serve(counts);
    let outcome = with_input(scene.command().arg(port.address.to_string()), b"");
    assert_eq!(outcome.exit, Some(4), "{outcome:?}");
    assert!(outcome.stderr.contains("127.0.0.1"), "{outcome:?}");
}
