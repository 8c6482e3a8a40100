//! An agent that has a user of its own, and root who starts it by hand.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::device::Device;
use crate::signer::Signer;

/// A device whose folders are its agent's user's.
struct Owned {
    device: Device,
    /// Where everybody can start it.
    programs: TempDir,
    user: (u32, u32),
}

fn user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("www-data:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

impl Owned {
    /// None, and it says so, for whoever cannot act for others.
    fn new() -> Option<Self> {
        let me = Path::new("/proc/self").metadata().unwrap().uid();
        let (Some(user), 0) = (user(), me) else {
            apparatus::left_out(
                "an agent of another user",
                "only root can run it, with the user www-data",
            );
            return None;
        };
        let programs = tempfile::tempdir().unwrap();
        let program = programs.path().join("dc-agent");
        apparatus::copy_program(env!("CARGO_BIN_EXE_dc-agent"), &program);
        let device = Device::new(&Signer::start());
        for open in [programs.path(), device.folder.path()] {
            fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
        }
        let owned = Self {
            device,
            programs,
            user,
        };
        for name in ["state", "identity"] {
            fs::create_dir(owned.device.path(name)).unwrap();
            owned.give(name);
        }
        Some(owned)
    }

    fn give(&self, name: &str) {
        let (uid, gid) = self.user;
        chown(self.device.path(name), Some(uid), Some(gid)).unwrap();
    }

    /// The agent's exit status and log.
    fn once_as(&self, (uid, gid): (u32, u32)) -> (Option<i32>, String) {
        let output = Command::new(self.programs.path().join("dc-agent"))
            .args(["--once", "--config"])
            .arg(self.device.path("agent.toml"))
            .uid(uid)
            .gid(gid)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), log)
    }

    fn files(&self) -> Vec<(PathBuf, u32)> {
        let mut files = Vec::new();
        for name in ["state", "identity"] {
            for entry in fs::read_dir(self.device.path(name)).unwrap() {
                let entry = entry.unwrap();
                files.push((entry.path(), entry.metadata().unwrap().uid()));
            }
        }
        files.sort();
        files
    }
}

const ROOT: (u32, u32) = (0, 0);

#[test]
fn root_writes_nothing_where_the_agent_has_a_user_of_its_own() {
    let Some(owned) = Owned::new() else { return };
    for _ in 0..2 {
        let before = owned.files();
        let (code, log) = owned.once_as(ROOT);
        assert_eq!(code, Some(1), "{log}");
        let command = "setpriv --reuid=www-data --regid=www-data --init-groups dc-agent";
        for said in ["state belongs to www-data", command] {
            assert!(log.contains(said), "{log}");
        }
        assert_eq!(owned.files(), before);
        let (code, log) = owned.once_as(owned.user);
        assert_eq!(code, Some(0), "{log}");
    }
    // Nor where the folder has yet to be made.
    for name in ["state", "identity"] {
        fs::remove_dir_all(owned.device.path(name)).unwrap();
    }
    owned.give(".");
    let (code, log) = owned.once_as(ROOT);
    assert!(
        code == Some(1) && log.contains("belongs to www-data"),
        "{log}"
    );
    assert!(!owned.device.path("state").exists());
}

#[test]
fn whose_it_is_that_root_has_left_is_said() {
    let Some(owned) = Owned::new() else { return };
    let lock = owned.device.path("state/lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, Permissions::from_mode(0o600)).unwrap();
    let (code, log) = owned.once_as(owned.user);
    assert_eq!(code, Some(1), "{log}");
    let said = "state/lock: permission denied, because it belongs to root:root with mode 0600";
    assert!(log.contains(said), "{log}");
    // Where root has worked from the beginning it still does.
    let (code, log) = owned.once_as(ROOT);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_group_that_the_agents_user_is_not_in_is_what_is_wrong() {
    let Some(owned) = Owned::new() else { return };
    owned
        .device
        .configure("start_delay = '0s'\ncode_file = 'code'\nkey_group = 'root'\n");
    let (code, log) = owned.once_as(owned.user);
    assert_eq!(code, Some(4), "{log}");
    assert!(log.contains("is not in the group root"), "{log}");
    assert!(!log.contains("belongs to"), "{log}");
}
