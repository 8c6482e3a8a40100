//! A service that runs as a user of its own, and files that root has left in its folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::rig::Rig;

/// The service's user; none, and it says so, for whoever cannot act for others.
fn user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("www-data:"));
    let mut fields = line.unwrap_or_default().split(':').skip(2);
    let mut number = || fields.next()?.parse().ok();
    let found = number().zip(number());
    if found.is_none() || Path::new("/proc/self").metadata().unwrap().uid() != 0 {
        apparatus::left_out(
            "a service of another user",
            "only root can run it, with the user www-data",
        );
        return None;
    }
    found
}

#[test]
fn a_reload_says_which_key_is_closed_and_whose_it_is() {
    let Some(user) = user() else { return };
    let programs = tempfile::tempdir().unwrap();
    fs::set_permissions(programs.path(), Permissions::from_mode(0o755)).unwrap();
    let program = programs.path().join("dc-signer");
    apparatus::copy_program(env!("CARGO_BIN_EXE_dc-signer"), &program);
    let rig = Rig::start_as(user, program);
    let delegations = rig.data().join("data/delegations");
    let folders = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&delegations).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let first = folders();
    // As root, who is not the service: that works.
    rig.import_next_certificate();
    rig.reload();
    let next = folders().into_iter().find(|path| !first.contains(path));
    let next = next.unwrap();
    assert_eq!(next.metadata().unwrap().uid(), user.0);
    // As other tools would have left it.
    let key = next.join("key.pem");
    let good = fs::read(&key).unwrap();
    let mut rig = rig;
    rig.signal("TERM");
    assert!(rig.ended());
    chown(&key, Some(0), Some(0)).unwrap();
    let rig = rig.restart_as(user, programs.path().join("dc-signer"));
    let words = [
        "permission denied, because it belongs to root:root with mode 0600",
        "key.pem",
        "slot 2 of cpe.example.com, which is next, cannot be used",
    ];
    rig.wait_until("it is missed at the start", || {
        words.iter().all(|words| rig.log().contains(words))
    });
    let read = || rig.log().matches("are read again").count();
    let (before, missed) = (read(), rig.log().matches(words[2]).count());
    rig.signal("HUP");
    rig.wait_until("the reload says so", || {
        rig.log().contains("but 1 of the zones' keys could not be")
            && rig.log().matches(words[2]).count() > missed
    });
    assert_eq!(read(), before);
    assert!(!rig.log().contains("dc-signer init"), "{}", rig.log());
    chown(&key, Some(user.0), Some(user.1)).unwrap();
    rig.reload();
    assert_eq!(fs::read(&key).unwrap(), good);
}
