//! A signer that may be killed, with a clock that can be set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use apparatus::{Part, have};
use dc_pki::time::{from_seconds, to_http_date};

use crate::client::Client;
use crate::memory::resident;
use crate::ready::{Service, stop};
use crate::rig::{Rig, now};

/// One of the signers.
pub(super) struct Signer {
    config: PathBuf,
    root: PathBuf,
    /// That of `faketime`, which is no process between this one and the signer.
    library: String,
    running: Mutex<Option<Service>>,
    /// Of the one that runs, or ran last.
    port: AtomicU16,
}

/// The room that a process takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grown {
    pub(super) files: usize,
    pub(super) megabytes: usize,
}

impl Signer {
    pub(super) fn start(config: &Path, root: &Path) -> Self {
        let signer = Self {
            config: config.into(),
            root: root.into(),
            library: library(),
            running: Mutex::default(),
            port: AtomicU16::new(0),
        };
        signer.set_clock("+0");
        signer.start_again();
        signer
    }

    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn kill(&self) {
        *self.running() = None;
    }

    pub(super) fn start_again(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        command
            .args(["serve", "--config"])
            .arg(&self.config)
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.clock())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let service = Service::start_by(command, &self.config, &self.root);
        self.port.store(service.client.port, Ordering::Relaxed);
        *self.running() = Some(service);
    }

    /// As libfaketime has it: `+2h`, `-1d`, or `+0`.
    pub(super) fn set_clock(&self, offset: &str) {
        fs::write(self.clock(), format!("{offset}\n")).unwrap();
    }

    fn clock(&self) -> PathBuf {
        self.config.with_extension("clock")
    }

    /// The same client, at where it listens now.
    pub(super) fn reached_by(&self, client: &Client) -> Client {
        let mut client = client.clone();
        client.port = self.port.load(Ordering::Relaxed);
        client
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.port.load(Ordering::Relaxed), &self.root)
    }

    pub(super) fn log(&self) -> String {
        super::read(self.config.with_extension("log"))
    }

    /// The room that it takes between floods: the least of half a minute.
    pub(super) fn at_rest(&self) -> Grown {
        let mut least = self.grown();
        for _ in 0..30 {
            sleep(Duration::from_secs(1));
            let now = self.grown();
            least.files = least.files.min(now.files);
            least.megabytes = least.megabytes.min(now.megabytes);
        }
        least
    }

    fn grown(&self) -> Grown {
        let running = self.running();
        let pid = running.as_ref().unwrap().pid();
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        Grown {
            files,
            megabytes: resident(pid) >> 20,
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Service>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn library() -> String {
    let say = ["-m", "-f", "+0", "sh", "-c", "echo $LD_PRELOAD"];
    let said = Command::new("faketime").args(say).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_answer_says_what_time_it_is_also_after_a_clock_that_was_ahead() {
    if !have(Part::Tools) {
        return;
    }
    let mut rig = Rig::start();
    let config = stop(&mut rig);
    let signer = Signer::start(&config, &rig.root());
    for (clock, ahead) in [("+40d", 40 * 86_400), ("+0", 0)] {
        signer.set_clock(clock);
        // Whichever of its threads answers.
        for _ in 0..20 {
            let seconds = now().as_secs() + ahead;
            let head = signer.client().get("/healthz").head;
            let near = (seconds..seconds + 5).map(|second| to_http_date(from_seconds(second)));
            let mut near = near.map(|date| format!("\r\ndate: {}\r\n", date.to_lowercase()));
            assert!(near.any(|date| head.contains(&date)), "{clock}: {head}");
        }
    }
}
