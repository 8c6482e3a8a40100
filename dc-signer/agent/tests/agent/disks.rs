//! Disks that are full or cannot be written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dc_agent::Level;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Signer};

/// A file system of its own, which only root can make.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            apparatus::left_out("tests with a full disk", "only root can mount a small one");
        }
        mounted.then(|| Self(at.into()))
    }

    fn remount(&self, options: &str) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status()
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Renewals fail and are told, the old generation is served, and when there is room the device renews.
fn survives(mounted: &str, break_it: impl Fn(&Mount), mend_it: impl Fn(&Mount)) {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let Some(mount) = Mount::new(&device.path(mounted), "size=256k") else {
        return;
    };
    let mut agent = device.boot();
    agent.turn();
    let before = device.credential();
    signer.pass(4 * DAY);
    break_it(&mount);
    for _ in 0..4 {
        signer.pass(agent.turn().as_secs());
        assert_eq!(device.credential(), before);
        device.accepted();
    }
    let status = agent.status();
    assert_eq!(
        status.last_failure.as_ref().unwrap().kind,
        "local",
        "{:?}",
        device.log
    );
    // Somebody has to do something, whoever looks.
    let seen = device.look();
    for status in [&status, &seen] {
        assert_eq!(status.level, Level::AtRisk, "{status:?}");
        let reason = status.reason.as_deref().unwrap();
        assert!(reason.contains("so the device cannot renew"), "{reason}");
        assert!(reason.contains(mounted), "{reason}");
    }
    mend_it(&mount);
    signer.pass(2 * HOUR);
    agent.turn();
    assert_ne!(device.credential(), before, "{:?}", device.log);
    device.accepted();
    assert_eq!(agent.status().level, Level::Fine);
    drop(agent);
}

fn fill(mount: &Mount) {
    // Whole first, and then what is left of the last block.
    let path = mount.0.join("filler");
    let _ = fs::write(&path, vec![0; 1 << 20]);
    assert!(fs::metadata(&path).unwrap().len() > 0);
}

fn empty(mount: &Mount) {
    fs::remove_file(mount.0.join("filler")).unwrap();
}

#[test]
fn an_identity_folder_on_a_full_disk() {
    survives("identity", fill, empty);
}

#[test]
fn a_state_folder_on_a_full_disk() {
    survives("state", fill, empty);
}

#[test]
fn an_identity_folder_that_cannot_be_written() {
    survives("identity", |m| m.remount("ro"), |m| m.remount("rw"));
}

#[test]
fn a_state_folder_that_cannot_be_written() {
    survives("state", |m| m.remount("ro"), |m| m.remount("rw"));
}

#[test]
fn a_current_unit_that_is_broken_is_replaced_by_the_one_before() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    device.boot().turn();
    signer.pass(4 * DAY);
    device.boot().turn();
    assert_eq!(fs::read_link(device.current()).unwrap(), Path::new("dc-2"));
    fs::write(device.current().join("credential.pem"), "\0\0\0").unwrap();
    let mut agent = device.boot();
    assert!(device.said("was broken"), "{:?}", device.log);
    assert_eq!(fs::read_link(device.current()).unwrap(), Path::new("dc-1"));
    device.accepted();
    agent.turn();
    assert_eq!(signer.issued(), 3, "{:?}", device.log);
    device.accepted();
}
