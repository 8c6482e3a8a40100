//! One port of a server program, and what the program says about it.

use std::sync::Arc;

use crate::process::Server;

/// A port, of a program that has only this one or several.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    server: Arc<Server>,
    pub(crate) port: u16,
    /// How lines about this port begin.
    prefix: String,
}

impl Endpoint {
    /// The only port of this program.
    pub(crate) fn only(server: Server) -> Self {
        Self {
            port: server.port(),
            server: Arc::new(server),
            prefix: String::new(),
        }
    }

    /// One of several, as lines say that begin with `port N: `.
    pub(crate) fn one_of(server: &Arc<Server>, port: u16) -> Self {
        Self {
            server: Arc::clone(server),
            port,
            prefix: format!("port {port}: "),
        }
    }

    /// How long everything is that was said about this port so far; marks the moment, see [`Self::read`].
    pub(crate) fn mark(&self) -> usize {
        self.own(&self.server.text()).len()
    }

    /// What can be read from what the program says about this port, now or very soon, behind the mark.
    pub(crate) fn read<T>(&self, mark: usize, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.server
            .read(0, |said| read(self.own(said).get(mark..)?))
    }

    fn own(&self, said: &str) -> String {
        said.lines()
            .filter_map(|line| line.strip_prefix(&self.prefix))
            .flat_map(|line| [line, "\n"])
            .collect()
    }
}
