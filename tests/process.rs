//! Child processes: programs that finish, and servers that end when dropped.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What a program that ended has said.
#[derive(Debug)]
pub struct Outcome {
    /// `None`: it was killed, by a signal or because it ran too long.
    pub exit: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// And to its standard error.
    pub stderr: String,
}

/// Runs a program to its end; one that hangs is killed and has no exit status.
pub fn run(command: &mut Command) -> Outcome {
    finish(&mut spawn(command), LONGEST_RUN).1
}

/// Waits so long for the end of a program whose output is piped, and kills it then. Whether it ended by itself, and what it
/// has said.
pub fn finish(child: &mut Child, longest: Duration) -> (bool, Outcome) {
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(child, Instant::now() + longest);
    let outcome = Outcome {
        exit: status.and_then(|status| status.code()),
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    };
    (status.is_some(), outcome)
}

/// Runs a program that has to succeed and returns its standard output.
///
/// Panics with the command and all it said if it does not.
pub fn run_ok(command: &mut Command) -> String {
    let outcome = run(command);
    let Outcome {
        exit,
        stdout,
        stderr,
    } = &outcome;
    assert!(
        *exit == Some(0),
        "{command:?}\nended with {exit:?}:\n{stdout}{stderr}"
    );
    outcome.stdout
}

/// A server in a process of its own, listening on a port of its choice; dropping it ends the process.
#[derive(Debug)]
pub struct Server {
    /// As messages call it.
    pub name: &'static str,
    child: Child,
    port: u16,
    said: Arc<Said>,
}

impl Server {
    /// Starts the program and waits until its process listens. It is never connected to for that: servers would
    /// count it as a failed handshake.
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        Self::try_start(name, command).unwrap_or_else(|said| {
            panic!("{command:?}\ndoes not listen; it said:\n{said}");
        })
    }

    /// Starts a program that listens on UDP alone.
    pub fn start_udp(name: &'static str, command: &mut Command) -> Self {
        Self::start_on(UDP, name, command).unwrap_or_else(|said| {
            panic!("{command:?}\ndoes not listen; it said:\n{said}");
        })
    }

    /// As [`Self::start`]; what the program has said if it ends instead of listening.
    pub fn try_start(name: &'static str, command: &mut Command) -> Result<Self, String> {
        Self::start_on(TCP, name, command)
    }

    fn start_on(
        transport: Transport,
        name: &'static str,
        command: &mut Command,
    ) -> Result<Self, String> {
        let mut child = spawn(command);
        let said = Arc::new(Said::default());
        follow(child.stdout.take(), &said);
        follow(child.stderr.take(), &said);
        let mut server = Self {
            name,
            child,
            port: 0,
            said,
        };
        server.port = server.wait_for_port(transport)?;
        Ok(server)
    }

    /// The port on which it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything said so far. Its length marks the moment, see [`Self::says`].
    pub fn text(&self) -> String {
        self.said.lock().clone()
    }

    /// Whether the server says this, now or very soon, behind the first `mark` bytes of its output.
    pub fn says(&self, text: &str, mark: usize) -> bool {
        self.read(mark, |said| said.contains(text).then_some(()))
            .is_some()
    }

    /// What can be read from what the server says, now or very soon, behind the first `mark` bytes of its output.
    pub fn read<T>(&self, mark: usize, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let silent = |said: &mut String| read(&said[mark..]).is_none();
        let waited = self
            .said
            .more
            .wait_timeout_while(self.said.lock(), LONGEST_SILENCE, silent);
        let (said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        read(&said[mark..])
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the program, and kills it if that does not come. Its exit status, unless it was killed.
    pub fn wait_for_end(&mut self) -> Option<i32> {
        wait(&mut self.child, Instant::now() + LONGEST_RUN)?.code()
    }

    /// How many files and sockets its process has open.
    pub fn open_files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    fn wait_for_port(&mut self, transport: Transport) -> Result<u16, String> {
        let deadline = Instant::now() + LONGEST_RUN;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            if let Some(port) = bound_port(transport, self.child.id()) {
                return Ok(port);
            }
            thread::sleep(POLL);
        }
        // What it said last may still be in the pipe.
        thread::sleep(10 * POLL);
        Err(self.text())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a running process, both streams.
#[derive(Debug, Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

impl Said {
    fn lock(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(POLL);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn read_all(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What came before an error is what there is to show.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn follow(stream: Option<impl Read + Send + 'static>, said: &Arc<Said>) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        let lines = stream
            .into_iter()
            .flat_map(|stream| BufReader::new(stream).split(b'\n'));
        for line in lines.map_while(Result::ok) {
            said.lock()
                .push_str(&(String::from_utf8_lossy(&line) + "\n"));
            said.more.notify_all();
        }
    });
}

/// The TCP port on which this process listens, from what the kernel says about its open files.
#[must_use]
pub fn listening_port(pid: u32) -> Option<u16> {
    bound_port(TCP, pid)
}

/// A table of the kernel's, and the state of a socket in it that waits for whoever comes.
type Transport = (&'static str, &'static str);

const TCP: Transport = ("tcp", "0A");
const UDP: Transport = ("udp", "07");

fn bound_port((table, waiting): Transport, pid: u32) -> Option<u16> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    // Columns: number, local address:port, remote, state, five more, inode.
    std::fs::read_to_string(format!("/proc/{pid}/net/{table}"))
        .ok()?
        .lines()
        .skip(1)
        .find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
            let ours = *state == waiting && sockets.contains(&format!("socket:[{inode}]"));
            ours.then(|| u16::from_str_radix(local.split_once(':')?.1, 16).ok())?
        })
}

const POLL: Duration = Duration::from_millis(4);
/// A Firefox on a machine that has other things to do takes a minute.
const LONGEST_RUN: Duration = Duration::from_secs(180);
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
