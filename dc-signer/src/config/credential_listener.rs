//! `[credential_listener]`: a port where devices are known by the credentials that they present as clients.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::networks::Networks;
use super::values;

/// `[credential_listener]`: its address, and who signs for devices there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct CredentialListener {
    /// The address and port, which are not those of `[listen]`.
    #[serde(deserialize_with = "values::address")]
    pub address: SocketAddr,
    /// The proxies that begin each connection with a PROXY header (version 2), and nobody else does.
    #[serde(default, deserialize_with = "values::networks")]
    pub proxy_protocol: Networks,
    /// The roots of the zones' delegation certificates for clients, in PEM.
    #[serde(deserialize_with = "values::path")]
    pub roots: PathBuf,
}

impl CredentialListener {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(mut self, base: &Path) -> Self {
        self.roots = base.join(&self.roots);
        self
    }
}
