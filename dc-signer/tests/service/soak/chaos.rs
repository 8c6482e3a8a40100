//! The troubles.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::database::Database;
use super::process::Signer;
use crate::client::{Answer, Client};
use crate::ready::{command, second_signer};

/// Two signers of one database: the first is killed, and its clock is wrong at times.
pub(super) struct Signers {
    both: [Signer; 2],
    /// Certificates are imported by whoever has both signers.
    starting: Mutex<()>,
}

impl Signers {
    pub(super) fn start(root: &Path, config: &Path) -> Self {
        let second = second_signer(config);
        let both = [config, &second].map(|config| Signer::start(config, root));
        let signers = Self {
            both,
            starting: Mutex::default(),
        };
        signers.are_ready();
        signers
    }

    pub(super) fn root(&self) -> &Path {
        self.both[0].root()
    }

    pub(super) fn all(&self) -> &[Signer; 2] {
        &self.both
    }

    /// One of them, by turns, wherever it listens now.
    pub(super) fn ask(
        &self,
        at: usize,
        client: &Client,
        path: &str,
        json: &serde_json::Value,
    ) -> std::io::Result<Answer> {
        self.both[at % 2].reached_by(client).try_post(path, json)
    }

    /// The lines about a request that went wrong.
    pub(super) fn log_of(&self, answer: &Answer) -> String {
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let id = problem["request_id"].as_str().unwrap_or("none").to_owned();
        let logs = self.both.iter().map(Signer::log).collect::<String>();
        let lines = logs.lines().filter(|line| line.contains(&id));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Neither may have met a database that is older than what it had seen.
    pub(super) fn saw_no_older_copy(&self) {
        for signer in &self.both {
            let log = signer.log();
            let mut lines = log.lines();
            assert_eq!(lines.find(|line| line.contains("is an older copy")), None);
        }
    }

    /// The one that is never killed.
    pub(super) fn kept(&self) -> &Signer {
        &self.both[1]
    }

    /// Waits until both are, by themselves.
    pub(super) fn are_ready(&self) {
        for signer in &self.both {
            signer.set_clock("+0");
            let deadline = Instant::now() + Duration::from_secs(180);
            let is_ready = || {
                let answer = signer.client().try_get("/readyz");
                answer.is_ok_and(|answer| answer.status == 200)
            };
            while !is_ready() {
                assert!(Instant::now() < deadline, "{}", last(&signer.log()));
                sleep(Duration::from_millis(100));
            }
        }
    }

    /// Kills a signer and the primary, fails over, and fills disks, one after the other and together. Each round is another mixture.
    pub(super) fn trouble(&self, database: &Database, round: usize) {
        let [killed, _] = &self.both;
        let restart = || {
            let _starting = self.starting.lock().unwrap();
            killed.kill();
            sleep(Duration::from_secs(1));
            killed.start_again();
        };
        let calm = || sleep(Duration::from_secs(8));
        calm();
        restart();
        calm();
        database.fail_over();
        calm();
        database.crash();
        calm();
        database.fill(round.is_multiple_of(2));
        calm();
        database.fill_standby();
        calm();
        std::thread::scope(|scope| {
            scope.spawn(|| database.fail_over());
            killed.kill();
            sleep(Duration::from_secs(4));
            restart();
        });
    }

    /// More connections than are answered, from many addresses, some of them garbage; for some seconds in each minute.
    pub(super) fn flood(&self, over: &AtomicBool) {
        for number in 0_u64.. {
            let mut open = Vec::new();
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until && !over.load(Ordering::Relaxed) {
                let host = u8::try_from(number % 250 + 2).unwrap();
                for signer in &self.both {
                    if let Ok(mut tcp) = signer.client().from(host).tcp() {
                        let _ = tcp.write_all(&[0x16, 3, 1, 2, 0, 1]);
                        open.push(tcp);
                    }
                }
                sleep(Duration::from_millis(5));
            }
            drop(open);
            if rest(Duration::from_secs(20), over) {
                return;
            }
        }
    }

    /// The clock of the signer that is killed steps, for longer than it may issue by a wrong one.
    pub(super) fn step_clocks(&self, over: &AtomicBool) {
        for offset in ["+2h", "-3h", "+40d", "-1d"].into_iter().cycle() {
            if rest(Duration::from_secs(25), over) {
                return;
            }
            self.both[0].set_clock(offset);
            let ended = rest(Duration::from_secs(8), over);
            self.both[0].set_clock("+0");
            if ended {
                return;
            }
        }
    }

    /// Each two minutes the zone moves on to another certificate, on both, as soon as nothing is in the way.
    pub(super) fn change_certificates(&self, over: &AtomicBool) {
        for number in 0_u64.. {
            if rest(
                Duration::from_secs(if number == 0 { 20 } else { 120 }),
                over,
            ) {
                return;
            }
            let folder = self.both[0]
                .config()
                .with_file_name(format!("next-{number}"));
            let folder = folder.to_str().unwrap();
            let init = ["init", folder, "--zone", "cpe.example.com"];
            let made = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
                .args(init)
                .output();
            assert!(made.unwrap().status.success());
            for signer in &self.both {
                let _starting = self.starting.lock().unwrap();
                let deadline = Instant::now() + Duration::from_secs(240);
                while let Some(said) = refused(signer, folder) {
                    assert!(Instant::now() < deadline, "{said}");
                    if rest(Duration::from_secs(1), over) {
                        return;
                    }
                }
            }
        }
    }
}

/// Imports and activates; says why not. The first waits for the second, which activates it for both.
fn refused(signer: &Signer, folder: &str) -> Option<String> {
    let import = [
        "zones",
        "rollover",
        "cpe.example.com",
        "--reason",
        "a soak",
        "--now",
        "--import",
        folder,
    ];
    let (done, said) = command(&import, signer.config());
    let is_there = said.contains("this delegation certificate already");
    let waits = said.contains("signers would be left behind");
    (!done && !is_there && !waits).then_some(said)
}

/// Waits, and says whether it is over.
fn rest(time: Duration, over: &AtomicBool) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until && !over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(50));
    }
    over.load(Ordering::Relaxed)
}

fn last(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
