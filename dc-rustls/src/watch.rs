//! Looks again and again; follows an identity folder: installs what is in it whenever it changes.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use crate::identity::Identity;
use crate::{Error, events};

/// Follows an identity folder, or a list of withdrawn names, until it is dropped: keep it as long as what is there is to be used.
///
/// ```
/// # #![deny(unused_must_use)]
/// # use std::{sync::Arc, time::Duration};
/// # use dc_rustls::server::Store;
/// # fn follow(store: Arc<Store>) -> Result<(), dc_rustls::Error> {
/// let _watch = store.watch("/etc/dc", Duration::from_secs(10), |_| ())?; // not `_`, which drops it at once
/// # Ok(())
/// # }
/// ```
#[cfg_attr(
    doctest,
    doc = "```compile_fail
#![deny(unused_must_use)]
fn follow(store: std::sync::Arc<dc_rustls::server::Store>) -> Result<(), dc_rustls::Error> {
    store.watch(\"/etc/dc\", std::time::Duration::from_secs(10), |_| ())?;
    Ok(())
}
```"
)]
///
/// A *generation* is a chain, credentials and a key that belong together. Renewals should write each into a
/// folder of its own and rename that, or a symbolic link to it, into place; a reader then sees the old
/// generation or the new one. The link is resolved before anything is read, so all files are
/// of one folder, however fast generations follow each other. Files that are replaced one by one work too:
/// nothing is installed until the folder has looked the same twice, and a mix does not pass the checks.
#[derive(Debug)]
#[must_use = "a folder is followed until the watch is dropped"]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks at `folder` at once and then every `interval`; gives what is in it to `install`, and tells `report`.
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub(crate) fn start(
        folder: PathBuf,
        interval: Duration,
        install: impl Fn(Identity) -> Result<(), Error> + Send + 'static,
        mut report: impl FnMut(Result<(), Error>) + Send + 'static,
    ) -> Result<Self, Error> {
        let mut follower = Follower::new(folder);
        let look = move || {
            if let Some(news) = follower.look(&install) {
                report(news);
            }
        };
        Self::every(interval, "identity watch", look)
    }

    /// Looks at once and then every `interval`, in a thread of this name.
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub(crate) fn every(
        interval: Duration,
        name: &str,
        mut look: impl FnMut() + Send + 'static,
    ) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // Here, so that what is there is served from the start.
        look();
        let run = move || {
            loop {
                // Whoever wakes it earlier makes it look earlier, or end.
                thread::park_timeout(interval);
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                // A report that panics has been seen already, and is no reason to let the credential run out.
                let _ = catch_unwind(AssertUnwindSafe(&mut look));
            }
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(Error::Io)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It catches what it might panic with.
            let _ = thread.join();
        }
    }
}

/// Installs what a folder holds once it has come to rest, and what could not be installed again later:
/// a clock may have been wrong.
struct Follower {
    folder: PathBuf,
    seen: Option<Fingerprint>,
    installed: Option<Fingerprint>,
    /// The last failure that was told, so that it is told once.
    complaint: Option<String>,
}

impl Follower {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            seen: None,
            installed: None,
            complaint: None,
        }
    }

    /// The news to report, if there is any.
    fn look(
        &mut self,
        install: impl Fn(Identity) -> Result<(), Error>,
    ) -> Option<Result<(), Error>> {
        let now = Fingerprint::of(&self.folder);
        let before = self.seen.replace(now.clone());
        let is_at_rest = before.is_none_or(|before| before == now);
        if !is_at_rest || self.installed.as_ref() == Some(&now) {
            return None;
        }
        let generation = now.generation.as_ref().unwrap_or(&self.folder);
        match Identity::load(generation).and_then(install) {
            Ok(()) => {
                self.installed = Some(now);
                self.complaint = None;
                Some(Ok(()))
            }
            // It was replaced while it was read: the next look finds what is there instead.
            Err(_) if Fingerprint::of(&self.folder) != now => None,
            Err(error) => {
                let complaint = Some(error.to_string());
                if self.complaint == complaint {
                    return None;
                }
                self.complaint = complaint;
                events::not_installed(&self.folder, &error);
                Some(Err(error))
            }
        }
    }
}

/// The state of a folder, as far as one look can tell.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Fingerprint {
    /// The folder behind all links; `None` if there is none.
    generation: Option<PathBuf>,
    /// When each file was written, how long it is, and which file it is; `None` for one that is not there.
    files: [Option<(SystemTime, u64, u64)>; 3],
}

impl Fingerprint {
    fn of(folder: &Path) -> Self {
        // A generation that is removed leaves its files' numbers to the next one, but not its name.
        let generation = fs::canonicalize(folder).ok();
        let files = ["chain.pem", "credential.pem", "key.pem"].map(|file| {
            let metadata = fs::metadata(generation.as_ref()?.join(file)).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), number(&metadata)))
        });
        Self { generation, files }
    }
}

/// Two files that replace each other within one tick of the file system's clock differ in this.
#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}
