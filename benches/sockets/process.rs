//! A server in a process of its own, of which the processor time can be told.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dc_tests::process::listening_port;

/// A server that ends with this.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let mut process = Self { child, port: 0 };
        let deadline = Instant::now() + PATIENCE;
        process.port = loop {
            if let Some(port) = listening_port(process.child.id()) {
                break port;
            }
            assert!(Instant::now() < deadline, "the server does not listen");
            sleep(Duration::from_millis(2));
        };
        process
    }

    /// The processor time of all its threads, also those that are over, in its own code and in the kernel.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which may hold anything: the 12th and 13th fields, in hundredths of a second.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(10 * ticks)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
