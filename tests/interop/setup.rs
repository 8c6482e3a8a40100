//! What every test needs first: the peers, and two public-key infrastructures.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use apparatus::{Part, have};

use crate::{lab::Lab, vendor::Vendor};

/// Installs the peers and makes the lab, once; `None` only if the tests are to be skipped.
pub(crate) fn lab() -> Option<&'static Lab> {
    have(Part::Peers).then(|| &*LAB)
}

/// The vendor that `dc-signer` makes, once.
pub(crate) fn vendor() -> &'static Vendor {
    &VENDOR
}

/// For as long as the guard lives, nobody else has one.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of this test program's files that outlive a run.
pub(crate) fn cache() -> PathBuf {
    target().join("interop")
}

/// The folder of this run.
pub(crate) fn run() -> &'static Path {
    &RUN
}

/// The folder of the build profile, such as `target/debug`.
pub(crate) fn profile() -> PathBuf {
    // target/debug/deps/interop-0123456789abcdef
    let this = env::current_exe().unwrap_or_else(|error| panic!("this program's path: {error}"));
    this.ancestors().nth(2).map_or_else(
        || panic!("{}: not in Cargo's target", this.display()),
        Path::to_owned,
    )
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    apparatus::target()
}

/// This folder of the source tree, with the peers' programs.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// An empty folder for this run, in place of the last one's; two runs at the same time do not share it.
fn fresh_folder() -> PathBuf {
    let runs = cache().join("runs");
    for run in fs::read_dir(&runs).into_iter().flatten().flatten() {
        let still_running = Path::new("/proc").join(run.file_name()).exists();
        if !still_running {
            let _ = fs::remove_dir_all(run.path());
        }
    }
    let run = runs.join(std::process::id().to_string());
    fs::create_dir_all(&run).unwrap_or_else(|error| panic!("{}: {error}", run.display()));
    run
}

static LAB: LazyLock<Lab> = LazyLock::new(|| Lab::make(&RUN.join("lab")));
static VENDOR: LazyLock<Vendor> = LazyLock::new(|| Vendor::make(&RUN.join("vendor"), &LAB));
static ALONE: Mutex<()> = Mutex::new(());
static RUN: LazyLock<PathBuf> = LazyLock::new(fresh_folder);
