//! The device as a client: its other credential comes, goes and is judged with the server's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
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
fn renewals_that_are_pulled_bring_it_as_soon_as_the_device_says() {
    let signer = Signer::start();
    let device = device(&signer);
    let mut agent = device.boot();
    agent.turn();
    let text = agent.status().to_string();
    assert!(text.contains("within a day if"), "{text}");
    // A poll has just been, so the next is as far away as it can be.
    signer.set_for_clients(ForClients::Good);
    let pulled = signer.now();
    signer.set_info(|info| {
        info.renew_issued_before = pulled + 1;
        // As a signer says.
        info.spread = 6 * HOUR;
    });
    while !device.current().join("client").exists() {
        assert!(signer.now() < pulled + DAY, "{text}");
        signer.pass(agent.turn().as_secs());
    }
    assert_eq!(agent.status().level, Level::Fine);
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

/// A device whose identity folder was closed by hand to all but its owner, with these groups.
fn closed(signer: &Signer, server: Option<u32>, client: u32) -> Device {
    let device = Device::new(signer);
    let server = server.map(|group| format!("key_group = '{group}'\n"));
    let server = server.unwrap_or_default();
    device.configure(&format!(
        "start_delay = '0s'\ncode_file = 'code'\n{server}[client]\nkey_group = '{client}'\n"
    ));
    let identity = device.path("identity");
    fs::create_dir(&identity).unwrap();
    fs::set_permissions(&identity, Permissions::from_mode(0o700)).unwrap();
    device
}

fn mode_and_group(device: &Device) -> (u32, u32) {
    let identity = fs::metadata(device.path("identity")).unwrap();
    (identity.mode() & 0o777, identity.gid())
}

#[test]
fn the_client_s_group_that_is_kept_out_of_the_folder_is_let_in() {
    let signer = Signer::start();
    let own = fs::metadata(signer.root_file()).unwrap();
    // Only root can give a folder to a group that it is not in.
    let group = if own.uid() == 0 { 4712 } else { own.gid() };
    let device = closed(&signer, None, group);
    for _ in 0..2 {
        device.boot();
        assert_eq!(mode_and_group(&device), (0o750, group));
    }
}

#[test]
fn a_program_of_each_group_reads_its_own_key_and_not_the_other_s() {
    let signer = Signer::start();
    if fs::metadata(signer.root_file()).unwrap().uid() != 0 {
        return apparatus::left_out("programs of two groups", "only root can start them");
    }
    signer.set_for_clients(ForClients::Good);
    let device = closed(&signer, Some(4711), 4712);
    fs::set_permissions(device.path("."), Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let mut agent = device.boot();
        agent.turn();
        assert_eq!(agent.status().level, Level::Fine, "{}", agent.status());
        // A folder has one group, so the other one is let in with everybody, who reads nothing secret there.
        assert_eq!(mode_and_group(&device), (0o751, 4711));
    }
    let reads = |group: u32, name: &str| {
        Command::new("cp")
            .args([device.current().join(name), "/dev/null".into()])
            .uid(65534)
            .gid(group)
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    for (group, readable) in [
        (4711, [true, false]),
        (4712, [false, true]),
        (4713, [false; 2]),
    ] {
        let read = ["key.pem", "client/key.pem"].map(|name| reads(group, name));
        assert_eq!(read, readable, "{group}");
        assert!(reads(group, "chain.pem") && reads(group, "client/credential.pem"));
    }
}

/// Breaks something of the part that is current, and names the file that is said to be wrong.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 6] = [
    ("client/credential.pem", |client| {
        fs::write(client.join("credential.pem"), "").unwrap();
    }),
    ("client/chain.pem", |client| {
        fs::write(client.join("chain.pem"), "\0").unwrap();
    }),
    ("client/key.pem", |client| {
        fs::write(client.join("key.pem"), "").unwrap();
    }),
    ("client/key.pem", |client| {
        fs::remove_file(client.join("key.pem")).unwrap();
    }),
    ("client/credential.pem", |client| {
        fs::remove_dir_all(client).unwrap();
    }),
    // Each file is as it should be, but they do not belong together.
    ("a key that is not ours", |client| {
        fs::copy(client.join("../key.pem"), client.join("key.pem")).unwrap();
    }),
];

#[test]
fn a_client_s_part_that_is_damaged_is_said_and_renewed_and_leaves_the_server_alone() {
    for (said, damage) in DAMAGES {
        let signer = Signer::start();
        signer.set_for_clients(ForClients::Good);
        let device = device(&signer);
        let mut agent = device.boot();
        agent.turn();
        let client = device.current().join("client");
        damage(&client);
        signer.set(Mood::Down);
        signer.pass(HOUR);
        agent.turn();
        device.accepted();
        for status in [agent.status(), device.look()] {
            assert_eq!(status.level, Level::AtRisk, "{said}");
            let text = status.to_string();
            assert!(
                text.contains(said) && !text.contains("zones roles"),
                "{text}"
            );
        }
        signer.set(Mood::Good);
        signer.pass(HOUR);
        agent.turn();
        for status in [agent.status(), device.look()] {
            assert_eq!(status.level, Level::Fine, "{said}: {status}");
        }
        assert_eq!(signer.issued(), 2, "{said}");
        verified_as(Role::Client, &client, signer.now()).unwrap();
        device.accepted();
    }
}

/// As on a disk that forgets: the signer must not be asked at each turn.
#[test]
fn a_client_s_part_that_breaks_again_and_again_is_renewed_twice_a_day() {
    let signer = Signer::start();
    signer.set_for_clients(ForClients::Good);
    let device = device(&signer);
    let mut agent = device.boot();
    agent.turn();
    for _ in 0..24 {
        fs::write(device.current().join("client/credential.pem"), "").unwrap();
        agent.turn();
        // Not at a start either.
        drop(agent);
        agent = device.boot();
        agent.turn();
        signer.pass(HOUR);
        device.accepted();
    }
    assert_eq!(signer.issued(), 3);
}
