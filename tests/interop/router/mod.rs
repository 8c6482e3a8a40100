//! The program `home-router`: its page in Firefox, DNS over TLS and HTTPS with our client and with kdig; and a whole home.

mod client;
mod dns;
mod home;
mod https;
mod kdig;
mod page;
mod quic;
mod renewal;
mod upstream;
mod withdrawn;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    ours,
    process::{Outcome, Server, run},
    vendor::Device,
};
use upstream::Upstream;

/// A router that runs.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) server: Server,
    pub(crate) https: u16,
    pub(crate) dot: u16,
    pub(crate) doq: u16,
    pub(crate) http3: u16,
}

/// How to start one.
#[derive(Debug)]
pub(crate) struct Options {
    identity: PathBuf,
    upstream: SocketAddr,
    fallback: Option<(PathBuf, PathBuf)>,
    status: PathBuf,
    withdrawn: PathBuf,
}

impl Options {
    pub(crate) fn new(identity: &Path, upstream: &Upstream) -> Self {
        Self {
            identity: identity.into(),
            upstream: upstream.address,
            fallback: None,
            status: identity.join("there-is-no-agent"),
            withdrawn: identity.join("there-is-no-list"),
        }
    }

    pub(crate) fn fallback(mut self, fallback: (PathBuf, PathBuf)) -> Self {
        self.fallback = Some(fallback);
        self
    }

    pub(crate) fn upstream(mut self, address: SocketAddr) -> Self {
        self.upstream = address;
        self
    }

    pub(crate) fn status(mut self, status: &Path) -> Self {
        self.status = status.into();
        self
    }

    pub(crate) fn withdrawn(mut self, list: &Path) -> Self {
        self.withdrawn = list.into();
        self
    }

    /// Starts it, and waits until it serves an identity, if there is one.
    pub(crate) fn start(self) -> Router {
        let mut command = Command::new(ours::home_router());
        command.arg("--identity").arg(&self.identity);
        command.arg("--status").arg(&self.status);
        command.arg("--withdrawn").arg(&self.withdrawn);
        command.args(["--https", "127.0.0.1:0", "--dot", "127.0.0.1:0"]);
        command.args(["--doq", "127.0.0.1:0", "--http3", "127.0.0.1:0"]);
        command.args(["--upstream", &self.upstream.to_string()]);
        command.args(["--upstream-timeout", "1s", "--reload", "100ms"]);
        if let Some((chain, key)) = &self.fallback {
            command.arg("--fallback-cert").arg(chain);
            command.arg("--fallback-key").arg(key);
        }
        let server = Server::start("home router", &mut command);
        let port = |service: &str| {
            let announced = format!("{service} on 127.0.0.1:");
            let read = |said: &str| {
                let line = said.lines().find_map(|line| line.strip_prefix(&announced));
                line?.parse().ok()
            };
            let port = server.read(0, read);
            port.unwrap_or_else(|| panic!("no '{announced}' in:\n{}", server.text()))
        };
        let (https, dot) = (port("https"), port("dot"));
        let (doq, http3) = (port("doq"), port("h3"));
        if self.identity.exists() {
            assert!(server.says("serving a credential", 0), "{}", server.text());
        }
        Router {
            server,
            https,
            dot,
            doq,
            http3,
        }
    }
}

/// The protocols that names can be asked for over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Dot,
    Doh,
    Doq,
}

impl Router {
    /// Runs the example `dns_client`, which wants the router to have this name.
    pub(crate) fn ask(&self, over: Over, root: &Path, name: &str, query: &[&str]) -> Outcome {
        let (option, port) = match over {
            Over::Dot => ("--dot", self.dot),
            Over::Doh => ("--doh", self.https),
            Over::Doq => ("--doq", self.doq),
        };
        run(Command::new(ours::example_path("dns_client"))
            .arg("--root")
            .arg(root)
            .args(["--name", name, option, &format!("127.0.0.1:{port}")])
            .args(query))
    }

    /// The same, as the router's own device; it has to succeed.
    pub(crate) fn asked(&self, over: Over, root: &Path, device: &Device, query: &[&str]) -> String {
        let outcome = self.ask(over, root, &device.name, query);
        assert_eq!(outcome.exit, Some(0), "{over:?} {query:?}: {outcome:?}");
        outcome.stdout
    }
}
