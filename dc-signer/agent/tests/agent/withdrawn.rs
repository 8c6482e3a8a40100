//! The list of withdrawn names that a device keeps for its network.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use dc_agent::{Agent, Level};
use dc_core::{ListKey, NameHash, NewList, UniqueName, WithdrawnNames};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::crypto::ring::default_provider;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Mood, Signer, ZONE, unix};

const KEY: [u8; 32] = [1; 32];
const OTHER_KEY: [u8; 32] = [2; 32];

fn public(seed: [u8; 32]) -> (Ed25519KeyPair, ListKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let key = ListKey(pair.public_key().as_ref().try_into().unwrap());
    (pair, key)
}

fn stolen() -> NameHash {
    let name = UniqueName::parse(b"m7q.cpe.example.com").unwrap();
    NameHash::new(&name, |bytes| {
        let sha256 = digest(&SHA256, bytes);
        sha256.as_ref().try_into().unwrap()
    })
}

/// A list of this number, with one name, made now.
fn list(signer: &Signer, zone: &str, seed: [u8; 32], sequence: u64) -> Vec<u8> {
    let list = NewList {
        zone: UniqueName::parse(zone.as_bytes()).unwrap(),
        sequence,
        issued: unix(signer.now()),
        expires: unix(signer.now() + DAY),
        next_keys: &[],
    };
    let unsigned = list.encode(vec![stolen()]).unwrap();
    let (pair, key) = public(seed);
    let signature = pair.sign(unsigned.as_bytes()).as_ref().try_into().unwrap();
    unsigned.into_signed(&[(key, signature)]).unwrap()
}

/// A device that keeps a list, after its first turn.
fn enrolled(signer: &Signer) -> (Device, Agent) {
    let device = Device::new(signer);
    device.configure(&format!(
        "start_delay = '0s'\ncode_file = 'code'\n[withdrawn]\nkeys = ['{}']\nfile = 'list'\n",
        public(KEY).1
    ));
    let mut agent = device.boot();
    agent.turn();
    (device, agent)
}

fn kept(device: &Device) -> Option<WithdrawnNames> {
    let bytes = fs::read(device.path("list")).ok()?;
    let algorithms = default_provider().signature_verification_algorithms.all;
    Some(WithdrawnNames::verify(bytes, &[public(KEY).1], algorithms).unwrap())
}

#[test]
fn a_list_is_fetched_verified_kept_and_sent_again_only_when_it_is_another() {
    let signer = Signer::start();
    signer.publish(list(&signer, ZONE, KEY, 7));
    let (device, mut agent) = enrolled(&signer);
    let first = kept(&device).unwrap();
    assert!(first.contains(stolen()));
    let mode = fs::metadata(device.path("list")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
    agent.turn();
    signer.pass(2 * HOUR);
    agent.turn();
    assert_eq!(signer.lists_sent(), 1);
    signer.publish(list(&signer, ZONE, KEY, 8));
    signer.pass(2 * HOUR);
    agent.turn();
    assert_eq!(
        (signer.lists_sent(), kept(&device).unwrap().sequence()),
        (2, 8)
    );
    // Who lost the file gets it again.
    fs::remove_file(device.path("list")).unwrap();
    drop(agent);
    let mut agent = device.boot();
    signer.pass(2 * HOUR);
    agent.turn();
    assert_eq!(kept(&device).unwrap().sequence(), 8);
    assert_eq!(agent.status().withdrawn, None);
}

#[test]
fn a_list_that_is_forged_older_ended_or_anothers_is_not_kept_and_the_device_is_as_well_as_before() {
    let signer = Signer::start();
    signer.publish(list(&signer, ZONE, KEY, 7));
    let (device, mut agent) = enrolled(&signer);
    let before = fs::read(device.path("list")).unwrap();
    let ended = list(&signer, ZONE, KEY, 9);
    signer.pass(DAY + HOUR);
    for (bad, words) in [
        (list(&signer, ZONE, OTHER_KEY, 8), "not signed by a key"),
        (list(&signer, ZONE, KEY, 6), "number 7 is here already"),
        (
            list(&signer, "other.example.com", KEY, 8),
            "not of this device's zone",
        ),
        (ended, "it has ended"),
        (b"<html>".to_vec(), "not a list"),
        (list(&signer, ZONE, KEY, 8).repeat(2), "bytes"),
    ] {
        signer.publish(bad);
        signer.pass(2 * HOUR);
        agent.turn();
        let why = agent.status().withdrawn.unwrap();
        assert!(why.contains(words), "{why}");
        assert!(device.said(words) && device.look().withdrawn == Some(why));
        assert_eq!(fs::read(device.path("list")).unwrap(), before);
    }
    assert_eq!(agent.status().level, Level::Fine);
    signer.publish(list(&signer, ZONE, KEY, 8));
    signer.pass(2 * HOUR);
    agent.turn();
    assert_eq!(agent.status().withdrawn, None);
    assert_eq!(kept(&device).unwrap().sequence(), 8);
}

#[test]
fn a_signer_without_lists_or_out_of_reach_is_asked_less_and_less_and_never_sooner_than_it_wants() {
    let signer = Signer::start();
    let (device, mut agent) = enrolled(&signer);
    assert!(agent.status().withdrawn.unwrap().contains("no such zone"));
    signer.set(Mood::Busy(3 * HOUR));
    signer.pass(HOUR);
    agent.turn();
    let asked = signer.requests();
    for _ in 0..3 {
        signer.pass(HOUR / 2);
        agent.turn();
    }
    assert_eq!(signer.requests(), asked);
    signer.set(Mood::Good);
    signer.publish(list(&signer, ZONE, KEY, 7));
    signer.pass(2 * HOUR);
    agent.turn();
    assert_eq!(kept(&device).unwrap().sequence(), 7);
}

#[test]
fn after_a_stolen_list_key_the_new_keys_list_counts_whatever_its_number() {
    let signer = Signer::start();
    signer.publish(list(&signer, ZONE, OTHER_KEY, u64::MAX));
    let (device, agent) = enrolled(&signer);
    drop(agent);
    fs::write(
        device.path("list"),
        list(&signer, ZONE, OTHER_KEY, u64::MAX),
    )
    .unwrap();
    signer.publish(list(&signer, ZONE, KEY, 8));
    signer.pass(2 * HOUR);
    device.boot().turn();
    assert_eq!(kept(&device).unwrap().sequence(), 8);
}
