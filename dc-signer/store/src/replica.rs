//! What signers that share a database know of each other, and of its clock.

use std::time::Duration;

use pki_types::UnixTime;

use crate::registry::Sha256;

/// What a signer says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Random, another one for each process: two signers may have one name.
    pub id: [u8; 16],
    /// Whether it stops, so that nobody waits for it.
    pub stopped: bool,
    /// What its clock says, if it believes it.
    pub clock: Option<UnixTime>,
    /// SHA-256 of the delegation certificates that it can sign with.
    pub keys: Vec<Sha256>,
}

/// A signer that works on the database, or did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replica {
    /// Which process it is.
    pub id: [u8; 16],
    /// How the audit log calls it.
    pub node: String,
    /// Whether it has reported lately.
    pub live: bool,
    /// What its clock said when it last believed it.
    pub clock: Option<UnixTime>,
    /// SHA-256 of the delegation certificates that it can sign with.
    pub keys: Vec<Sha256>,
}

impl Replica {
    /// After how much silence nobody waits for it any more: it reports once a minute.
    pub const SILENT: Duration = Duration::from_secs(180);
    /// How long it is remembered.
    pub const KEPT: Duration = Duration::from_secs(7 * 86_400);
}

/// The clock of a database server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerClock {
    /// What it says, since 1970.
    pub time: Duration,
    /// Whether the server is on this machine, as far as one can see: then it says what this machine says.
    pub here: bool,
}
