//! A disk that a test fills up.
//!
//! The tests of the whole service have this file too, so it uses nothing of the crate.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system of a few megabytes, for root only.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Of so many bytes, as `mount` has them; none, and it says so, for whoever may not mount.
    pub(crate) fn mount(size: &str) -> Option<Self> {
        // The path of a server's socket has to be short.
        let folder = tempfile::Builder::new()
            .prefix("dcsd")
            .tempdir_in("/tmp")
            .unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = mount.arg(folder.path()).status();
        let mounted = mounted.is_ok_and(|status| status.success());
        if !mounted {
            apparatus::left_out("tests with a full disk", "only root can mount a small one");
        }
        mounted.then_some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn fill(&self) {
        let mut file = File::create(self.path().join("ballast")).unwrap();
        // Down to the last byte.
        for size in [65_536, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        let _ = unmount.arg("--lazy").arg(self.path()).status();
    }
}
