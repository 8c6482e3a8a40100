//! Networks of their own on this machine, with cables between them.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::process::run_ok;

/// A network that is not this machine's, for as long as this lives: it ends with the test program, however that ends.
#[derive(Debug)]
pub(crate) struct Namespace {
    holder: Child,
    /// Its end is the end of the process that holds the network.
    _alive: ChildStdin,
}

impl Namespace {
    /// A network with nothing in it but loopback; `None` if this user or machine allows none.
    pub(crate) fn new() -> Option<Self> {
        let ready = "echo ready; exec cat";
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", ready])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (alive, said) = (holder.stdin.take().unwrap(), holder.stdout.take().unwrap());
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line).unwrap();
        let mut namespace = Self {
            holder,
            _alive: alive,
        };
        if line.trim() != "ready" {
            let _ = namespace.holder.wait();
            return None;
        }
        // An address is used at once: nobody else is there who could have it.
        namespace.sh("echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad");
        namespace.sh("ip link set lo up");
        Some(namespace)
    }

    /// A cable between two networks, which has this name at each end.
    pub(crate) fn connect(&self, name: &str, other: &Self, its_name: &str) {
        let other_id = other.holder.id();
        self.sh(&format!(
            "ip link add {name} type veth peer name {its_name} netns {other_id} && ip link set {name} up"
        ));
        other.sh(&format!("ip link set {its_name} up"));
    }

    /// Runs these commands of a shell in it.
    pub(crate) fn sh(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        run_ok(&mut self.command(shell.args(["-c", script])))
    }

    /// The same command in this network.
    pub(crate) fn command(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered.arg(format!("--net=/proc/{}/ns/net", self.holder.id()));
        entered.arg(command.get_program()).args(command.get_args());
        entered
    }

    /// This network as it is seen with a file of its own in place of `/etc/resolv.conf`, and nothing of this machine's
    /// under `/run` and `/var/lib`.
    pub(crate) fn seen_with(&self, resolv_conf: &Path) -> Seen<'_> {
        Seen {
            namespace: self,
            resolv_conf: resolv_conf.to_owned(),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A network, and what a program in it finds in the files of the system.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    namespace: &'a Namespace,
    resolv_conf: PathBuf,
}

impl Seen<'_> {
    /// The same command here.
    pub(crate) fn command(&self, command: &Command) -> Command {
        if !self.resolv_conf.exists() {
            fs::write(&self.resolv_conf, "").unwrap();
        }
        // In a folder that is the root, as debootstrap makes one, there is no mount to make private.
        let script = "{ mount --make-rprivate / 2>/dev/null || ! grep -q ' shared:' /proc/self/mountinfo; } && \
                      mount -t tmpfs none /var/lib && mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let mut inside = Command::new("unshare");
        inside.args(["--mount", "--propagation", "unchanged", "sh", "-c", script]);
        inside.arg(&self.resolv_conf);
        inside.arg(command.get_program()).args(command.get_args());
        self.namespace.command(&inside)
    }
}
