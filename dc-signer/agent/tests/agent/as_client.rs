//! The device as a client: its other credential comes, goes and is judged with the server's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use dc_agent::Level;
use dc_core::Role;
use dc_rustls::client::{Identity, IdentityStore};
use rustls::crypto::ring::default_provider;

use crate::device::{Device, verified_as};
use crate::signer::{DAY, ForClients, HOUR, Mood, NAME, Signer};

const AS_CLIENT: &str = "start_delay = '0s'\ncode_file = 'code'\n[client]\n";

fn device(signer: &Signer) -> Device {
    let device = Device::new(signer);
    device.configure(AS_CLIENT);
    device
}

fn key(device: &Device, part: &str) -> Vec<u8> {
    fs::read(device.current().join(part).join("key.pem")).unwrap()
}

#[test]
fn a_client_s_credential_comes_with_the_server_s_and_is_renewed_with_it() {
    let signer = Signer::start();
    signer.set_for_clients(ForClients::Good);
    let device = device(&signer);
    let mut agent = device.boot();
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine, "{}", agent.status());
    let folder = device.current().join("client");
    let first = verified_as(Role::Client, &folder, signer.now()).unwrap();
    assert_eq!(first.unique_name().unwrap().as_str(), NAME);
    assert!(verified_as(Role::Server, &folder, signer.now()).is_err());
    let store = IdentityStore::new(Arc::new(default_provider()));
    store.install(Identity::load(&folder).unwrap()).unwrap();
    let mode = fs::metadata(folder.join("key.pem")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let keys = [key(&device, ""), key(&device, "client")];
    assert_ne!(keys[0], keys[1]);
    // Nothing of the request is left.
    assert!(!device.path("state/next-client-key.pem").exists());
    signer.pass(4 * DAY);
    agent.turn();
    let second = verified_as(Role::Client, &folder, signer.now()).unwrap();
    assert!(second.expiry() > first.expiry());
    assert_ne!(key(&device, "client"), keys[1]);
    assert_eq!(signer.issued(), 2);
}

#[test]
fn a_device_that_becomes_a_client_asks_once_and_says_what_is_missing() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let mut agent = device.boot();
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine);
    drop(agent);
    device.configure(AS_CLIENT);
    let mut agent = device.boot();
    signer.pass(HOUR);
    agent.turn();
    signer.pass(HOUR);
    agent.turn();
    assert_eq!(signer.issued(), 2);
    // What it serves with is in order all the same.
    device.accepted();
    assert!(!device.current().join("client").exists());
    for status in [agent.status(), device.look()] {
        assert_eq!(status.level, Level::AtRisk);
        assert!(status.to_string().contains("zones roles"), "{status}");
    }
    // The operator switches it on, and the next renewal brings it.
    signer.set_for_clients(ForClients::Good);
    signer.pass(4 * DAY);
    agent.turn();
    for status in [agent.status(), device.look()] {
        assert_eq!(status.level, Level::Fine, "{status}");
    }
}

#[test]
fn what_no_server_accepts_is_not_installed_and_costs_the_server_nothing() {
    let signer = Signer::start();
    signer.set_for_clients(ForClients::Servers);
    let device = device(&signer);
    let mut agent = device.boot();
    agent.turn();
    device.accepted();
    assert!(!device.current().join("client").exists());
    assert!(device.said("came for the device as a client is no good"));
    assert_eq!(agent.status().level, Level::AtRisk);
}

#[test]
fn a_request_for_both_is_the_same_until_it_is_answered() {
    let signer = Signer::start();
    signer.set_for_clients(ForClients::Good);
    let device = device(&signer);
    let mut agent = device.boot();
    agent.turn();
    signer.pass(4 * DAY);
    signer.set(Mood::LosesAnswers);
    agent.turn();
    let asked = fs::read(device.path("state/next-client-key.pem")).unwrap();
    drop(agent);
    signer.set(Mood::Good);
    signer.pass(HOUR);
    device.boot().turn();
    assert_eq!(signer.issued(), 2);
    let pem = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(pem(&key(&device, "client")), pem(&asked));
    assert_eq!(device.look().level, Level::Fine);
}

#[test]
fn a_client_s_part_that_is_damaged_is_an_alarm_and_leaves_the_server_alone() {
    let signer = Signer::start();
    signer.set_for_clients(ForClients::Good);
    let device = device(&signer);
    let mut agent = device.boot();
    agent.turn();
    fs::write(device.current().join("client/credential.pem"), "").unwrap();
    agent.turn();
    assert_eq!(agent.status().level, Level::AtRisk);
    device.accepted();
}
