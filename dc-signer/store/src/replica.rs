//! Reports of signers that share a database about each other, and of its clock.

use std::time::Duration;

use pki_types::UnixTime;

use crate::registry::Sha256;

/// A signer's report of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Random, another one for each process: two signers may have one name.
    pub id: [u8; 16],
    /// Set when it stops, so that nobody waits for it.
    pub stopped: bool,
    /// The time of its clock, if it believes it.
    pub clock: Option<UnixTime>,
    /// SHA-256 of the delegation certificates that it can sign with.
    pub keys: Vec<Sha256>,
    /// The marks of the key-encryption keys that it has.
    pub sealing: Vec<[u8; 16]>,
}

/// A signer that works on the database, or did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replica {
    /// Which process it is.
    pub id: [u8; 16],
    /// How the audit log calls it.
    pub node: String,
    /// When it reported last, by the clock that they share.
    pub seen: UnixTime,
    /// Set if it has reported lately.
    pub live: bool,
    /// The time of its clock when it last believed it.
    pub clock: Option<UnixTime>,
    /// SHA-256 of the delegation certificates that it can sign with.
    pub keys: Vec<Sha256>,
    /// The marks of the key-encryption keys that it has.
    pub sealing: Vec<[u8; 16]>,
}

impl Replica {
    /// After how much silence nobody waits for it any more: it reports once a minute.
    pub const SILENT: Duration = Duration::from_secs(180);
    /// How long it is remembered.
    pub const KEPT: Duration = Duration::from_secs(7 * 86_400);
}

/// The times that are kept for devices which could not be served at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Promised {
    /// The number of the exchange.
    pub number: i64,
    /// By SHA-256 of the enrolment key, after how long.
    pub after: Vec<(Sha256, Duration)>,
}

/// The times that signers have counted together of how often devices come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LimitsUsed {
    /// The number of the exchange.
    pub number: i64,
    /// For how long it still matters how often the device with this enrolment key came.
    pub lasts: Vec<(Sha256, Duration)>,
}

/// The turn of a signer to sign checkpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    /// The signer, as it called itself when it took the turn.
    pub holder: String,
    /// The end of the turn, unless it is kept.
    pub until: UnixTime,
    /// The last checkpoint that was kept in the database, which anybody may have changed there.
    pub note: Option<String>,
}

/// The clock of a database server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerClock {
    /// The time, since 1970.
    pub time: Duration,
    /// Set if the server is on this machine, as far as one can see: then its clock is this machine's.
    pub here: bool,
}
