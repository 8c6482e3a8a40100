//! A server in a process of its own, of which the processor time can be told.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

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

/// The TCP port on which this process listens, from what the kernel says about its open files.
fn listening_port(pid: u32) -> Option<u16> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    // Columns: number, local address:port, remote, state (0A: listening), five more, inode.
    fs::read_to_string(format!("/proc/{pid}/net/tcp"))
        .ok()?
        .lines()
        .skip(1)
        .find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
            let ours = *state == "0A" && sockets.contains(&format!("socket:[{inode}]"));
            ours.then(|| u16::from_str_radix(local.split_once(':')?.1, 16).ok())?
        })
}

const PATIENCE: Duration = Duration::from_secs(10);
